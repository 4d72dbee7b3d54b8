//! The audit log as its users have it: written, crashed, tampered with, verified by both verifiers, proven.

#![expect(clippy::disallowed_methods, reason = "a test damages files as a hand would, and measures")]

mod faults;
mod log;
mod million;
mod proofs;
mod property;
mod pruned;
mod python;
mod stage;
mod tamper;
mod traced;
