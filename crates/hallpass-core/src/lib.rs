//! Decides who a caller is and what it may do. No I/O, no clock, no randomness: time comes in as a parameter.
//!
//! The chain that makes a hole hard to write:
//!
//! ```text
//! Bearer  ->  Signed  ->  Verified  ->  Permit  ->  forward
//! (shown)   (for ever)   (here, now)   (this call)
//! ```
//!
//! Each of these types has private fields, so that only its function can make one.

pub mod authorize;
pub mod bearer;
pub mod claims;
pub mod denial;
pub mod digest;
pub mod encoding;
pub mod env_file;
pub mod envelope;
pub mod event;
pub mod judge;
pub mod jwks;
pub mod keys;
mod minted;
pub mod name;
pub mod roster;
pub mod session;
pub mod signed;
pub mod snapshot;
pub mod strict_json;
pub mod time;

pub use authorize::{Call, Permit, authorize};
pub use bearer::Bearer;
pub use denial::Denial;
pub use digest::TokenDigest;
pub use envelope::Envelope;
pub use event::{Event, Outcome};
pub use judge::{Verified, judge};
pub use name::{ClientName, ServerName, Subject};
pub use signed::{Signed, check_signature};
pub use snapshot::Snapshot;
pub use time::UnixTime;
