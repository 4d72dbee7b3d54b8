//! A stand-in for the Python shim of a former set-up: MCP on standard input and output, the hello dialect to the daemon
//! or to the gateway in front of it. Issues no token, keeps none, and prints nothing itself.
//!
//! `mcp` answers the client by itself or says what has to be asked; `dialect` spells that for the daemon and reads its
//! answers; `daemon` is the connection; `traffic` brings them together.

mod daemon;
mod dialect;
mod mcp;
mod settings;
mod traffic;

use crate::bridge::output::Output;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncWrite};
use tokio::time::timeout;

pub use settings::{Credentials, OwnToken, ShimSettings};

/// How long the last words may take: the client may not be there any more.
const FAREWELL: Duration = Duration::from_secs(2);

/// Works until standard input ends or nobody reads standard output any more.
///
/// `notes` gets the lines for standard error. As with the bridge, end the runtime with `shutdown_background`.
pub async fn run(
    settings: ShimSettings,
    stdin: impl AsyncBufRead + Unpin,
    stdout: impl AsyncWrite + Unpin + Send + 'static,
    notes: impl Fn(&str),
) -> std::io::Result<()> {
    notes(&configured(&settings.credentials.own));
    let (output, writer) = Output::start(stdout);
    let ended = traffic::Traffic::new(settings, output, &notes).run(stdin).await;
    let _ = timeout(FAREWELL, writer).await;
    ended
}

/// The line by which people knew whether their client has a token.
fn configured(own: &OwnToken) -> String {
    match own.now() {
        Ok(Some(token)) => format!("[JWT_AUTH] JWT token configured (length: {} chars)", token.len()),
        Ok(None) => "[JWT_AUTH] No JWT token configured - using legacy auth only".to_owned(),
        Err(problem) => problem.to_string(),
    }
}
