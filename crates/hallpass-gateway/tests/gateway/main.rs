//! The gateway between a raw client and a raw server of its own, over loopback sockets.

mod bench;
mod relayed;
