//! The view of the log: one row a record, its number that of the record. Written in groups, after the log has them.

use crate::acts::last_written;
use crate::event_reading::newest;
use crate::fault::{StoreFault, damaged};
use crate::store::{Store, put};
use hallpass_core::Event;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

/// How many rows one statement writes: each statement is a hand-over to the driver's thread and back.
const ROWS_PER_STATEMENT: usize = 50;

/// The setting that holds the log's newest checkpoint.
const SIGNED: &str = "log_signed";
/// The setting that holds the row number of the log's first record.
const BASE: &str = "log_base";

/// What became of records for the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// The view has all up to this row.
    Until(i64),
    /// It lacks what the log has from this row on: nothing was added.
    Missing {
        /// The first that is missing.
        from: i64,
    },
}

impl Store {
    /// Adds records that the log has, `first` being the row number of the first, and takes out the acts that waited for
    /// it. Those that are there already stay. The view has no holes: if records before these are missing, none is added.
    /// `signed`: the log's newest checkpoint, kept with them. They do not move the revision.
    pub async fn add_logged(
        &self,
        first: i64,
        events: &[Event],
        signed: Option<&str>,
    ) -> Result<Added, StoreFault> {
        let mut writing = self.begin_writing().await?;
        let next = newest(&mut writing).await?.map_or(0, |newest| newest + 1);
        if next < first {
            return Ok(Added::Missing { from: next });
        }
        let known = usize::try_from(next - first).unwrap_or(usize::MAX).min(events.len());
        let fresh = &events[known..];
        for (some, id) in fresh.chunks(ROWS_PER_STATEMENT).zip((next..).step_by(ROWS_PER_STATEMENT)) {
            insert_events(&mut writing, id, some).await?;
        }
        end_waiting(&mut writing, events).await?;
        if let Some(signed) = signed {
            put(&mut writing, SIGNED, signed).await?;
        }
        writing.commit().await?;
        Ok(Added::Until((next - 1).max(first + count(events) - 1)))
    }

    /// Adds records to a view that is made anew. Waits for nothing before them: it may have been pruned.
    pub async fn add_again(&self, first: i64, events: &[Event]) -> Result<(), StoreFault> {
        let mut writing = self.begin_writing().await?;
        for (some, id) in events.chunks(ROWS_PER_STATEMENT).zip((first..).step_by(ROWS_PER_STATEMENT)) {
            insert_events(&mut writing, id, some).await?;
        }
        Ok(writing.commit().await?)
    }

    /// Empties the view from `first` on, to be filled again.
    pub async fn forget_logged(&self, first: i64) -> Result<(), StoreFault> {
        self.forget("DELETE FROM event WHERE id >= $1", first).await
    }

    /// Empties the view of what the log does not keep any longer.
    pub async fn forget_logged_before(&self, first: i64) -> Result<(), StoreFault> {
        self.forget("DELETE FROM event WHERE id < $1", first).await
    }

    async fn forget(&self, sql: &'static str, first: i64) -> Result<(), StoreFault> {
        let mut writing = self.begin_writing().await?;
        sqlx::query(sql).bind(first).execute(&mut *writing).await?;
        Ok(writing.commit().await?)
    }

    /// A log was begun anew: the row of its first record is the next one, which is returned, and this is its newest
    /// checkpoint.
    pub async fn begin_log(&self, signed: &str) -> Result<i64, StoreFault> {
        let mut change = self.change().await?;
        let base = newest(&mut change).await?.map_or(0, |newest| newest + 1);
        put(&mut change, BASE, &base.to_string()).await?;
        put(&mut change, SIGNED, signed).await?;
        self.commit(change).await?;
        Ok(base)
    }

    /// The row number of the log's first record.
    pub async fn log_base(&self) -> Result<i64, StoreFault> {
        let base = self.setting(BASE).await?;
        base.map_or(Ok(0), |base| base.parse().map_err(|_| damaged("the log's place")))
    }

    /// The newest checkpoint that this database has seen.
    pub async fn signed_checkpoint(&self) -> Result<Option<String>, StoreFault> {
        self.setting(SIGNED).await
    }

    /// The row number of the next record in the view.
    pub async fn next_logged(&self) -> Result<i64, StoreFault> {
        Ok(newest(&mut *self.pool.acquire().await?).await?.map_or(0, |newest| newest + 1))
    }
}

fn count(events: &[Event]) -> i64 {
    i64::try_from(events.len()).unwrap_or(i64::MAX)
}

async fn insert_events(
    connection: &mut SqliteConnection,
    first: i64,
    events: &[Event],
) -> Result<(), StoreFault> {
    let records: Result<Vec<_>, _> = events.iter().map(serde_json::to_string).collect();
    let rows = (first..).zip(events).zip(records.map_err(damaged)?);
    let mut query = QueryBuilder::<Sqlite>::new(
        // What is there is the same record of the same log, added by another meanwhile. And SQLite need not keep each page as
        // it was in a file beside, for a statement that could be undone half-way.
        "INSERT OR IGNORE INTO event (id, at_ms, kind, outcome, client, server, act, record) ",
    );
    query.push_values(rows, |mut row, ((id, event), record)| {
        row.push_bind(id)
            .push_bind(event.at_ms)
            .push_bind(event.kind.as_ref())
            .push_bind(event.outcome.as_str())
            .push_bind(event.client.as_deref())
            .push_bind(event.server.as_deref())
            .push_bind(event.act)
            .push_bind(record);
    });
    query.build().execute(connection).await?;
    Ok(())
}

/// The log has these acts, and all before them. One that was never written here is the sign of an older copy.
async fn end_waiting(connection: &mut SqliteConnection, events: &[Event]) -> Result<(), StoreFault> {
    let Some(last) = events.iter().filter_map(|event| event.act).max() else { return Ok(()) };
    if last_written(&mut *connection).await? < last {
        return Err(StoreFault::BehindLog);
    }
    sqlx::query("DELETE FROM act WHERE id <= $1").bind(last).execute(connection).await?;
    Ok(())
}
