//! The audit log as its users have it: written, crashed, tampered with, verified by both verifiers, proven.

mod bench;
mod faults;
mod log;
mod stage;
mod writing;
