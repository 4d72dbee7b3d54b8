//! One request, from head to answer: the list of steps in the order in which they must come. Each step's rules live
//! in its own module.

use crate::failure::Failure;
use crate::flight::Flight;
use crate::forward::{Outgoing, forward};
use crate::known::verify;
use crate::line::{Asked, Cut, Hold, Line};
use crate::narrowed::{self, Narrowed};
use crate::payload::Payload;
use crate::relay::Ready;
use crate::tally::{Excess, Tally};
use crate::target::Target;
use crate::wants::Wants;
use crate::watched::{Ahead, Reading, Withheld};
use crate::{body, framing, headers, message, mirror, respond, session, ws};
use futures_util::FutureExt as _;
use hallpass_core::authorize::policy_of;
use hallpass_core::{
    Ask, Call, ClientName, Denial, Envelope, Permit, ServerName, Verified, authorize, narrowing,
};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Why a request gets an answer of ours.
pub(crate) enum Stop {
    Refused { denial: Denial, message_id: Option<Box<str>> },
    Cut(Cut),
    Failed(Failure, ServerName),
}

impl From<Denial> for Stop {
    fn from(denial: Denial) -> Self {
        Self::Refused { denial, message_id: None }
    }
}

/// Answers one request. A panic on the way fails this request and nothing else.
pub(crate) async fn answer(
    line: Arc<Line>,
    request: Request<Incoming>,
) -> Result<Response<Payload>, Infallible> {
    let request_id = line.worker().next_request_id();
    let (head, mut body) = request.into_parts();
    let ends_connection = framing::ends_connection(&head);
    let answered = AssertUnwindSafe(recorded(&line, head, &mut body, &request_id)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| respond::refusal(&Denial::Internal, &request_id, None));
    if ends_connection || !body.is_end_stream() {
        respond::close(&mut response);
    }
    if let Ok(request_id) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(respond::REQUEST_ID, request_id);
    }
    Ok(response)
}

/// Opens the record, takes the steps, and closes the record unless the answer carries it on.
async fn recorded(line: &Arc<Line>, head: Parts, body: &mut Incoming, request_id: &str) -> Response<Payload> {
    if let Some(response) = open_answer(line, &head) {
        return response;
    }
    let mut flight = match Flight::begin(line, head.method.as_str(), request_id).await {
        Ok(flight) => flight,
        Err(denial) => return respond::refusal(&denial, request_id, None),
    };
    if ws::is_wanted(&head.headers) {
        return opened(line, flight, head, request_id);
    }
    match steps(line, &mut flight, head, body).await {
        Ok(ready) => {
            let relayed = ready.relay(flight).await;
            relayed.unwrap_or_else(|withheld| match withheld {
                Withheld::Unwritten => respond::refusal(&Denial::NotRecorded, request_id, None),
                Withheld::Cut(cut) => respond::cut(&cut, request_id),
            })
        }
        Err(stop) => stopped(&stop, flight, request_id),
    }
}

/// The connection becomes a WebSocket, whose first frame may still have to show a credential.
fn opened(line: &Line, mut flight: Flight, head: Parts, request_id: &str) -> Response<Payload> {
    match ws::open(line, &mut flight, head) {
        Ok(door) => {
            let opening = door.with_record(flight);
            let answer = opening.answer();
            line.becomes(opening);
            answer
        }
        Err(denial) => stopped(&Stop::from(denial), flight, request_id),
    }
}

/// The answers that need no token. They say nothing of clients and servers, so they are no calls and have no record.
fn open_answer(line: &Line, head: &Parts) -> Option<Response<Payload>> {
    if head.method != Method::GET || !line.entrance().is_open() {
        return None;
    }
    let target = Target::of(&head.uri).ok()?;
    let shared = line.shared();
    framing::check(head).and_then(|()| line.entrance().door.check(head)).ok()?;
    match target {
        Target::Health => Some(respond::healthy()),
        Target::Ready => Some(respond::ready(shared.freshness.is_stale(&shared.limits))),
        Target::Jwks => Some(respond::jwks(shared.gate.in_force().jwks(), &head.headers)),
        Target::OnlyServer | Target::Server { .. } => None,
    }
}

