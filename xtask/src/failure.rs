//! Why a step did not hold, in data; its words are made in `Display`.
//! Says nothing of which step it was.

use std::{fmt, process::ExitStatus};

#[derive(Debug)]
pub(crate) enum Failure {
    /// A program that a step needs is not there, or too old.
    Missing { program: &'static str, found: Option<String>, hint: &'static str },
    /// A command ran and did not end well; it has said why itself.
    Ended { command: String, status: ExitStatus },
    /// A file could not be read or written.
    File { path: String, reason: String },
    /// A check of our own found these.
    Found(Vec<String>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { program, found: None, hint } => {
                write!(f, "`{program}` is not installed\nhint: {hint}")
            }
            Self::Missing { program, found: Some(found), hint } => {
                write!(f, "`{program}` is too old: {found}\nhint: {hint}")
            }
            Self::Ended { command, status } => write!(f, "`{command}` ended with {status}"),
            Self::File { path, reason } => write!(f, "`{path}`: {reason}"),
            Self::Found(problems) => f.write_str(&problems.join("\n")),
        }
    }
}
