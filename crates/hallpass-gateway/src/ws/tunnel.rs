//! A connection on which both sides have been greeted: two streams of messages, and whatever ends them. A side that does
//! not read holds up its own stream and nothing else. What becomes of a message is decided in `up` and `down`.

use crate::credential::seconds_of;
use crate::failure::Failure;
use crate::line::{Cut, Hold, Line};
use crate::tally::Tally;
use crate::worker::{Phase, next_phase};
use crate::ws::calls::Calls;
use crate::ws::close::Close;
use crate::ws::dial::{FromServer, ToServer};
use crate::ws::dialect::Dialect;
use crate::ws::ending::Ending;
use crate::ws::pulse::Pulse;
use crate::ws::receive::{Fault, Receiver};
use crate::ws::record::About;
use crate::ws::send::Sender;
use crate::ws::serve::{Begun, ClientEnd};
use crate::ws::upgrade::Opening;
use crate::ws::words::LastWord;
use bytes::BytesMut;
use hallpass_core::{Denial, Verified};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};

/// A connection under way, as both of its streams see it.
pub(crate) struct Tunnel {
    pub(super) line: Arc<Line>,
    pub(super) about: About,
    pub(super) dialect: Dialect,
    pub(super) calls: Calls,
    pub(super) to_client: Mutex<Sender<OwnedWriteHalf>>,
    pub(super) to_server: Mutex<ToServer>,
    /// What the gateway's own pings carry, so that their answers are told from others'.
    pub(super) probe: [u8; 8],
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    hold: Hold,
    _tally: Tally,
}

/// Where both streams come from.
pub(crate) struct Sources {
    pub(super) client: Receiver<OwnedReadHalf>,
    client_pulse: Arc<Pulse>,
    server: FromServer,
    server_pulse: Arc<Pulse>,
    pub(super) verified: Verified,
    pub(super) first: Option<BytesMut>,
}

impl Tunnel {
    /// Writes the record of the opening: from here on there is one for each call, and one for the end.
    pub(crate) fn new(
        line: &Arc<Line>,
        opening: Opening,
        begun: Begun,
        client: ClientEnd,
    ) -> (Self, Sources) {
        let Begun { guest, hold, server, server_pulse, first } = begun;
        let about = About::new(opening, &guest);
        let tunnel = Self {
            line: Arc::clone(line),
            about,
            dialect: guest.dialect,
            calls: Calls::default(),
            to_client: Mutex::new(client.to),
            to_server: Mutex::new(server.to),
            probe: line.shared().random.bytes(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            hold,
            _tally: guest.known.tally,
        };
        let verified = guest.known.verified;
        let (client, client_pulse) = (client.from, client.pulse);
        (tunnel, Sources { client, client_pulse, server: server.from, server_pulse, verified, first })
    }

    /// Until something ends it, and both sides have heard what.
    pub(crate) async fn run(self, sources: Sources, mut phase: watch::Receiver<Phase>) {
        let Sources { mut client, client_pulse, mut server, server_pulse, verified, first } = sources;
        let mut seen = phase.clone();
        let ending = tokio::select! {
            biased;
            cut = self.hold.cut() => Ending::Cut(cut),
            ending = self.stop(&mut seen) => ending,
            ending = self.down(&mut server) => ending,
            ending = self.up(&mut client, verified, first, &mut phase) => ending,
            ending = self.watch(&client_pulse, &server_pulse) => ending,
        };
        self.end(ending, client, client_pulse, server).await;
    }

    /// The caller, judged by what is in force at this instant.
    pub(super) fn still_good(&self, verified: &Verified) -> Result<Verified, Denial> {
        let shared = self.line.shared();
        if shared.freshness.is_stale(&shared.limits) {
            return Err(Denial::Stale);
        }
        verified.judge_again(shared.gate.in_force().snapshot(), seconds_of(shared.now_ms()))
    }

    /// The gateway stops: answers may end, nothing begins.
    async fn stop(&self, phase: &mut watch::Receiver<Phase>) -> Ending {
        let seen = next_phase(phase, Phase::Open).await;
        if seen == Phase::Draining {
            tokio::select! {
                () = self.calls.all_answered() => {}
                _ = next_phase(phase, Phase::Draining) => {}
            }
        }
        Ending::Cut(Cut::Shutdown)
    }

    /// Finds out when a side is gone that never said so.
    async fn watch(&self, client: &Pulse, server: &Pulse) -> Ending {
        let limits = &self.line.shared().limits.sockets;
        loop {
            sleep(limits.ping_after).await;
            if client.silence() >= limits.gone_after {
                return Ending::ClientFault(Fault::Gone);
            }
            if server.silence() >= limits.gone_after {
                return Ending::ServerFailed(Failure::BrokeOff);
            }
            let probe = || BytesMut::from(&self.probe[..]);
            // Where a message is being sent, something is heard of the other side when it has read it.
            if client.silence() >= limits.ping_after
                && let Ok(mut to_client) = self.to_client.try_lock()
            {
                let _ = timeout(limits.ping_after, to_client.ping(probe())).await;
            }
            if server.silence() >= limits.ping_after
                && let Ok(mut to_server) = self.to_server.try_lock()
            {
                let _ = timeout(limits.ping_after, to_server.ping(probe())).await;
            }
        }
    }

    async fn end(
        self,
        ending: Ending,
        client: Receiver<OwnedReadHalf>,
        client_pulse: Arc<Pulse>,
        server: FromServer,
    ) {
        let epilogue = ending.epilogue(&self.calls, self.dialect, &self.about.server);
        // The record before the last word: whoever has heard it may look at the log.
        self.record_end(&epilogue).await;
        let patience = self.line.shared().limits.sockets.farewell;
        let client = ClientEnd { from: client, to: self.to_client.into_inner(), pulse: client_pulse };
        let word = epilogue.to_client.map(|close| LastWord { text: None, close });
        tokio::join!(
            leave(self.to_server.into_inner(), server, epilogue.to_server, patience),
            client.farewell(word, patience)
        );
    }
}

/// Takes leave of the server. What of a message it did not get in time, it does not get.
async fn leave(mut to: ToServer, mut from: FromServer, close: Close, patience: Duration) {
    if matches!(timeout(patience, to.close(&close)).await, Ok(Ok(()))) {
        let _ = timeout(patience, from.drain()).await;
    }
}
