//! What can be wrong with the store, as data. The words name no content of it.

use std::fmt;

/// Why the store did not do what it was asked.
#[derive(Debug)]
pub enum StoreFault {
    /// There is no database.
    Missing,
    /// There is one already.
    AlreadyThere,
    /// It was made by a newer version: it has this migration, which is unknown here.
    Newer {
        /// The migration's number.
        found: i64,
    },
    /// Not a database of ours, or not whole.
    Damaged(String),
    /// Others than the owner may read or write it.
    OthersCanRead {
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another user.
    OtherOwner,
    /// Another process kept it locked for 2 seconds.
    Locked,
    /// Another client has that subject.
    DuplicateSubject {
        /// The subject.
        subject: String,
        /// The client that has it.
        other: String,
    },
    /// There is no client of that name, or it was removed.
    UnknownClient {
        /// The name.
        client: String,
    },
    /// The key that signed a new token was stopped meanwhile.
    KeyStopped {
        /// The key.
        kid: String,
    },
    /// The file was replaced or taken away while it was open.
    Replaced,
    /// What is there does not lead on from what was in force: an older copy, perhaps changed since.
    SetBack {
        /// The revision that was in force.
        shown: i64,
        /// Its own.
        found: i64,
    },
    /// What is there is another installation's.
    Foreign,
    /// The log takes no records, so nothing may be granted. Why.
    NotRecorded(String),
    /// The log tells of acts that this database never saw: it is an older copy.
    BehindLog,
    /// It was made by an older version, and only opening it anew brings it up to this one.
    Older,
    /// Anything else that the database or the file system said.
    Failed(String),
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it is not there"),
            Self::AlreadyThere => f.write_str("it is there already"),
            Self::Newer { found } => {
                write!(f, "it was made by a newer version of Hallpass (migration {found})")
            }
            Self::Damaged(why) => write!(f, "it is damaged: {why}"),
            Self::OthersCanRead { mode } => write!(f, "it is open to others (mode {mode:o})"),
            Self::OtherOwner => f.write_str("it belongs to another user"),
            Self::Locked => f.write_str("another process keeps it locked"),
            Self::DuplicateSubject { subject, other } => {
                write!(f, "the client `{other}` has the subject `{subject}` already")
            }
            Self::UnknownClient { client } => write!(f, "there is no client named `{client}`"),
            Self::KeyStopped { kid } => write!(f, "the key `{kid}` was stopped meanwhile"),
            Self::Replaced => f.write_str("the file was replaced or taken away while it was open"),
            // Not at which revision it is itself: a word that changes would be said again and again.
            Self::SetBack { shown, found: _ } => {
                write!(f, "it was set back: it knows nothing of revision {shown}, which was in force")
            }
            Self::Foreign => f.write_str("it is the database of another home"),
            Self::NotRecorded(why) => write!(f, "it could not be recorded, so it was not done: {why}"),
            Self::BehindLog => f.write_str(
                "the log tells of acts that it never saw: it is an older copy, in which tokens count that were revoked since",
            ),
            Self::Older => f.write_str("it was made by an older version of Hallpass"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for StoreFault {}

/// SQLite's primary result codes that have a meaning of their own here.
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const CORRUPT: u32 = 11;
const NOT_A_DATABASE: u32 = 26;

impl From<sqlx::Error> for StoreFault {
    fn from(error: sqlx::Error) -> Self {
        let Some(error) = error.as_database_error() else { return Self::Failed(error.to_string()) };
        let extended: Option<u32> = error.code().and_then(|code| code.parse().ok());
        // An extended code has the primary one in its lowest byte.
        match extended.map(|code| code & 0xff) {
            Some(BUSY | LOCKED) => Self::Locked,
            Some(CORRUPT) => Self::Damaged(error.message().to_owned()),
            Some(NOT_A_DATABASE) => damaged("it is not an SQLite database"),
            _ => Self::Failed(error.message().to_owned()),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreFault {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::VersionMissing(found) => Self::Newer { found },
            sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => error.into(),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<std::io::Error> for StoreFault {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

pub(crate) fn damaged(what: impl fmt::Display) -> StoreFault {
    StoreFault::Damaged(what.to_string())
}
