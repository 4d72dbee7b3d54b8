//! A first frame through the real listener: a WebSocket client, the gateway, a daemon of the hello dialect behind it,
//! both by another implementation. Knows nothing of what is expected.

use crate::wire::{event_of, log};
use hallpass_core::arguments::Keeping;
use hallpass_core::session::SessionKey;
use hallpass_core::{Event, ServerName, Snapshot};
use hallpass_gateway::{Gateway, GatewayConfig, LegacyToken, Limits, LogState, Random, Upstream};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tungstenite::{Message, WebSocket};

/// What has to come, comes within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// The secret that the daemon asks the gateway for: no case shows it.
const DAEMONS: &str = "the daemon's own";

/// The listener, and the daemon behind it.
pub(crate) struct SocketWire {
    gateway: Gateway,
    daemon: Daemon,
    events: mpsc::UnboundedReceiver<Event>,
}

/// What became of one first frame.
pub(crate) struct FirstFrameExchange {
    /// What was said to the client, and the close frame's reason.
    pub(crate) heard: Vec<String>,
    pub(crate) welcome: bool,
    pub(crate) event: Event,
    /// What the daemon heard.
    pub(crate) forwarded: Vec<String>,
    pub(crate) took: Duration,
}

impl SocketWire {
    /// The clock stands still at `now`.
    pub(crate) fn start(now: i64, snapshot: Snapshot) -> io::Result<Self> {
        let daemon = Daemon::start()?;
        let upstream = Upstream {
            url: format!("ws://{}/", daemon.address).parse().map_err(io::Error::other)?,
            credential: None,
            legacy_token: LegacyToken::new(DAEMONS),
        };
        let server = ServerName::new("corpus").map_err(io::Error::other)?;
        let counter = AtomicU8::new(0);
        let config = GatewayConfig {
            workers: 1,
            hosts: Vec::new(),
            origins: Vec::new(),
            servers: BTreeMap::from([(server, upstream)]),
            entrances: Vec::new(),
            // Masks and session ids that anybody can guess protect nobody, and nobody is here to be protected.
            random: Random::new(move |bytes| bytes.fill(counter.fetch_add(1, Ordering::Relaxed))),
            session_key: SessionKey::new(&[7; 32]),
            log: LogState::default(),
            arguments: Keeping::default(),
            request_prefix: "corpus-ws".into(),
            limits: Limits::default(),
        };
        let (sender, events) = log();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let clock = Arc::new(move || now.saturating_mul(1000));
        let gateway = Gateway::start(listener, config, Arc::new(snapshot), clock, sender)?;
        Ok(Self { gateway, daemon, events })
    }

    pub(crate) fn addresses(&self) -> [SocketAddr; 2] {
        [self.gateway.local_addr(), self.daemon.address]
    }

    /// Sends one first frame while `snapshot` is in force.
    pub(crate) async fn exchange(
        &mut self,
        snapshot: Snapshot,
        frame: &str,
    ) -> io::Result<FirstFrameExchange> {
        self.gateway.publish(Arc::new(snapshot));
        let (address, frame) = (self.gateway.local_addr(), frame.to_owned());
        let asking = tokio::task::spawn_blocking(move || ask(address, frame));
        let (heard, request_id, took) = asking.await.map_err(io::Error::other)??;
        let welcome = heard.first().is_some_and(|first| is_welcome(first));
        let event = timeout(PATIENCE, event_of(&mut self.events, &request_id)).await?;
        Ok(FirstFrameExchange { heard, welcome, event, forwarded: self.daemon.take(), took })
    }

    pub(crate) async fn end(self) -> Vec<String> {
        self.gateway.shutdown(PATIENCE).await;
        self.daemon.take()
    }
}

fn is_welcome(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|ack| ack["op"] == "hello_ack" && ack["ok"] == true)
}

/// Says the frame, and hears the answer to its end, or a welcome.
fn ask(address: SocketAddr, frame: String) -> io::Result<(Vec<String>, String, Duration)> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut socket, answer) =
        tungstenite::client(format!("ws://{address}/s/corpus/mcp"), stream).map_err(io::Error::other)?;
    let request_id = answer.headers().get("hallpass-request-id").and_then(|id| id.to_str().ok());
    let request_id = request_id.unwrap_or_default().to_owned();
    let began = now();
    socket.send(Message::text(frame)).map_err(io::Error::other)?;
    let heard = hear(&mut socket);
    let took = began.elapsed();
    let _ = socket.close(None);
    while socket.read().is_ok() {}
    Ok((heard, request_id, took))
}

fn hear(socket: &mut WebSocket<TcpStream>) -> Vec<String> {
    let mut heard = Vec::new();
    while let Ok(message) = socket.read() {
        match message {
            Message::Text(text) => heard.push(text.to_string()),
            Message::Close(close) => {
                heard.extend(close.map(|close| close.to_string()));
                break;
            }
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        if heard.first().is_some_and(|first| is_welcome(first)) {
            break;
        }
    }
    heard
}

/// Keeps what it hears, and welcomes everybody.
struct Daemon {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || welcome(stream, &kept));
            }
        });
        Ok(Self { address, heard })
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn welcome(stream: TcpStream, heard: &Mutex<Vec<String>>) {
    let Ok(mut socket) = tungstenite::accept(stream) else { return };
    while let Ok(message) = socket.read() {
        let Message::Text(text) = message else { continue };
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_string());
        let _ = socket.send(Message::text(r#"{"op":"hello_ack","ok":true}"#));
    }
}

fn now() -> Instant {
    Instant::now()
}
