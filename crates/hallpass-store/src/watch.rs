//! Sees that another connection or process changed what is in force, and reads what changed. Goes on with another file of
//! the database's name if that is the same database, and not if it is an older copy or another's.

use crate::changes::read_changes;
use crate::dialect;
use crate::fault::StoreFault;
use crate::file::{DatabaseFile, Found};
use crate::seal::SealKey;
use crate::snapshot::{Frame, Point, read_whole};
use crate::store::{self, Store};
use futures_util::future::try_join;
use hallpass_core::Snapshot;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use std::sync::Arc;

/// A connection of its own that looks for changes, and what it has seen.
#[derive(Debug)]
pub struct Watch {
    store: Store,
    /// `None` after anything went wrong: what is opened next is not taken for what was open.
    connection: Option<SqliteConnection>,
    /// `None` before the first look of a connection.
    data_version: Option<i64>,
    frame: Frame,
    snapshot: Arc<Snapshot>,
}

impl Store {
    /// Starts to watch, from all that is in force now. `seal`, `lifetime_most`: as for [`Store::snapshot`].
    pub async fn watch(&self, seal: &SealKey, lifetime_most: i64) -> Result<Watch, StoreFault> {
        let mut connection = dialect::options(self.file.path()).connect().await?;
        // The path may have got another file just before it was opened once more.
        self.file.check_still_there()?;
        let mut checking = self.pool.acquire().await?;
        let mut view = connection.begin().await?;
        let frame = Frame::read(&mut view, seal, lifetime_most).await?;
        // Beside each other: of a million tokens each takes more than a second.
        let (snapshot, ()) =
            try_join(read_whole(&mut view, &frame), dialect::check_tokens(&mut checking)).await?;
        view.rollback().await?;
        let (snapshot, connection) = (Arc::new(snapshot), Some(connection));
        Ok(Watch { store: self.clone(), connection, data_version: None, frame, snapshot })
    }
}

impl Watch {
    /// What was in force at the last look that went well.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Looks once. `None`: what is in force is still the same; events do not count. After an error the next look begins
    /// with a new connection, and tells what could not be told.
    pub async fn look(
        &mut self,
        seal: &SealKey,
        lifetime_most: i64,
    ) -> Result<Option<Arc<Snapshot>>, StoreFault> {
        let mut connection = self.connection().await?;
        let news = self.news(&mut connection, seal, lifetime_most).await?;
        self.connection = Some(connection);
        Ok(news)
    }

    async fn connection(&mut self) -> Result<SqliteConnection, StoreFault> {
        match (self.store.file.find_again()?, self.connection.take()) {
            (Found::Same, Some(connection)) => Ok(connection),
            (Found::Same, None) => {
                let file = self.store.file.clone();
                self.open(&file).await
            }
            (Found::Another(file), before) => {
                // First of all: what lies beside the files has the same names for both, the locks too, and this process
                // would lose those on the one with its last connection to the other.
                self.store.let_go(before).await?;
                let mut connection = self.open(&file).await?;
                dialect::keep_write_ahead(&mut connection).await?;
                self.store.file.become_that(&file);
                Ok(connection)
            }
        }
    }

    /// Opens a file, if it is this database, as it was or further on.
    async fn open(&mut self, file: &DatabaseFile) -> Result<SqliteConnection, StoreFault> {
        let options = dialect::options(file.path());
        // First only to be looked at: who may write takes over, with the last connection, whatever lies beside the file.
        let mut looking = options.clone().read_only(true).connect().await?;
        let is_it = self.check(&mut looking).await;
        looking.close().await?;
        is_it?;
        let mut connection = options.connect().await?;
        self.frame.point.check_continued_in(&mut connection).await?;
        file.check_still_there()?;
        self.data_version = None;
        Ok(connection)
    }

    async fn check(&self, connection: &mut SqliteConnection) -> Result<(), StoreFault> {
        store::check_ours(connection).await?;
        self.frame.point.check_continued_in(connection).await?;
        dialect::check_whole(connection).await?;
        dialect::check_tokens(connection).await
    }

    async fn news(
        &mut self,
        connection: &mut SqliteConnection,
        seal: &SealKey,
        lifetime_most: i64,
    ) -> Result<Option<Arc<Snapshot>>, StoreFault> {
        // Cheap, and mostly the same: only if anybody has committed anything is the revision read.
        let data_version = dialect::data_version(connection).await?;
        if self.data_version == Some(data_version) {
            return Ok(None);
        }
        let mut view = connection.begin().await?;
        let same = Point::read(&mut view).await? == self.frame.point;
        if !same {
            // A file can also be overwritten in its place.
            self.frame.point.check_continued_in(&mut view).await?;
            let frame = Frame::read(&mut view, seal, lifetime_most).await?;
            let changes = read_changes(&mut view, &self.frame, &frame, &self.snapshot).await?;
            self.snapshot = Arc::new(frame.after(&self.snapshot, changes)?);
            self.frame = frame;
        }
        view.rollback().await?;
        // Only now: a change that could not be read is looked at again.
        self.data_version = Some(data_version);
        Ok((!same).then(|| Arc::clone(&self.snapshot)))
    }
}
