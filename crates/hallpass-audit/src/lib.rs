//! The audit log: one JSON record a line, each a leaf of an RFC 6962 tree, its roots signed as C2SP checkpoints.
//! Stands alone, so that whoever audits a log builds this crate and nothing else: no database, no network, no clock.
//!
//! The format is described in `docs/audit-log.md`. A second verifier, `verify.py`, shares no code with this one.

mod checkpoint;
mod fault;
mod files;
mod frontier;
mod hash;
mod lock;
mod log;
mod medium;
mod note;
pub mod proof;
mod prove;
mod reader;
mod record;
mod reserve;
mod segments;
mod tiles;
mod tree;
pub mod verify;

pub use checkpoint::Checkpoint;
pub use fault::Fault;
pub use frontier::Frontier;
pub use hash::Hash;
pub use log::{Log, Opening, Recovery, Writing};
pub use medium::{Disk, Medium};
pub use note::{LogKey, NoteFault, VerifierKey, notes_of};
pub use prove::{ProofFault, Proven, check, prove, prove_consistency, tile};
pub use reader::Reader;
pub use record::{Head, MOST_BYTES, Members, RecordFault, head, is_plain, members_of, seal};
pub use reserve::Reserve;
