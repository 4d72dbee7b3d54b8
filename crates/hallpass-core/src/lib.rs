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

pub mod admin;
pub mod arguments;
pub mod audit_settings;
pub mod authorize;
pub mod bearer;
pub mod claims;
pub mod denial;
pub mod digest;
pub mod encoding;
pub mod env_file;
pub mod envelope;
pub mod event;
pub mod event_sieve;
pub mod grace;
pub mod grace_watch;
mod harmless_json;
mod held_tools;
pub mod hello;
mod json_walk;
pub mod judge;
pub mod jwks;
pub mod keys;
pub mod legacy_callers;
pub mod migration;
mod minted;
pub mod name;
pub mod op;
mod opening;
pub mod policy;
pub mod rate;
pub mod refusal_flood;
mod registry;
pub mod report;
pub mod roster;
pub mod session;
pub mod sightings;
pub mod signed;
pub mod snapshot;
pub mod strict_json;
pub mod time;
pub mod token_id;
pub mod token_sightings;
pub mod tool_sieve;
pub mod until;
pub mod usage;
pub mod uses;
pub mod warnings;

pub use authorize::{Call, Permit, authorize, narrowing};
pub use bearer::Bearer;
pub use denial::Denial;
pub use digest::TokenDigest;
pub use envelope::Envelope;
pub use event::{Event, Outcome};
pub use grace::Grace;
pub use harmless_json::harmless_json;
pub use hello::{FirstFrame, FirstFrameFault};
pub use judge::{Caller, Verified, judge, judge_shared};

pub use name::{ClientName, PolicyName, ServerName, Subject};
pub use op::OpFrame;
pub use policy::{Ask, Policy};
pub use signed::{Signed, check_signature};
pub use snapshot::Snapshot;
pub use time::UnixTime;
pub use token_id::TokenId;
