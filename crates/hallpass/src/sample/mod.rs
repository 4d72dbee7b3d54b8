//! A small MCP server over Streamable HTTP, for the tour and for tests: both eras, four tools, one address.
//! Asks for no token: that is the gateway's work.
//!
//! It listens on `/mcp`. `legacy` speaks the revisions with `initialize` and sessions, `modern` the one
//! without; `tools` does the work of both, `body` holds the streams that go on until the caller goes away.

mod body;
mod door;
mod legacy;
mod modern;
mod reply;
mod tools;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use body::SampleBody;
use legacy::Sessions;
use reply::RpcError;

const BODY_LIMIT: usize = 4 * 1024 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until the future is dropped, and every connection with it.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let sessions = Arc::new(Sessions::default());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&sessions)));
                }
                // Out of file descriptors, most likely: better soon than in a busy loop.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            _ = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connection(stream: TcpStream, sessions: Arc<Sessions>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let sessions = Arc::clone(&sessions);
        async move { Ok::<_, Infallible>(answer(&sessions, request).await) }
    });
    // A caller that goes away is an everyday thing here.
    let _ =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(sessions: &Sessions, request: Request<Incoming>) -> Response<SampleBody> {
    let (head, body) = request.into_parts();
    if let Err(refusal) = door::check(&head) {
        return *refusal;
    }
    match head.method {
        Method::POST => {}
        Method::GET if !modern::is_meant(&head.headers) => return sessions.listen(&head.headers),
        Method::DELETE if !modern::is_meant(&head.headers) => return sessions.end(&head.headers),
        _ => return reply::status(StatusCode::METHOD_NOT_ALLOWED),
    }
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return reply::status(StatusCode::PAYLOAD_TOO_LARGE);
    };
    match serde_json::from_slice::<Value>(&body.to_bytes()) {
        Ok(message) if modern::is_modern(&head.headers, &message) => modern::answer(&head.headers, &message),
        Ok(message) => sessions.answer(&head.headers, &message),
        Err(_) => reply::error(StatusCode::BAD_REQUEST, &Value::Null, &RpcError::new(-32700, "not JSON")),
    }
}