fn stopped(stop: &Stop, mut flight: Flight, request_id: &str) -> Response<Payload> {
    let response = match stop {
        Stop::Refused { denial, message_id } => {
            flight.refused(denial);
            respond::refusal(denial, request_id, message_id.as_deref())
        }
        Stop::Cut(cut) => {
            flight.cut(cut);
            respond::cut(cut, request_id)
        }
        Stop::Failed(failure, server) => {
            flight.failed(*failure);
            respond::failure(*failure, server, request_id)
        }
    };
    flight.answered(response.status());
    response
}

async fn steps(
    line: &Arc<Line>,
    flight: &mut Flight,
    mut head: Parts,
    body: &mut Incoming,
) -> Result<Ready, Stop> {
    let shared = line.shared();
    let mut caller = admit(line, flight, &head)?;
    message::check_head(&head, body)?;
    let bytes = body::read(body, &shared.limits).await?;
    flight.received(bytes.len());
    let Decided { permit, asked, wants } = permit(line, flight, &caller, &mut head, &bytes)?;
    if wants.counts {
        // Last of all that could refuse it: a refused call spends nothing.
        spend(line, flight, &mut caller.tally, &permit)?;
    }
    headers::strip_request(&mut head.headers);
    if narrowing(&caller.verified, &caller.server).is_some() {
        narrowed::ask_plainly(&mut head.headers);
    }
    let outgoing = Outgoing { method: head.method, headers: head.headers, body: bytes };
    let hold = line.hold(&permit, asked, wants.kind.listens());
    let introduces = wants.introduces;
    let ready = call(line, hold, caller, permit, wants, outgoing).await?;
    if let (true, Some(session), Some(info)) = (introduces, ready.session, flight.client_info()) {
        shared.introductions.note(session, info);
    }
    Ok(ready)
}

/// Takes what the call needs of what the caller's policy allows.
pub(crate) fn spend(
    line: &Line,
    flight: &mut Flight,
    tally: &mut Tally,
    permit: &Permit,
) -> Result<(), Denial> {
    let verified = permit.verified();
    let Some(policy) = policy_of(verified) else { return Ok(()) };
    // Nor does one that would be refused if the policy did more than watch.
    if permit.would_refuse().is_some() {
        return Ok(());
    }
    let denial = match tally.spend(policy, line.shared().tallies.now_us()) {
        Ok(()) => return Ok(()),
        Err(Excess::InFlight) => Denial::TooManyInFlight,
        Err(Excess::Rate { wait_s }) => {
            Denial::TooFast { client: verified.client().map(|client| client.name.clone()), wait_s }
        }
    };
    if policy.is_shadow() {
        flight.would_refuse(policy.name(), denial.code());
        return Ok(());
    }
    Err(denial)
}

/// The call itself, under watch from before its first byte until its answer's last.
async fn call(
    line: &Arc<Line>,
    hold: Hold,
    caller: Admitted,
    permit: Permit,
    wants: Wants,
    outgoing: Outgoing,
) -> Result<Ready, Stop> {
    let shared = line.shared();
    // A revocation may have come while the body did: from here on the hold hears of every later one.
    if shared.gate.edition() != caller.edition {
        hold.examine();
    }
    let answer = tokio::select! {
        biased;
        cut = hold.cut() => return Err(Stop::Cut(cut)),
        answer = forward(permit, outgoing, &shared.routes, line.worker().pool()) => answer,
    };
    let failed = |failure| Stop::Failed(failure, caller.server.clone());
    let mut answer = answer.map_err(failed)?;
    let session = session::bind(&shared.session_key, answer.headers_mut(), &caller.verified, &caller.server);
    let narrowed = match hold.narrow() {
        Some(policy) => Narrowed::of(policy, &caller.server, wants.expected, &answer).map_err(failed)?,
        None => None,
    };
    let (ahead, reading) = match narrowed.map(Box::new) {
        None => (Ahead::look(answer.body_mut()).await, Reading::AsItComes),
        Some(narrowed) if narrowed.is_stream() => (Ahead::default(), Reading::Narrowed(narrowed)),
        Some(narrowed) => tokio::select! {
            biased;
            cut = hold.cut() => return Err(Stop::Cut(cut)),
            read = Ahead::read(answer.body_mut(), narrowed) => read.map_err(failed)?,
        },
    };
    hold.begin_answer().map_err(Stop::Cut)?;
    let (kind, comment_after) = (wants.kind, shared.limits.comment_after);
    Ok(Ready { answer, session, ahead, reading, kind, hold, tally: caller.tally, comment_after })
}

