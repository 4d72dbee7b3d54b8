//! WebSocket connections through the gateway: a raw client, a raw server, every frame by hand.

mod cut;
mod held;
mod hello;
mod legacy;
mod limits;
mod many;
mod mcp;
mod policy;
mod python;
mod relayed;
mod socket;
pub(crate) mod stage;
mod upgrade;
