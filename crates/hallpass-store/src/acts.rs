//! Acts that wait for the log: written in the transaction of the change that they tell of, taken out once the log has
//! them. A change is acknowledged after whoever keeps the log was asked to take them, so that none is forgotten.

use crate::fault::{StoreFault, damaged};
use crate::store::{Change, Store};
use hallpass_core::Event;
use sqlx::{Row, SqliteConnection};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

/// What is done for the log's sake, later.
pub type Done<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The log, as the store knows it.
pub trait ActLog: Send + Sync {
    /// Whether it takes records now, or why not. Asked before anything is granted: what cannot be recorded is not done.
    fn ready(&self) -> Done<Result<(), String>>;
    /// Who acts, where an act does not say.
    fn actor(&self) -> String;
    /// Takes the acts that wait. What it cannot do now it says and does later: the change is in force.
    fn take(&self) -> Done<()>;
}

/// The log, once there is one.
#[derive(Clone, Default)]
pub(crate) struct Acts(Arc<OnceLock<Box<dyn ActLog>>>);

impl fmt::Debug for Acts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acts(..)")
    }
}

impl Acts {
    pub(crate) async fn ready(&self) -> Result<(), StoreFault> {
        let Some(log) = self.0.get() else { return Ok(()) };
        log.ready().await.map_err(StoreFault::NotRecorded)
    }

    pub(crate) fn actor(&self) -> Option<String> {
        self.0.get().map(|log| log.actor())
    }

    pub(crate) async fn take(&self) {
        if let Some(log) = self.0.get() {
            log.take().await;
        }
    }
}

impl Change {
    /// Tells the log of the change, with it or not at all.
    pub(crate) async fn tell(&mut self, act: &Event) -> Result<(), StoreFault> {
        let by = act.by.clone().or_else(|| self.by.clone());
        let record = serde_json::to_string(&Event { by, ..act.clone() }).map_err(damaged)?;
        sqlx::query("INSERT INTO act (record) VALUES ($1)").bind(record).execute(&mut **self).await?;
        self.has_told();
        Ok(())
    }
}

impl Store {
    /// From now on every change that tells of an act waits for the log before it is acknowledged. Only the first log counts.
    pub fn tell_acts_to(&self, log: Box<dyn ActLog>) {
        let _ = self.acts.0.set(log);
    }

    /// At most so many of the acts after `number` that wait for the log, oldest first, each with its number.
    pub async fn waiting_acts(&self, number: i64, most: u32) -> Result<Vec<(i64, Event)>, StoreFault> {
        let query = sqlx::query("SELECT id, record FROM act WHERE id > $1 ORDER BY id LIMIT $2");
        let rows = query.bind(number).bind(i64::from(most)).fetch_all(&self.pool).await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let record: &str = row.try_get("record")?;
            Ok((row.try_get("id")?, serde_json::from_str(record).map_err(damaged)?))
        };
        rows.iter().map(read).collect()
    }

    /// The number of the last act that the view of the log has; 0 if it has none.
    pub async fn last_act_in_view(&self) -> Result<i64, StoreFault> {
        let number: Option<i64> = sqlx::query_scalar("SELECT MAX(act) FROM event WHERE act IS NOT NULL")
            .fetch_one(&self.pool)
            .await?;
        Ok(number.unwrap_or(0))
    }

    /// The number of the last act that was ever written here; 0 if none was. A log that knows a later one is ahead of this
    /// database.
    pub async fn last_act(&self) -> Result<i64, StoreFault> {
        last_written(&mut *self.pool.acquire().await?).await
    }

    /// Leaves out the numbers up to this one: the log gave them to acts that this database never saw.
    pub async fn skip_acts(&self, until: i64) -> Result<(), StoreFault> {
        let mut writing = self.begin_writing().await?;
        // A number that is taken out again is never given to another.
        let sql = "INSERT OR IGNORE INTO act (id, record) VALUES ($1, '')";
        sqlx::query(sql).bind(until).execute(&mut *writing).await?;
        sqlx::query("DELETE FROM act WHERE id = $1 AND record = ''")
            .bind(until)
            .execute(&mut *writing)
            .await?;
        Ok(writing.commit().await?)
    }
}

pub(crate) async fn last_written(connection: &mut SqliteConnection) -> Result<i64, StoreFault> {
    let number: Option<i64> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'act'")
        .fetch_optional(connection)
        .await?;
    Ok(number.unwrap_or(0))
}
