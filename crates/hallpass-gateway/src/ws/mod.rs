//! WebSocket: the same gate as for HTTP, in front of connections that last. `serve` is a connection from its 101 to its
//! last frame; read it first.

mod calls;
mod close;
mod dial;
mod dialect;
mod down;
mod ending;
mod gate;
mod mask;
mod pulse;
mod receive;
mod record;
mod send;
mod serve;
mod tunnel;
mod up;
mod upgrade;
mod words;

pub(crate) use dial::SocketRoute;
pub(crate) use serve::serve;
pub(crate) use upgrade::{Opening, is_wanted, open};
