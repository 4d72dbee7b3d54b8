//! Sees that another connection or process changed what is in force.

use crate::dialect;
use crate::fault::StoreFault;
use crate::file::DatabaseFile;
use crate::snapshot::revision;
use crate::store::Store;
use sqlx::{ConnectOptions, SqliteConnection};

/// A connection of its own that looks for changes.
#[derive(Debug)]
pub struct Watch {
    connection: SqliteConnection,
    file: DatabaseFile,
    data_version: i64,
    revision: i64,
}

impl Store {
    /// Starts to watch.
    pub async fn watch(&self) -> Result<Watch, StoreFault> {
        let mut connection = dialect::options(self.file.path()).connect().await?;
        // In this order: what is committed between the two is in the revision, and at worst looked at again.
        let data_version = dialect::data_version(&mut connection).await?;
        let revision = revision(&mut connection).await?;
        // The path may have got another file just before it was opened once more.
        self.file.check_still_there()?;
        Ok(Watch { connection, file: self.file.clone(), data_version, revision })
    }
}

impl Watch {
    /// Whether what is in force is something else than at the revision `shown`. Events do not count. It goes on
    /// saying so until it is asked with the new revision: a snapshot that could not be taken is not forgotten.
    pub async fn changed(&mut self, shown: i64) -> Result<bool, StoreFault> {
        self.file.check_still_there()?;
        // Cheap, and mostly the same: only if anybody has committed anything is the revision read.
        let data_version = dialect::data_version(&mut self.connection).await?;
        if data_version != self.data_version {
            self.revision = revision(&mut self.connection).await?;
            self.data_version = data_version;
        }
        Ok(self.revision != shown)
    }
}