/// Who calls what, before any of the body is read.
struct Admitted {
    verified: Verified,
    /// What was in force when it was verified.
    edition: u64,
    server: ServerName,
    path_client: Option<ClientName>,
    tally: Tally,
}

fn admit(line: &Line, flight: &mut Flight, head: &Parts) -> Result<Admitted, Denial> {
    let shared = line.shared();
    framing::check(head)?;
    line.entrance().door.check(head)?;
    flight.agent(&head.headers);
    let (server, path_client) = line.entrance().target(&head.uri, shared)?;
    flight.server(&server);
    // Before any credential counts: one that was revoked meanwhile could still be in force here.
    if shared.freshness.is_stale(&shared.limits) {
        return Err(Denial::Stale);
    }
    let (verified, edition) = verify(line, flight, &head.headers, path_client.as_ref())?;
    // Only now: who has no token learns nothing about which servers there are.
    if shared.sockets.contains(&server) {
        return Err(Denial::UpgradeWanted);
    }
    if !shared.routes.contains(&server) {
        return Err(Denial::UnknownServer);
    }
    let tally = shared.tallies.take(verified.principal(), shared.limits.calls_per_client)?;
    Ok(Admitted { verified, edition, server, path_client, tally })
}

/// What a request came to: the right to send it, what it asks for, what it waits for.
struct Decided {
    permit: Permit,
    asked: Asked,
    wants: Wants,
}

/// What the message is, and the right to send it.
fn permit(
    line: &Line,
    flight: &mut Flight,
    caller: &Admitted,
    head: &mut Parts,
    bytes: &[u8],
) -> Result<Decided, Stop> {
    let (shared, Admitted { verified, server, .. }) = (line.shared(), caller);
    let envelope = match head.method {
        Method::POST => Some(Envelope::parse(bytes).map_err(Denial::Envelope)?),
        _ => None,
    };
    if let Some(envelope) = &envelope {
        flight.message(envelope);
        if let Some(tool) = envelope.tool() {
            flight.arguments(shared.arguments.of(server, tool, envelope.arguments));
        }
        mirror::check(&head.headers, envelope)
            .map_err(|denial| Stop::Refused { denial, message_id: envelope.id.map(message::id_to_repeat) })?;
        if mirror::is_modern(&head.headers, envelope) {
            session::ignore(&mut head.headers);
        }
    }
    let session = session::of(&shared.session_key, &head.headers, verified, server);
    if let Ok(Some(session)) = &session {
        flight.introduced(shared.introductions.of(session).as_deref());
    }
    let path_client = caller.path_client.as_ref().map(ClientName::as_str);
    let ask = ask_of(envelope.as_ref());
    let permit = authorize(verified, &Call { server, path_client, ask })?;
    flight.permitted(&permit);
    let wants = Wants::of(head, envelope.as_ref());
    if let Some(session) = session? {
        session.name_to_server(&mut head.headers);
    }
    Ok(Decided { permit, asked: Asked::of(ask), wants })
}

/// What the request asks for. Without a message it opens or ends a session or a stream.
fn ask_of<'a>(envelope: Option<&'a Envelope<'_>>) -> Ask<'a> {
    match envelope {
        Some(envelope) => Ask::of(envelope.method.as_deref(), envelope.target.as_deref()),
        None => Ask::Protocol,
    }
}
