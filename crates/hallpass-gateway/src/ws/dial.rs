//! The connection to a WebSocket server: opened for a permit, and nothing is said on it without one. Nothing of the
//! client's request goes along: no header, no credential, no session id.

use crate::config::{LegacyToken, Upstream};
use crate::failure::Failure;
use crate::routes;
use crate::upstream::Connector;
use crate::worker::Worker;
use crate::ws::close::Close;
use crate::ws::pulse::Pulse;
use crate::ws::receive::{From, Item, Receiver};
use crate::ws::send::Sender;
use crate::ws::upgrade::{MCP, has_token};
use bytes::{Bytes, BytesMut};
use hallpass_core::Permit;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header, uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::borrow::Cow;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service as _;
use tungstenite::handshake::derive_accept_key;

type Plain = MaybeHttpsStream<TokioIo<TcpStream>>;
type Io = TokioIo<Plain>;

/// Where a WebSocket server is. Nobody but [`dial`] can look inside.
pub(crate) struct SocketRoute {
    /// As the connector knows it: `http` for `ws`, `https` for `wss`.
    uri: Uri,
    host: HeaderValue,
    credential: Option<HeaderValue>,
    legacy_token: Option<LegacyToken>,
}

/// What the server is greeted with.
#[derive(Clone, Copy)]
pub(crate) enum Greeting<'a> {
    /// A `hello` with the gateway's own credentials and this session id.
    Hello { session: &'a str },
    /// The subprotocol of MCP.
    Mcp,
}

/// An open connection to a server.
pub(crate) struct Link {
    pub(crate) from: FromServer,
    pub(crate) to: ToServer,
}

pub(crate) type FromServer = Receiver<ReadHalf<Io>>;

/// The way to a server. A message takes a permit with it.
pub(crate) struct ToServer(Sender<WriteHalf<Io>>);

impl ToServer {
    pub(crate) async fn text(&mut self, permit: Permit, message: BytesMut) -> io::Result<()> {
        // Used up: the next message needs one of its own.
        drop(permit);
        self.0.text(message).await
    }

    pub(crate) async fn ping(&mut self, payload: BytesMut) -> io::Result<()> {
        self.0.ping(payload).await
    }

    pub(crate) async fn pong(&mut self, payload: BytesMut) -> io::Result<()> {
        self.0.pong(payload).await
    }

    /// The last frame, unless a message is half sent: it is not made whole after the end.
    pub(crate) async fn close(&mut self, close: &Close) -> io::Result<()> {
        if self.0.is_between_frames() {
            self.0.close(Some(close)).await
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
}

/// Opens a connection, greets, and waits for the greeting's answer. The permit is for speaking to this server at all.
pub(crate) async fn dial(
    permit: &Permit,
    greeting: Greeting<'_>,
    worker: &Worker,
    pulse: Arc<Pulse>,
) -> Result<Link, Failure> {
    let shared = worker.shared();
    let Some(route) = shared.sockets.of(permit) else { return Err(Failure::Unreachable) };
    let io = connect(worker.connector().clone(), route.uri.clone()).await?;
    let limit = shared.limits.connect_timeout;
    let opening = timeout(limit, open(io, route, greeting, worker.shared().random.bytes()));
    let (io, early) = opening.await.map_err(|_| Failure::ConnectTimeout)??;
    let (read, write) = tokio::io::split(TokioIo::new(io));
    let mut from = Receiver::new(read, early, From::Server, shared.limits.sockets.hello, pulse);
    let mut to = ToServer(Sender::to_server(write, shared.random.clone()));
    if let Greeting::Hello { session } = greeting {
        let greeted = timeout(limit, hello(&mut from, &mut to, route, session));
        greeted.await.map_err(|_| Failure::ConnectTimeout)??;
    }
    Ok(Link { from, to })
}

async fn connect(mut connector: Connector, uri: Uri) -> Result<Plain, Failure> {
    connector.call(uri).await.map_err(|error| match error.downcast_ref::<io::Error>() {
        Some(error) if error.kind() == io::ErrorKind::TimedOut => Failure::ConnectTimeout,
        Some(_) | None => Failure::Unreachable,
    })
}

/// The handshake of RFC 6455 section 4.1. Returns the connection, and what the server said on it already.
async fn open(
    io: Plain,
    route: &SocketRoute,
    greeting: Greeting<'_>,
    random: [u8; 16],
) -> Result<(Plain, Bytes), Failure> {
    let broke_off = |_| Failure::BrokeOff;
    let key = base64(&random);
    let (mut sender, connection) = http1::Builder::new().handshake(io).await.map_err(broke_off)?;
    // It ends by itself as soon as it has handed over the connection, or was refused.
    let driving = async {
        let _ = connection.with_upgrades().await;
        pending::<Infallible>().await
    };
    let opening = async {
        let answer = sender.send_request(request(route, greeting, &key)).await.map_err(broke_off)?;
        check(&answer, greeting, &key)?;
        hyper::upgrade::on(answer).await.map_err(broke_off)
    };
    let upgraded = tokio::select! {
        upgraded = opening => upgraded?,
        never = driving => match never {},
    };
    let parts = upgraded.downcast::<Plain>().map_err(|_| Failure::BrokeOff)?;
    Ok((parts.io, parts.read_buf))
}

fn request(route: &SocketRoute, greeting: Greeting<'_>, key: &str) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = Uri::from(
        route.uri.path().parse::<uri::PathAndQuery>().unwrap_or(uri::PathAndQuery::from_static("/")),
    );
    let headers = request.headers_mut();
    headers.insert(header::HOST, route.host.clone());
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::from_str(key) {
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
    }
    if let Some(credential) = &route.credential {
        headers.insert(header::AUTHORIZATION, credential.clone());
    }
    match greeting {
        Greeting::Hello { .. } => {}
        Greeting::Mcp => {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(MCP));
        }
    }
    request
}

