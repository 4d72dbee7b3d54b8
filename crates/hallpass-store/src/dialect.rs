//! What is SQLite's own: how a file is opened, checked and locked, and how another connection's change shows.

use crate::fault::{StoreFault, damaged};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, SqliteConnection};
use std::path::Path;
use std::time::Duration;

/// `HALL`: written into the file's header, so that another program's database is not taken for ours.
const APPLICATION_ID: i64 = 0x4841_4C4C;
/// Takes the write lock at once: a read that turns into a write half-way cannot wait for it.
pub(crate) const BEGIN_WRITING: &str = "BEGIN IMMEDIATE";
/// How long a lock of another process is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// All tables but the events: they are many, and reading them all at each start takes too long.
const CHECKED: [&str; 12] = [
    "setting",
    "revision",
    "signing_key",
    "client",
    "token",
    "placement",
    "policy",
    "grace",
    "token_use",
    "legacy_use",
    "warning",
    "gateway",
];

/// A commit that was acknowledged survives a power cut: a revocation must not come undone.
pub(crate) fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        // Rows come from a thread of the driver's: the fewer hand-overs, the sooner a snapshot is read.
        .row_buffer_size(1024)
}

/// Readers and a writer do not stop each other. Kept in the file; not among the options, which would turn another
/// program's database before we know it.
pub(crate) async fn keep_write_ahead(connection: &mut SqliteConnection) -> Result<(), StoreFault> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode = WAL").fetch_one(connection).await?;
    if mode == "wal" { Ok(()) } else { Err(StoreFault::Failed(format!("it cannot write ahead (`{mode}`)"))) }
}

/// Marks a new database as ours.
pub(crate) async fn mark(connection: &mut SqliteConnection) -> Result<(), StoreFault> {
    let sql = format!("PRAGMA application_id = {APPLICATION_ID}");
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// Whether it is ours. The first read of the file: what is no database at all shows here.
pub(crate) async fn is_marked(connection: &mut SqliteConnection) -> Result<bool, StoreFault> {
    let found: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(connection).await?;
    Ok(found == APPLICATION_ID)
}

/// Whether every table but the events can be read to their end.
pub(crate) async fn check_whole(connection: &mut SqliteConnection) -> Result<(), StoreFault> {
    for table in CHECKED {
        let sql = format!("PRAGMA quick_check({table})");
        let checked = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await;
        let said: String = checked.map_err(|error| match error.into() {
            // A table that is not there is no table that could not be asked.
            StoreFault::Failed(why) => StoreFault::Damaged(why),
            fault => fault,
        })?;
        if said != "ok" {
            return Err(damaged(format!("the table `{table}` is not whole")));
        }
    }
    Ok(())
}

/// Moves when another connection has committed anything.
pub(crate) async fn data_version(connection: &mut SqliteConnection) -> Result<i64, StoreFault> {
    Ok(sqlx::query_scalar("PRAGMA data_version").fetch_one(connection).await?)
}
