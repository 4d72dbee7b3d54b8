//! The sample server by itself: what it refuses, and how.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::client::{call, initialize, modern, sample_server};

const BOTH: (&str, &str) = ("accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

async fn send(url: &str, method: Method, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::new(Full::new(Bytes::from(body.to_owned())));
    *request.method_mut() = method;
    *request.uri_mut() = url.parse().expect("an address");
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).expect("a name");
        request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a value"));
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (head, body) = client.request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Answer {
        status: head.status,
        headers: head.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

async fn post(url: &str, headers: &[(&str, &str)], message: &Value) -> Answer {
    send(url, Method::POST, &[&[BOTH, JSON], headers].concat(), &message.to_string()).await
}

#[tokio::test]
async fn the_door_lets_in_only_what_the_specification_allows() {
    let (url, _server) = sample_server().await;
    let hello = initialize("2025-11-25").to_string();
    let cases: [(&[(&str, &str)], u16); 7] = [
        (&[BOTH, JSON], 200),
        (&[BOTH, JSON, ("origin", "http://localhost:9")], 200),
        (&[BOTH, JSON, ("origin", "http://evil.example.com")], 403),
        (&[BOTH, JSON, ("origin", "null")], 403),
        (&[BOTH, JSON, ("host", "evil.example.com")], 403),
        (&[JSON, ("accept", "application/json")], 406),
        (&[BOTH, ("content-type", "text/plain")], 415),
    ];
    for (headers, status) in cases {
        assert_eq!(send(&url, Method::POST, headers, &hello).await.status, status, "{headers:?}");
    }
    assert_eq!(post(&url, &[], &json!([])).await.status, 400);
    assert_eq!(send(&url, Method::POST, &[BOTH, JSON], "{").await.body["error"]["code"], -32700);
    assert_eq!(send(&url, Method::PUT, &[], "").await.status, 405);
    assert_eq!(post(&url.replace("/mcp", "/"), &[], &json!({})).await.status, 404);
}

#[tokio::test]
async fn a_legacy_session_begins_with_initialize_and_ends_with_delete() {
    let (url, _server) = sample_server().await;
    let begun = post(&url, &[], &initialize("2025-06-18")).await;
    assert_eq!(begun.body["result"]["protocolVersion"], "2025-06-18");
    let id = begun.headers["mcp-session-id"].to_str().expect("text").to_owned();
    let session = ("mcp-session-id", id.as_str());
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    assert_eq!(post(&url, &[session], &ping).await.body["result"], json!({}));
    assert_eq!(post(&url, &[], &ping).await.status, 400);
    assert_eq!(post(&url, &[("mcp-session-id", "other")], &ping).await.status, 404);
    assert_eq!(post(&url, &[session, ("mcp-protocol-version", "1999-01-01")], &ping).await.status, 400);
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(post(&url, &[session], &note).await.status, 202);
    let unknown = post(&url, &[session], &call(2, "nothing", &json!({}))).await;
    assert_eq!(unknown.body["error"]["code"], -32602);
    assert_eq!(send(&url, Method::DELETE, &[session], "").await.status, 204);
    assert_eq!(post(&url, &[session], &ping).await.status, 404);
    assert_eq!(
        post(&url, &[], &initialize("1999-01-01")).await.body["result"]["protocolVersion"],
        "2025-11-25"
    );
}

#[tokio::test]
async fn a_modern_request_is_checked_against_its_headers() {
    let (url, _server) = sample_server().await;
    let version = ("mcp-protocol-version", "2026-07-28");
    let method = ("mcp-method", "tools/call");
    let name = ("mcp-name", "add");
    let add = modern(call(1, "add", &json!({ "a": 1.5, "b": 2 })));
    let answer = post(&url, &[version, method, name], &add).await;
    assert_eq!(answer.body["result"]["content"][0]["text"], "3.5");
    assert_eq!(answer.body["result"]["resultType"], "complete");
    for headers in
        [&[version, method][..], &[version, name], &[method, name], &[version, method, ("mcp-name", "x")]]
    {
        let answer = post(&url, headers, &add).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["error"]["code"]),
            (400, &json!(-32020)),
            "{headers:?}"
        );
        assert_eq!(answer.body["id"], 1);
    }
    let bare = call(1, "add", &json!({}));
    assert_eq!(post(&url, &[version, method, name], &bare).await.body["error"]["code"], -32602);
    let mut newer = add.clone();
    newer["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2099-01-01".into();
    let error = &post(&url, &[version, method, name], &newer).await.body["error"];
    assert_eq!((&error["code"], &error["data"]["supported"]), (&json!(-32022), &json!(["2026-07-28"])));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(send(&url, method, &[BOTH, version], "").await.status, 405);
    }
}
