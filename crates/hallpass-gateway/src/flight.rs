//! One request's record, from its first step to its last byte. Sent exactly once, whatever happens, and never blocks
//! at the end: its place in the log is taken at the start, and where a WebSocket's first frame is waited for, after that.

use crate::failure::Failure;
use crate::line::{Cut, Line};
use crate::log_state::LogState;
use crate::record::{Entry, Notices, Receipt};
use crate::worker::{Shared, Worker};
use hallpass_core::arguments::Kept;
use hallpass_core::audit_settings::OnFailure;
use hallpass_core::authorize::policy_of;
use hallpass_core::event::HelloNote;
use hallpass_core::hello::SessionLabel;
use hallpass_core::{
    Caller, ClientName, Denial, Envelope, Event, Outcome, Permit, PolicyName, ServerName, Signed, Verified,
};
use http::{HeaderMap, StatusCode, header};
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

/// What a caller wrote is cut to this many characters in the record.
const TEXT_MOST: usize = 128;

/// A request in progress.
pub(crate) struct Flight {
    place: Option<Place>,
    event: Event,
    started: Instant,
}

/// Where a record goes.
enum Place {
    Taken(OwnedPermit<Entry>, Notices),
    /// Nowhere: the log takes none, so it is counted.
    None(LogState),
}

impl Flight {
    /// Takes a place in the log first: a call that could not be recorded is not made.
    pub(crate) async fn begin(line: &Line, method: &str, request_id: &str) -> Result<Self, Denial> {
        let shared = line.shared();
        let place = take_place(line.worker()).await?;
        // Until something better is known: the caller went away.
        let mut event = Event::new(shared.now_ms(), "call", Outcome::Gone);
        event.method = Some(cut_short(method));
        event.address = Some(line.address().to_owned());
        event.request_id = Some(request_id.to_owned());
        Ok(Self { place: Some(place), event, started: Instant::now() })
    }

    /// Gives the place back while somebody is waited for of whom nothing is known: places are few, and everybody's.
    pub(crate) fn give_place_back(&mut self) {
        self.place = None;
    }

    /// Takes a place again.
    pub(crate) async fn take_place_again(&mut self, worker: &Worker) -> Result<(), Denial> {
        self.place = Some(take_place(worker).await?);
        Ok(())
    }

    pub(crate) fn server(&mut self, server: &ServerName) {
        self.event.server = Some(server.as_str().to_owned());
    }

    /// What the program says of itself, for whoever wonders which one it was.
    pub(crate) fn agent(&mut self, headers: &HeaderMap) {
        let agent = headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        self.event.user_agent = agent.map(|agent| cut_short(&agent));
    }

    /// What was seen of it on the connection's opening, and what it said since.
    pub(crate) fn program(&mut self, user_agent: Option<&str>, client_info: Option<&str>) {
        self.event.user_agent = user_agent.map(str::to_owned);
        self.event.client_info = client_info.map(str::to_owned);
    }

    pub(crate) fn user_agent(&self) -> Option<String> {
        self.event.user_agent.clone()
    }

    pub(crate) fn request_id(&self) -> &str {
        self.event.request_id.as_deref().unwrap_or_default()
    }

    /// The name that the client gave its session.
    pub(crate) fn session(&mut self, session: &SessionLabel) {
        self.event.session = Some(session.as_str().to_owned());
    }

    /// It is a `hello`.
    pub(crate) fn hello(&mut self, note: HelloNote) {
        self.event.method = Some("hello".into());
        self.event.hello = Some(note);
    }

    pub(crate) fn tool(&mut self, tool: &str) {
        self.event.tool = Some(cut_short(tool));
    }

    /// It is no call: a connection ends that began then.
    pub(crate) fn end_of_connection(&mut self, began: Instant) {
        self.event.kind = "close".into();
        self.event.method = None;
        self.started = began;
    }

    /// A connection is closed with this code.
    pub(crate) fn closed(&mut self, code: u16) {
        self.event.status = Some(code);
    }

    /// The shared secret was shown on this path.
    pub(crate) fn legacy(&mut self, path_client: Option<&ClientName>) {
        self.event.legacy = true;
        self.event.path_client = path_client.map(|name| name.as_str().to_owned());
    }

    /// A key of ours signed the token, so its id is no attacker's text.
    pub(crate) fn signed(&mut self, signed: &Signed) {
        self.event.jti = signed.claims().jti().map(str::to_owned);
    }

    /// Who it is, by whichever credential.
    pub(crate) fn caller(&mut self, verified: &Verified) {
        self.verified(verified);
        match verified.caller() {
            Caller::Client(bearer) => {
                if let Some(hello) = &mut self.event.hello {
                    hello.subject = Some(bearer.client().subject.as_str().to_owned());
                }
            }
            Caller::Legacy(bearer) => self.legacy(bearer.path_client()),
        }
    }

    pub(crate) fn verified(&mut self, verified: &Verified) {
        match verified.caller() {
            Caller::Client(bearer) => {
                self.event.client = Some(bearer.client().name.as_str().to_owned());
                self.event.jti = Some(bearer.jti().to_owned());
            }
            Caller::Legacy(_) => {}
        }
    }

