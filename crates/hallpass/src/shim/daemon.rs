//! One connection to the daemon: dialled, greeted, relayed, kept alive. Understands the greeting and nothing else.

use super::dialect::{self, Welcome};
use super::settings::ShimSettings;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use zeroize::Zeroizing;

const DIAL: Duration = Duration::from_secs(10);
/// As long as the daemon itself waits for the first frame.
const GREETING: Duration = Duration::from_secs(15);
/// How long the reason of a refusal may take to come.
const REASON: Duration = Duration::from_secs(2);
const FRAMES_WAITING: usize = 64;

type Socket = WebSocketStream<TcpStream>;

/// What comes of a connection.
#[derive(Debug)]
pub(super) enum Heard {
    Frame(Utf8Bytes),
    /// The last thing that is heard.
    Ended(End),
}

/// Why a connection ended, or never began.
#[derive(Clone, Debug)]
pub(super) enum End {
    Unreachable { authority: String, detail: String },
    Refused { word: String, reason: String },
    NotTheDialect,
    Closed { code: Option<u16>, reason: String },
    Silent,
    Broken { detail: String },
}

impl End {
    /// An HTTP status: the codes of JSON-RPC and of MCP say something else.
    pub(super) fn code(&self) -> i32 {
        match self {
            Self::Unreachable { .. } => 503,
            Self::Refused { .. } => 401,
            Self::NotTheDialect | Self::Closed { .. } | Self::Silent | Self::Broken { .. } => 502,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { authority, detail } => {
                write!(f, "cannot reach the daemon at ws://{authority}: is it running? ({detail})")
            }
            Self::Refused { word, reason } if reason.is_empty() => write!(f, "the daemon refused: {word}"),
            Self::Refused { word, reason } => write!(f, "the daemon refused: {word}: {reason}"),
            Self::NotTheDialect => f.write_str("what answers there does not speak the daemon's dialect"),
            Self::Closed { code, reason } => {
                f.write_str("the daemon closed the connection")?;
                if let Some(code) = code {
                    write!(f, " ({code})")?;
                }
                if reason.is_empty() { Ok(()) } else { write!(f, ": {reason}") }
            }
            Self::Silent => f.write_str("nothing was heard of the daemon for too long"),
            Self::Broken { detail } => write!(f, "the connection to the daemon broke: {detail}"),
        }
    }
}

/// A connection, wherever it stands. Frames that are given to it before it is greeted wait. When it is dropped, it ends.
pub(super) struct Daemon {
    pub(super) to: mpsc::Sender<String>,
    pub(super) from: mpsc::Receiver<Heard>,
    task: JoinHandle<()>,
}

impl Daemon {
    /// Dials.
    pub(super) fn start(settings: &ShimSettings, token: Option<&str>) -> Self {
        let (to, frames) = mpsc::channel(FRAMES_WAITING);
        let (heard, from) = mpsc::channel(FRAMES_WAITING);
        let shared = &settings.credentials.shared;
        let conversation = Talk {
            authority: settings.authority(),
            hello: dialect::hello(settings.session.as_deref(), shared, token),
            bytes_most: settings.bytes_most,
            ping_interval: settings.ping_interval,
            ping_timeout: settings.ping_timeout,
        };
        let task = tokio::spawn(async move {
            let end = match conversation.greet().await {
                Ok(socket) => conversation.relay(socket, frames, &heard).await,
                Err(end) => end,
            };
            let _ = heard.send(Heard::Ended(end)).await;
        });
        Self { to, from, task }
    }

    /// Says goodbye, and waits a little for it to be heard.
    pub(super) async fn leave(self, patience: Duration) {
        let Self { to, from, task } = self;
        drop(to);
        drop(from);
        let abort = task.abort_handle();
        if timeout(patience, task).await.is_err() {
            abort.abort();
        }
    }
}

struct Talk {
    authority: String,
    hello: Zeroizing<String>,
    bytes_most: usize,
    ping_interval: Duration,
    ping_timeout: Duration,
}

impl Talk {
    async fn greet(&self) -> Result<Socket, End> {
        let mut socket = self.dial().await?;
        let hello = Message::text(self.hello.as_str());
        socket.send(hello).await.map_err(|error| broken(&error))?;
        let welcome = timeout(GREETING, first_text(&mut socket)).await.map_err(|_| End::Silent)??;
        match Welcome::read(&welcome) {
            Some(Welcome::In) => Ok(socket),
            Some(Welcome::Out { word }) => Err(End::Refused { word, reason: reason(&mut socket).await }),
            None => Err(End::NotTheDialect),
        }
    }

