//! Messages on their way to the server: each is read, recorded, judged by what is in force now, and sent with the permit
//! that came of it, or answered with a refusal.

use crate::failure::Failure;
use crate::flight::Flight;
use crate::line::Cut;
use crate::serve;
use crate::tally::Tally;
use crate::worker::{Phase, next_phase};
use crate::ws::calls::Waiting;
use crate::ws::dialect::{Keeps, Message, Weight};
use crate::ws::ending::Ending;
use crate::ws::receive::{Fault, Item, Receiver};
use crate::ws::tunnel::Tunnel;
use crate::ws::words;
use bytes::BytesMut;
use hallpass_core::authorize::policy_of;
use hallpass_core::policy::Ask;
use hallpass_core::rate::{Rate, Step};
use hallpass_core::{Denial, Outcome, Permit, Verified, authorize};
use std::future::pending;
use std::sync::atomic::Ordering;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// Why a message is not sent.
enum Refusal {
    /// It is answered, and the connection goes on.
    Message(Denial),
    /// Whoever sent it may send nothing any more.
    Caller(Denial),
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Message(denial)
    }
}

impl Tunnel {
    /// Everything that the client sends.
    pub(super) async fn up(
        &self,
        from: &mut Receiver<OwnedReadHalf>,
        mut verified: Verified,
        first: Option<BytesMut>,
        phase: &mut watch::Receiver<Phase>,
    ) -> Ending {
        if let Some(first) = first
            && let Err(ending) = self.message(&mut verified, first).await
        {
            return ending;
        }
        let mut controls = Controls::new(self.line.shared().limits.sockets.controls_at_once);
        loop {
            let item = tokio::select! {
                biased;
                // Nothing begins any more; what is under way is ended by others.
                _ = next_phase(phase, Phase::Open) => return pending().await,
                item = from.next() => item,
            };
            let sent = match item {
                Ok(Item::Text(text)) => match self.message(&mut verified, text).await {
                    Ok(()) => continue,
                    Err(ending) => return ending,
                },
                Ok(Item::Close(close)) => return Ending::ClientClosed(close),
                Ok(Item::Ping(_) | Item::Pong(_)) if !controls.has_room() => {
                    return Ending::ClientFault(Fault::TooManyControls);
                }
                Ok(Item::Pong(payload)) if payload == self.probe[..] => continue,
                Ok(Item::Pong(payload)) => self.to_server.lock().await.pong(payload).await,
                Ok(Item::Ping(payload)) => self.to_server.lock().await.ping(payload).await,
                Err(fault) => return Ending::ClientFault(fault),
            };
            if sent.is_err() {
                return self.server_broke_off().await;
            }
        }
    }

    async fn message(&self, verified: &mut Verified, text: BytesMut) -> Result<(), Ending> {
        self.bytes_in.fetch_add(text.len() as u64, Ordering::Relaxed);
        let keeps = Keeps { keeping: &self.line.shared().arguments, server: &self.about.server };
        let mut message = match self.dialect.read(&text, &keeps) {
            Ok(message) => message,
            Err(denial) => {
                let mut unread = Message::unread(self.dialect.id_of(&text));
                return self.refuse(&mut unread, None, verified, text.len(), denial).await;
            }
        };
        self.about.learn(message.client_info.as_deref());
        let mut flight = None;
        if message.weight != Weight::Light {
            // A place in the log first: a call that could not be recorded is not made.
            match self.record(&mut message, verified, text.len()).await {
                Ok(place) => flight = Some(place),
                Err(denial) => return self.answer(&message, &denial, "").await,
            }
        }
        match self.permit(verified, &message, flight.as_mut()) {
            Ok((permit, tally)) => self.send(&message, flight, permit, tally, text).await,
            Err(Refusal::Message(denial)) => {
                self.refuse(&mut message, flight, verified, text.len(), denial).await
            }
            Err(Refusal::Caller(denial)) => {
                if let Some(flight) = &mut flight {
                    flight.refused(&denial);
                }
                Err(Ending::Cut(Cut::Denied(denial)))
            }
        }
    }

