//! End-to-end tests: clients and servers that are not ours, on 2025-11-25 and 2026-07-28.
//! Nothing leaves the loopback interface, no port is fixed, nothing waits by the clock.
//!
//! What each file is for:
//! - `journeys`: what a client does and what must come of it, for any [`witness::Target`]. A journey
//!   that runs straight at a server in `direct` is run through the gateway with the same words.
//! - `direct`: the journeys without Hallpass. When one fails here, the witness is at fault.
//! - `typescript`, `rmcp_client`: the two clients; `rmcp_server`: the server that both talk to.
//! - `recorder`: an upstream that shows every byte it gets and answers what a test tells it to.
//! - `wire`: HTTP/1.1 by hand, for what no library would send or show.
//! - `program`: runs the built `hallpass` in a home of its own.
//!
//! Through the gateway: `program::Hallpass::serve` gives the address, the target's URL is
//! `{address}/s/SERVER/mcp`, its token is what `hallpass issue` placed.

mod direct;
mod journeys;
#[expect(
    dead_code,
    reason = "no test starts the program before there is one; take this line away with the first"
)]
mod program;
mod recorder;
mod rmcp_client;
mod rmcp_server;
mod typescript;
mod wire;
mod witness;
