//! Bytes, headers and order: what reaches the server, and what comes back.

use serde_json::json;

use crate::client::{Client, call, initialize, modern, some_token, token_file};
use crate::script::{Reply, Script, Step};
use hallpass::bridge::TokenSource;

const ODD: &str = r#" {"jsonrpc" : "2.0",  "id":7,"method":"tools/call","x":1.0,"x":1e2, "params":{"name":"é\u00e9","big":123456789012345678901234567890,"f":1.0, "f":2.50}	} "#;
const ODD_ANSWER: &str = r#"{ "result":{"big":123456789012345678901234567890,"f":1.0,"f":2.50,"s":"a\nb"},  "id":7 ,"jsonrpc":"2.0","x":-0.0}"#;

#[tokio::test]
async fn bodies_go_on_byte_for_byte_both_ways() {
    let script = Script::start(|_, _| Reply::json(200, ODD_ANSWER)).await;
    let mut client = Client::new(&script.url, some_token());
    client.send(ODD).await;
    assert_eq!(client.line().await, ODD_ANSWER);
    assert_eq!(script.received()[0].text(), ODD);
}

#[tokio::test]
async fn line_breaks_between_tokens_are_left_out_and_those_in_strings_stay() {
    let pretty = "{\r\n  \"jsonrpc\": \"2.0\",\n  \"id\": 7,\n  \"result\": { \"s\": \"a\\nb\" }\n}\n";
    let one_line = r#"{  "jsonrpc": "2.0",  "id": 7,  "result": { "s": "a\nb" }}"#;
    let event = "event: message\ndata: {\ndata:   \"jsonrpc\": \"2.0\",\ndata:   \"id\": 7,\ndata:   \"result\": { \"s\": \"a\\nb\" }\ndata: }\n\n";
    let replies = [Reply::json(200, pretty), Reply::events([Step::Data(event.to_owned())])];
    for reply in replies {
        let script = Script::start(move |_, _| reply.clone()).await;
        let mut client = Client::new(&script.url, some_token());
        client.send(r#"{"jsonrpc":"2.0","id":7,"method":"a"}"#).await;
        assert_eq!(client.line().await, one_line);
    }
}

#[tokio::test]
async fn a_legacy_session_has_its_headers_and_its_order() {
    let script = Script::start(|received, _| match () {
        () if received.is("initialize") => Reply::initialized("s-1"),
        () if received.is("notifications/initialized") => Reply::status(202),
        () if received.method == "GET" => Reply::events([Step::Hold]),
        () => Reply::json(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
    })
    .await;
    let mut client = Client::new(&script.url, some_token());
    // All at once: the bridge must keep the order.
    client.send_json(initialize("2025-06-18")).await;
    client.send_json(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    client.send_json(call(1, "echo", &json!({}))).await;
    client.message().await;
    client.message().await;
    script.wait_for(|received| received.method == "GET").await;
    let (rest, ended) = client.finish().await;
    assert!(rest.is_empty() && ended.is_ok(), "{rest:?} {ended:?}");

    let received = script.received();
    assert!(received[0].is("initialize") && received[1].is("notifications/initialized"));
    assert_eq!(received[0].header("mcp-session-id"), None);
    assert_eq!(received[0].header("mcp-protocol-version"), None);
    for later in &received[1..] {
        assert_eq!(later.header("mcp-session-id"), Some("s-1"));
        assert_eq!(later.header("mcp-protocol-version"), Some("2025-06-18"));
    }
    for each in &received {
        assert_eq!(each.header("authorization"), Some("Bearer hp-some-token"));
    }
    assert_eq!(received[2..].iter().filter(|received| received.method == "GET").count(), 1);
    assert_eq!(received.last().map(|last| last.method.as_str()), Some("DELETE"));
}

#[tokio::test]
async fn a_modern_request_has_its_headers_from_its_body() {
    let tools = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"weather","inputSchema":{"properties":{"city":{"type":"string","x-mcp-header":"City"}}}}]}}"#;
    let script = Script::start(move |received, _| {
        if received.is("tools/list") {
            Reply::json(200, tools)
        } else {
            Reply::json(200, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#)
        }
    })
    .await;
    let mut client = Client::new(&script.url, some_token());
    client.send_json(modern(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }))).await;
    assert_eq!(client.line().await, tools);
    client.send_json(modern(call(2, "weather", &json!({ "city": "Köln" })))).await;
    client.message().await;
    let received = script.received();
    let header = |name: &str| received[1].header(name);
    assert_eq!(header("accept"), Some("application/json, text/event-stream"));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("mcp-protocol-version"), Some("2026-07-28"));
    assert_eq!(header("mcp-method"), Some("tools/call"));
    assert_eq!(header("mcp-name"), Some("weather"));
    assert_eq!(header("mcp-param-city"), Some("=?base64?S8O2bG4=?="));
    assert_eq!(header("mcp-session-id"), None);
    let (_, ended) = client.finish().await;
    assert!(ended.is_ok());
    assert_eq!(script.received().len(), 2, "a modern client has no GET and no DELETE");
}

#[tokio::test]
async fn answers_may_come_in_any_order() {
    // The first call is held until the second has been answered.
    let script = Script::start(|received, _| {
        if received.text().contains(r#""id":1"#) {
            Reply::events([Step::Hold])
        } else {
            Reply::json(200, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#)
        }
    })
    .await;
    let mut client = Client::new(&script.url, some_token());
    client.send_json(call(1, "slow", &json!({}))).await;
    client.send_json(call(2, "fast", &json!({}))).await;
    assert_eq!(client.message().await["id"], 2);
}

#[tokio::test]
async fn the_token_file_is_read_for_each_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = token_file(&folder, "hp-first\n");
    let script = Script::start(|_, _| Reply::json(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)).await;
    let mut client = Client::new(&script.url, TokenSource::File(path.clone()));
    for token in ["hp-first", "hp-second"] {
        token_file(&folder, &format!("{token}\n"));
        client.send_json(call(1, "echo", &json!({}))).await;
        client.message().await;
        let expected = format!("Bearer {token}");
        assert_eq!(script.received().last().and_then(|last| last.header("authorization")), Some(&*expected));
    }
    std::fs::remove_file(&path).expect("removed");
    client.send_json(call(1, "echo", &json!({}))).await;
    let words = client.message().await["error"]["message"].to_string();
    assert!(words.contains("there is no token at ") && words.contains("hallpass issue"), "{words}");
    assert_eq!(script.received().len(), 2, "nothing is sent without a token");
}
