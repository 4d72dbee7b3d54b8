//! Looks at this machine's set-up and says what is wrong, each with the one command that mends it. Changes nothing.
//!
//! Facts are gathered (`gather`, with files, the store and the gateway), then judged (`judge`, which opens nothing), then
//! put into words (`words`, `shell`).

mod copies;
mod document;
mod facts;
mod finding;
mod gather;
mod judge;
mod look;
mod shell;
mod synced;
mod words;

pub(crate) use finding::{Finding, Severity};
pub(crate) use gather::{Subject, gather};
pub(crate) use judge::judge;
pub(crate) use shell::Way;
