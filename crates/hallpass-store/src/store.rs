//! Opens the database and runs its transactions. A missing, foreign, damaged or newer one is refused, never made anew.

use crate::acts::Acts;
use crate::dialect;
use crate::fault::{StoreFault, damaged};
use crate::file::DatabaseFile;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction};
use std::cmp::Ordering;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::Duration;

/// How often, and after what rest, connections are asked back that somebody uses.
const LET_GO_TRIES: u32 = 20;
const LET_GO_PAUSE: Duration = Duration::from_millis(2);
/// So many read at once, in one process.
const READERS_MOST: u32 = 2;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// The store. Cheap to clone: the connections are shared.
#[derive(Clone, Debug)]
pub struct Store {
    /// Those who read.
    pub(crate) pool: SqlitePool,
    /// Who writes, always the same one: another would have to read anew what this one wrote.
    writer: SqlitePool,
    pub(crate) file: DatabaseFile,
    pub(crate) acts: Acts,
}

/// A change of what is in force. Only [`Store::commit`] ends it, so that none forgets the revision; dropped, it
/// never was. In code and not in triggers, whose text differs between databases.
pub(crate) struct Change {
    transaction: Transaction<'static, Sqlite>,
    /// The log has to be told of it.
    told: bool,
    /// Who changes it, if that is known.
    pub(crate) by: Option<String>,
}

impl Change {
    pub(crate) fn has_told(&mut self) {
        self.told = true;
    }
}

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
        check_marked(&mut connection).await?;
        dialect::keep_write_ahead(&mut connection).await?;
        drop(connection);
        store.migrate().await?;
        dialect::check_whole(&mut *store.pool.acquire().await?).await?;
        Ok(store)
    }

    fn on(file: DatabaseFile) -> Self {
        let (pool, writer) = (connections(&file, READERS_MOST), connections(&file, 1));
        Self { pool, writer, file, acts: Acts::default() }
    }

    async fn migrate(&self) -> Result<(), StoreFault> {
        Ok(MIGRATIONS.run(&self.pool).await?)
    }

    /// Leaves a file that has lost its name: what is written ahead goes with it. An error if somebody still uses it.
    pub(crate) async fn let_go(&self, watching: Option<SqliteConnection>) -> Result<(), StoreFault> {
        if let Some(mut connection) = watching {
            dialect::write_back(&mut connection).await?;
            connection.close().await?;
        }
        for _ in 0..LET_GO_TRIES {
            for pool in [&self.pool, &self.writer] {
                while let Some(mut connection) = pool.try_acquire() {
                    dialect::write_back(&mut connection).await?;
                    connection.close().await?;
                }
            }
            if self.pool.size() + self.writer.size() == 0 {
                return Ok(());
            }
            // One that was just used is on its way back to its pool.
            tokio::time::sleep(LET_GO_PAUSE).await;
        }
        Err(StoreFault::Replaced)
    }

    /// Closes every connection, so that the file can be moved.
    pub async fn close(&self) {
        self.pool.close().await;
        self.writer.close().await;
    }

    /// A setting's value.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreFault> {
        let value = sqlx::query_scalar("SELECT value FROM setting WHERE name = $1").bind(name);
        Ok(value.fetch_optional(&self.pool).await?)
    }

    /// Sets a setting.
    pub async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreFault> {
        let mut change = self.change().await?;
        put(&mut change, name, value).await?;
        self.commit(change).await
    }

    /// Sets a setting that is set once. Returns what it is: another's, if that was first.
    pub async fn keep_setting(&self, name: &str, value: &str) -> Result<String, StoreFault> {
        let mut change = self.change().await?;
        let sql = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        sqlx::query(sql).bind(name).bind(value).execute(&mut *change).await?;
        let kept = sqlx::query_scalar("SELECT value FROM setting WHERE name = $1").bind(name);
        let kept = kept.fetch_one(&mut *change).await?;
        self.commit(change).await?;
        Ok(kept)
    }

    /// Begins a change of what is in force.
    pub(crate) async fn change(&self) -> Result<Change, StoreFault> {
        let transaction = self.begin_writing().await?;
        Ok(Change { transaction, told: false, by: self.acts.actor() })
    }

    /// The same for one that grants something: it is not begun while the log takes no records. Nothing else waits for the log,
    /// so that a client can be cut off whatever became of it.
    pub(crate) async fn granting_change(&self) -> Result<Change, StoreFault> {
        self.acts.ready().await?;
        self.change().await
    }

    /// Ends it: the revision moves with what was changed.
    pub(crate) async fn commit(&self, mut change: Change) -> Result<(), StoreFault> {
        sqlx::query("UPDATE revision SET number = number + 1").execute(&mut *change).await?;
        change.transaction.commit().await?;
        // Once more: what went into a file that lost its name meanwhile is not in force.
        self.file.check_still_there()?;
        if change.told {
            self.acts.take().await;
        }
        Ok(())
    }

    /// Ends one that turned out to touch nothing that is in force.
    pub(crate) async fn commit_what_is_not_in_force(&self, change: Change) -> Result<(), StoreFault> {
        change.transaction.commit().await?;
        if change.told {
            self.acts.take().await;
        }
        Ok(())
    }

    /// Begins to write what is not in force: events, placements.
    pub(crate) async fn begin_writing(&self) -> Result<Transaction<'static, Sqlite>, StoreFault> {
        // What is written into a file that has lost its name is lost: a revocation must not be acknowledged there.
        self.file.check_still_there()?;
        Ok(self.writer.begin_with(dialect::BEGIN_WRITING).await?)
    }
}

/// Sets a setting as part of a transaction.
pub(crate) async fn put(
    connection: &mut SqliteConnection,
    name: &str,
    value: &str,
) -> Result<(), StoreFault> {
    let sql = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    sqlx::query(sql).bind(name).bind(value).execute(connection).await?;
    Ok(())
}

/// At most so many, opened when they are needed.
fn connections(file: &DatabaseFile, most: u32) -> SqlitePool {
    let named = file.clone();
    SqlitePoolOptions::new()
        .max_connections(most)
        .idle_timeout(None)
        .max_lifetime(None)
        // One that is opened later could find another file of that name.
        .after_connect(move |_, _| {
            let still_there = named.check_still_there();
            Box::pin(async move { still_there.map_err(|fault| sqlx::Error::Configuration(fault.into())) })
        })
        .connect_lazy_with(dialect::options(file.path()))
}

/// Another program's database stays as it is: to be asked before anything is written.
async fn check_marked(connection: &mut SqliteConnection) -> Result<(), StoreFault> {
    if dialect::is_marked(connection).await? {
        Ok(())
    } else {
        Err(damaged("it is a database of another program"))
    }
}

/// A database of ours and of this version.
pub(crate) async fn check_ours(connection: &mut SqliteConnection) -> Result<(), StoreFault> {
    check_marked(connection).await?;
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    let found: Option<i64> =
        sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(connection).await?;
    match found.unwrap_or_default().cmp(&newest) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(StoreFault::Older),
        Ordering::Greater => Err(StoreFault::Newer { found: found.unwrap_or_default() }),
    }
}

impl Deref for Change {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        &self.transaction
    }
}

impl DerefMut for Change {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }
}
