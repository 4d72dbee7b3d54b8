//! Tests of the grace period with running gateways: who is let in, what the report says of it, and what no clock and no
//! restart brings back. Nothing leaves the loopback interface, no port is fixed.
//!
//! What each file is for:
//! - `serving`: the commands against a running gateway, and what the report makes of real calls.
//! - `walk`: the real gateway and store under a clock that the test holds: hundreds of steps to and fro.
//! - `fortnight`: the built program under `libfaketime` for two weeks, with twenty clients of all kinds.
//! - `taken_over`: the grace period of a former set-up.
//! - `callers`: one connection to the gateway by hand. `faketime`: the program with a clock of the test's.

mod callers;
mod faketime;
mod fortnight;
#[path = "../takeover/house.rs"]
#[expect(dead_code, reason = "shared with the tests of the take-over, which use the rest")]
mod house;
#[path = "../e2e/program.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests, which use the rest")]
mod program;
#[path = "../e2e/recorder.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests, which use the rest")]
mod recorder;
mod serving;
mod taken_over;
mod walk;
#[path = "../e2e/wire.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests, which use the rest")]
mod wire;
