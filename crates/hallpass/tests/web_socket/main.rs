//! A former set-up of the hello dialect behind the built program: its daemon and its clients are in Python and were not
//! changed. Nothing leaves the loopback interface.
//!
//! What each file is for:
//! - `served`: clients let in, logged, cut off, each by what an operator types.
//! - `refused`: what stops the start.
//! - `shim`: `hallpass shim` in the place of the Python shim, and the former set-up as a whole (`origin`).
//! - `page`: docs/shared-token.md, followed step by step.
//! - `far`: a server behind TLS, frames of 32 MiB.
//! - `watched`: last use, warnings, rotation.
//! - `python`: the daemon and a client that talks line by line.

mod far;
mod origin;
mod page;
#[path = "../e2e/program.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests, which use the rest")]
mod program;
mod python;
mod refused;
mod served;
mod shim;
mod watched;
