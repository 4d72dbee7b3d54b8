//! The events: one row a call or an act. Written in groups, off the calls' path.

use crate::fault::{StoreFault, damaged};
use crate::store::Store;
use hallpass_core::{Event, Outcome};
use sqlx::{Row, SqliteConnection};

/// Which events are asked for. Every field that is set narrows.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only those after this row.
    pub after_id: Option<i64>,
    /// Only this client's.
    pub client: Option<String>,
    /// Only this server's.
    pub server: Option<String>,
    /// Only this outcome.
    pub outcome: Option<Outcome>,
    /// Only from this time on, in milliseconds.
    pub since_ms: Option<i64>,
    /// Only the newest so many.
    pub last: Option<u32>,
}

impl Store {
    /// Adds events in one transaction. They do not move the revision.
    pub async fn add_events(&self, events: &[Event]) -> Result<(), StoreFault> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for event in events {
            insert_event(&mut transaction, event).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The events asked for with their row numbers, oldest first.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<(i64, Event)>, StoreFault> {
        let sql = "SELECT id, record FROM event
            WHERE ($1 IS NULL OR id > $1) AND ($2 IS NULL OR client = $2) AND ($3 IS NULL OR server = $3)
                AND ($4 IS NULL OR outcome = $4) AND ($5 IS NULL OR at_ms >= $5)
            ORDER BY id DESC LIMIT $6";
        let rows = sqlx::query(sql)
            .bind(filter.after_id)
            .bind(&filter.client)
            .bind(&filter.server)
            .bind(filter.outcome.map(Outcome::as_str))
            .bind(filter.since_ms)
            .bind(filter.last.map_or(-1, i64::from))
            .fetch_all(&self.pool)
            .await?;
        let read = |row: &sqlx::sqlite::SqliteRow| -> Result<(i64, Event), StoreFault> {
            let record: &str = row.try_get("record")?;
            Ok((row.try_get("id")?, serde_json::from_str(record).map_err(damaged)?))
        };
        rows.iter().rev().map(read).collect()
    }

    /// Each client's newest call with a good token, in milliseconds.
    pub async fn last_calls(&self) -> Result<Vec<(String, i64)>, StoreFault> {
        let sql = "SELECT client, MAX(at_ms) AS at_ms FROM event
            WHERE kind = 'call' AND client IS NOT NULL AND outcome <> 'refused' GROUP BY client";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get("client")?, row.try_get("at_ms")?))).collect()
    }
}

pub(crate) async fn insert_event(connection: &mut SqliteConnection, event: &Event) -> Result<(), StoreFault> {
    let record = serde_json::to_string(event).map_err(damaged)?;
    let sql =
        "INSERT INTO event (at_ms, kind, outcome, client, server, record) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(event.at_ms)
        .bind(event.kind.as_ref())
        .bind(event.outcome.as_str())
        .bind(&event.client)
        .bind(&event.server)
        .bind(record)
        .execute(connection)
        .await?;
    Ok(())
}
