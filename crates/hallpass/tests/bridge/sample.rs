//! The bridge in front of the sample server: what a client sees on a good day.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Client, call, modern, sample_server, some_token, text};

#[tokio::test]
async fn a_legacy_client_lists_and_calls_tools() {
    for version in ["2025-11-25", "2025-06-18", "2025-03-26"] {
        let (url, _server) = sample_server().await;
        let mut client = Client::new(&url, some_token());
        assert_eq!(client.initialize(version).await["result"]["protocolVersion"], version);
        client.send_json(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await;
        assert_eq!(names(&client.message().await), ["echo", "add", "watch", "fail"]);
        client.send_json(call(2, "echo", &json!({ "text": "héllo\nthere" }))).await;
        assert_eq!(text(&client.message().await), "héllo\nthere");
        client.send_json(call(3, "fail", &json!({}))).await;
        assert_eq!(client.message().await["result"]["isError"], true);
        let (rest, ended) = client.finish().await;
        assert!(rest.is_empty() && ended.is_ok(), "{rest:?} {ended:?}");
    }
}

#[tokio::test]
async fn a_modern_client_lists_and_calls_tools() {
    let (url, _server) = sample_server().await;
    let mut client = Client::new(&url, some_token());
    client.send_json(modern(json!({ "jsonrpc": "2.0", "id": 0, "method": "server/discover" }))).await;
    assert_eq!(client.message().await["result"]["supportedVersions"], json!(["2026-07-28"]));
    client.send_json(modern(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }))).await;
    let list = client.message().await;
    assert_eq!((names(&list).len(), &list["result"]["resultType"]), (4, &json!("complete")));
    client.send_json(modern(call(2, "add", &json!({ "a": 2, "b": 3 })))).await;
    assert_eq!(text(&client.message().await), "5");
    client.send_json(modern(json!({ "jsonrpc": "2.0", "id": 3, "method": "nothing/here" }))).await;
    assert_eq!(client.message().await["error"]["code"], -32601);
    let (rest, ended) = client.finish().await;
    assert!(rest.is_empty() && ended.is_ok(), "{rest:?} {ended:?}");
}

fn names(list: &Value) -> Vec<&str> {
    let tools = list["result"]["tools"].as_array().expect("a list");
    tools.iter().map(|tool| tool["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn a_slow_call_does_not_hold_up_the_others() {
    let (url, _server) = sample_server().await;
    let mut client = Client::new(&url, some_token());
    client.initialize("2025-11-25").await;
    client.send_json(call(1, "watch", &json!({}))).await;
    assert_eq!(client.message().await["method"], "notifications/message");
    for id in 2..200 {
        client.send_json(call(id, "add", &json!({ "a": id, "b": 0 }))).await;
    }
    let mut answered = BTreeSet::new();
    while answered.len() < 198 {
        let message = client.message().await;
        if let Some(id) = message["id"].as_u64() {
            assert_eq!(text(&message), id.to_string());
            assert!(answered.insert(id), "answered {id} twice");
        }
    }
}

#[tokio::test]
async fn news_arrive_while_a_call_goes_on_with_the_callers_progress_token() {
    for is_modern in [false, true] {
        let (url, _server) = sample_server().await;
        let mut client = Client::new(&url, some_token());
        let mut watch = call(1, "watch", &json!({}));
        watch["params"]["_meta"]["progressToken"] = "p".into();
        if is_modern {
            client.send_json(modern(watch)).await;
        } else {
            client.initialize("2025-11-25").await;
            client.send_json(watch).await;
        }
        for progress in 0..2 {
            let news = client.message().await;
            assert_eq!(news["params"]["progressToken"], "p");
            assert_eq!(news["params"]["progress"], progress);
        }
    }
}

#[tokio::test]
async fn a_server_that_goes_away_ends_its_calls_with_an_error() {
    let (url, server) = sample_server().await;
    let mut client = Client::new(&url, some_token());
    client.initialize("2025-11-25").await;
    client.send_json(call(1, "watch", &json!({}))).await;
    client.message().await;
    server.abort();
    let mut message = client.message().await;
    while message["id"].is_null() {
        message = client.message().await;
    }
    let words = message["error"]["message"].as_str().expect("words");
    assert!(words.starts_with("the gateway ended the stream: "), "{words}");
    assert_eq!((&message["id"], &message["error"]["code"]), (&json!(1), &json!(502)));
}

#[tokio::test]
async fn a_subscription_is_acknowledged_and_ends_with_the_input() {
    let (url, _server) = sample_server().await;
    let mut client = Client::new(&url, some_token());
    let params = json!({ "notifications": { "toolsListChanged": true, "promptsListChanged": true } });
    let listen = json!({ "jsonrpc": "2.0", "id": 9, "method": "subscriptions/listen", "params": params });
    client.send_json(modern(listen)).await;
    let acknowledged = client.message().await;
    assert_eq!(acknowledged["params"]["notifications"], json!({ "toolsListChanged": true }));
    assert_eq!(acknowledged["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 9);
    let (rest, ended) = client.finish().await;
    assert!(ended.is_ok());
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert!(rest[0].contains(r#""id":9,"error":{"code":499"#), "{rest:?}");
}
