//! What a gateway is told when it starts: where calls go, which names are its own, and its limits. Reads no file.

use hallpass_core::ServerName;
use hallpass_core::session::SessionKey;
use http::{HeaderValue, Uri};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What a gateway is told when it starts.
#[derive(Debug)]
pub struct GatewayConfig {
    /// Threads that serve calls, each with its own connections to the servers.
    pub workers: usize,
    /// `Host` values that are accepted besides the listener's own address.
    pub hosts: Vec<String>,
    /// `Origin` values that are accepted besides the gateway's own.
    pub origins: Vec<String>,
    /// The servers behind the gateway.
    pub servers: BTreeMap<ServerName, Upstream>,
    /// Binds session ids to clients.
    pub session_key: SessionKey,
    /// Starts every request id: unlike that of any other run.
    pub request_prefix: String,
    /// Sizes and times.
    pub limits: Limits,
}

/// An MCP server behind the gateway.
#[derive(Debug)]
pub struct Upstream {
    /// Its Streamable HTTP address.
    pub url: Uri,
    /// The whole `Authorization` value that the server itself asks for, marked as sensitive.
    pub credential: Option<HeaderValue>,
}

/// Sizes and times. The defaults are for a machine of one team.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest request body, in bytes.
    pub body_bytes: usize,
    /// How long a request body may pause.
    pub body_idle: Duration,
    /// The least bytes a second of a request body, once it has taken longer than `body_idle`.
    pub body_rate: u64,
    /// The largest block of request headers, in bytes.
    pub head_bytes: usize,
    /// The most request header fields.
    pub head_fields: usize,
    /// How long a connection may take to send the next request's headers.
    pub head_timeout: Duration,
    /// Connections open at once; more wait to be accepted.
    pub connections: usize,
    /// Calls and streams of one client at once.
    pub calls_per_client: usize,
    /// How long connecting to a server may take, TLS included.
    pub connect_timeout: Duration,
    /// How long a connection to a server is kept unused.
    pub upstream_idle: Duration,
    /// How long a call waits for room in the log before it is refused.
    pub log_patience: Duration,
    /// How long a stream of events is silent before a comment is sent.
    pub comment_after: Duration,
    /// How long calls are let in by a snapshot that nobody has confirmed: a revocation may have been missed.
    pub stale_after: Duration,
    /// How often open streams are compared with the clock.
    pub watch_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 4 << 20,
            body_idle: Duration::from_secs(15),
            body_rate: 1024,
            head_bytes: 16 << 10,
            head_fields: 64,
            head_timeout: Duration::from_secs(10),
            connections: 16_384,
            calls_per_client: 256,
            connect_timeout: Duration::from_secs(5),
            // Shorter than the five seconds after which common servers close, so that a call seldom meets a closed one.
            upstream_idle: Duration::from_secs(4),
            log_patience: Duration::from_secs(5),
            comment_after: Duration::from_secs(15),
            stale_after: Duration::from_secs(15),
            watch_every: Duration::from_secs(1),
        }
    }
}
