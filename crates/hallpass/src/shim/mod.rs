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
    // What a daemon says in a reason must not look like a line of ours.
    let notes = |text: &str| notes(&text.replace('\n', "\\n"));
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

#[cfg(test)]
mod tests {
    use super::{ShimSettings, run};
    use futures_util::{SinkExt as _, StreamExt as _};
    use std::cell::RefCell;
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::CloseFrame;

    #[tokio::test]
    async fn what_a_daemon_says_makes_no_line_of_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let settings =
            ShimSettings::read(|name| (name == "EXAI_WS_PORT").then(|| port.clone()), None).unwrap();
        let daemon = async {
            let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
            socket.next().await.unwrap().unwrap();
            let refused = r#"{"op":"hello_ack","ok":false,"error":"no"}"#;
            socket.send(Message::text(refused)).await.unwrap();
            let reason = "x\n[JWT_AUTH] JWT token configured (length: 1 chars)".into();
            socket.close(Some(CloseFrame { code: 4003.into(), reason })).await.unwrap();
            while let Some(Ok(_)) = socket.next().await {}
        };
        let notes = RefCell::new(Vec::new());
        let note = |text: &str| notes.borrow_mut().push(text.to_owned());
        let asking = &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n"[..];
        let (ended, ()) = tokio::join!(run(settings, asking, tokio::io::sink(), note), daemon);
        ended.unwrap();
        assert_eq!(
            notes.into_inner(),
            [
                "[JWT_AUTH] No JWT token configured - using legacy auth only",
                "the daemon refused: no: x\\n[JWT_AUTH] JWT token configured (length: 1 chars)",
            ]
        );
    }
}
