//! `Mcp-Session-Id` on its way through: the client sees the server's id bound to itself, the server sees its own.
//! Stores no session.

use hallpass_core::session::SessionKey;
use hallpass_core::{Denial, Permit, ServerName, Verified};
use http::{HeaderMap, HeaderName, HeaderValue};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// Revisions without sessions ignore the header.
pub(crate) fn ignore(headers: &mut HeaderMap) {
    headers.remove(SESSION);
}

/// Turns the id that the client was given into the server's own.
pub(crate) fn open(key: &SessionKey, headers: &mut HeaderMap, permit: &Permit) -> Result<(), Denial> {
    let mut values = headers.get_all(SESSION).iter();
    let Some(shown) = values.next() else { return Ok(()) };
    if values.next().is_some() {
        return Err(Denial::AmbiguousRequest { what: "several `Mcp-Session-Id` headers" });
    }
    let principal = permit.verified().principal();
    let own = shown.to_str().ok().and_then(|shown| key.open(shown, principal, permit.server()));
    let own = own.and_then(|own| HeaderValue::from_str(own).ok()).ok_or(Denial::ForeignSession)?;
    headers.insert(SESSION, own);
    Ok(())
}

/// Turns the server's id into one that only this caller can use. An id that is no text is dropped.
pub(crate) fn bind(key: &SessionKey, headers: &mut HeaderMap, verified: &Verified, server: &ServerName) {
    let Some(own) = headers.remove(SESSION) else { return };
    let shown = own.to_str().ok().map(|own| key.bind(own, verified.principal(), server));
    if let Some(shown) = shown.and_then(|shown| HeaderValue::try_from(shown).ok()) {
        headers.insert(SESSION, shown);
    }
}
