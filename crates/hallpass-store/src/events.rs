//! The events: one row a call or an act. Written in groups, off the calls' path.

use crate::fault::{StoreFault, damaged};
use crate::store::Store;
use hallpass_core::{Event, Outcome};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

/// How many rows one statement writes: each statement is a hand-over to the driver's thread and back.
const ROWS_PER_STATEMENT: usize = 50;

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
    /// Adds events in one transaction, and returns the row number of the last. They do not move the revision.
    pub async fn add_events(&self, events: &[Event]) -> Result<i64, StoreFault> {
        let mut writing = self.begin_writing().await?;
        for some in events.chunks(ROWS_PER_STATEMENT) {
            insert_events(&mut writing, some).await?;
        }
        // Nobody else writes meanwhile.
        let last = newest(&mut writing).await?;
        writing.commit().await?;
        Ok(last)
    }

    /// The row number of the newest event; 0 if there is none.
    pub async fn newest_event(&self) -> Result<i64, StoreFault> {
        newest(&mut *self.pool.acquire().await?).await
    }

    /// At most so many events after that row, oldest first.
    pub async fn events_after(&self, id: i64, most: u32) -> Result<Vec<(i64, Event)>, StoreFault> {
        let query = sqlx::query("SELECT id, record FROM event WHERE id > $1 ORDER BY id LIMIT $2");
        let rows = query.bind(id).bind(i64::from(most)).fetch_all(&self.pool).await?;
        rows.iter().map(read).collect()
    }

    /// The events asked for with their row numbers, oldest first.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<(i64, Event)>, StoreFault> {
        let rows = filter.query().build().fetch_all(&self.pool).await?;
        rows.iter().rev().map(read).collect()
    }

    /// Each client's newest call with a good token, in milliseconds.
    pub async fn last_calls(&self) -> Result<Vec<(String, i64)>, StoreFault> {
        // One step into the index for each client: the events themselves are too many to be grouped.
        let sql = "SELECT name, at_ms FROM (SELECT name, (SELECT at_ms FROM event
                WHERE event.client = name AND kind = 'call' AND outcome <> 'refused' ORDER BY id DESC LIMIT 1) AS at_ms
            FROM client) AS newest WHERE at_ms IS NOT NULL ORDER BY name";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get("name")?, row.try_get("at_ms")?))).collect()
    }
}

impl EventFilter {
    /// Newest first, with a condition only for what is set: `$1 IS NULL OR ...` would keep the indexes from being used.
    fn query(&self) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new("SELECT id, record FROM event WHERE id > ");
        query.push_bind(self.after_id.unwrap_or(0));
        if let Some(client) = &self.client {
            query.push(" AND client = ").push_bind(client.clone());
        }
        if let Some(server) = &self.server {
            query.push(" AND server = ").push_bind(server.clone());
        }
        if let Some(outcome) = self.outcome {
            query.push(" AND outcome = ").push_bind(outcome.as_str());
        }
        if let Some(since_ms) = self.since_ms {
            query.push(" AND at_ms >= ").push_bind(since_ms);
        }
        query.push(" ORDER BY id DESC");
        if let Some(last) = self.last {
            query.push(" LIMIT ").push_bind(i64::from(last));
        }
        query
    }
}

async fn newest(connection: &mut SqliteConnection) -> Result<i64, StoreFault> {
    let id: Option<i64> = sqlx::query_scalar("SELECT MAX(id) FROM event").fetch_one(connection).await?;
    Ok(id.unwrap_or(0))
}

fn read(row: &SqliteRow) -> Result<(i64, Event), StoreFault> {
    let record: &str = row.try_get("record")?;
    Ok((row.try_get("id")?, serde_json::from_str(record).map_err(damaged)?))
}

pub(crate) async fn insert_event(connection: &mut SqliteConnection, event: &Event) -> Result<(), StoreFault> {
    insert_events(connection, std::slice::from_ref(event)).await
}

async fn insert_events(connection: &mut SqliteConnection, events: &[Event]) -> Result<(), StoreFault> {
    let records: Result<Vec<_>, _> = events.iter().map(serde_json::to_string).collect();
    let rows = events.iter().zip(records.map_err(damaged)?);
    let mut query =
        QueryBuilder::<Sqlite>::new("INSERT INTO event (at_ms, kind, outcome, client, server, record) ");
    query.push_values(rows, |mut row, (event, record)| {
        row.push_bind(event.at_ms)
            .push_bind(event.kind.as_ref())
            .push_bind(event.outcome.as_str())
            .push_bind(event.client.as_deref())
            .push_bind(event.server.as_deref())
            .push_bind(record);
    });
    query.build().execute(connection).await?;
    Ok(())
}
