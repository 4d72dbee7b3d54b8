//! What can go wrong with a log that is written, as data; the words are made here.

use crate::note::NoteFault;
use crate::record::RecordFault;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a log could not be opened, or written to.
#[derive(Debug)]
pub enum Fault {
    /// A file or folder of the log could not be used.
    Io {
        /// What was tried: `write to`, `sync`, ...
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another process held the lock for too long.
    Locked {
        /// Its process id, if it wrote it down.
        holder: Option<u32>,
    },
    /// The folder is not the one that was opened: another command closed the log.
    Moved,
    /// The log is not as it was written. See [`crate::verify`].
    Damaged {
        /// The first record that is not.
        seq: u64,
        /// What is wrong there.
        why: String,
    },
    /// The newest checkpoint is not one of this key's.
    Checkpoint(NoteFault),
    /// A checkpoint that was signed before says otherwise than the log.
    Conflict {
        /// Its size.
        size: u64,
        /// How many records the log has.
        records: u64,
    },
    /// Something failed before and only [`crate::Log::begin`] can mend it.
    Stale,
    /// No record says that what should be taken away may be: those before this one.
    Unsaid {
        /// The first that would stay.
        before: u64,
    },
    /// What should be appended is no record. Nothing was appended.
    Record(RecordFault),
    /// Syncing failed and so did writing to a new file: nobody may count on these records.
    Lost {
        /// The first of them.
        seq: u64,
        /// What the system said.
        error: io::Error,
    },
}

impl Fault {
    pub(crate) fn io<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |error| Self::Io { doing, path: path.to_owned(), error }
    }

    /// Whether it is for want of space: room may be made by [`crate::Writing::release_reserve`].
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { error, .. } | Self::Lost { error, .. } => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Locked { .. }
            | Self::Moved
            | Self::Stale
            | Self::Unsaid { .. }
            | Self::Damaged { .. }
            | Self::Checkpoint(_)
            | Self::Conflict { .. }
            | Self::Record(_) => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, error } => write!(f, "cannot {doing} `{}`: {error}", path.display()),
            Self::Locked { holder: Some(pid) } => write!(f, "the audit log is in use by process {pid}"),
            Self::Locked { holder: None } => f.write_str("the audit log is in use by another process"),
            Self::Moved => f.write_str("the audit log was closed by another command"),
            Self::Stale => f.write_str("the audit log has to be read again after a failure"),
            Self::Unsaid { before } => {
                write!(f, "no record says that the records before {before} were pruned")
            }
            Self::Damaged { seq, why } => write!(f, "the audit log is damaged at record {seq}: {why}"),
            Self::Checkpoint(fault) => write!(f, "the audit log's newest checkpoint {fault}"),
            Self::Conflict { size, records } if size > records => {
                write!(f, "the audit log has {records} records, but {size} were signed")
            }
            Self::Conflict { size, .. } => {
                write!(f, "the audit log's first {size} records are not those that were signed")
            }
            Self::Record(fault) => write!(f, "what should be recorded {fault}"),
            Self::Lost { seq, error } => write!(f, "the records from {seq} could not be synced: {error}"),
        }
    }
}

impl std::error::Error for Fault {}
