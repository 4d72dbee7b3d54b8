//! Sends a permitted call to its server. The only function that talks to one, and it takes the permit by value.

use crate::config::Upstream;
use crate::failure::Failure;
use crate::routes::{self, Route, Routes};
use crate::upstream::Pool;
use bytes::Bytes;
use hallpass_core::Permit;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use std::error::Error;
use std::io;

/// What is sent to the server: headers already stripped, the bytes that were judged.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Where calls go. Nobody but [`forward`] can look inside.
pub(crate) struct HttpRoute {
    uri: Uri,
    host: HeaderValue,
    credential: Option<HeaderValue>,
}

/// Makes the call, and returns the answer as soon as its head is here.
pub(crate) async fn forward(
    permit: Permit,
    outgoing: Outgoing,
    routes: &Routes<HttpRoute>,
    pool: &Pool,
) -> Result<Response<Incoming>, Failure> {
    let Some(route) = routes.of(&permit) else { return Err(Failure::Unreachable) };
    let mut request = Request::new(Full::new(outgoing.body));
    *request.method_mut() = outgoing.method;
    *request.uri_mut() = route.uri.clone();
    *request.headers_mut() = outgoing.headers;
    request.headers_mut().insert(header::HOST, route.host.clone());
    if let Some(credential) = &route.credential {
        request.headers_mut().insert(header::AUTHORIZATION, credential.clone());
    }
    let answer = pool.request(request).await.map_err(|error| failure_of(&error))?;
    check_status(answer.status()).map(|()| answer)
}

/// What speaks of the gateway's relation to the server is not the client's to see.
fn check_status(status: StatusCode) -> Result<(), Failure> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Err(Failure::CredentialRefused)
        }
        status if status.is_redirection() => Err(Failure::Redirected),
        status if status.is_informational() => Err(Failure::BrokeOff),
        _ => Ok(()),
    }
}

fn failure_of(error: &legacy::Error) -> Failure {
    if !error.is_connect() {
        return Failure::BrokeOff;
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return Failure::ConnectTimeout;
        }
        cause = error.source();
    }
    Failure::Unreachable
}

impl Route for HttpRoute {
    fn new(upstream: Upstream) -> io::Result<Self> {
        let refused = |why| io::Error::new(io::ErrorKind::InvalidInput, format!("`{}`: {why}", upstream.url));
        let Some(authority) = upstream.url.authority() else { return Err(refused("it names no host")) };
        if !matches!(upstream.url.scheme_str(), Some("http" | "https")) {
            return Err(refused("only `http://` and `https://` servers are served"));
        }
        let host = routes::host(authority)?;
        Ok(Self { uri: upstream.url, host, credential: upstream.credential.map(routes::secret) })
    }

    fn uri(&self) -> &Uri {
        &self.uri
    }
}
