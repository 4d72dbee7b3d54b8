//! The events: one row a call or an act. Written in groups, off the calls' path.

use crate::event_reading::newest;
use crate::fault::{StoreFault, damaged};
use crate::store::Store;
use hallpass_core::Event;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

/// How many rows one statement writes: each statement is a hand-over to the driver's thread and back.
const ROWS_PER_STATEMENT: usize = 50;

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
