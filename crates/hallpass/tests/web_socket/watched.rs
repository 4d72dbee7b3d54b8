//! What is known of WebSocket callers besides their calls: last use, warnings, and tokens on their way out.

use crate::origin::{Origin, VSCODE1, VSCODE2};
use crate::python::{Talker, until};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const PATIENCE: Duration = Duration::from_secs(20);

async fn status(origin: &Origin) -> Value {
    serde_json::from_str(&origin.hallpass.must(&["status", "--json"]).await).expect("JSON")
}

/// Waits until the status is like this.
async fn becomes(origin: &Origin, is_it: impl Fn(&Value) -> bool) -> Value {
    let found = timeout(PATIENCE, async {
        loop {
            let status = status(origin).await;
            if is_it(&status) {
                return status;
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    if let Ok(status) = found.await {
        return status;
    }
    panic!("{:#}", status(origin).await)
}

fn warns(status: &Value, kind: &str, client: &str) -> bool {
    let rows = status["warnings"].as_array().expect("warnings");
    rows.iter().any(|row| row["kind"] == kind && row["client"] == client)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_is_kept_and_another_clients_path_is_a_warning() {
    let origin = Origin::served(&[]).await;
    let mut one = origin.talker(VSCODE1).await;
    one.sum().await;
    let seen = becomes(&origin, |status| {
        let clients = status["clients"].as_array().expect("clients");
        clients.iter().any(|client| client["client"] == "vscode1" && client.to_string().contains("127.0.0.1"))
    });
    let seen = seen.await;
    assert_eq!(seen["warnings"], json!([]), "{seen:#}");
    let gateway = origin.gateway.server_of("vscode2", "exai").replace("http://", "ws://");
    let mut stranger = Talker::dial(&gateway);
    let refused = stranger.ask(&json!({ "op": "hello", "jwt": origin.token(VSCODE1) })).await;
    assert_eq!(refused["ok"], false);
    assert_eq!(stranger.heard().await["closed"], 4003);
    becomes(&origin, |status| warns(status, "other_clients_path", "vscode1")).await;
    one.sum().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_with_one_token_are_a_warning_over_web_sockets_too() {
    let origin = Origin::served(&[]).await;
    for program in ["editor", "notebook"] {
        let authority = origin.gateway.address().trim_start_matches("http://").to_owned();
        let mut request = format!("ws://{authority}/s/exai/mcp").into_client_request().expect("a request");
        let bearer = format!("Bearer {}", origin.token(VSCODE2)).parse().expect("a value");
        request.headers_mut().insert("authorization", bearer);
        request.headers_mut().insert("sec-websocket-protocol", "mcp".parse().expect("a value"));
        let stream = TcpStream::connect(&authority).await.expect("a connection");
        let (mut socket, _) = client_async(request, stream).await.expect("a WebSocket");
        let params =
            json!({ "protocolVersion": "2025-11-25", "clientInfo": { "name": program, "version": "1" } });
        let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
        socket.send(Message::text(hello.to_string())).await.expect("sent");
        let answer = socket.next().await.expect("a frame").expect("a good one");
        assert!(answer.to_text().expect("text").contains("daemon"), "{answer}");
    }
    becomes(&origin, |status| warns(status, "two_programs", "vscode2")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_rotated_keeps_its_connection_until_the_overlap_ends() {
    let origin = Origin::served(&[]).await;
    let mut old = origin.talker(VSCODE1).await;
    origin.hallpass.must(&["rotate", "vscode1", "--overlap", "3s", "--yes"]).await;
    old.sum().await;
    let mut new = origin.talker(VSCODE1).await;
    new.sum().await;
    let end = old.heard().await;
    assert_eq!(end["closed"], 4003, "{end}");
    new.sum().await;
    until(|| origin.gateway.stdout().contains("act=close client=vscode1 ").then_some(())).await;
}