    async fn dial(&self) -> Result<Socket, End> {
        let unreachable = |detail: String| End::Unreachable { authority: self.authority.clone(), detail };
        let dialled = async {
            let stream =
                TcpStream::connect(&self.authority).await.map_err(|error| unreachable(error.to_string()))?;
            let _ = stream.set_nodelay(true);
            let most = Some(self.bytes_most);
            let config = WebSocketConfig::default().max_message_size(most).max_frame_size(most);
            let url = format!("ws://{}/", self.authority);
            let opened = client_async_with_config(url, stream, Some(config)).await;
            opened.map(|(socket, _)| socket).map_err(|error| unreachable(error.to_string()))
        };
        timeout(DIAL, dialled).await.unwrap_or_else(|_| Err(unreachable("no answer".to_owned())))
    }

    async fn relay(
        &self,
        socket: Socket,
        frames: mpsc::Receiver<String>,
        heard: &mpsc::Sender<Heard>,
    ) -> End {
        let (sink, stream) = socket.split();
        let last = Mutex::new(Instant::now());
        tokio::select! {
            end = listen(stream, heard, &last) => end,
            end = self.speak(sink, frames, &last) => end,
        }
    }

    /// Sends what is to be sent, and a ping where nothing was heard for a while.
    async fn speak(
        &self,
        mut sink: impl Sink<Message, Error = Error> + Unpin,
        mut frames: mpsc::Receiver<String>,
        last: &Mutex<Instant>,
    ) -> End {
        let mut pinged: Option<Instant> = None;
        loop {
            let silent_since = *last.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = pinged.filter(|pinged| *pinged > silent_since);
            let due = asked.map_or(silent_since + self.ping_interval, |pinged| pinged + self.ping_timeout);
            let message = tokio::select! {
                frame = frames.recv() => {
                    let Some(frame) = frame else {
                        let _ = sink.close().await;
                        return End::Closed { code: None, reason: String::new() };
                    };
                    Message::text(frame)
                }
                () = sleep_until(due) => {
                    if *last.lock().unwrap_or_else(PoisonError::into_inner) != silent_since {
                        continue;
                    }
                    if asked.is_some() {
                        return End::Silent;
                    }
                    pinged = Some(Instant::now());
                    Message::Ping(Vec::new().into())
                }
            };
            // A daemon that takes nothing any more gets no ping either: without an end, every call would wait for ever.
            match timeout(self.ping_interval.saturating_add(self.ping_timeout), sink.send(message)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    // What the daemon said last tells more than a broken pipe, and `listen` hears it.
                    tokio::time::sleep(REASON).await;
                    return broken(&error);
                }
                Err(_) => return End::Silent,
            }
        }
    }
}

async fn listen(
    mut stream: impl Stream<Item = Result<Message, Error>> + Unpin,
    heard: &mpsc::Sender<Heard>,
    last: &Mutex<Instant>,
) -> End {
    loop {
        let message = stream.next().await;
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => {
                if heard.send(Heard::Frame(text)).await.is_err() {
                    return End::Closed { code: None, reason: String::new() };
                }
            }
            Some(Ok(Message::Close(frame))) => return closed(frame),
            Some(Ok(Message::Binary(_))) => return End::NotTheDialect,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(error)) => return broken(&error),
            None => return End::Closed { code: None, reason: String::new() },
        }
    }
}

async fn first_text(socket: &mut Socket) -> Result<Utf8Bytes, End> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(End::NotTheDialect),
            Some(Err(error)) => return Err(broken(&error)),
            None => return Err(closed(None)),
        }
    }
}

/// What the close frame after a refusal says.
async fn reason(socket: &mut Socket) -> String {
    let close = async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(Some(frame)) = message {
                return frame.reason.to_string();
            }
        }
        String::new()
    };
    timeout(REASON, close).await.unwrap_or_default()
}

fn closed(frame: Option<tokio_tungstenite::tungstenite::protocol::CloseFrame>) -> End {
    let (code, reason) = frame.map(|frame| (u16::from(frame.code), frame.reason.to_string())).unzip();
    End::Closed { code, reason: reason.unwrap_or_default() }
}

fn broken(error: &Error) -> End {
    End::Broken { detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{Daemon, End, Heard};
    use crate::shim::settings::ShimSettings;
    use futures_util::{SinkExt as _, StreamExt as _};
    use std::time::Duration;
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::Message;

    #[tokio::test]
    async fn a_daemon_that_takes_nothing_any_more_ends_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let settings = ShimSettings::read(
            |name| match name {
                "EXAI_WS_PORT" => Some(port.clone()),
                "EXAI_WS_PING_INTERVAL" | "EXAI_WS_PING_TIMEOUT" => Some("0.2".to_owned()),
                _ => None,
            },
            None,
        )
        .unwrap();
        let mut daemon = Daemon::start(&settings, None);
        let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        socket.next().await.unwrap().unwrap();
        socket.send(Message::text(r#"{"op":"hello_ack","ok":true}"#)).await.unwrap();
        // More than any buffer on the way holds, and nobody reads it.
        daemon.to.send("x".repeat(64 << 20)).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(20), daemon.from.recv()).await;
        assert!(matches!(heard, Ok(Some(Heard::Ended(End::Silent)))), "{heard:?}");
        drop(socket);
    }
}
