//! Answers to callers whose policy shows only some of a server's tools: looked through on their way, for nobody else.
//! Which tools are shown, the core decides.

use crate::failure::Failure;
use crate::message::{is_encoded, is_type};
use bytes::Bytes;
use hallpass_core::event_sieve::EventSieve;
use hallpass_core::tool_sieve::{Expected, ToolSieve, Unreadable};
use hallpass_core::{Policy, ServerName};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;
use std::sync::Arc;

/// Such an answer, between its head and its end.
#[derive(Debug)]
pub(crate) enum Narrowed {
    /// One document.
    Body(ToolSieve),
    /// A stream of events.
    Events(EventSieve),
}

impl Narrowed {
    /// What the answer needs, by its head. `None`: it has no body.
    pub(crate) fn of(
        policy: Arc<Policy>,
        server: &ServerName,
        expected: Expected,
        answer: &Response<Incoming>,
    ) -> Result<Option<Self>, Failure> {
        if answer.body().is_end_stream() {
            return Ok(None);
        }
        let streams = check_readable(answer.status(), answer.headers())?;
        let sieve = ToolSieve::new(policy, server.clone(), expected);
        Ok(Some(if streams { Self::Events(EventSieve::new(sieve)) } else { Self::Body(sieve) }))
    }

    /// Whether its events have to pass as they come.
    pub(crate) fn is_stream(&self) -> bool {
        match self {
            Self::Body(_) => false,
            Self::Events(_) => true,
        }
    }

    /// What may pass of the next piece.
    pub(crate) fn pass(&mut self, piece: &[u8]) -> Result<Bytes, Unreadable> {
        let mut out = Vec::with_capacity(piece.len());
        match self {
            Self::Body(sieve) => sieve.text(piece, &mut out)?,
            Self::Events(sieve) => sieve.feed(piece, &mut out)?,
        }
        Ok(out.into())
    }

    /// The body has ended. A stream may end anywhere: what is no whole event is none.
    pub(crate) fn end(&mut self) -> Result<(), Unreadable> {
        match self {
            Self::Body(sieve) => sieve.end(),
            Self::Events(_) => Ok(()),
        }
    }
}

/// Refuses what could be read in another way than it will be. Returns whether it is a stream of events.
fn check_readable(status: StatusCode, headers: &HeaderMap) -> Result<bool, Failure> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let media_type = types.next();
    // A part of a document is no document.
    let is_part = status == StatusCode::PARTIAL_CONTENT;
    if is_part || is_encoded(headers) || types.next().is_some() {
        return Err(Failure::Unreadable);
    }
    let streams = media_type.is_some_and(|value| is_type(value, "text/event-stream"));
    // Some readers only look whether these words are in it.
    let says_events = |value: &HeaderValue| {
        value.as_bytes().to_ascii_lowercase().windows(12).any(|part| part == b"event-stream")
    };
    if !streams && media_type.is_some_and(says_events) { Err(Failure::Unreadable) } else { Ok(streams) }
}

/// Asks the server for whole answers that can be read.
pub(crate) fn ask_plainly(headers: &mut HeaderMap) {
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.remove(header::RANGE);
    headers.remove(header::IF_RANGE);
}

/// Lets nobody keep the answer for somebody else, nor compare it with what the server sent.
pub(crate) fn mark_private(headers: &mut HeaderMap) {
    let doomed: Vec<HeaderName> =
        headers.keys().filter(|name| is_for_others(name.as_str())).cloned().collect();
    for name in &doomed {
        headers.remove(name);
    }
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let kept = values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|directive| !directive.is_empty() && !is_about_sharing(directive));
    let line = kept.chain(["private"]).collect::<Vec<_>>().join(", ");
    let value = HeaderValue::try_from(line).unwrap_or(HeaderValue::from_static("private"));
    headers.insert(header::CACHE_CONTROL, value);
}

/// Directives that contradict `private`, or say it of some fields only.
fn is_about_sharing(directive: &str) -> bool {
    let name = directive.split('=').next().unwrap_or_default().trim();
    ["public", "private", "s-maxage", "proxy-revalidate"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// What speaks to shared caches past `Cache-Control` (RFC 9213), and digests of a body that is no longer the same.
fn is_for_others(name: &str) -> bool {
    (name.ends_with("-cache-control") || name == "surrogate-control")
        || matches!(name, "etag" | "content-md5" | "digest" | "content-digest" | "repr-digest")
}

#[cfg(test)]
mod tests {
    use super::{check_readable, mark_private};
    use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut map = HeaderMap::new();
        headers.iter().map(pair).for_each(|(name, value)| {
            map.append(name, value);
        });
        map
    }

    #[test]
    fn no_shared_cache_may_keep_the_answer() {
        for (before, after) in [
            ("", "private"),
            ("public, max-age=60", "max-age=60, private"),
            ("no-cache, no-transform", "no-cache, no-transform, private"),
            ("Public, S-MaxAge=5,no-store", "no-store, private"),
            ("private=\"x-a\"", "private"),
        ] {
            let mut headers =
                map(&[("cache-control", before), ("etag", "\"1\""), ("cdn-cache-control", "public")]);
            mark_private(&mut headers);
            assert_eq!(headers, map(&[("cache-control", after)]));
        }
    }

    #[test]
    fn what_two_programs_could_take_for_different_things_is_not_read() {
        let readable = |status, headers: &[(&'static str, &'static str)]| {
            check_readable(StatusCode::from_u16(status).unwrap(), &map(headers)).ok()
        };
        let json = ("content-type", "application/json");
        assert_eq!(readable(200, &[json]), Some(false));
        assert_eq!(readable(500, &[]), Some(false));
        assert_eq!(readable(200, &[("content-type", "Text/Event-Stream; charset=utf-8")]), Some(true));
        assert_eq!(readable(200, &[json, ("content-encoding", "identity")]), Some(false));
        for headers in [
            &[json, ("content-encoding", "gzip")][..],
            &[json, ("content-type", "text/event-stream")],
            &[("content-type", "application/json, text/Event-stream")],
        ] {
            assert_eq!(readable(200, headers), None, "{headers:?}");
        }
        assert_eq!(readable(206, &[json]), None);
    }
}
