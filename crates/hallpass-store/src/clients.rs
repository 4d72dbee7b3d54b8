//! The clients' rows. Removed ones stay, so that their tokens keep their owner.

use crate::fault::{StoreFault, damaged};
use crate::rows::ClientRow;
use crate::store::Store;
use crate::tokens::revoke_live;
use hallpass_core::snapshot::ServerScope;
use hallpass_core::{ClientName, Event, PolicyName, Subject, UnixTime};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

const COLUMNS: &str = "SELECT name, subject, app, enabled, removed, from_roster, servers, config, entry, env, created_at, policy, placement FROM client";

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

    /// Registers a client, or changes its registration. A removed one's name may be used again (`removed` is not
    /// looked at: only [`Store::remove_client`] removes, and its tokens stay revoked). Whether one that is registered is
    /// enabled stays as it is: a plan that was made before [`Store::disable_client`] must not undo it.
    pub async fn put_client(&self, client: &ClientRow, act: Option<&Event>) -> Result<(), StoreFault> {
        let mut change = self.granting_change().await?;
        refuse_duplicate(&mut change, client).await?;
        upsert(&mut change, client).await?;
        if let Some(act) = act {
            change.tell(act).await?;
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
        require_client(&mut change, name).await?;
        revoke_live(&mut change, name, at, reason).await?;
        sqlx::query("UPDATE token SET former = TRUE WHERE client = $1")
            .bind(name)
            .execute(&mut *change)
            .await?;
        for gone in ["DELETE FROM placement WHERE client = $1", "DELETE FROM placing WHERE client = $1"] {
            sqlx::query(gone).bind(name).execute(&mut *change).await?;
        }
        sqlx::query("UPDATE client SET removed = TRUE, token_used_at = NULL, policy = NULL WHERE name = $1")
            .bind(name)
            .execute(&mut *change)
            .await?;
        change.tell(act).await?;
        self.commit(change).await
    }
}

/// A client that is registered now: a token of any other must not come to be.
pub(crate) async fn require_client(connection: &mut SqliteConnection, name: &str) -> Result<(), StoreFault> {
    let query = sqlx::query("SELECT 1 FROM client WHERE name = $1 AND NOT removed").bind(name);
    match query.fetch_optional(connection).await? {
        Some(_) => Ok(()),
        None => Err(StoreFault::UnknownClient { client: name.to_owned() }),
    }
}

async fn refuse_duplicate(connection: &mut SqliteConnection, client: &ClientRow) -> Result<(), StoreFault> {
    let sql = "SELECT name FROM client WHERE subject = $1 AND name <> $2 AND NOT removed";
    let query = sqlx::query_scalar(sql).bind(client.subject.as_str()).bind(client.name.as_str());
    match query.fetch_optional(connection).await? {
        None => Ok(()),
        Some(other) => Err(StoreFault::DuplicateSubject { subject: client.subject.to_string(), other }),
    }
}

async fn upsert(connection: &mut SqliteConnection, client: &ClientRow) -> Result<(), StoreFault> {
    let sql = "INSERT INTO client (name, subject, app, enabled, removed, from_roster, servers, config, entry, env, created_at, policy,
            placement)
        VALUES ($1, $2, $3, $4, FALSE, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (name) DO UPDATE SET subject = excluded.subject, app = excluded.app,
            enabled = CASE WHEN client.removed THEN excluded.enabled ELSE client.enabled END,
            removed = excluded.removed, from_roster = excluded.from_roster, servers = excluded.servers,
            config = excluded.config, entry = excluded.entry, env = excluded.env, created_at = excluded.created_at,
            policy = excluded.policy, placement = excluded.placement";
    sqlx::query(sql)
        .bind(client.name.as_str())
        .bind(client.subject.as_str())
        .bind(&client.app)
        .bind(client.enabled)
        .bind(client.from_roster)
        .bind(scope_text(&client.servers)?)
        .bind(&client.config)
        .bind(&client.entry)
        .bind(&client.env)
        .bind(client.created_at.seconds())
        .bind(client.policy.as_ref().map(PolicyName::as_str))
        .bind(&client.placement)
        .execute(connection)
        .await?;
    Ok(())
}

/// A list that could not be written must not turn into "every server".
pub(crate) fn scope_text(servers: &ServerScope) -> Result<Option<String>, StoreFault> {
    match servers {
        ServerScope::All => Ok(None),
        ServerScope::Only(servers) => serde_json::to_string(servers).map(Some).map_err(damaged),
    }
}

pub(crate) fn scope_of(text: Option<String>) -> Result<ServerScope, StoreFault> {
    match text {
        None => Ok(ServerScope::All),
        Some(list) => serde_json::from_str(&list).map(ServerScope::Only).map_err(damaged),
    }
}

pub(crate) fn read(row: &SqliteRow) -> Result<ClientRow, StoreFault> {
    let policy: Option<&str> = row.try_get("policy")?;
    Ok(ClientRow {
        name: ClientName::new(row.try_get("name")?).map_err(damaged)?,
        subject: Subject::new(row.try_get("subject")?).map_err(damaged)?,
        app: row.try_get("app")?,
        enabled: row.try_get("enabled")?,
        removed: row.try_get("removed")?,
        from_roster: row.try_get("from_roster")?,
        servers: scope_of(row.try_get("servers")?)?,
        policy: policy.map(PolicyName::new).transpose().map_err(damaged)?,
        config: row.try_get("config")?,
        entry: row.try_get("entry")?,
        env: row.try_get("env")?,
        placement: row.try_get("placement")?,
        created_at: UnixTime::from_seconds(row.try_get("created_at")?),
    })
}
