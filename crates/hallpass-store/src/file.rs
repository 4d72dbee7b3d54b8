//! The database's file before and beside SQLite: made private, checked, and watched for being replaced. Never opened
//! here once it exists: closing any handle of it would take the locks away that SQLite holds in this process.

use crate::fault::{StoreFault, damaged};
use std::fs::{Metadata, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A database's path, and which file it named when it was found.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl DatabaseFile {
    /// Makes an empty private file. SQLite gives its -wal and -shm the same mode.
    pub(crate) fn create(path: &Path) -> Result<Self, StoreFault> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let meta = made.and_then(|file| file.metadata()).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => StoreFault::AlreadyThere,
            _ => error.into(),
        })?;
        Ok(Self::named(path, &meta))
    }

    /// Finds a file that may be a database of ours.
    pub(crate) fn find(path: &Path) -> Result<Self, StoreFault> {
        let meta = std::fs::metadata(path).map_err(|error| absent(error, StoreFault::Missing))?;
        if !meta.is_file() {
            return Err(damaged("it is not a file"));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(StoreFault::OtherOwner);
        }
        if meta.mode() & 0o077 != 0 {
            return Err(StoreFault::OthersCanRead { mode: meta.mode() & 0o777 });
        }
        // SQLite takes an empty file for a new database.
        if meta.len() == 0 {
            return Err(damaged("it is empty"));
        }
        Ok(Self::named(path, &meta))
    }

    fn named(path: &Path, meta: &Metadata) -> Self {
        Self { path: path.to_owned(), identity: identity(meta) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// An unlinked or replaced file goes on answering: its name has to be looked at.
    pub(crate) fn check_still_there(&self) -> Result<(), StoreFault> {
        let meta = std::fs::metadata(&self.path).map_err(|error| absent(error, StoreFault::Replaced))?;
        if identity(&meta) == self.identity { Ok(()) } else { Err(StoreFault::Replaced) }
    }
}

fn identity(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

fn absent(error: Error, fault: StoreFault) -> StoreFault {
    if error.kind() == ErrorKind::NotFound { fault } else { error.into() }
}
