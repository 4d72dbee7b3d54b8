//! The gateway between a raw client and a raw server of its own, over loopback sockets.

mod bench;
mod budgets;
mod cut;
mod flooded;
mod held;
mod introduced;
mod kept;
mod legacy;
mod limits;
mod listed;
mod recorded;
mod refused;
mod relayed;
mod ruled;
mod sessions;
mod shown;
mod smuggled;
mod stale;
mod streamed;
mod ws;
mod zz_cost;
