//! Opens the database and runs its transactions. A missing, foreign, damaged or newer one is refused, never made anew.

use crate::dialect;
use crate::fault::{StoreFault, damaged};
use crate::file::DatabaseFile;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use std::ops::{Deref, DerefMut};
use std::path::Path;

/// One writes, one reads beside it.
const CONNECTIONS_MOST: u32 = 2;

/// The store. Cheap to clone: the connections are shared.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: SqlitePool,
    pub(crate) file: DatabaseFile,
}

/// A change of what is in force. Only [`Store::commit`] ends it, so that none forgets the revision; dropped, it
/// never was. In code and not in triggers, whose text differs between databases.
pub(crate) struct Change(Transaction<'static, Sqlite>);

impl Store {
    /// Makes a new database (0600) in a folder that is there. Refuses one that exists.
    pub async fn create(path: &Path) -> Result<Self, StoreFault> {
        let store = Self::on(DatabaseFile::create(path)?);
        let mut connection = store.pool.acquire().await?;
        dialect::mark(&mut connection).await?;
        dialect::keep_write_ahead(&mut connection).await?;
        drop(connection);
        store.migrate().await?;
        Ok(store)
    }

    /// Opens a database that was made before, and brings it up to this version.
    pub async fn open(path: &Path) -> Result<Self, StoreFault> {
        let store = Self::on(DatabaseFile::find(path)?);
        let mut connection = store.pool.acquire().await?;
        // Before anything is written: another program's database stays as it is.
        if !dialect::is_marked(&mut connection).await? {
            return Err(damaged("it is a database of another program"));
        }
        dialect::keep_write_ahead(&mut connection).await?;
        drop(connection);
        store.migrate().await?;
        dialect::check_whole(&mut *store.pool.acquire().await?).await?;
        Ok(store)
    }

    fn on(file: DatabaseFile) -> Self {
        // Connections live as long as the store: one that is opened later could find another file of that name.
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MOST)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(dialect::options(file.path()));
        Self { pool, file }
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

    /// Begins a change of what is in force.
    pub(crate) async fn change(&self) -> Result<Change, StoreFault> {
        self.begin_writing().await.map(Change)
    }

    /// Ends it: the revision moves with what was changed.
    pub(crate) async fn commit(&self, mut change: Change) -> Result<(), StoreFault> {
        sqlx::query("UPDATE revision SET number = number + 1").execute(&mut *change).await?;
        Ok(change.0.commit().await?)
    }

    /// Ends one that turned out to touch nothing that is in force.
    pub(crate) async fn commit_what_is_not_in_force(&self, change: Change) -> Result<(), StoreFault> {
        Ok(change.0.commit().await?)
    }

    /// Begins to write what is not in force: events, placements.
    pub(crate) async fn begin_writing(&self) -> Result<Transaction<'static, Sqlite>, StoreFault> {
        // What is written into a file that has lost its name is lost: a revocation must not be acknowledged there.
        self.file.check_still_there()?;
        Ok(self.pool.begin_with(dialect::BEGIN_WRITING).await?)
    }
}

impl Deref for Change {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        &self.0
    }
}

impl DerefMut for Change {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }
}
