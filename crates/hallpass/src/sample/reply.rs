//! The forms an answer has. Decides nothing.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::body::SampleBody;

/// The error of a JSON-RPC answer.
#[derive(Debug)]
pub(super) struct RpcError {
    pub(super) code: i32,
    message: String,
    data: Option<Value>,
}

impl RpcError {
    pub(super) fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(super) fn with_data(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }

    pub(super) fn method_not_found(method: &str) -> Self {
        Self::new(-32601, format!("no method named `{method}`"))
    }

    pub(super) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }
}

pub(super) fn result(id: &Value, result: &Value) -> Response<SampleBody> {
    json_body(StatusCode::OK, &json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

pub(super) fn error(status: StatusCode, id: &Value, error: &RpcError) -> Response<SampleBody> {
    let mut object = json!({ "code": error.code, "message": error.message });
    if let Some(data) = &error.data {
        object["data"] = data.clone();
    }
    json_body(status, &json!({ "jsonrpc": "2.0", "id": id, "error": object }))
}

/// An answer without a body.
pub(super) fn status(status: StatusCode) -> Response<SampleBody> {
    response(status, SampleBody::empty())
}

/// An event stream; no proxy on the way may hold it back.
pub(super) fn stream(body: SampleBody) -> Response<SampleBody> {
    let mut response = response(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn json_body(status: StatusCode, body: &Value) -> Response<SampleBody> {
    let mut response = response(status, SampleBody::full(body.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn response(status: StatusCode, body: SampleBody) -> Response<SampleBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