    /// The right to send this message, by what is in force at this instant.
    fn permit(
        &self,
        verified: &mut Verified,
        message: &Message,
        flight: Option<&mut Flight>,
    ) -> Result<(Permit, Option<Tally>), Refusal> {
        let shared = self.line.shared();
        *verified = self.still_good(verified).map_err(Refusal::Caller)?;
        authorize(verified, &self.about.call(Ask::Protocol)).map_err(Refusal::Caller)?;
        let permit = authorize(verified, &self.about.call(message.asked.as_ask()))?;
        let Some(flight) = flight else { return Ok((permit, None)) };
        flight.permitted(&permit);
        if message.weight != Weight::Counted {
            return Ok((permit, None));
        }
        if !message.waits && calls_tool(message) && limits_calls_in_flight(verified) {
            return Err(Denial::AmbiguousRequest { what: "a call without an id" }.into());
        }
        let mut tally = shared.tallies.take(verified.principal(), shared.limits.calls_per_client)?;
        // Last of all that could refuse it: a refused call spends nothing.
        serve::spend(&self.line, flight, &mut tally, &permit)?;
        Ok((permit, Some(tally)))
    }

    async fn send(
        &self,
        message: &Message,
        flight: Option<Flight>,
        permit: Permit,
        tally: Option<Tally>,
        text: BytesMut,
    ) -> Result<(), Ending> {
        let mut receipt = None;
        if let Some(flight) = flight {
            match &message.id {
                // Before it is sent: its answer could be here before the sending has returned.
                Some(id) if message.waits => {
                    let (asked, caches) = (message.asked.clone(), message.caches);
                    self.calls.add(id, Waiting { _tally: tally, flight, asked, caches });
                }
                Some(_) | None => receipt = Some((flight, tally)),
            }
        }
        if self.to_server.lock().await.text(permit, text).await.is_err() {
            return Err(self.server_broke_off().await);
        }
        if let Some((flight, _)) = &mut receipt {
            flight.ended(Outcome::Ok, None);
        }
        Ok(())
    }

    /// Records and answers a message that is not sent.
    async fn refuse(
        &self,
        message: &mut Message,
        flight: Option<Flight>,
        verified: &Verified,
        bytes: usize,
        denial: Denial,
    ) -> Result<(), Ending> {
        let flight = match flight {
            Some(flight) => Ok(flight),
            None => self.record(message, verified, bytes).await,
        };
        match flight {
            Ok(mut flight) => {
                flight.refused(&denial);
                let request_id = flight.request_id().to_owned();
                drop(flight);
                self.answer(message, &denial, &request_id).await
            }
            Err(denial) => self.answer(message, &denial, "").await,
        }
    }

    async fn answer(&self, message: &Message, denial: &Denial, request_id: &str) -> Result<(), Ending> {
        let id = message.id.as_deref();
        let text = words::refused_message(self.dialect, id, calls_tool(message), denial, request_id);
        let Some(text) = text else { return Ok(()) };
        let sent = self.to_client.lock().await.text(BytesMut::from(text.as_bytes())).await;
        sent.map_err(|_| Ending::ClientFault(Fault::Gone))
    }

    /// The server's last words may still be on their way: they say more than a broken pipe.
    async fn server_broke_off(&self) -> Ending {
        sleep(self.line.shared().limits.sockets.farewell).await;
        Ending::ServerFailed(Failure::BrokeOff)
    }
}

fn calls_tool(message: &Message) -> bool {
    matches!(message.asked.as_ask(), Ask::Tool(_))
}

/// Under such a policy a call needs an id: no answer ends one without, so it could not be counted until then.
fn limits_calls_in_flight(verified: &Verified) -> bool {
    policy_of(verified).is_some_and(|policy| policy.in_flight().is_some() && !policy.is_shadow())
}

/// How many pings and pongs may come.
struct Controls {
    rate: Option<Rate>,
    started: Instant,
    whole_at_us: i64,
}

impl Controls {
    fn new(at_once: u32) -> Self {
        let rate = Rate::parse(&format!("{}/s", (at_once / 10).max(1)), Some(at_once.max(1)));
        Self { rate, started: Instant::now(), whole_at_us: 0 }
    }

    fn has_room(&mut self) -> bool {
        let Some(rate) = &self.rate else { return false };
        let now_us = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        match rate.step(self.whole_at_us, now_us) {
            Step::Go { whole_at_us } => {
                self.whole_at_us = whole_at_us;
                true
            }
            Step::Wait { .. } => false,
        }
    }
}
