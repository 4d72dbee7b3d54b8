//! The database's file before and beside SQLite: made private, checked, and watched for being replaced. Never opened
//! here once it exists: closing any handle of it would take the locks away that SQLite holds in this process.

use crate::fault::{StoreFault, damaged};
use std::fs::{Metadata, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A database's path, and which file of that name is the database. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFile {
    path: PathBuf,
    identity: Arc<Mutex<Identity>>,
}

/// Device and number.
type Identity = (u64, u64);

/// What stands at the path now.
pub(crate) enum Found {
    /// The database.
    Same,
    /// Another file, whatever is in it.
    Another(DatabaseFile),
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
        Self { path: path.to_owned(), identity: Arc::new(Mutex::new(identity(meta))) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// An unlinked or replaced file goes on answering: its name has to be looked at.
    pub(crate) fn check_still_there(&self) -> Result<(), StoreFault> {
        let meta = std::fs::metadata(&self.path).map_err(|error| absent(error, StoreFault::Replaced))?;
        if identity(&meta) == *self.identity() { Ok(()) } else { Err(StoreFault::Replaced) }
    }

    /// Looks whether it is still there, or what else.
    pub(crate) fn find_again(&self) -> Result<Found, StoreFault> {
        match self.check_still_there() {
            Ok(()) => Ok(Found::Same),
            Err(StoreFault::Replaced) => Self::find(&self.path).map(Found::Another),
            Err(fault) => Err(fault),
        }
    }

    /// From now on that file is the database.
    pub(crate) fn become_that(&self, other: &Self) {
        let identity = *other.identity();
        *self.identity() = identity;
    }

    fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn identity(meta: &Metadata) -> Identity {
    (meta.dev(), meta.ino())
}

fn absent(error: Error, fault: StoreFault) -> StoreFault {
    if error.kind() == ErrorKind::NotFound { fault } else { error.into() }
}
