//! One WebSocket connection, from its 101 to its last frame: the list of steps in the order in which they must come.

use crate::config::MessageLimits;
use crate::credential::seconds_of;
use crate::failure::Failure;
use crate::line::{Asked, Cut, Hold, Line};
use crate::worker::{Phase, next_phase};
use crate::ws::close::Close;
use crate::ws::dial::{Greeting, Link, dial};
use crate::ws::dialect::Dialect;
use crate::ws::gate::{Guest, admit, in_grace};
use crate::ws::pulse::Pulse;
use crate::ws::receive::{Fault, From, Item, Receiver};
use crate::ws::send::Sender;
use crate::ws::tunnel::Tunnel;
use crate::ws::upgrade::Opening;
use crate::ws::words::{self, LastWord, Said};
use bytes::BytesMut;
use hallpass_core::encoding::hex;
use hallpass_core::{Ask, Call, ClientName, Denial, FirstFrameFault, Outcome, authorize};
use hyper_util::rt::TokioIo;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::timeout;

/// The client's end of a connection.
pub(crate) struct ClientEnd {
    pub(crate) from: Receiver<OwnedReadHalf>,
    pub(crate) to: Sender<OwnedWriteHalf>,
    pub(crate) pulse: Arc<Pulse>,
}

/// A connection on which both sides have been greeted.
pub(crate) struct Begun {
    pub(crate) guest: Guest,
    pub(crate) hold: Hold,
    pub(crate) server: Link,
    pub(crate) server_pulse: Arc<Pulse>,
    /// The first frame, if it was a message for the server.
    pub(crate) first: Option<BytesMut>,
}

/// Why nothing came of a connection.
enum Stop {
    Refused(Denial, Said),
    Cut(Cut, Dialect),
    Failed(Failure, Said),
    Fault(Fault),
    /// The client itself gave up.
    Closed(Option<Close>),
}

/// Serves a connection whose 101 is sent, until both sides have heard why it ended.
pub(crate) async fn serve(line: &Arc<Line>, mut opening: Opening, mut phase: watch::Receiver<Phase>) {
    let Some(mut client) = client_end(line, &mut opening).await else {
        // Gone before its 101: it has a record all the same, if there is a place.
        let _ = opening.flight.take_place_again(line.worker()).await;
        return;
    };
    match begin(line, &mut opening, &mut client, &mut phase).await {
        Ok(begun) => {
            let (tunnel, sources) = Tunnel::new(line, opening, begun, client);
            tunnel.run(sources, phase).await;
        }
        Err(stop) => {
            let word = stopped(line, stop, &mut opening);
            // The record before the last word: whoever has heard it may look at the log.
            drop(opening);
            client.farewell(word, line.shared().limits.sockets.farewell).await;
        }
    }
}

async fn client_end(line: &Line, opening: &mut Opening) -> Option<ClientEnd> {
    let upgraded = (&mut opening.upgrade).await.ok()?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    let (read, write) = parts.io.into_inner().into_split();
    let pulse = Arc::new(Pulse::new());
    let limits = first_limits(line, opening);
    let from = Receiver::new(read, parts.read_buf, From::Client, limits, Arc::clone(&pulse));
    Some(ClientEnd { from, to: Sender::to_client(write), pulse })
}

/// Until it is known who sends it, a message is small and in one piece.
fn first_limits(line: &Line, opening: &Opening) -> MessageLimits {
    let limits = &line.shared().limits.sockets;
    match (&opening.known, opening.for_mcp) {
        (None, _) => MessageLimits { frame: limits.first_frame, message: limits.first_frame, fragments: 1 },
        (Some(_), true) => limits.mcp,
        (Some(_), false) => limits.hello,
    }
}

async fn begin(
    line: &Arc<Line>,
    opening: &mut Opening,
    client: &mut ClientEnd,
    phase: &mut watch::Receiver<Phase>,
) -> Result<Begun, Stop> {
    let shared = line.shared();
    let waiting = hold_of_known(line, opening);
    let frame = tokio::select! {
        biased;
        cut = cut_while_waiting(waiting.as_ref()) => {
            let dialect = if opening.for_mcp { Dialect::Mcp } else { Dialect::Hello };
            Err(Stop::Cut(cut, dialect))
        }
        () = stopping(phase) => Err(Stop::Cut(Cut::Shutdown, Dialect::Mcp)),
        frame = first_frame(line, opening, client) => frame,
    };
    // Before the hold of what follows: dropping this one later would end that one.
    drop(waiting);
    // Before anything is judged: who cannot be recorded is not let in.
    let place = opening.flight.take_place_again(line.worker()).await;
    let frame = frame?;
    place.map_err(|denial| Stop::Refused(denial, Said::Nothing { for_mcp: opening.for_mcp }))?;
    opening.flight.received(frame.len());
    let (said, guest) = admit(line, opening, &frame);
    let guest = guest.map_err(|denial| Stop::Refused(denial, said.clone()))?;
    client.from.set_limits(guest.dialect.limits(&shared.limits.sockets));
    let hold = line.hold(&guest.permit, Asked::Protocol, true);
    // Something may have been published since it was judged: from here on the hold hears of it.
    if shared.gate.edition() != guest.known.edition {
        hold.examine();
    }
    let own =
        shared.session_key.mint(&shared.random.bytes(), guest.known.verified.principal(), &opening.server);
    let greeting = match guest.dialect {
        Dialect::Hello => Greeting::Hello { session: &own },
        Dialect::Mcp => Greeting::Mcp,
    };
    let server_pulse = Arc::new(Pulse::new());
    let dialled = tokio::select! {
        biased;
        cut = hold.cut() => return Err(Stop::Cut(cut, guest.dialect)),
        () = stopping(phase) => return Err(Stop::Cut(Cut::Shutdown, guest.dialect)),
        dialled = dial(&guest.permit, greeting, line.worker(), Arc::clone(&server_pulse)) => dialled,
    };
    let server = dialled.map_err(|failure| Stop::Failed(failure, said))?;
    let first = match guest.dialect {
        Dialect::Hello => {
            // The label that the client chose, else one that says nothing: the session at the server has its own id.
            let session = guest
                .session
                .as_ref()
                .map_or_else(|| hex(&shared.random.bytes::<16>()), |s| s.as_str().to_owned());
            let welcome = BytesMut::from(words::welcome(&session).as_bytes());
            let welcomed = timeout(shared.limits.sockets.hello_within, client.to.text(welcome)).await;
            welcomed.map_or(Err(()), |sent| sent.map_err(|_| ())).map_err(|()| Stop::Fault(Fault::Gone))?;
            None
        }
        Dialect::Mcp => Some(frame),
    };
    Ok(Begun { guest, hold, server, server_pulse, first })
}

