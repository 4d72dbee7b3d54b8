//! `Mcp-Session-Id` on its way through: the client sees the server's id bound to itself, the server sees its own.
//! Stores no session, only what the program that began one said of itself.

use hallpass_core::session::{SessionKey, SessionTag};
use hallpass_core::{Denial, ServerName, Verified};
use http::{HeaderMap, HeaderName, HeaderValue};
use quick_cache::sync::Cache;
use std::sync::Arc;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// Sessions whose programs are remembered; beyond that, those that were not seen for long are forgotten.
const INTRODUCTIONS_MOST: usize = 16_384;

/// Revisions without sessions ignore the header.
pub(crate) fn ignore(headers: &mut HeaderMap) {
    headers.remove(SESSION);
}

/// A session that the caller was given.
pub(crate) struct Session {
    own: HeaderValue,
    tag: SessionTag,
}

/// The session that a request is in, if it is in one.
pub(crate) fn of(
    key: &SessionKey,
    headers: &HeaderMap,
    verified: &Verified,
    server: &ServerName,
) -> Result<Option<Session>, Denial> {
    let mut values = headers.get_all(SESSION).iter();
    let Some(shown) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Denial::AmbiguousRequest { what: "several `Mcp-Session-Id` headers" });
    }
    let opened = shown.to_str().ok().and_then(|shown| key.open(shown, verified.principal(), server));
    let (own, tag) = opened.ok_or(Denial::ForeignSession)?;
    let own = HeaderValue::from_str(own).map_err(|_| Denial::ForeignSession)?;
    Ok(Some(Session { own, tag }))
}

impl Session {
    /// Names the session to the server by the server's own id.
    pub(crate) fn name_to_server(self, headers: &mut HeaderMap) {
        headers.insert(SESSION, self.own);
    }
}

/// Turns the server's id into one that only this caller can use. An id that is no text is dropped.
pub(crate) fn bind(
    key: &SessionKey,
    headers: &mut HeaderMap,
    verified: &Verified,
    server: &ServerName,
) -> Option<SessionTag> {
    let own = headers.remove(SESSION)?;
    let (shown, tag) = key.bind(own.to_str().ok()?, verified.principal(), server);
    headers.insert(SESSION, HeaderValue::try_from(shown).ok()?);
    Some(tag)
}

/// What programs said of themselves when their sessions began: in the older revisions, later calls do not repeat it.
pub(crate) struct Introductions(Cache<SessionTag, Arc<str>>);

impl Introductions {
    pub(crate) fn new() -> Self {
        Self(Cache::new(INTRODUCTIONS_MOST))
    }

    pub(crate) fn note(&self, tag: SessionTag, info: &str) {
        self.0.insert(tag, info.into());
    }

    pub(crate) fn of(&self, session: &Session) -> Option<Arc<str>> {
        self.0.get(&session.tag)
    }
}
