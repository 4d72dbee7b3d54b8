//! The request that opens a WebSocket connection (RFC 6455 section 4.2): who may be let in as far as the head says, and
//! the answer 101. Reads no frame.

use crate::flight::Flight;
use crate::framing;
use crate::known::{Known, know};
use crate::line::Line;
use crate::payload::Payload;

use hallpass_core::{Ask, Call, ClientName, Denial, ServerName, authorize};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use tungstenite::handshake::derive_accept_key;

/// The subprotocol of MCP: one JSON-RPC message a text frame.
pub(crate) const MCP: &str = "mcp";
/// 16 bytes in base64.
const KEY_LENGTH: usize = 24;

/// A connection whose 101 is on its way.
pub(crate) struct Opening {
    pub(crate) upgrade: OnUpgrade,
    pub(crate) server: ServerName,
    pub(crate) path_client: Option<ClientName>,
    /// Who it is, if the request already showed a credential.
    pub(crate) known: Option<Known>,
    /// It was opened for MCP.
    pub(crate) for_mcp: bool,
    /// What the program says of itself.
    pub(crate) user_agent: Option<String>,
    /// The record of the opening, open until it is known who came.
    pub(crate) flight: Flight,
    accept: HeaderValue,
}

/// Whether a request asks for a WebSocket.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    framing::only(headers, &header::UPGRADE, "websocket")
}

/// Everything that can be decided by the request's head.
pub(crate) fn open(line: &Line, flight: &mut Flight, head: Parts) -> Result<Door, Denial> {
    let shared = line.shared();
    framing::check_upgrade(&head)?;
    let accept = check_handshake(&head)?;
    // Before 101: the browser of a page that has no business here would have its connection then.
    line.entrance().door.check(&head)?;
    flight.agent(&head.headers);
    let (server, path_client) = line.entrance().target(&head.uri, shared)?;
    if !shared.sockets.contains(&server) {
        return Err(framing::no_upgrade());
    }
    flight.server(&server);
    if shared.freshness.is_stale(&shared.limits) {
        return Err(Denial::Stale);
    }
    let known = if head.headers.contains_key(header::AUTHORIZATION) {
        let known = know(line, flight, &head.headers, path_client.as_ref())?;
        let path_client = path_client.as_ref().map(ClientName::as_str);
        authorize(&known.verified, &Call { server: &server, path_client, ask: Ask::Protocol })?;
        Some(known)
    } else {
        None
    };
    let for_mcp = offers_mcp(&head.headers);
    let upgrade = hyper::upgrade::on(Request::from_parts(head, ()));
    Ok(Door { upgrade, server, path_client, known, for_mcp, accept })
}

/// An opening without its record.
pub(crate) struct Door {
    upgrade: OnUpgrade,
    server: ServerName,
    path_client: Option<ClientName>,
    known: Option<Known>,
    for_mcp: bool,
    accept: HeaderValue,
}

impl Door {
    pub(crate) fn with_record(self, mut flight: Flight) -> Opening {
        let Self { upgrade, server, path_client, known, for_mcp, accept } = self;
        // Whoever opens connections and says nothing on them would fill the log's places, and nobody could call.
        flight.give_place_back();
        let user_agent = flight.user_agent();
        Opening { upgrade, server, path_client, known, for_mcp, user_agent, flight, accept }
    }
}

impl Opening {
    /// The answer that opens the connection.
    pub(crate) fn answer(&self) -> Response<Payload> {
        let mut response = Response::new(Payload::none());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        // No other subprotocol is taken, so that none can carry a token, and no extension: nothing comes compressed.
        if self.for_mcp {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(MCP));
        }
        response
    }
}

/// The value of `Sec-WebSocket-Accept`.
fn check_handshake(head: &Parts) -> Result<HeaderValue, Denial> {
    let ambiguous = |what| Err(Denial::AmbiguousRequest { what });
    if head.method != Method::GET {
        return ambiguous("a WebSocket is opened by `GET`");
    }
    if !has_token(&head.headers, &header::CONNECTION, "upgrade") {
        return ambiguous("`Upgrade` without `Connection: Upgrade`");
    }
    if !framing::only(&head.headers, &header::SEC_WEBSOCKET_VERSION, "13") {
        return ambiguous("a `Sec-WebSocket-Version` other than 13");
    }
    let mut keys = head.headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if key.len() == KEY_LENGTH => {
            let accept = derive_accept_key(key.as_bytes());
            HeaderValue::try_from(accept).map_err(|_| Denial::Internal)
        }
        _ => ambiguous("no `Sec-WebSocket-Key`, or one that is none"),
    }
}

fn offers_mcp(headers: &HeaderMap) -> bool {
    has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, MCP)
}

/// Whether a comma-separated header names this.
pub(crate) fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter();
    let mut tokens = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
}
