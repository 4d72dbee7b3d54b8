//! Bad days: garbage, refusals, a gateway that is not there, cancellation, the end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::client::{Client, call, initialize, modern, sample_server, some_token, token_file};
use crate::script::{Reply, Script, Step};
use hallpass::bridge::{BridgeError, TokenSource};

/// A client whose one call is answered with `reply`.
async fn answer_to_a_call(reply: Reply) -> Value {
    let script = Script::start(move |_, _| reply.clone()).await;
    let mut client = Client::new(&script.url, some_token());
    client.send_json(modern(call(1, "echo", &json!({})))).await;
    let answer = client.message().await;
    let (rest, ended) = client.finish().await;
    assert!(rest.is_empty() && ended.is_ok(), "{rest:?} {ended:?}");
    answer
}

fn error(code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": code, "message": message } })
}

#[tokio::test]
async fn garbage_is_answered_and_the_next_line_is_read() {
    let script = Script::start(|_, _| Reply::json(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)).await;
    let mut client = Client::new(&script.url, some_token());
    let lines = [("{oops", -32700), (r#"[{"id":1,"method":"a"}]"#, -32600), ("{}", -32600), ("7", -32600)];
    for (line, code) in lines {
        client.send(line).await;
        let answer = client.message().await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(code)), "{line}");
    }
    client.send("").await;
    client.send(&"x".repeat(16 * 1024 * 1024 + 1)).await;
    assert_eq!(client.message().await["error"]["code"], -32700);
    client.send_json(call(1, "echo", &json!({}))).await;
    assert_eq!(client.message().await["id"], 1);
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let mut client = Client::new(&format!("http://{address}/mcp"), some_token());
    client.send_json(initialize("2025-11-25")).await;
    let answer = client.message().await;
    let words = answer["error"]["message"].as_str().expect("words");
    let expected = format!("cannot reach the gateway at http://{address}: is `hallpass serve` running?");
    assert!(words.starts_with(&expected), "{words}");
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("init"), &json!(503)));
}

#[tokio::test]
async fn a_refusal_of_the_gateway_is_told_in_its_words() {
    let body = r#"{"error":"invalid_token","error_description":"this token was revoked: run `hallpass issue vscode1`","request_id":"r-7"}"#;
    let reply = Reply::json(401, body).with("www-authenticate", r#"Bearer error="invalid_token""#);
    let words = "this token was revoked: run `hallpass issue vscode1` (HTTP 401, request r-7)";
    assert_eq!(answer_to_a_call(reply).await, error(401, words));
    let words = "the pass was not accepted: run `hallpass issue vscode1` (HTTP 401)";
    assert_eq!(answer_to_a_call(Reply::status(401)).await, error(401, words));
}

#[tokio::test]
async fn an_http_error_with_an_answer_in_it_is_that_answer() {
    let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"no","data":{"supported":[]}}}"#;
    assert_eq!(answer_to_a_call(Reply::json(400, body)).await.to_string().len(), body.len());
    let without_id = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no session"}}"#;
    assert_eq!(answer_to_a_call(Reply::json(400, without_id)).await, error(-32000, "no session"));
}

#[tokio::test]
async fn whatever_a_server_does_a_call_has_one_answer() {
    let event = Step::Data("data: {\"jsonrpc\":\"2.0\",\"method\":\"news\"}\n\n".to_owned());
    let other = r#"{"jsonrpc":"2.0","id":2,"result":{}}"#;
    let cases = [
        (Reply::status(202), "the server took the request (HTTP 202 Accepted) and gave no answer"),
        (Reply::json(200, "<html>"), "what the server sent is not an answer to this request"),
        (Reply::json(200, other), "what the server sent is not an answer to this request"),
        (Reply::json(200, "[]"), "what the server sent is not an answer to this request"),
        (Reply::events([Step::Break]), "the gateway ended the stream: "),
        (Reply::events([]), "the gateway ended the stream: there was no answer in it"),
    ];
    for (reply, expected) in cases {
        let answer = answer_to_a_call(reply).await;
        let words = answer["error"]["message"].as_str().expect("words");
        assert!(words.starts_with(expected), "{words}");
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(502)));
    }
    let script = Script::start(move |_, _| Reply::events([event.clone(), Step::Break])).await;
    let mut client = Client::new(&script.url, some_token());
    client.send_json(modern(call(1, "echo", &json!({})))).await;
    assert_eq!(client.message().await["method"], "news");
    assert_eq!(client.message().await["error"]["code"], 502);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Script::start(|_, _| Reply::status(200)).await;
    let reply = Reply::status(307).with("location", &elsewhere.url);
    assert_eq!(answer_to_a_call(reply).await, error(307, "redirects are not followed (HTTP 307)"));
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn a_probe_that_is_not_understood_means_that_the_method_is_not_there() {
    let script = Script::start(|_, _| Reply::status(400)).await;
    let mut client = Client::new(&script.url, some_token());
    client.send_json(modern(json!({ "jsonrpc": "2.0", "id": 1, "method": "server/discover" }))).await;
    assert_eq!(client.message().await["error"]["code"], -32601);
}

