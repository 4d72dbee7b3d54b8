//! The clients' rows.

use crate::events::insert_event;
use crate::fault::{StoreFault, damaged};
use crate::rows::ClientRow;
use crate::store::Store;
use crate::tokens::revoke_live;
use hallpass_core::snapshot::ServerScope;
use hallpass_core::{ClientName, Event, Subject, UnixTime};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

const COLUMNS: &str = "SELECT name, subject, app, enabled, removed, from_roster, servers, config, entry, env, created_at FROM client";

impl Store {
    /// All clients by name, removed ones too.
    pub async fn clients(&self) -> Result<Vec<ClientRow>, StoreFault> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY name")))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// The client of that name, a removed one too.
    pub async fn client(&self, name: &str) -> Result<Option<ClientRow>, StoreFault> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE name = $1")))
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Registers a client, or changes its registration.
    pub async fn put_client(&self, client: &ClientRow, act: Option<&Event>) -> Result<(), StoreFault> {
        let mut change = self.change().await?;
        let sql = "INSERT INTO client (name, subject, app, enabled, removed, from_roster, servers, config, entry, env, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            ON CONFLICT (name) DO UPDATE SET subject = excluded.subject, app = excluded.app, enabled = excluded.enabled,
                removed = excluded.removed, from_roster = excluded.from_roster, servers = excluded.servers,
                config = excluded.config, entry = excluded.entry, env = excluded.env, created_at = excluded.created_at";
        let written = sqlx::query(sql)
            .bind(client.name.as_str())
            .bind(client.subject.as_str())
            .bind(&client.app)
            .bind(client.enabled)
            .bind(client.removed)
            .bind(client.from_roster)
            .bind(servers_text(&client.servers))
            .bind(&client.config)
            .bind(&client.entry)
            .bind(&client.env)
            .bind(client.created_at.seconds())
            .execute(&mut *change)
            .await;
        match written {
            Err(error)
                if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) =>
            {
                return Err(StoreFault::DuplicateSubject { subject: client.subject.to_string() });
            }
            written => written?,
        };
        if let Some(act) = act {
            insert_event(&mut change, act).await?;
        }
        self.commit(change).await
    }

    /// Revokes what is live, forgets the placement, marks the client removed. Its row stays, so that its tokens keep
    /// their owner.
    pub async fn remove_client(
        &self,
        name: &str,
        at: UnixTime,
        reason: &str,
        act: &Event,
    ) -> Result<(), StoreFault> {
        let mut change = self.change().await?;
        revoke_live(&mut change, name, at, reason).await?;
        sqlx::query("UPDATE token SET former = TRUE WHERE client = $1")
            .bind(name)
            .execute(&mut *change)
            .await?;
        sqlx::query("DELETE FROM placement WHERE client = $1").bind(name).execute(&mut *change).await?;
        sqlx::query("UPDATE client SET removed = TRUE WHERE name = $1")
            .bind(name)
            .execute(&mut *change)
            .await?;
        insert_event(&mut change, act).await?;
        self.commit(change).await
    }
}

fn servers_text(servers: &ServerScope) -> Option<String> {
    match servers {
        ServerScope::All => None,
        ServerScope::Only(servers) => serde_json::to_string(servers).ok(),
    }
}

pub(crate) fn read(row: &SqliteRow) -> Result<ClientRow, StoreFault> {
    let servers: Option<String> = row.try_get("servers")?;
    let servers = match servers {
        None => ServerScope::All,
        Some(list) => ServerScope::Only(serde_json::from_str(&list).map_err(damaged)?),
    };
    Ok(ClientRow {
        name: ClientName::new(row.try_get("name")?).map_err(damaged)?,
        subject: Subject::new(row.try_get("subject")?).map_err(damaged)?,
        app: row.try_get("app")?,
        enabled: row.try_get("enabled")?,
        removed: row.try_get("removed")?,
        from_roster: row.try_get("from_roster")?,
        servers,
        config: row.try_get("config")?,
        entry: row.try_get("entry")?,
        env: row.try_get("env")?,
        created_at: UnixTime::from_seconds(row.try_get("created_at")?),
    })
}
