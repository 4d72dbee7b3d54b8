//! The form in which MCP messages come: method, media type, encoding. Reads no body.

use hallpass_core::Denial;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use http_body::Body;

/// Checks the head of a request whose caller is known.
pub(crate) fn check_head(head: &Parts, body: &impl Body) -> Result<(), Denial> {
    match head.method {
        Method::POST => check_media_type(&head.headers),
        Method::GET | Method::DELETE if body.is_end_stream() => Ok(()),
        Method::GET | Method::DELETE => Err(Denial::AmbiguousRequest { what: "a body where none belongs" }),
        _ => Err(Denial::MethodNotAllowed),
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Denial> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let is_json = types.next().is_some_and(|value| is_type(value, "application/json"));
    if !is_json || types.next().is_some() {
        return Err(Denial::ContentTypeNotJson);
    }
    // What cannot be read here cannot be judged here.
    if is_encoded(headers) { Err(Denial::EncodedBody) } else { Ok(()) }
}

/// Whether a `Content-Type` is of this media type, whatever its letters' case and its parameters.
pub(crate) fn is_type(value: &http::HeaderValue, wanted: &str) -> bool {
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes())
}

/// Whether the body is compressed or otherwise encoded.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// A message's id as an error may repeat it. An id of another type, or a long one, is no id.
pub(crate) fn id_to_repeat(id: &str) -> Box<str> {
    const ID_MOST: usize = 256;
    let is_id = id.len() <= ID_MOST && !id.starts_with(['{', '[']);
    if is_id { id.into() } else { "null".into() }
}
