//! From a connection's first frame to who came and the right to speak to its server: the gate's WebSocket side. Before
//! it nothing is said to anybody.

use crate::credential::seconds_of;
use crate::known::Known;
use crate::line::Line;
use crate::ws::dialect::Dialect;
use crate::ws::upgrade::Opening;
use crate::ws::words::Said;
use hallpass_core::bearer::TOKEN_MOST;
use hallpass_core::event::HelloNote;
use hallpass_core::hello::{Hello, SessionLabel};
use hallpass_core::{
    Ask, Bearer, Call, ClientName, Denial, FirstFrame, FirstFrameFault, Permit, Snapshot, UnixTime, Verified,
    authorize, judge, judge_shared,
};

/// Somebody who may speak to the server.
pub(crate) struct Guest {
    pub(crate) known: Known,
    pub(crate) permit: Permit,
    pub(crate) dialect: Dialect,
    pub(crate) session: Option<SessionLabel>,
}

/// Decides by the first frame. What it said is told in either case: the answer depends on it.
pub(crate) fn admit(line: &Line, opening: &mut Opening, frame: &[u8]) -> (Said, Result<Guest, Denial>) {
    let nothing = Said::Nothing { for_mcp: opening.for_mcp };
    let first = match FirstFrame::read(frame) {
        Ok(first) => first,
        // It says who it is, and shows something that is no credential.
        Err(fault @ FirstFrameFault::WrongType(_)) => return (Said::Hello, Err(Denial::FirstFrame(fault))),
        Err(fault) => return (nothing, Err(Denial::FirstFrame(fault))),
    };
    match first {
        FirstFrame::Hello(hello) => (Said::Hello, by_hello(line, opening, hello)),
        FirstFrame::JsonRpc { id, is_initialize } => {
            let said = Said::JsonRpc { id: id.map(Into::into), is_initialize };
            // Its credential is on the request that opened the connection, or nowhere.
            let known = opening.known.take().ok_or(Denial::NoCredential);
            (said, known.and_then(|known| welcome(opening, known, Dialect::Mcp, None)))
        }
    }
}

fn by_hello(line: &Line, opening: &mut Opening, hello: Hello<'_>) -> Result<Guest, Denial> {
    let shared = line.shared();
    if shared.freshness.is_stale(&shared.limits) {
        return Err(Denial::Stale);
    }
    let in_force = shared.gate.in_force();
    let (snapshot, now) = (in_force.snapshot(), seconds_of(shared.now_ms()));
    opening.flight.hello(HelloNote { subject: None, in_grace: in_grace(snapshot, now) });
    if let Some(session) = &hello.session {
        opening.flight.session(session);
    }
    let known = match (opening.known.take(), &hello.jwt) {
        (Some(_), Some(_)) => return Err(Denial::SeveralCredentials),
        (Some(known), None) => known,
        (None, Some(jwt)) => {
            let signed = in_force.signed(&Bearer::new(jwt)?)?;
            opening.flight.signed(&signed);
            let verified = judge(&signed, snapshot, now)?;
            // Before it is counted: one connection too many is refused to somebody who is known.
            opening.flight.caller(&verified);
            Known::count(line, verified, in_force.edition())?
        }
        (None, None) => {
            let verified = by_shared_secret(opening, hello.token.as_deref(), snapshot, now)?;
            Known::count(line, verified, in_force.edition())?
        }
    };
    drop(in_force);
    opening.flight.caller(&known.verified);
    welcome(opening, known, Dialect::Hello, hello.session)
}

/// Only who shows no token of its own comes here.
fn by_shared_secret(
    opening: &mut Opening,
    token: Option<&str>,
    snapshot: &Snapshot,
    now: UnixTime,
) -> Result<Verified, Denial> {
    let nothing_good = |denial| if in_grace(snapshot, now) { denial } else { Denial::JwtRequired };
    let Some(token) = token else { return Err(nothing_good(Denial::NoCredential)) };
    if token.len() > TOKEN_MOST {
        return Err(Denial::TokenTooLong);
    }
    let secret = snapshot.grace().and_then(|grace| grace.recognise_text(token));
    let Some(secret) = secret else { return Err(nothing_good(Denial::WrongSharedSecret)) };
    opening.flight.legacy(opening.path_client.as_ref());
    judge_shared(&secret, opening.path_client.as_ref().map(ClientName::as_str), snapshot, now)
}

fn welcome(
    opening: &mut Opening,
    known: Known,
    dialect: Dialect,
    session: Option<SessionLabel>,
) -> Result<Guest, Denial> {
    let path_client = opening.path_client.as_ref().map(ClientName::as_str);
    let call = Call { server: &opening.server, path_client, ask: Ask::Protocol };
    let permit = authorize(&known.verified, &call)?;
    opening.flight.permitted(&permit);
    Ok(Guest { known, permit, dialect, session })
}

/// Whether a grace period is running: refusals have other words then.
pub(crate) fn in_grace(snapshot: &Snapshot, now: UnixTime) -> bool {
    snapshot.grace().is_some_and(|grace| grace.over_since(now).is_none())
}
