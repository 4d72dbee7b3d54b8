//! The audit log as its users have it: written, crashed, tampered with, verified by both verifiers, proven.

mod faults;
mod log;
mod million;
mod proofs;
mod pruned;
mod python;
mod stage;
mod tamper;
