//! What is SQLite's own: how a file is opened and how another process's change shows.

use crate::fault::StoreFault;
use sqlx::SqliteConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use std::path::Path;
use std::time::Duration;

/// `HALL`: written into the file's header, so that another program's database is not taken for ours.
pub(crate) const APPLICATION_ID: i64 = 0x4841_4C4C;

/// A commit that was acknowledged survives a power cut: a revocation must not come undone.
pub(crate) fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(2))
}

pub(crate) async fn application_id(connection: &mut SqliteConnection) -> Result<i64, StoreFault> {
    Ok(sqlx::query_scalar("PRAGMA application_id").fetch_one(connection).await?)
}

/// Moves when another connection has committed anything.
pub(crate) async fn data_version(connection: &mut SqliteConnection) -> Result<i64, StoreFault> {
    Ok(sqlx::query_scalar("PRAGMA data_version").fetch_one(connection).await?)
}