    /// What the permit says beside that it is one.
    pub(crate) fn permitted(&mut self, permit: &Permit) {
        if let (Some(policy), Some(denial)) = (policy_of(permit.verified()), permit.would_refuse()) {
            self.would_refuse(policy.name(), denial.code());
        }
    }

    /// A policy that only watches would have refused the call.
    pub(crate) fn would_refuse(&mut self, policy: &PolicyName, reason: &'static str) {
        self.event.would_refuse = Some(policy.as_str().to_owned());
        self.event.would_reason = Some(reason.to_owned());
    }

    /// What the program that began the call's session said of itself, unless the call itself says it.
    pub(crate) fn introduced(&mut self, info: Option<&str>) {
        if self.event.client_info.is_none() {
            self.event.client_info = info.map(str::to_owned);
        }
    }

    pub(crate) fn client_info(&self) -> Option<&str> {
        self.event.client_info.as_deref()
    }

    pub(crate) fn message(&mut self, envelope: &Envelope<'_>) {
        if let Some(method) = envelope.method.as_deref() {
            self.event.method = Some(cut_short(method));
        }
        self.event.tool = envelope.tool().map(cut_short);
        self.event.client_info.clone_from(&envelope.client_info);
    }

    pub(crate) fn arguments(&mut self, kept: Kept) {
        self.event.keep_arguments(kept);
    }

    pub(crate) fn received(&mut self, bytes: usize) {
        self.event.bytes_in = Some(bytes as u64);
    }

    pub(crate) fn received_in_all(&mut self, bytes: u64) {
        self.event.bytes_in = Some(bytes);
    }

    pub(crate) fn refused(&mut self, denial: &Denial) {
        self.event.outcome = Outcome::Refused;
        self.denied(denial);
    }

    pub(crate) fn cut(&mut self, cut: &Cut) {
        self.event.outcome = Outcome::Cut;
        match cut {
            Cut::Denied(denial) => self.denied(denial),
            Cut::Shutdown => self.event.reason = Some("shutdown".into()),
        }
    }

    pub(crate) fn failed(&mut self, failure: Failure) {
        self.event.outcome = Outcome::Failed;
        self.event.reason = Some(failure.code().into());
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.event.status = Some(status.as_u16());
    }

    pub(crate) fn sent(&mut self, bytes: u64) {
        self.event.bytes_out = Some(bytes);
    }

    pub(crate) fn ended(&mut self, outcome: Outcome, reason: Option<&'static str>) {
        self.event.outcome = outcome;
        self.event.reason = reason.map(str::to_owned);
    }

    fn denied(&mut self, denial: &Denial) {
        self.event.reason = Some(denial.code().into());
        if let Some(client) = denial.client() {
            self.event.client = Some(client.as_str().to_owned());
        }
    }
}

impl Flight {
    /// Sends the record before the flight ends: what is left of the answer has to wait until it is written. `None`: there
    /// is nothing to wait for.
    pub(crate) fn send(&mut self, log: &LogState) -> Option<Receipt> {
        match self.place.take()? {
            Place::Taken(place, notices) if log.holds() => {
                let (written, receipt) = Receipt::new(notices);
                place.send(Entry { event: self.take_event(), written: Some(written) });
                Some(receipt)
            }
            place @ (Place::Taken(..) | Place::None(_)) => {
                self.fill(place);
                None
            }
        }
    }

    fn fill(&mut self, place: Place) {
        match place {
            Place::Taken(place, _) => {
                place.send(Entry { event: self.take_event(), written: None });
            }
            Place::None(log) => log.missed_one(),
        }
    }

    fn take_event(&mut self) -> Event {
        let mut event = std::mem::replace(&mut self.event, Event::new(0, "call", Outcome::Gone));
        event.duration_us = u64::try_from(self.started.elapsed().as_micros()).ok();
        event
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        if std::thread::panicking() {
            self.refused(&Denial::Internal);
            self.answered(StatusCode::INTERNAL_SERVER_ERROR);
        }
        self.fill(place);
    }
}

/// A place in the log, or what the program wants of a call for which there is none.
async fn take_place(worker: &Worker) -> Result<Place, Denial> {
    let Shared { events, log, limits, .. } = worker.shared();
    if log.is_failing() && log.on_failure() == OnFailure::Refuse {
        log.refused_one();
        return Err(Denial::LogUnavailable);
    }
    let reserved = match events.clone().try_reserve_owned() {
        Err(TrySendError::Full(events)) if !log.is_failing() => {
            let place = tokio::time::timeout(limits.log_patience, events.reserve_owned()).await;
            place.ok().and_then(Result::ok)
        }
        at_once => at_once.ok(),
    };
    match (reserved, log.on_failure()) {
        (Some(place), _) => Ok(Place::Taken(place, worker.notices())),
        (None, OnFailure::Count) => Ok(Place::None(log.clone())),
        (None, OnFailure::Refuse) => {
            log.refused_one();
            Err(Denial::LogUnavailable)
        }
    }
}

fn cut_short(text: &str) -> String {
    text.chars().take(TEXT_MOST).collect()
}
