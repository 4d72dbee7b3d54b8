//! Opens the database and runs its transactions. A missing, foreign, damaged or newer one is refused, never made anew.

use crate::dialect::{APPLICATION_ID, application_id, options};
use crate::fault::{StoreFault, damaged};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Sqlite, SqlitePool, Transaction};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// The store. Cheap to clone: the connections are shared.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: SqlitePool,
    pub(crate) file: PathBuf,
}

pub(crate) type Change = Transaction<'static, Sqlite>;

impl Store {
    /// Makes a new database (0600) in a folder that is there. Refuses one that exists.
    pub async fn create(file: &Path) -> Result<Self, StoreFault> {
        // Made private before SQLite opens it: its -wal and -shm take over the mode.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(StoreFault::AlreadyThere);
            }
            Err(error) => return Err(error.into()),
        }
        let store = Self::connect(file);
        let mut connection = store.pool.acquire().await?;
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}")))
            .execute(&mut *connection)
            .await?;
        drop(connection);
        store.migrate().await?;
        Ok(store)
    }

    /// Opens a database that was made before, and brings it up to this version.
    pub async fn open(file: &Path) -> Result<Self, StoreFault> {
        check_file(file)?;
        let store = Self::connect(file);
        let mut connection = store.pool.acquire().await?;
        if application_id(&mut connection).await? != APPLICATION_ID {
            return Err(damaged("it is a database of another program"));
        }
        drop(connection);
        store.migrate().await?;
        Ok(store)
    }

    fn connect(file: &Path) -> Self {
        let pool = SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options(file));
        Self { pool, file: file.to_owned() }
    }

    async fn migrate(&self) -> Result<(), StoreFault> {
        Ok(sqlx::migrate!().run(&self.pool).await?)
    }

    /// Closes every connection, so that the file can be moved.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A setting's value.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreFault> {
        let value = sqlx::query_scalar("SELECT value FROM setting WHERE name = $1").bind(name);
        Ok(value.fetch_optional(&self.pool).await?)
    }

    /// Sets a setting.
    pub async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreFault> {
        let mut change = self.change().await?;
        let sql = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        sqlx::query(sql).bind(name).bind(value).execute(&mut *change).await?;
        self.commit(change).await
    }

    /// Begins a change of what is in force. Takes the write lock at once: a lock taken half-way could not be waited for.
    pub(crate) async fn change(&self) -> Result<Change, StoreFault> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Ends it: the revision moves with what was changed.
    pub(crate) async fn commit(&self, mut change: Change) -> Result<(), StoreFault> {
        sqlx::query("UPDATE revision SET number = number + 1").execute(&mut *change).await?;
        Ok(change.commit().await?)
    }
}

/// A file that SQLite would take for a new database, or that others can read, is no store of ours.
fn check_file(file: &Path) -> Result<(), StoreFault> {
    let mut opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(StoreFault::Missing),
        Err(error) => return Err(error.into()),
    };
    let meta = opened.metadata()?;
    if meta.mode() & 0o077 != 0 {
        return Err(StoreFault::OthersCanRead { mode: meta.mode() & 0o777 });
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(StoreFault::OtherOwner);
    }
    let mut header = [0; 16];
    if opened.read_exact(&mut header).is_err() || header != *HEADER {
        return Err(damaged("it is not an SQLite database"));
    }
    Ok(())
}
