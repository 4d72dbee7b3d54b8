//! Which command registered or changed which clients, so that the newest one can be undone.

use crate::clients::{scope_of, scope_text};
use crate::fault::{StoreFault, damaged};
use crate::rows::ClientRow;
use crate::store::Store;
use hallpass_core::{ClientName, PolicyName, Subject, UnixTime};
use serde::{Deserialize, Serialize};
use sqlx::Row;

/// One client that a command registered, or whose registration it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placing {
    /// The command that did it.
    pub run: String,
    /// The client.
    pub client: ClientName,
    /// As it was registered before; `None`: it was not.
    pub before: Option<ClientRow>,
    /// When.
    pub at: UnixTime,
}

impl Store {
    /// Notes what a command is about to do. Moves no revision.
    pub async fn note_placing(&self, placing: &Placing) -> Result<(), StoreFault> {
        let before = placing.before.as_ref().map(Registered::text).transpose()?;
        let mut writing = self.begin_writing().await?;
        sqlx::query("INSERT INTO placing (run, client, before, at) VALUES ($1, $2, $3, $4)")
            .bind(&placing.run)
            .bind(placing.client.as_str())
            .bind(before)
            .bind(placing.at.seconds())
            .execute(&mut *writing)
            .await?;
        Ok(writing.commit().await?)
    }

    /// What the newest command did that is not undone, in its order. Empty: there is none.
    pub async fn newest_placings(&self) -> Result<Vec<Placing>, StoreFault> {
        let sql = "SELECT run, client, before, at FROM placing
            WHERE run = (SELECT run FROM placing ORDER BY id DESC LIMIT 1) ORDER BY id";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                let client = ClientName::new(row.try_get("client")?).map_err(damaged)?;
                let before: Option<&str> = row.try_get("before")?;
                Ok(Placing {
                    run: row.try_get("run")?,
                    before: before.map(|text| Registered::row(text, &client)).transpose()?,
                    client,
                    at: UnixTime::from_seconds(row.try_get("at")?),
                })
            })
            .collect()
    }

    /// Forgets what a command did for one client: it is undone.
    pub async fn forget_placing(&self, run: &str, client: &ClientName) -> Result<(), StoreFault> {
        let mut writing = self.begin_writing().await?;
        sqlx::query("DELETE FROM placing WHERE run = $1 AND client = $2")
            .bind(run)
            .bind(client.as_str())
            .execute(&mut *writing)
            .await?;
        Ok(writing.commit().await?)
    }
}

/// What of a registration comes back.
#[derive(Serialize, Deserialize)]
struct Registered {
    subject: String,
    app: String,
    from_roster: bool,
    servers: Option<String>,
    policy: Option<String>,
    config: Option<String>,
    entry: Option<String>,
    env: Option<String>,
    placement: Option<String>,
    created_at: i64,
}

impl Registered {
    fn text(row: &ClientRow) -> Result<String, StoreFault> {
        let registered = Self {
            subject: row.subject.to_string(),
            app: row.app.clone(),
            from_roster: row.from_roster,
            servers: scope_text(&row.servers)?,
            policy: row.policy.as_ref().map(ToString::to_string),
            config: row.config.clone(),
            entry: row.entry.clone(),
            env: row.env.clone(),
            placement: row.placement.clone(),
            created_at: row.created_at.seconds(),
        };
        serde_json::to_string(&registered).map_err(damaged)
    }

    fn row(text: &str, client: &ClientName) -> Result<ClientRow, StoreFault> {
        let it: Self = serde_json::from_str(text).map_err(damaged)?;
        Ok(ClientRow {
            name: client.clone(),
            subject: Subject::new(&it.subject).map_err(damaged)?,
            app: it.app,
            enabled: true,
            removed: false,
            from_roster: it.from_roster,
            servers: scope_of(it.servers)?,
            policy: it.policy.as_deref().map(PolicyName::new).transpose().map_err(damaged)?,
            config: it.config,
            entry: it.entry,
            env: it.env,
            placement: it.placement,
            created_at: UnixTime::from_seconds(it.created_at),
        })
    }
}
