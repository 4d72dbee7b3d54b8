//! Sends one HTTP request to the gateway and nowhere else. Follows no redirect and knows no JSON-RPC.

use std::error::Error;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::failure::Failure;
use super::token::TokenSource;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Less than servers commonly keep an idle connection: a request must not meet one that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// The one address this program speaks to.
pub(super) struct Gateway {
    client: Client<HttpConnector, Full<Bytes>>,
    url: Uri,
    token: TokenSource,
}

impl Gateway {
    pub(super) fn new(url: Uri, token: TokenSource) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self { client, url, token }
    }

    pub(super) async fn post(
        &self,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.send(Method::POST, headers, body).await
    }

    pub(super) async fn get(&self, mut headers: HeaderMap) -> Result<Response<Incoming>, Failure> {
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        self.send(Method::GET, headers, Bytes::new()).await
    }

    pub(super) async fn delete(&self, headers: HeaderMap) -> Result<Response<Incoming>, Failure> {
        self.send(Method::DELETE, headers, Bytes::new()).await
    }

    async fn send(
        &self,
        method: Method,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        headers.insert(AUTHORIZATION, self.token.authorization().map_err(Failure::Token)?);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = headers;
        self.client.request(request).await.map_err(|error| {
            let detail = innermost(&error);
            if error.is_connect() { self.unreachable(detail) } else { Failure::Broken { detail } }
        })
    }

    fn unreachable(&self, detail: String) -> Failure {
        let authority =
            self.url.authority().map_or_else(String::new, |authority| authority.as_str().to_owned());
        Failure::Unreachable { authority, detail }
    }
}

/// The whole body, up to a limit.
pub(super) async fn collect(mut body: Incoming) -> Result<Bytes, Failure> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::Cut { detail: innermost(&error) })?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > ANSWER_LIMIT {
            return Err(Failure::TooLarge);
        }
        // One frame is the usual case, and needs no copy.
        if whole.is_empty() && body_is_over(&body) {
            return Ok(data);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

fn body_is_over(body: &Incoming) -> bool {
    hyper::body::Body::is_end_stream(body)
}

/// The cause at the bottom says what happened; those above it say where.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
