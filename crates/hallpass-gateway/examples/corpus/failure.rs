//! Why the runner could not do its work. A case that goes wrong is no failure: it is a finding.

use std::fmt;
use std::path::PathBuf;

#[derive(Debug)]
pub(crate) enum Failure {
    /// A file that cannot be read, or is no corpus.
    Unreadable { path: PathBuf, why: String },
    /// The gateway and what stands around it could not be started.
    Stage(std::io::Error),
    /// Wrong words on the command line.
    Usage(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, why } => write!(f, "`{}`: {why}", path.display()),
            Self::Stage(error) => write!(f, "the listener could not be started: {error}"),
            Self::Usage(why) => write!(f, "{why}\nhint: corpus [--keys FILE] [FILE...]"),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Stage(error)
    }
}
