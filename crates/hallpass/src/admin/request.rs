//! One request to the admin listener: who it thinks it talks to, the credential, the path. Everything that is not named
//! here is refused.

use super::Office;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use std::convert::Infallible;

/// The only path.
pub(crate) const METRICS: &str = "/metrics";
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What may be asked for. Any other path is not there, and any other method is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Metrics,
}

impl Route {
    fn of(head: &Parts) -> Result<Self, StatusCode> {
        // Letter for letter, and without a query: nothing here takes one.
        let path = head.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
        match (path, &head.method) {
            (METRICS, &Method::GET) => Ok(Self::Metrics),
            (METRICS, _) => Err(StatusCode::METHOD_NOT_ALLOWED),
            _ => Err(StatusCode::NOT_FOUND),
        }
    }
}

/// Answers one request. Without the credential nothing is told, not even which paths there are.
pub(crate) async fn answer(
    office: &Office,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut response = match admit(office, &head, !body.is_end_stream()) {
        Err(status) => refusal(status),
        Ok(Route::Metrics) => match office.desk.metrics().await {
            Ok(text) => page(text),
            Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE),
        },
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !body.is_end_stream() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

fn admit(office: &Office, head: &Parts, has_body: bool) -> Result<Route, StatusCode> {
    // First: a web page that reaches this address under another name must not even try credentials.
    office.door.check(head).map_err(|_| StatusCode::MISDIRECTED_REQUEST)?;
    if !office.credential.is_shown(&head.headers) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let route = Route::of(head)?;
    if has_body { Err(StatusCode::BAD_REQUEST) } else { Ok(route) }
}

fn page(text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT));
    response
}

fn refusal(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
    }
    response
}
