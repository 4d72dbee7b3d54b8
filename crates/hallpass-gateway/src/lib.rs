//! The verifying reverse proxy: takes calls, decides with the core, forwards, streams and reports each as one event.
//! Has no database, no signing key, no clock and no randomness: all of these stay with the program.

mod body;
mod config;
mod credential;
mod door;
mod entrance;
mod failure;
mod flight;
mod forward;
mod framing;
mod freshness;
mod gateway;
mod headers;
mod known;
mod line;
mod log_state;
mod message;
mod mirror;
mod narrowed;
mod outcome;
mod payload;
mod record;
mod relay;
mod respond;
mod routes;
mod serve;
mod session;
mod tally;
mod target;
mod upstream;
mod view;
mod wants;
mod watched;
mod worker;
mod ws;

pub use config::{
    Clock, Entrance, GatewayConfig, LegacyToken, Limits, MessageLimits, Random, SocketLimits, Upstream,
};
pub use door::Door;
pub use gateway::Gateway;
pub use hallpass_core::audit_settings::OnFailure;
pub use log_state::{LogState, Missed};
pub use record::{Entry, Written};
pub use view::View;
