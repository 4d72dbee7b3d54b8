//! What a request must be before its message is looked at. Reads no body.

use http::header::{ACCEPT, CONTENT_TYPE, HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, Uri};

use super::body::SampleBody;
use super::reply;

/// Path, `Host`, `Origin`, `Content-Type` and `Accept`, in this order.
pub(super) fn check(head: &Parts) -> Result<(), Box<Response<SampleBody>>> {
    if head.uri.path() != "/mcp" {
        return Err(Box::new(reply::status(StatusCode::NOT_FOUND)));
    }
    // Before all else: a web page that had a name point here must learn nothing.
    if !is_local(&head.headers) {
        return Err(Box::new(reply::status(StatusCode::FORBIDDEN)));
    }
    if head.method == Method::POST && !lists(&head.headers, &CONTENT_TYPE, "application/json") {
        return Err(Box::new(reply::status(StatusCode::UNSUPPORTED_MEDIA_TYPE)));
    }
    let wanted: &[&str] = match head.method {
        Method::POST => &["application/json", "text/event-stream"],
        Method::GET => &["text/event-stream"],
        _ => &[],
    };
    if !wanted.iter().all(|kind| lists(&head.headers, &ACCEPT, kind)) {
        return Err(Box::new(reply::status(StatusCode::NOT_ACCEPTABLE)));
    }
    Ok(())
}

fn is_local(headers: &HeaderMap) -> bool {
    let host = text(headers, &HOST).and_then(|host| host.parse::<Authority>().ok());
    let origin_is_local = !headers.contains_key(ORIGIN)
        || text(headers, &ORIGIN)
            .and_then(|origin| origin.parse::<Uri>().ok())
            .and_then(|origin| origin.host().map(is_loopback))
            .unwrap_or_default();
    host.is_some_and(|host| is_loopback(host.host())) && origin_is_local
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

fn lists(headers: &HeaderMap, name: &HeaderName, kind: &str) -> bool {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value
            .split(',')
            .any(|part| part.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(kind))
    })
}

/// The one value of a header, if it is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
