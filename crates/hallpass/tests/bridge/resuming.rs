//! Streams and sessions that end early, and how the bridge goes on.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::client::{Client, call, some_token};
use crate::script::{Received, Reply, Script, Step};

const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;

fn data(text: &str) -> Step {
    Step::Data(text.to_owned())
}

fn opening(received: &Received, session: &str) -> Option<Reply> {
    match () {
        () if received.is("initialize") => Some(Reply::initialized(session)),
        () if received.is("notifications/initialized") => Some(Reply::status(202)),
        () => None,
    }
}

#[tokio::test]
async fn a_stream_with_event_ids_is_resumed_until_the_answer_came() {
    let script = Script::start(|received, _| {
        opening(received, "s").unwrap_or_else(|| match received.header("last-event-id") {
            None if received.method == "GET" => Reply::status(405),
            None => Reply::events([data("retry: 10\nid: a\ndata:\n\nid: lost\ndata: {\"jso"), Step::Break]),
            Some("a") => Reply::events([data(": nothing yet\n\n")]).with("x-turn", "1"),
            Some(other) => panic!("not an event that was whole: {other}"),
        })
    })
    .await;
    let mut client = Client::new(&script.url, some_token());
    client.initialize("2025-11-25").await;
    client.send_json(call(1, "slow", &json!({}))).await;
    // The polls go on; each one asks after the same event.
    script.wait_for(|received| received.header("last-event-id") == Some("a")).await;
    client.end_input();
}

#[tokio::test]
async fn the_answer_on_a_resumed_stream_is_the_one_answer() {
    let gets = AtomicUsize::new(0);
    let script = Script::start(move |received, _| {
        opening(received, "s").unwrap_or_else(|| match received.header("last-event-id") {
            None if received.method == "GET" => Reply::status(405),
            None => Reply::events([data("retry: 10\nid: a\ndata:\n\n")]),
            Some(_) if gets.fetch_add(1, Ordering::Relaxed) == 0 => Reply::status(503),
            Some("a") => Reply::events([data("id: b\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"news\"}\n\n")]),
            Some(_) => Reply::events([data(&format!("id: c\ndata: {ANSWER}\n\n"))]),
        })
    })
    .await;
    let mut client = Client::new(&script.url, some_token());
    client.initialize("2025-11-25").await;
    client.send_json(call(1, "slow", &json!({}))).await;
    assert_eq!(client.message().await["method"], "news");
    assert_eq!(client.line().await, ANSWER);
    let (rest, _) = client.finish().await;
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn a_stream_that_cannot_be_resumed_says_why() {
    let script = Script::start(|received, _| {
        opening(received, "s").unwrap_or_else(|| match received.header("last-event-id") {
            None if received.method == "GET" => Reply::status(405),
            None => Reply::events([data("retry: 10\nid: a\ndata:\n\n")]),
            Some(_) => Reply::json(401, r#"{"error":"invalid_token","error_description":"it was revoked"}"#),
        })
    })
    .await;
    let mut client = Client::new(&script.url, some_token());
    client.initialize("2025-11-25").await;
    client.send_json(call(1, "slow", &json!({}))).await;
    let words = client.message().await["error"]["message"].clone();
    assert_eq!(words, "the gateway ended the stream, and it could not be resumed: it was revoked (HTTP 401)");
}

#[tokio::test]
async fn a_session_that_was_lost_is_begun_again_once_and_the_call_repeated() {
    let begun = AtomicUsize::new(0);
    let script = Script::start(move |received, _| {
        if received.is("initialize") {
            return Reply::initialized(&format!("s-{}", begun.fetch_add(1, Ordering::Relaxed)));
        }
        match received.header("mcp-session-id") {
            _ if received.method == "GET" => Reply::status(405),
            _ if received.is("notifications/initialized") => Reply::status(202),
            Some("s-0") => {
                Reply::json(404, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"gone"}}"#)
            }
            _ => Reply::json(200, received.text().replace("method", "result")),
        }
    })
    .await;
    let mut client = Client::new(&script.url, some_token());
    client.initialize("2025-11-25").await;
    for id in 1..=8 {
        client.send_json(call(id, "echo", &json!({}))).await;
    }
    let mut answered = Vec::new();
    for _ in 1..=8 {
        let answer = client.message().await;
        assert_eq!(answer["result"], "tools/call");
        answered.push(answer["id"].as_u64().expect("an id"));
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(script.received().iter().filter(|received| received.is("initialize")).count(), 2);
    assert_eq!(client.notes(), ["docs for vscode1: the server ended the session: starting a new one"]);
}

#[tokio::test]
async fn a_session_that_cannot_be_begun_again_is_an_error() {
    let script = Script::start(|received, before| match before {
        0 => Reply::initialized("s"),
        1 => Reply::status(202),
        _ if received.method == "GET" => Reply::status(405),
        _ => Reply::status(404),
    })
    .await;
    let mut client = Client::new(&script.url, some_token());
    client.initialize("2025-11-25").await;
    client.send_json(call(1, "echo", &json!({}))).await;
    let answer = client.message().await;
    let words = answer["error"]["message"].as_str().expect("words");
    assert!(
        words.starts_with("the server ended the session, and a new one could not be started: "),
        "{words}"
    );
}

#[tokio::test]
async fn what_the_server_says_unasked_is_handed_on() {
    let question = r#"{"jsonrpc":"2.0","id":5,"method":"roots/list"}"#;
    let script = Script::start(move |received, _| {
        opening(received, "s").unwrap_or_else(|| match received.method.as_str() {
            "GET" => Reply::events([data(&format!("data: {question}\n\n")), Step::Hold]),
            _ => Reply::status(202),
        })
    })
    .await;
    let mut client = Client::new(&script.url, some_token());
    client.initialize("2025-11-25").await;
    assert_eq!(client.line().await, question);
    let answer = r#"{"jsonrpc":"2.0", "id":5, "result":{"roots":[]}}"#;
    client.send(answer).await;
    script.wait_for(|received| received.text() == answer).await;
    let (rest, _) = client.finish().await;
    assert!(rest.is_empty(), "{rest:?}");
}
