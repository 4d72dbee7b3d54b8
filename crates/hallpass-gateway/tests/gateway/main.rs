//! The gateway between a raw client and a raw server of its own, over loopback sockets.

mod bench;
mod cut;
mod legacy;
mod limits;
mod recorded;
mod refused;
mod relayed;
mod sessions;
mod smuggled;
mod streamed;
