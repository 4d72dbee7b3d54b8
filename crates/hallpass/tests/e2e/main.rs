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
//! - `program`: runs the built `hallpass` in a home of its own, and ends each test with a search for secrets that are where
//!   none belongs (`canary`: what is searched for, `searched`: where). `installed`: with three clients whose tokens are placed.
//! - `caller`: one connection to the gateway by hand, as one client.
//! - `through_the_gateway`: the journeys again, with a client's own token, and their names in the log.
//! - `refused`, `revocation`, `relayed`, `sessions`: who gets in, for how long, what crosses and what does not.
//! - `policies`: a policy that another process changes, in the running gateway.
//! - `confirmed`: `--wait`. `switched`: `disable` and `enable`. `rotation`: fifty clients whose tokens are rotated while
//!   they call. `self_rotation`: what the gateway rotates by itself, and whom it tells.
//! - `uses`, `warnings`: what the gateway remembers of tokens' uses, and what is odd about them; `admin`: metrics.
//! - `flood`: bad tokens, one after the other, and the log.
//! - `unreachable`: the store moved, replaced, shut off or locked while the gateway serves.
//! - `gateway_cli`: `hallpass serve` as an operator meets it; `nothing_leaks`: tokens in every wrong place.

mod admin;
mod caller;
mod confirmed;
mod direct;
mod flood;
mod gateway_cli;
mod installed;
mod journeys;
mod nothing_leaks;
mod policies;
mod program;
mod recorder;
mod refused;
mod relayed;
mod revocation;
mod rmcp_client;
mod rmcp_server;
mod rotation;
mod self_rotation;
mod sessions;
mod switched;
mod through_the_gateway;
mod typescript;
mod unreachable;
mod uses;
mod warnings;
mod wire;
mod witness;
