//! Clients switched off and on again. Their tokens stay as they are.

use crate::clients::require_client;
use crate::fault::{StoreFault, damaged};
use crate::store::Store;
use hallpass_core::{ClientName, Event, UnixTime};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// Since when a client is disabled, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// Since when; `None`: it is not on record.
    pub at: Option<UnixTime>,
    /// Why.
    pub reason: Option<String>,
}

impl Store {
    /// Its tokens are refused from now on. Returns whether it was enabled.
    pub async fn disable_client(
        &self,
        client: &str,
        at: UnixTime,
        reason: &str,
        act: &Event,
    ) -> Result<bool, StoreFault> {
        let mut change = self.change().await?;
        require_client(&mut change, client).await?;
        let sql = "UPDATE client SET enabled = FALSE, disabled_at = $1, disabled_reason = $2
            WHERE name = $3 AND enabled AND NOT removed";
        let query = sqlx::query(sql).bind(at.seconds()).bind(reason).bind(client);
        if query.execute(&mut *change).await?.rows_affected() == 0 {
            return Ok(false);
        }
        change.tell(act).await?;
        self.commit(change).await?;
        Ok(true)
    }

    /// Its tokens count again, those that are still good. Returns whether it was disabled.
    pub async fn enable_client(&self, client: &str, act: &Event) -> Result<bool, StoreFault> {
        let mut change = self.granting_change().await?;
        require_client(&mut change, client).await?;
        let sql = "UPDATE client SET enabled = TRUE, disabled_at = NULL, disabled_reason = NULL
            WHERE name = $1 AND NOT enabled AND NOT removed";
        if sqlx::query(sql).bind(client).execute(&mut *change).await?.rows_affected() == 0 {
            return Ok(false);
        }
        change.tell(act).await?;
        self.commit(change).await?;
        Ok(true)
    }

    /// Since when a client is disabled and why, if it is.
    pub async fn disabled(&self, client: &str) -> Result<Option<Disabled>, StoreFault> {
        let sql = "SELECT disabled_at, disabled_reason FROM client WHERE name = $1 AND NOT enabled";
        let Some(row) = sqlx::query(sql).bind(client).fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        let at: Option<i64> = row.try_get("disabled_at")?;
        Ok(Some(Disabled { at: at.map(UnixTime::from_seconds), reason: row.try_get("disabled_reason")? }))
    }

    /// All clients that are disabled, and since when and why.
    pub async fn disabled_clients(&self) -> Result<Vec<(ClientName, Disabled)>, StoreFault> {
        let sql = "SELECT name, disabled_at, disabled_reason FROM client WHERE NOT enabled AND NOT removed";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let read = |row: &SqliteRow| {
            let at: Option<i64> = row.try_get("disabled_at")?;
            let reason = row.try_get("disabled_reason")?;
            let name = ClientName::new(row.try_get("name")?).map_err(damaged)?;
            Ok((name, Disabled { at: at.map(UnixTime::from_seconds), reason }))
        };
        rows.iter().map(read).collect()
    }
}