fn check(answer: &Response<Incoming>, greeting: Greeting<'_>, key: &str) -> Result<(), Failure> {
    match answer.status() {
        StatusCode::SWITCHING_PROTOCOLS => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            return Err(Failure::CredentialRefused);
        }
        status if status.is_redirection() => return Err(Failure::Redirected),
        _ => return Err(Failure::NoWebSocket),
    }
    let headers = answer.headers();
    let accept = headers.get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    let is_ours = accept == Some(derive_accept_key(key.as_bytes()).as_bytes());
    let is_socket = has_token(headers, &header::UPGRADE, "websocket");
    // Neither an extension nor a subprotocol that was not offered.
    let protocol = headers.get(header::SEC_WEBSOCKET_PROTOCOL).map(HeaderValue::as_bytes);
    let is_plain = !headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS);
    let is_agreed = match greeting {
        Greeting::Hello { .. } => protocol.is_none(),
        // Some servers of MCP name no subprotocol and mean it.
        Greeting::Mcp => protocol.is_none_or(|protocol| protocol.eq_ignore_ascii_case(MCP.as_bytes())),
    };
    if is_ours && is_socket && is_plain && is_agreed { Ok(()) } else { Err(Failure::NoWebSocket) }
}

/// Says `hello` with the gateway's own credentials, and hears that it is welcome.
async fn hello(
    from: &mut FromServer,
    to: &mut ToServer,
    route: &SocketRoute,
    session: &str,
) -> Result<(), Failure> {
    let said = hello_text(route, session);
    to.0.text(BytesMut::from(&said[..])).await.map_err(|_| Failure::BrokeOff)?;
    loop {
        match from.next().await.map_err(|_| Failure::BrokeOff)? {
            Item::Text(text) => return welcomed(&text),
            Item::Ping(payload) => to.pong(payload).await.map_err(|_| Failure::BrokeOff)?,
            Item::Pong(_) => {}
            Item::Close(Some(close)) if close.code == 4003 => return Err(Failure::CredentialRefused),
            Item::Close(_) => return Err(Failure::BrokeOff),
        }
    }
}

fn hello_text(route: &SocketRoute, session: &str) -> Vec<u8> {
    let token = route.legacy_token.as_ref().map_or("", LegacyToken::expose);
    let jwt = route.credential.as_ref().and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let mut hello = serde_json::json!({ "op": "hello", "session_id": session, "token": token });
    if let Some(jwt) = jwt {
        hello["jwt"] = jwt.into();
    }
    hello.to_string().into_bytes()
}

#[derive(Deserialize)]
struct Welcome<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(default)]
    ok: bool,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
}

fn welcomed(text: &[u8]) -> Result<(), Failure> {
    match serde_json::from_slice::<Welcome<'_>>(text) {
        Ok(Welcome { op, ok: true, .. }) if op == "hello_ack" => Ok(()),
        Ok(Welcome { error: Some(error), .. }) if matches!(&*error, "unauthorized" | "jwt_required") => {
            Err(Failure::CredentialRefused)
        }
        Ok(_) | Err(_) => Err(Failure::BrokeOff),
    }
}

/// The usual alphabet with padding: 16 bytes are 22 characters of the core's other one.
fn base64(bytes: &[u8; 16]) -> String {
    let text = hallpass_core::encoding::base64url(bytes);
    format!("{}==", text.replace('-', "+").replace('_', "/"))
}

impl routes::Route for SocketRoute {
    fn new(upstream: Upstream) -> io::Result<Self> {
        let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
        let mut parts = upstream.url.into_parts();
        let authority = parts.authority.as_ref().ok_or_else(|| refused("a server's URL names no host"))?;
        let host = routes::host(authority)?;
        parts.scheme = match parts.scheme.as_ref().map(uri::Scheme::as_str) {
            Some("ws") => Some(uri::Scheme::HTTP),
            Some("wss") => Some(uri::Scheme::HTTPS),
            Some(_) | None => return Err(refused("a WebSocket server's URL is `ws://` or `wss://`")),
        };
        let uri = Uri::from_parts(parts).map_err(io::Error::other)?;
        let credential = upstream.credential.map(routes::secret);
        Ok(Self { uri, host, credential, legacy_token: upstream.legacy_token })
    }

    fn uri(&self) -> &Uri {
        &self.uri
    }
}
