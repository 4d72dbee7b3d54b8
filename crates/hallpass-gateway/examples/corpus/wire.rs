//! A case through the real listener, over a raw socket. Knows nothing of what is expected.

use crate::upstream::{Upstream, find, header, length_of};
use hallpass_core::arguments::Keeping;
use hallpass_core::session::SessionKey;
use hallpass_core::{Event, ServerName, Snapshot};
use hallpass_gateway::{Entry, Gateway, GatewayConfig, Limits, LogState, Random};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// What has to come, comes within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// The listener, and what stands behind it.
pub(crate) struct Wire {
    gateway: Gateway,
    upstream: Upstream,
    events: mpsc::UnboundedReceiver<Event>,
}

/// What became of one request.
pub(crate) struct Exchange {
    /// None if the connection was closed without an answer.
    pub(crate) answer: Option<Answer>,
    /// None if the HTTP library ended the request before it was one.
    pub(crate) event: Option<Event>,
    /// The heads that the server behind saw.
    pub(crate) forwarded: Vec<String>,
    pub(crate) took: Duration,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        self.status == 101 || (200..300).contains(&self.status)
    }

    fn request_id(&self) -> Option<&str> {
        header(&self.head, "hallpass-request-id")
    }

    /// Status, challenge and body as every caller sees them, without what differs from request to request.
    pub(crate) fn without_id(&self) -> String {
        let challenge = header(&self.head, "www-authenticate").unwrap_or("-");
        let body = match self.request_id() {
            Some(id) => self.body.replace(id, "ID"),
            None => self.body.clone(),
        };
        format!("{} {challenge} {body}", self.status)
    }
}

impl Wire {
    /// The clock stands still at `now`.
    pub(crate) async fn start(
        now: i64,
        hosts: Vec<String>,
        origins: Vec<String>,
        snapshot: Snapshot,
    ) -> io::Result<Self> {
        let upstream = Upstream::start().await?;
        let url = format!("http://{}/mcp", upstream.address).parse().map_err(io::Error::other)?;
        let server = ServerName::new("corpus").map_err(io::Error::other)?;
        let behind = hallpass_gateway::Upstream { url, credential: None, legacy_token: None };
        let config = GatewayConfig {
            workers: 1,
            hosts,
            origins,
            servers: BTreeMap::from([(server, behind)]),
            entrances: Vec::new(),
            // It is for WebSockets, and here are none.
            random: Random::new(|bytes| bytes.fill(7)),
            session_key: SessionKey::new(&[7; 32]),
            log: LogState::default(),
            arguments: Keeping::default(),
            request_prefix: "corpus".into(),
            limits: Limits::default(),
        };
        let (sender, events) = log();
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let clock = Arc::new(move || now.saturating_mul(1000));
        let gateway = Gateway::start(listener, config, Arc::new(snapshot), clock, sender)?;
        Ok(Self { gateway, upstream, events })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.local_addr()
    }

    pub(crate) fn upstream_address(&self) -> SocketAddr {
        self.upstream.address
    }

    /// Sends one request while `snapshot` is in force.
    pub(crate) async fn exchange(&mut self, snapshot: Snapshot, request: &[u8]) -> io::Result<Exchange> {
        self.gateway.publish(Arc::new(snapshot));
        let stream = TcpStream::connect(self.address()).await?;
        stream.set_nodelay(true)?;
        let began = now();
        let answer = timeout(PATIENCE, ask(stream, request)).await.map_err(io::Error::from)?;
        let took = began.elapsed();
        let event = match answer.as_ref().and_then(Answer::request_id) {
            Some(id) => Some(timeout(PATIENCE, event_of(&mut self.events, id)).await?),
            None => None,
        };
        Ok(Exchange { answer, event, forwarded: self.upstream.take(), took })
    }

    /// Ends it, and says what the server behind saw after the last look.
    pub(crate) async fn end(self) -> Vec<String> {
        self.gateway.shutdown(PATIENCE).await;
        self.upstream.take()
    }
}

/// A log that takes each record at once.
pub(crate) fn log() -> (mpsc::Sender<Entry>, mpsc::UnboundedReceiver<Event>) {
    let (sender, mut entries) = mpsc::channel::<Entry>(64);
    let (taken, events) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(entry) = entries.recv().await {
            let _ = taken.send(entry.written());
        }
    });
    (sender, events)
}

/// The record of one request, whatever else is recorded.
pub(crate) async fn event_of(events: &mut mpsc::UnboundedReceiver<Event>, request_id: &str) -> Event {
    loop {
        match events.recv().await {
            Some(event) if event.request_id.as_deref() == Some(request_id) => return event,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// A refusal may come before the request is sent whole, and the connection may end with a reset: both are answers.
async fn ask(mut stream: TcpStream, request: &[u8]) -> Option<Answer> {
    let (mut reading, mut writing) = stream.split();
    let sending = async {
        let _ = writing.write_all(request).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = receive(&mut reading) => answer,
        () = sending => None,
    }
}

async fn receive(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Answer> {
    let mut seen = Vec::new();
    let (head, start) = loop {
        if let Some(end) = find(&seen, b"\r\n\r\n") {
            break (String::from_utf8_lossy(&seen[..end]).into_owned(), end + 4);
        }
        match stream.read_buf(&mut seen).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    };
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = header(&head, "transfer-encoding").is_some();
    let length = length_of(&head);
    let is_whole = |body: &[u8]| if chunked { body.ends_with(b"0\r\n\r\n") } else { body.len() >= length };
    while !is_whole(&seen[start..]) {
        match stream.read_buf(&mut seen).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    let body = String::from_utf8_lossy(&seen[start..]).into_owned();
    Some(Answer { status, head, body })
}

fn now() -> Instant {
    Instant::now()
}
