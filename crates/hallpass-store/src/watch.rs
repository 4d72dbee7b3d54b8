//! Sees that another connection or process changed what is in force.

use crate::dialect::{data_version, options};
use crate::fault::StoreFault;
use crate::snapshot::revision;
use crate::store::Store;
use sqlx::{ConnectOptions, SqliteConnection};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A connection of its own that looks for changes.
#[derive(Debug)]
pub struct Watch {
    connection: SqliteConnection,
    file: PathBuf,
    identity: (u64, u64),
    data_version: i64,
    revision: i64,
}

impl Store {
    /// Starts to watch, from the present revision on.
    pub async fn watch(&self) -> Result<Watch, StoreFault> {
        let mut connection = options(&self.file).connect().await?;
        Ok(Watch {
            identity: identity(&self.file)?,
            file: self.file.clone(),
            data_version: data_version(&mut connection).await?,
            revision: revision(&mut connection).await?,
            connection,
        })
    }
}

impl Watch {
    /// Whether what is in force changed since the last look. Events do not count.
    pub async fn changed(&mut self) -> Result<bool, StoreFault> {
        // An unlinked or replaced file goes on answering: its name has to be looked at too.
        if identity(&self.file)? != self.identity {
            return Err(StoreFault::Replaced);
        }
        let data_version = data_version(&mut self.connection).await?;
        if data_version == self.data_version {
            return Ok(false);
        }
        let revision = revision(&mut self.connection).await?;
        let changed = revision != self.revision;
        (self.data_version, self.revision) = (data_version, revision);
        Ok(changed)
    }
}

fn identity(file: &std::path::Path) -> Result<(u64, u64), StoreFault> {
    match std::fs::metadata(file) {
        Ok(meta) => Ok((meta.dev(), meta.ino())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(StoreFault::Replaced),
        Err(error) => Err(error.into()),
    }
}
