//! What a gateway is told when it starts: where calls go, which names are its own, and its limits. Reads no file.

use crate::log_state::LogState;
use hallpass_core::ServerName;
use hallpass_core::arguments::Keeping;
use hallpass_core::session::SessionKey;
use http::{HeaderValue, Uri};
use std::collections::BTreeMap;
use std::fmt;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Fills a buffer with bytes that nobody can guess.
#[derive(Clone)]
pub struct Random(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Random {
    /// Takes the source that is handed in: the gateway has none of its own.
    pub fn new(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.0)(&mut bytes);
        bytes
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(..)")
    }
}

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
    /// Listeners besides the gateway's own, each for one WebSocket server.
    pub entrances: Vec<Entrance>,
    /// Binds session ids to clients.
    pub session_key: SessionKey,
    /// For session ids that the gateway opens at servers, and for the masks of frames.
    pub random: Random,
    /// What the program says of its log.
    pub log: LogState,
    /// What records say of calls' arguments.
    pub arguments: Keeping,
    /// Starts every request id: unlike that of any other run.
    pub request_prefix: String,
    /// Sizes and times.
    pub limits: Limits,
}

/// An MCP server behind the gateway.
#[derive(Debug)]
pub struct Upstream {
    /// Its address: `http` and `https` for Streamable HTTP, `ws` and `wss` for WebSocket.
    pub url: Uri,
    /// The whole `Authorization` value that the server itself asks for, marked as sensitive. A server of the hello
    /// dialect gets the token in it as its `jwt`.
    pub credential: Option<HeaderValue>,
    /// The shared secret that a server of the hello dialect asks for.
    pub legacy_token: Option<LegacyToken>,
}

/// The secret that a server's former clients share.
#[derive(Clone)]
pub struct LegacyToken(Box<str>);

impl LegacyToken {
    /// Takes a text that is not empty: an empty secret would be none.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LegacyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LegacyToken(..)")
    }
}

/// A listener at which every path leads to one WebSocket server.
#[derive(Debug)]
pub struct Entrance {
    /// Where.
    pub listener: TcpListener,
    /// The server.
    pub server: ServerName,
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
    /// How long the last piece of an answer is held for its record to be written.
    pub written_within: Duration,
    /// How long a stream of events is silent before a comment is sent.
    pub comment_after: Duration,
    /// How long calls are let in by a snapshot that nobody has confirmed: a revocation may have been missed.
    pub stale_after: Duration,
    /// How often open streams are compared with the clock.
    pub watch_every: Duration,
    /// Those of WebSocket connections.
    pub sockets: SocketLimits,
}

/// Sizes and times of WebSocket connections.
#[derive(Clone, Debug)]
pub struct SocketLimits {
    /// How long the first frame may take.
    pub hello_within: Duration,
    /// How long it may take on a connection that was opened for MCP.
    pub first_message_within: Duration,
    /// The largest first frame while no credential was shown, in bytes.
    pub first_frame: usize,
    /// What a client of the hello dialect may send, and any server.
    pub hello: MessageLimits,
    /// What an MCP client may send.
    pub mcp: MessageLimits,
    /// Pings, pongs and the like that may come at once from a client; a tenth as many a second after that.
    pub controls_at_once: u32,
    /// After how long a silence the other side is asked whether it is still there.
    pub ping_after: Duration,
    /// After how long a silence it is taken for gone.
    pub gone_after: Duration,
    /// How long a side that is cut off may take to read what it was sent, and to hear why.
    pub farewell: Duration,
}

/// Sizes of one kind of messages.
#[derive(Clone, Copy, Debug)]
pub struct MessageLimits {
    /// The largest frame, in bytes.
    pub frame: usize,
    /// The largest message, in bytes.
    pub message: usize,
    /// The most frames that a message may come in.
    pub fragments: usize,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            // The hello dialect's own times and sizes are those that its clients were written for.
            hello_within: Duration::from_secs(15),
            first_message_within: Duration::from_secs(5),
            first_frame: 16 << 10,
            hello: MessageLimits { frame: 32 << 20, message: 32 << 20, fragments: 1024 },
            mcp: MessageLimits { frame: 1 << 20, message: 4 << 20, fragments: 64 },
            controls_at_once: 100,
            ping_after: Duration::from_secs(45),
            gone_after: Duration::from_mins(5),
            farewell: Duration::from_millis(500),
        }
    }
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
            // Beyond any sync of a disk that still works.
            written_within: Duration::from_secs(10),
            comment_after: Duration::from_secs(15),
            stale_after: Duration::from_secs(15),
            watch_every: Duration::from_secs(1),
            sockets: SocketLimits::default(),
        }
    }
}
