//! Refuses requests whose beginning or end two programs could see differently. What the HTTP library itself
//! refuses never gets here.

use hallpass_core::Denial;
use http::request::Parts;
use http::{HeaderMap, Method, Version, header};

/// Checks version, framing headers and everything that would turn the connection into something else.
pub(crate) fn check(head: &Parts) -> Result<(), Denial> {
    // Some HTTP clients offer `h2c` on every first request and are content when nobody takes it up (RFC 9110, 7.8).
    if head.headers.contains_key(header::UPGRADE) && !only(&head.headers, &header::UPGRADE, "h2c") {
        return Err(no_upgrade());
    }
    check_frame(head)
}

/// The same of a request that opens a WebSocket: it has no body, and nothing is made of it before the answer.
pub(crate) fn check_upgrade(head: &Parts) -> Result<(), Denial> {
    check_frame(head)?;
    let has_body = head.headers.contains_key(header::TRANSFER_ENCODING)
        || (head.headers.contains_key(header::CONTENT_LENGTH)
            && !only(&head.headers, &header::CONTENT_LENGTH, "0"));
    if has_body || head.headers.contains_key(header::EXPECT) {
        return Err(Denial::AmbiguousRequest { what: "a body where none belongs" });
    }
    Ok(())
}

/// Where no WebSocket server is, nothing is upgraded.
pub(crate) fn no_upgrade() -> Denial {
    Denial::AmbiguousRequest { what: "`Upgrade` is not served here" }
}

fn check_frame(head: &Parts) -> Result<(), Denial> {
    let ambiguous = |what| Err(Denial::AmbiguousRequest { what });
    if head.version != Version::HTTP_11 {
        return ambiguous("only HTTP/1.1 is served here");
    }
    if head.method == Method::CONNECT {
        return ambiguous("`CONNECT` is not served here");
    }
    let headers = &head.headers;
    let coded = headers.contains_key(header::TRANSFER_ENCODING);
    if coded && headers.contains_key(header::CONTENT_LENGTH) {
        return ambiguous("`Content-Length` beside `Transfer-Encoding`");
    }
    if coded && !only(headers, &header::TRANSFER_ENCODING, "chunked") {
        return ambiguous("a `Transfer-Encoding` other than `chunked`");
    }
    if headers.get_all(header::CONTENT_LENGTH).iter().count() > 1 {
        return ambiguous("several `Content-Length` headers");
    }
    if headers.contains_key(header::EXPECT) && !only(headers, &header::EXPECT, "100-continue") {
        return ambiguous("an `Expect` other than `100-continue`");
    }
    Ok(())
}

/// The library gives precedence to `Transfer-Encoding` and hides a `Content-Length` beside it. A program before us
/// may have preferred the other, so nothing that follows on such a connection is believed (RFC 9112 section 6.3).
pub(crate) fn ends_connection(head: &Parts) -> bool {
    head.headers.contains_key(header::TRANSFER_ENCODING)
}

pub(crate) fn only(headers: &HeaderMap, name: &header::HeaderName, wanted: &str) -> bool {
    let mut values = headers.get_all(name).iter();
    let first = values.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()));
    first && values.next().is_none()
}