#[tokio::test]
async fn a_token_that_is_none_is_said_so_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    for (content, expected) in [("\n", "is empty"), ("hp-secret\nhp-more\n", "is not a token")] {
        let source = TokenSource::File(token_file(&folder, content));
        let mut client = Client::new("http://127.0.0.1:1/mcp", source);
        client.send_json(call(1, "echo", &json!({}))).await;
        let answer = client.line().await;
        assert!(answer.contains(expected) && answer.contains(r#""code":401"#), "{answer}");
        assert!(!answer.contains("hp-"), "{answer}");
    }
}

/// It may be somebody else's by now, and is not shown to anybody.
#[tokio::test]
async fn a_token_that_others_can_read_is_not_sent() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let script = Script::start(|_, _| Reply::json(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)).await;
    let path = token_file(&folder, "hp-secret\n");
    let mut client = Client::new(&script.url, TokenSource::File(path.clone()));
    for mode in [0o644, 0o640, 0o604, 0o620] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        client.send_json(call(1, "echo", &json!({}))).await;
        let words = format!(
            "others can read the token at `{}` (mode {mode:o}): run `hallpass issue`, which makes a new one",
            path.display()
        );
        assert_eq!(client.message().await, error(401, &words));
    }
    assert!(script.received().is_empty());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    client.send_json(call(1, "echo", &json!({}))).await;
    assert_eq!(client.message().await["result"], json!({}));
}

/// A server that holds call 1 open and says when its caller has gone.
async fn holding_server() -> (Script, watch::Receiver<()>) {
    let (ended, hung_up) = watch::channel(());
    let ended = Arc::new(ended);
    let script = Script::start(move |received, _| match () {
        () if received.is("initialize") => Reply::initialized("s"),
        () if received.is("notifications/cancelled") => Reply::status(202),
        () if received.text().contains(r#""id":1"#) => {
            Reply::events([Step::Hold]).telling(Arc::clone(&ended))
        }
        () => Reply::json(200, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#),
    })
    .await;
    (script, hung_up)
}

fn cancellation() -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } })
}

async fn seen(mut hung_up: watch::Receiver<()>) {
    let seen = tokio::time::timeout(Duration::from_secs(20), hung_up.changed()).await;
    seen.expect("the server sees the end in time").expect("a server");
}

#[tokio::test]
async fn a_cancelled_modern_call_is_hung_up_and_the_server_not_told() {
    let (script, hung_up) = holding_server().await;
    let mut client = Client::new(&script.url, some_token());
    client.send_json(modern(call(1, "watch", &json!({})))).await;
    script.wait_for(|received| received.is("tools/call")).await;
    client.send_json(cancellation()).await;
    seen(hung_up).await;
    client.send_json(modern(call(2, "echo", &json!({})))).await;
    assert_eq!(client.message().await["id"], 2);
    let (rest, _) = client.finish().await;
    assert!(rest.is_empty(), "{rest:?}");
    assert!(!script.received().iter().any(|received| received.is("notifications/cancelled")));
}

#[tokio::test]
async fn of_a_cancelled_legacy_call_the_server_is_told_before_it_is_hung_up() {
    let (script, hung_up) = holding_server().await;
    let mut client = Client::new(&script.url, some_token());
    client.send_json(initialize("2025-11-25")).await;
    client.message().await;
    client.send_json(call(1, "watch", &json!({}))).await;
    script.wait_for(|received| received.is("tools/call")).await;
    client.send_json(cancellation()).await;
    seen(hung_up).await;
    assert!(script.received().iter().any(|received| received.is("notifications/cancelled")));
    let (rest, _) = client.finish().await;
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn answers_of_the_client_pass_by_the_calls_that_wait_for_a_place() {
    let script = Script::start(|received, _| {
        if received.is("tools/call") { Reply::events([Step::Hold]) } else { Reply::status(202) }
    })
    .await;
    let mut client = Client::new(&script.url, some_token());
    for id in 1..=100 {
        client.send_json(call(id, "ask", &json!({}))).await;
    }
    let answer = r#"{"jsonrpc":"2.0","id":"elicit","result":{}}"#;
    client.send(answer).await;
    script.wait_for(|received| received.text() == answer).await;
    assert!(script.received().len() <= 65, "64 calls at a time");
}

#[tokio::test]
async fn an_id_that_is_waiting_is_not_taken_twice() {
    let script = Script::start(|_, _| Reply::events([Step::Hold])).await;
    let mut client = Client::new(&script.url, some_token());
    client.send_json(call(1, "watch", &json!({}))).await;
    client.send_json(call(1, "watch", &json!({}))).await;
    assert_eq!(client.message().await["error"]["code"], -32600);
}

#[tokio::test]
async fn at_the_end_of_input_a_silent_call_is_ended_with_an_answer() {
    let script = Script::start(|_, _| Reply::events([Step::Hold])).await;
    let mut client = Client::new(&script.url, some_token());
    client.send_json(call(1, "watch", &json!({}))).await;
    script.wait_for(|_| true).await;
    let (rest, ended) = client.finish().await;
    assert!(ended.is_ok());
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert!(rest[0].contains(r#""code":499"#), "{rest:?}");
}

#[tokio::test]
async fn a_bridge_that_nobody_reads_ends_quietly() {
    let (url, _server) = sample_server().await;
    let mut client = Client::new(&url, some_token());
    client.initialize("2025-11-25").await;
    client.send_json(call(1, "watch", &json!({}))).await;
    client.message().await;
    assert!(client.hang_up().await.is_ok());
}

#[tokio::test]
async fn only_a_plain_gateway_is_spoken_to() {
    for url in ["https://127.0.0.1/mcp", "http://me@127.0.0.1/mcp", "/mcp"] {
        let ended = Client::new(url, some_token()).ended().await;
        assert!(matches!(ended, Err(BridgeError::Address(_))), "{ended:?}");
    }
}
