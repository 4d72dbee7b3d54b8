//! Tests of the authority: taking over a former set-up, its keys, and verifiers that are not Hallpass.
//! Nothing leaves the loopback interface, no port is fixed.
//!
//! What each file is for:
//! - `former`: `init --from-env`. `adopted`: `adopt`, and what the gateway says of a former set-up's tokens.
//! - `rotation`, `emergency`: `keys rotate` and `keys revoke` under way. `published`: the JWK Set.
//! - `verified`: `hallpass verify`. `zones`: time zones. `sealed`: what must stay secret.
//! - `others`: the snippets of docs/verifiers.md, run as they stand there.
//! - `house`: a home with its gateway, its callers and its upstream; signs what a test wants with the home's own keys.

mod adopted;
mod emergency;
mod former;
mod house;
mod others;
#[path = "../e2e/program.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests, which use the rest")]
mod program;
mod published;
mod rotation;
mod sealed;
mod verified;
#[path = "../e2e/wire.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests, which use the rest")]
mod wire;
mod zones;
