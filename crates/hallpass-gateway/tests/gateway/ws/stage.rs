//! What the WebSocket tests need: a server of that kind, a gateway in front of it, and states of a grace period.

use crate::bench::{Bench, NOW, Plan, Record, Token, Wire, active, client, server, snapshot, soon};
use crate::ws::socket::Socket;
use hallpass_core::grace::{Grace, GraceTerms, TagKey};
use hallpass_core::snapshot::{Client, ServerScope};
use hallpass_core::{Event, Snapshot, UnixTime};
use hallpass_gateway::{LegacyToken, Upstream};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub(crate) const SHARED: &str = "shared by all, with a blank";
pub(crate) const DAEMONS: &str = "the daemon's own";
pub(crate) const PATH: &str = "/s/exai/mcp";

/// A WebSocket server that hands every connection to the test.
pub(crate) struct SocketServer {
    pub(crate) address: SocketAddr,
    dialled: mpsc::UnboundedReceiver<(String, Wire)>,
}

impl SocketServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (next, dialled) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let next = next.clone();
                tokio::spawn(async move {
                    let mut wire = Wire::new(stream);
                    let Some(head) = wire.until(b"\r\n\r\n").await else { return };
                    let _ = next.send((String::from_utf8(head).unwrap(), wire));
                });
            }
        });
        Self { address, dialled }
    }

    /// The request of the next connection, not answered yet.
    pub(crate) async fn request(&mut self) -> (String, Wire) {
        soon(self.dialled.recv()).await.expect("a connection")
    }

    /// The next connection, opened.
    pub(crate) async fn connection(&mut self) -> (String, Socket) {
        let (head, mut wire) = self.request().await;
        wire.send(switching(&head, "")).await;
        (head, Socket::accepted(wire))
    }

    /// The next connection, on which `hello` has been answered: what it said.
    pub(crate) async fn greeted(&mut self) -> (Value, Socket) {
        let (_, mut socket) = self.connection().await;
        let hello: Value = serde_json::from_str(&socket.heard().await).unwrap();
        assert_eq!(hello["op"], "hello");
        let session = hello["session_id"].as_str().unwrap();
        socket.say(&format!(r#"{{"op":"hello_ack","ok":true,"session_id":"{session}"}}"#)).await;
        (hello, socket)
    }

    pub(crate) fn saw_nobody(&mut self) -> bool {
        self.dialled.try_recv().is_err()
    }
}

/// The answer to a request that opens a connection.
pub(crate) fn switching(head: &str, more: &str) -> String {
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).expect("a key");
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

/// A gateway in front of a WebSocket server `exai`.
pub(crate) struct Stage {
    pub(crate) bench: Bench,
    pub(crate) daemon: SocketServer,
    /// The servers that may be called with the shared secret.
    pub(crate) legacy_servers: Vec<&'static str>,
    period: i64,
}

/// Where a grace period stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Period {
    Never,
    Running,
    Over,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    pub(crate) async fn with(mut plan: Plan) -> Self {
        let daemon = SocketServer::start().await;
        plan.more.push(("exai", upstream(daemon.address)));
        Self { bench: Bench::with(plan).await, daemon, legacy_servers: vec!["exai"], period: 0 }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.bench.gateway.local_addr()
    }

    pub(crate) async fn dial(&self) -> Socket {
        self.dial_with("").await
    }

    pub(crate) async fn dial_with(&self, more: &str) -> Socket {
        Socket::open(self.address(), PATH, more).await
    }

    /// A connection that has been greeted on both sides.
    pub(crate) async fn greeted(&mut self, hello: &str) -> (Socket, Socket) {
        let mut client = self.dial().await;
        client.say(hello).await;
        let (_, server) = self.daemon.greeted().await;
        let welcome: Value = serde_json::from_str(&client.heard().await).unwrap();
        assert_eq!(welcome["ok"], true, "{welcome}");
        (client, server)
    }

    pub(crate) async fn event(&mut self) -> Event {
        self.bench.event().await
    }

    /// Puts the grace period into this state, with both tokens active.
    pub(crate) fn grace(&mut self, period: Period) {
        self.publish(
            period,
            [client("ann"), client("bob")],
            vec![active(&self.bench.ann), active(&self.bench.bob)],
        );
    }

    pub(crate) fn publish(
        &mut self,
        period: Period,
        clients: impl IntoIterator<Item = Client>,
        tokens: Vec<Record>,
    ) {
        self.period += 1;
        let snapshot = snapshot(&self.bench.mint, clients, tokens);
        self.bench.gateway.publish(Arc::new(with_grace(snapshot, period, self.period, &self.legacy_servers)));
    }

    /// A running period on other terms, with both tokens active.
    pub(crate) fn on_terms(
        &mut self,
        clients: impl IntoIterator<Item = Client>,
        change: impl FnOnce(&mut GraceTerms),
    ) {
        let tokens = [&self.bench.ann, &self.bench.bob].map(active);
        let snapshot = snapshot(&self.bench.mint, clients, tokens);
        // The same period: what was opened in it is looked at by its new terms.
        let mut terms = terms(NOW + 1000, self.period, &self.legacy_servers);
        change(&mut terms);
        let grace = Grace::new(terms, TagKey::new(&[3; 32]), UnixTime::from_seconds(0));
        self.bench.gateway.publish(Arc::new(snapshot.with_grace(grace)));
    }
}

fn with_grace(snapshot: Snapshot, period: Period, number: i64, servers: &[&str]) -> Snapshot {
    let until = match period {
        Period::Never => return snapshot,
        Period::Running => NOW + 1000,
        Period::Over => NOW - 1000,
    };
    let terms = terms(until, number, servers);
    snapshot.with_grace(Grace::new(terms, TagKey::new(&[3; 32]), UnixTime::from_seconds(0)))
}

fn terms(until: i64, period: i64, servers: &[&str]) -> GraceTerms {
    GraceTerms {
        period,
        tag: TagKey::new(&[3; 32]).tag(SHARED.as_bytes()),
        until: UnixTime::from_seconds(until),
        ended_at: None,
        servers: ServerScope::Only(servers.iter().map(|name| server(name)).collect()),
        policy: None,
        strict_after_migration: false,
    }
}

pub(crate) fn upstream(address: SocketAddr) -> Upstream {
    Upstream {
        url: format!("ws://{address}/daemon").parse().unwrap(),
        credential: None,
        legacy_token: LegacyToken::new(DAEMONS),
    }
}

/// What the shim of a former set-up says first.
pub(crate) fn hello(jwt: Option<&Token>, token: Option<&str>) -> String {
    let mut hello = serde_json::json!({ "op": "hello", "session_id": "vscode-instance-1" });
    if let Some(jwt) = jwt {
        hello["jwt"] = jwt.text.as_str().into();
    }
    if let Some(token) = token {
        hello["token"] = token.into();
    }
    hello.to_string()
}
