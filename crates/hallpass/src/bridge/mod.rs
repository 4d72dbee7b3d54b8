//! The stdio bridge: one client on standard input and output, one server behind the gateway over HTTP.
//! Issues no token, keeps none, and prints nothing itself.
//!
//! `traffic` reads the lines and decides what may start; `call` brings one message to the gateway and its
//! answer back; `stream` follows an event stream to its end; `delivery` is the one way to standard output.
//!
//! After the end of standard input the calls that are under way may finish: for five seconds after the last
//! sign of life, and for a minute in all. What never ends by itself (`subscriptions/listen`) ends at once.

mod call;
mod delivery;
pub(crate) mod failure;
mod gateway;
pub(crate) mod lines;
mod listener;
pub(crate) mod message;
mod modern;
pub(crate) mod output;
mod pending;
mod session;
mod sse;
mod stream;
pub(crate) mod token;
mod tool_headers;
mod traffic;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::io::{AsyncBufRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;

use delivery::Bridge;
use output::Output;
use traffic::Traffic;

pub use token::TokenSource;

/// How long the last words may take: the client may not be there any more, nor the gateway.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a bridge connects.
#[derive(Debug)]
pub struct BridgeSettings {
    /// The whole address of the server at the gateway, as `http://127.0.0.1:4255/c/claude/s/docs/mcp`.
    pub url: Uri,
    /// Where the token is read from.
    pub token: TokenSource,
    /// The client's name, for the words of errors.
    pub client: String,
    /// The server's name, for the words of errors.
    pub server: String,
}

/// Why a bridge could not work at all. What goes wrong with a single call is an answer to that call.
#[derive(Debug)]
pub enum BridgeError {
    /// The address is not one that the bridge speaks to.
    Address(Uri),
    /// Standard input could not be read.
    Input(std::io::Error),
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Without its user part and query: either may hold a secret.
            Self::Address(url) => write!(
                f,
                "the bridge speaks to an `http` gateway only, not to `{}://{}`",
                url.scheme_str().unwrap_or_default(),
                url.host().unwrap_or_default()
            ),
            Self::Input(error) => write!(f, "cannot read standard input: {error}"),
        }
    }
}

impl std::error::Error for BridgeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Address(_) => None,
            Self::Input(error) => Some(error),
        }
    }
}

/// Bridges until standard input ends or nobody reads standard output any more.
///
/// `notes` gets the lines for standard error. When nobody reads standard output, a read of the real standard
/// input may still be waiting in its thread: end the runtime with `shutdown_background`, which does not wait.
pub async fn run(
    settings: BridgeSettings,
    stdin: impl AsyncBufRead + Unpin,
    stdout: impl AsyncWrite + Unpin + Send + 'static,
    notes: impl Fn(&str),
) -> Result<(), BridgeError> {
    let is_plain_http = settings.url.scheme_str() == Some("http");
    if !is_plain_http || settings.url.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(BridgeError::Address(settings.url));
    }
    let (output, writer) = Output::start(stdout);
    let (note, mut remarks) = mpsc::unbounded_channel();
    let bridge = Arc::new(Bridge::new(settings, output, note));
    let ended = Traffic::new(Arc::clone(&bridge)).run(stdin, &mut remarks, &notes).await;
    bridge.stop_listening();
    // A gateway that is gone has forgotten the session as well.
    let _ = timeout(FAREWELL, bridge.end_session()).await;
    drop(bridge);
    while let Ok(line) = remarks.try_recv() {
        notes(&line);
    }
    let _ = timeout(FAREWELL, writer).await;
    ended.map_err(BridgeError::Input)
}
