//! Tests of the record with running gateways: what is in it after crashes, on full and failing disks, and what the commands
//! say of it. Nothing leaves the loopback interface, no port is fixed.
//!
//! What each file is for:
//! - `commands`: `hallpass audit ...`, a log that is damaged, a new one.
//! - `reading`: what commands that read the log say of one that was put back, closed, cannot be read, or has all sorts in it.
//! - `counted`: 100,000 calls, and a count over the export beside `hallpass usage`.
//! - `killed`: `kill -9` under load, again and again.
//! - `full`: disks that are full, for real (needs the right to mount).
//! - `unsynced`, `ordered`: `strace` makes syncing fail, and shows what comes before what (need `strace`).
//! - `secrets`: credentials in whatever callers and operators may write.
//! - `upstream`: a quick server; `scene`: a home with clients, a gateway in front of that server.

mod commands;
mod counted;
mod full;
mod killed;
mod ordered;
#[path = "../e2e/program.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests, which use the rest")]
mod program;
mod reading;
mod scene;
mod secrets;
mod traced;
mod unsynced;
mod upstream;
#[path = "../e2e/wire.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests, which use the rest")]
mod wire;