/// Who showed a credential with the request is under watch before saying anything, too.
fn hold_of_known(line: &Arc<Line>, opening: &Opening) -> Option<Hold> {
    let known = opening.known.as_ref()?;
    let path_client = opening.path_client.as_ref().map(ClientName::as_str);
    let call = Call { server: &opening.server, path_client, ask: Ask::Protocol };
    let permit = authorize(&known.verified, &call).ok()?;
    let hold = line.hold(&permit, Asked::Protocol, true);
    if line.shared().gate.edition() != known.edition {
        hold.examine();
    }
    Some(hold)
}

async fn cut_while_waiting(hold: Option<&Hold>) -> Cut {
    match hold {
        Some(hold) => hold.cut().await,
        None => pending().await,
    }
}

/// The first frame that is a message. Nothing is answered before it, no ping either.
async fn first_frame(line: &Line, opening: &Opening, client: &mut ClientEnd) -> Result<BytesMut, Stop> {
    let limits = &line.shared().limits.sockets;
    let within = if opening.for_mcp { limits.first_message_within } else { limits.hello_within };
    let refused =
        |fault| Stop::Refused(Denial::FirstFrame(fault), Said::Nothing { for_mcp: opening.for_mcp });
    let mut controls = limits.controls_at_once;
    let first = async {
        loop {
            match client.from.next().await {
                Ok(Item::Text(text)) => return Ok(text),
                Ok(Item::Close(close)) => return Err(Stop::Closed(close)),
                Ok(Item::Ping(_) | Item::Pong(_)) if controls == 0 => {
                    return Err(Stop::Fault(Fault::TooManyControls));
                }
                Ok(Item::Ping(_) | Item::Pong(_)) => controls -= 1,
                Err(Fault::Binary) => return Err(refused(FirstFrameFault::Binary)),
                Err(Fault::TooLarge | Fault::TooManyPieces) => {
                    return Err(refused(FirstFrameFault::TooLarge));
                }
                Err(fault) => return Err(Stop::Fault(fault)),
            }
        }
    };
    timeout(within, first).await.unwrap_or_else(|_| Err(refused(FirstFrameFault::Late)))
}

async fn stopping(phase: &mut watch::Receiver<Phase>) {
    next_phase(phase, Phase::Open).await;
}

/// Notes why nothing came of it, and says what the client is left with.
fn stopped(line: &Line, stop: Stop, opening: &mut Opening) -> Option<LastWord> {
    let flight = &mut opening.flight;
    let word = match stop {
        Stop::Refused(denial, said) => {
            flight.refused(&denial);
            let shared = line.shared();
            let in_grace = in_grace(shared.gate.in_force().snapshot(), seconds_of(shared.now_ms()));
            Some(words::refusal(&denial, &said, in_grace))
        }
        Stop::Cut(cut, dialect) => {
            flight.cut(&cut);
            Some(LastWord { text: None, close: words::cut(&cut, dialect) })
        }
        Stop::Failed(failure, said) => {
            flight.failed(failure);
            Some(words::failure(failure, &opening.server, &said))
        }
        Stop::Fault(Fault::Gone) => None,
        Stop::Fault(fault) => {
            flight.ended(Outcome::Refused, Some(fault.code()));
            Some(LastWord { text: None, close: words::fault(fault) })
        }
        Stop::Closed(close) => {
            Some(LastWord { text: None, close: close.unwrap_or_else(|| Close::new(1000, "")) })
        }
    };
    if let Some(word) = &word {
        opening.flight.closed(word.close.code);
    }
    word
}

impl ClientEnd {
    /// Says the last word, and waits a little until it was heard: a connection that is dropped at once takes what is on
    /// its way with it.
    pub(crate) async fn farewell(mut self, word: Option<LastWord>, patience: Duration) {
        let Some(word) = word else { return };
        let saying = async {
            if let Some(text) = word.text {
                self.to.text(BytesMut::from(text.as_bytes())).await?;
            }
            self.to.close(Some(&word.close)).await
        };
        if matches!(timeout(patience, saying).await, Ok(Ok(()))) {
            let _ = timeout(patience, self.from.drain()).await;
        }
    }
}
