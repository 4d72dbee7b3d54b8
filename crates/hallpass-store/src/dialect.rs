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
/// Tokens that are read to their end by every command that opens the database. Of more, that is for the gateway alone.
const TOKENS_FEW: i64 = 20_000;
/// All tables but the tokens, and the events: they are many, and reading them all at each start takes too long.
const CHECKED: [&str; 15] = [
    "setting",
    "revision",
    "signing_key",
    "client",
    "placement",
    "placing",
    "policy",
    "grace",
    "token_use",
    "legacy_use",
    "warning",
    "gateway",
    "history",
    "change",
    "act",
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

/// Whether every table but the events can be read to their end, and the tokens if they are few.
pub(crate) async fn check_whole(connection: &mut SqliteConnection) -> Result<(), StoreFault> {
    for table in CHECKED {
        check_table(connection, table).await?;
    }
    let tokens = sqlx::query_scalar("SELECT MAX(rowid) FROM token").fetch_one(&mut *connection).await;
    let tokens: Option<i64> = tokens.map_err(damage)?;
    if tokens.unwrap_or_default() > TOKENS_FEW { Ok(()) } else { check_tokens(connection).await }
}

/// Whether the tokens can be read to their end.
pub(crate) async fn check_tokens(connection: &mut SqliteConnection) -> Result<(), StoreFault> {
    check_table(connection, "token").await
}

async fn check_table(connection: &mut SqliteConnection, table: &str) -> Result<(), StoreFault> {
    let sql = format!("PRAGMA quick_check({table})");
    let checked = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await;
    let said: String = checked.map_err(damage)?;
    if said == "ok" { Ok(()) } else { Err(damaged(format!("the table `{table}` is not whole"))) }
}

/// A table that is not there is no table that could not be asked.
fn damage(error: sqlx::Error) -> StoreFault {
    match error.into() {
        StoreFault::Failed(why) => StoreFault::Damaged(why),
        fault => fault,
    }
}

/// Takes over into the file itself what is still written ahead, and leaves nothing beside it: SQLite would take what lies
/// there for that of the next file of this name.
pub(crate) async fn write_back(connection: &mut SqliteConnection) -> Result<(), StoreFault> {
    let is_busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
    if is_busy == 0 { Ok(()) } else { Err(StoreFault::Locked) }
}

/// Moves when another connection has committed anything.
pub(crate) async fn data_version(connection: &mut SqliteConnection) -> Result<i64, StoreFault> {
    Ok(sqlx::query_scalar("PRAGMA data_version").fetch_one(connection).await?)
}
