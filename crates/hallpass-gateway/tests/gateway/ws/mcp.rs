//! MCP over WebSocket: one JSON-RPC message a text frame, the credential on the request that opened it.

use crate::bench::{active, client, snapshot};
use crate::ws::socket::Socket;
use crate::ws::stage::Stage;
use std::sync::Arc;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"clientInfo":{"name":"Cursor","version":"1.2"}}}"#;

fn header(stage: &Stage) -> String {
    format!("Authorization: Bearer {}\r\nSec-WebSocket-Protocol: mcp\r\n", stage.bench.ann.text)
}

#[tokio::test]
async fn messages_pass_with_a_credential_on_the_request() {
    let mut stage = Stage::new().await;
    let mut client = stage.dial_with(&header(&stage)).await;
    client.say(INITIALIZE).await;
    let (head, mut server) = stage.daemon.connection().await;
    assert!(head.contains("sec-websocket-protocol: mcp\r\n"), "{head}");
    assert!(!head.contains("authorization"), "{head}");
    assert_eq!(server.heard().await, INITIALIZE, "no hello: the first frame is the client's");
    server.say(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#).await;
    assert_eq!(client.heard().await, r#"{"jsonrpc":"2.0","id":0,"result":{}}"#);
    let call = r#"{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"echo"}}"#;
    client.say(call).await;
    assert_eq!(server.heard().await, call);
    // Of the server's own accord, and an answer to that: no calls of the client.
    server.say(r#"{"jsonrpc":"2.0","id":"c","method":"roots/list"}"#).await;
    client.heard().await;
    client.say(r#"{"jsonrpc":"2.0","id":"c","result":{"roots":[]}}"#).await;
    server.heard().await;
    server.say(r#"{"jsonrpc":"2.0","id":"c","result":{"isError":true}}"#).await;
    client.heard().await;
    let mut records = Vec::new();
    for _ in 0..3 {
        let event = stage.event().await;
        assert_eq!(event.client.as_deref(), Some("ann"));
        records.push((event.method.unwrap(), event.tool, event.outcome.as_str(), event.client_info));
    }
    let info = || Some("Cursor/1.2".to_owned());
    assert_eq!(
        records,
        [
            ("GET".into(), None, "ok", None),
            ("initialize".into(), None, "ok", info()),
            ("tools/call".into(), Some("echo".into()), "error", info()),
        ]
    );
    drop(client);
    let end = stage.event().await;
    assert_eq!((end.kind.as_ref(), end.client_info), ("close", info()));
}

#[tokio::test]
async fn what_cannot_be_read_in_one_way_is_answered_and_not_sent() {
    let mut stage = Stage::new().await;
    let mut client = stage.dial_with(&header(&stage)).await;
    client.say(INITIALIZE).await;
    let (_, mut server) = stage.daemon.connection().await;
    server.heard().await;
    for bad in [
        "[]",
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}]"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#,
        "nonsense",
    ] {
        client.say(bad).await;
    }
    client.say(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#).await;
    assert_eq!(server.heard().await, r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#, "nothing came before it");
}

#[tokio::test]
async fn a_legacy_caller_may_speak_mcp_during_the_grace_period() {
    let mut stage = Stage::new().await;
    let key = hallpass_core::grace::TagKey::new(&[3; 32]);
    let secret = "shared-and-a-header-can-hold-it";
    let terms = hallpass_core::grace::GraceTerms {
        period: 9,
        tag: key.tag(secret.as_bytes()),
        until: hallpass_core::UnixTime::from_seconds(crate::bench::NOW + 1000),
        ended_at: None,
        servers: hallpass_core::snapshot::ServerScope::All,
        policy: None,
        strict_after_migration: false,
    };
    let grace = hallpass_core::Grace::new(terms, key, hallpass_core::UnixTime::from_seconds(0));
    let in_force = snapshot(&stage.bench.mint, [client("ann")], [active(&stage.bench.ann)]);
    stage.bench.gateway.publish(Arc::new(in_force.with_grace(grace)));
    let path = "/c/ann/s/exai/mcp";
    let mut client =
        Socket::open(stage.address(), path, &format!("Authorization: Bearer {secret}\r\n")).await;
    client.say(INITIALIZE).await;
    let (head, mut server) = stage.daemon.connection().await;
    server.heard().await;
    assert!(!head.contains(secret));
    let event = stage.event().await;
    assert_eq!((event.legacy, event.client, event.path_client.as_deref()), (true, None, Some("ann")));
}
