//! The answers that the gateway itself gives: the only place that turns a refusal into a status and words.

use crate::credential::Jwks;
use crate::failure::Failure;
use crate::line::Cut;
use crate::payload::Payload;
use hallpass_core::ServerName;
use hallpass_core::denial::{Answer, Denial};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

/// Carries the request id on every answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("hallpass-request-id");
/// The JSON-RPC code for a header that contradicts the body (MCP 2026-07-28).
const HEADER_MISMATCH: i32 = -32020;

/// `/healthz`: alive. Says nothing else.
pub(crate) fn healthy() -> Response<Payload> {
    let mut response = Response::new(Payload::own("ok"));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `/readyz`: whether calls would be let in. Says nothing else.
pub(crate) fn ready(stale: bool) -> Response<Payload> {
    let mut response = healthy();
    if stale {
        *response.body_mut() = Payload::own("stale: what is in force could not be read for too long");
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    } else {
        *response.body_mut() = Payload::own("ready");
    }
    response
}

/// How long a verifier may go on with the keys that it has, in seconds. A key is announced before it signs.
const KEYS_MAX_AGE: &str = "public, max-age=300";

/// `/.well-known/jwks.json`: the public keys (RFC 7517), or that they are the same as before.
pub(crate) fn jwks(jwks: &Jwks, headers: &HeaderMap) -> Response<Payload> {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, &jwks.etag));
    let mut response = if known {
        let mut response = Response::new(Payload::own(""));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        Response::new(Payload::own(jwks.text.clone()))
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(KEYS_MAX_AGE));
    headers.insert(header::ETAG, jwks.etag.clone());
    response
}

/// Whether a list of entity tags names this one (RFC 9110 section 13.1.2: weakly compared, `*` is any).
fn names(list: &HeaderValue, etag: &HeaderValue) -> bool {
    let mut tags = list.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tags.any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes())
}

/// The answer to a request that is refused.
pub(crate) fn refusal(denial: &Denial, request_id: &str, message_id: Option<&str>) -> Response<Payload> {
    let (status, error, challenge) = match denial.answer() {
        Answer::CredentialWanted => (StatusCode::UNAUTHORIZED, "unauthorized", Some("Bearer")),
        Answer::InvalidToken => {
            (StatusCode::UNAUTHORIZED, "invalid_token", Some("Bearer error=\"invalid_token\""))
        }
        Answer::InsufficientScope => {
            (StatusCode::FORBIDDEN, "insufficient_scope", Some("Bearer error=\"insufficient_scope\""))
        }
        Answer::Status(status, error) => {
            (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), error, None)
        }
    };
    let text = match denial {
        Denial::HeaderMismatch { .. } => mismatch_text(denial, message_id),
        _ => error_text(error, &denial.caller_text(), request_id),
    };
    let mut response = json(status, text);
    if let Some(challenge) = challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    match denial {
        Denial::MethodNotAllowed => {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST, DELETE"));
        }
        Denial::TooFast { wait_s, .. } => retry_after(&mut response, *wait_s),
        Denial::PolicyChanged { .. } => retry_after(&mut response, 0),
        // Where one request ends and the next begins is no longer certain.
        Denial::AmbiguousRequest { .. } => close(&mut response),
        _ => {}
    }
    response
}

/// The answer to a call that was cut before the server answered it.
pub(crate) fn cut(cut: &Cut, request_id: &str) -> Response<Payload> {
    match cut {
        Cut::Denied(denial) => refusal(denial, request_id, None),
        Cut::Shutdown => {
            let text = error_text("shutting_down", "the gateway is stopping", request_id);
            json(StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}

/// The answer to a call that the server let down.
pub(crate) fn failure(failure: Failure, server: &ServerName, request_id: &str) -> Response<Payload> {
    json(failure.status(), error_text(failure.code(), &failure.caller_text(server), request_id))
}

fn retry_after(response: &mut Response<Payload>, seconds: u64) {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
}

/// Ends the connection after this answer.
pub(crate) fn close(response: &mut Response<Payload>) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

fn error_text(error: &str, description: &str, request_id: &str) -> String {
    let fields = [("error", error), ("error_description", description), ("request_id", request_id)];
    let fields = fields.map(|(name, text)| format!("\"{name}\":{}", serde_json::Value::from(text)));
    format!("{{{}}}", fields.join(","))
}

/// In the form that clients of that revision look for.
fn mismatch_text(denial: &Denial, message_id: Option<&str>) -> String {
    let message = serde_json::Value::from(denial.caller_text());
    let id = message_id.unwrap_or("null");
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":{HEADER_MISMATCH},\"message\":{message}}}}}"
    )
}

fn json(status: StatusCode, text: String) -> Response<Payload> {
    let mut response = Response::new(Payload::own(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
