//! The handshake of the hello dialect, row by row, before, during and after a grace period.

use crate::bench::{HOUR, NOW, Plan, Token, active, client};
use crate::ws::socket::{BINARY, PING, Socket};
use crate::ws::stage::{DAEMONS, PATH, Period, SHARED, Stage, hello, upstream};
use hallpass_core::UnixTime;
use hallpass_core::snapshot::TokenState;
use serde_json::{Value, json};
use std::time::Duration;

const ALL: [Period; 3] = [Period::Never, Period::Running, Period::Over];

/// What a client is left with: the text before the last frame, if there is one, and the close code.
async fn left_with(client: &mut Socket) -> (Option<Value>, u16) {
    let first = client.next().await.expect("a frame");
    match first.first {
        0x81 => (Some(serde_json::from_slice(&first.payload).unwrap()), client.closed().await.0),
        0x88 => (None, u16::from_be_bytes([first.payload[0], first.payload[1]])),
        other => panic!("{other:x}"),
    }
}

fn not_ok(error: &str) -> Value {
    json!({ "op": "hello_ack", "ok": false, "error": error })
}

#[tokio::test]
async fn what_is_no_beginning_gets_the_dialects_own_codes() {
    let mut stage = Stage::new().await;
    for period in ALL {
        stage.grace(period);
        for (frame, text, code) in [
            ("hello", None, 4000),
            ("", None, 4000),
            ("{\"op\":\"hello\"", None, 4000),
            ("{\"op\":\"hello\",\"op\":\"call_tool\"}", None, 4000),
            ("{\"op\":\"HELLO\"}", Some(not_ok("missing_hello")), 4001),
            ("{\"op\":\"list_tools\",\"request_id\":1}", Some(not_ok("missing_hello")), 4001),
            ("[]", Some(not_ok("missing_hello")), 4001),
        ] {
            let mut client = stage.dial().await;
            client.say(frame).await;
            assert_eq!(left_with(&mut client).await, (text, code), "{frame} {period:?}");
            let event = stage.event().await;
            assert_eq!((event.outcome.as_str(), event.status), ("refused", Some(code)), "{frame}");
            assert_eq!(event.reason.as_deref(), Some("first_frame"));
        }
    }
    assert!(stage.daemon.saw_nobody());
}

#[tokio::test]
async fn a_json_rpc_message_without_a_credential_is_refused_whatever_it_asks() {
    let mut stage = Stage::new().await;
    for period in ALL {
        stage.grace(period);
        for (method, code) in [("initialize", 4401), ("tools/call", 4001)] {
            let mut client = stage.dial().await;
            client.say(&json!({ "jsonrpc": "2.0", "id": "a\n", "method": method }).to_string()).await;
            let (text, closed) = left_with(&mut client).await;
            let text = text.expect("an error");
            assert_eq!((&text["id"], &text["error"]["code"]), (&json!("a\n"), &json!(-32000)), "{text}");
            assert_eq!(closed, code);
            assert_eq!(stage.event().await.reason.as_deref(), Some("no_credential"));
        }
    }
    assert!(stage.daemon.saw_nobody());
}

#[tokio::test]
async fn who_says_nothing_in_time_is_let_go() {
    let mut plan = Plan::default();
    plan.limits.sockets.hello_within = Duration::from_millis(50);
    plan.limits.sockets.first_message_within = Duration::from_millis(20);
    let mut stage = Stage::with(plan).await;
    for (protocol, code) in [("", 4002), ("Sec-WebSocket-Protocol: mcp\r\n", 4408)] {
        let mut client = stage.dial_with(protocol).await;
        client.frame(PING, b"x").await;
        assert_eq!(left_with(&mut client).await, (None, code), "no ping is answered before the first frame");
        assert_eq!(stage.event().await.reason.as_deref(), Some("first_frame_late"));
    }
    // Half a frame is none.
    let mut client = stage.dial().await;
    let bytes = client.bytes(0x81, hello(None, Some(SHARED)).as_bytes());
    client.wire.send(&bytes[..bytes.len() - 1]).await;
    assert_eq!(left_with(&mut client).await, (None, 4002));
    assert!(stage.daemon.saw_nobody());
}

#[tokio::test]
async fn a_wrong_shared_token_is_unauthorized_while_the_right_one_would_count() {
    let mut stage = Stage::new().await;
    for (period, error, reason) in [
        (Period::Never, "jwt_required", "jwt_required"),
        (Period::Running, "unauthorized", "wrong_shared_secret"),
        (Period::Over, "jwt_required", "jwt_required"),
    ] {
        stage.grace(period);
        for wrong in ["nope", "SHARED BY ALL, WITH A BLANK", "shared by all, with a blank ", DAEMONS] {
            let mut client = stage.dial().await;
            client.say(&hello(None, Some(wrong))).await;
            assert_eq!(left_with(&mut client).await, (Some(not_ok(error)), 4003), "{wrong} {period:?}");
            let event = stage.event().await;
            assert_eq!((event.reason.as_deref(), event.legacy), (Some(reason), false));
            assert!(!event.json_line().contains("shared by"), "nothing of a secret is in the log");
        }
    }
    assert!(stage.daemon.saw_nobody());
}

#[tokio::test]
async fn without_any_credential_nobody_is_let_in() {
    let mut stage = Stage::new().await;
    for (period, error, reason) in [
        (Period::Never, "jwt_required", "jwt_required"),
        (Period::Running, "unauthorized", "no_credential"),
        (Period::Over, "jwt_required", "jwt_required"),
    ] {
        stage.grace(period);
        for nothing in
            [r#"{"op":"hello"}"#, r#"{"op":"hello","token":"","jwt":""}"#, r#"{"op":"hello","jwt":null}"#]
        {
            let mut client = stage.dial().await;
            client.say(nothing).await;
            assert_eq!(left_with(&mut client).await, (Some(not_ok(error)), 4003), "{nothing} {period:?}");
            assert_eq!(stage.event().await.reason.as_deref(), Some(reason));
        }
    }
    assert!(stage.daemon.saw_nobody());
}

#[tokio::test]
async fn the_shared_secret_counts_during_the_grace_period_only() {
    let mut stage = Stage::new().await;
    for (period, reason) in [(Period::Never, "jwt_required"), (Period::Over, "grace_over")] {
        stage.grace(period);
        let mut client = stage.dial().await;
        client.say(&hello(None, Some(SHARED))).await;
        assert_eq!(left_with(&mut client).await, (Some(not_ok("jwt_required")), 4003), "{period:?}");
        let event = stage.event().await;
        assert_eq!((event.reason.as_deref(), event.method.as_deref()), (Some(reason), Some("hello")));
        assert_eq!(
            event.origin_line().as_deref(),
            Some("[JWT_AUTH] No valid JWT token and grace period ended - rejecting connection")
        );
    }
    assert!(stage.daemon.saw_nobody());
    stage.grace(Period::Running);
    let _open = stage.greeted(&hello(None, Some(SHARED))).await;
    let event = stage.event().await;
    assert_eq!((event.outcome.as_str(), event.status), ("ok", Some(101)));
    assert_eq!(
        (event.legacy, event.client.as_deref(), event.session.as_deref()),
        (true, None, Some("vscode-instance-1"))
    );
    assert_eq!(
        event.origin_line().as_deref(),
        Some("[JWT_AUTH] No valid JWT token (grace period active) - allowing legacy auth")
    );
}

#[tokio::test]
async fn a_token_of_its_own_decides_both_ways() {
    let mut stage = Stage::new().await;
    let (ann, forged) = (stage.bench.ann.clone(), forged(&stage.bench.ann));
    let expired = stage.bench.mint.token_for("ann", "jti-ann", "gateway.test", NOW - 9 * HOUR, HOUR);
    for period in ALL {
        stage.grace(period);
        for token in [None, Some("rotated away"), Some(SHARED)] {
            let open = stage.greeted(&hello(Some(&ann), token)).await;
            let event = stage.event().await;
            assert_eq!((event.client.as_deref(), event.legacy), (Some("ann"), false), "{token:?} {period:?}");
            assert_eq!(event.jti.as_deref(), Some("jti-ann"));
            let middle = if period == Period::Running { " (grace period active)" } else { "" };
            let line = format!("[JWT_AUTH] Valid JWT token{middle} - user: ann@clients.test");
            assert_eq!(event.origin_line(), Some(line));
            drop(open);
            assert_eq!(stage.event().await.kind, "close");
        }
        let error = if period == Period::Running { "unauthorized" } else { "jwt_required" };
        for (bad, reason) in [(&forged, "bad_signature"), (&expired, "expired")] {
            let mut client = stage.dial().await;
            client.say(&hello(Some(bad), Some(SHARED))).await;
            assert_eq!(left_with(&mut client).await, (Some(not_ok(error)), 4003), "{reason} {period:?}");
            let event = stage.event().await;
            assert_eq!((event.reason.as_deref(), event.legacy), (Some(reason), false));
        }
    }
    assert!(stage.daemon.saw_nobody());
}

fn forged(token: &Token) -> Token {
    let (input, signature) = token.text.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    Token { text: format!("{input}.{first}{}", &signature[1..]), ..token.clone() }
}

#[tokio::test]
async fn a_revoked_token_is_not_saved_by_the_shared_secret() {
    let mut stage = Stage::new().await;
    let ann = stage.bench.ann.clone();
    let revoked = ann.record(TokenState::Revoked { at: UnixTime::from_seconds(NOW) });
    stage.publish(Period::Running, [client("ann")], vec![revoked]);
    let mut client = stage.dial().await;
    client.say(&hello(Some(&ann), Some(SHARED))).await;
    assert_eq!(client.heard().await, not_ok("unauthorized").to_string());
    let (code, reason) = client.closed().await;
    assert_eq!(code, 4003);
    assert_eq!(reason, "this token was revoked on 2026-11-23T00:00:00Z: run `hallpass issue ann`");
    assert_eq!(stage.event().await.reason.as_deref(), Some("revoked"));
}

#[tokio::test]
async fn a_credential_that_is_no_text_is_none() {
    let mut stage = Stage::new().await;
    stage.grace(Period::Running);
    for hello in [
        json!({ "op": "hello", "token": SHARED, "jwt": 1 }),
        json!({ "op": "hello", "token": [SHARED] }),
        json!({ "op": "hello", "token": { "$ne": null } }),
    ] {
        let mut client = stage.dial().await;
        client.say(&hello.to_string()).await;
        assert_eq!(left_with(&mut client).await, (Some(not_ok("unauthorized")), 4003), "{hello}");
        assert_eq!(stage.event().await.reason.as_deref(), Some("first_frame"));
    }
    assert!(stage.daemon.saw_nobody());
}

#[tokio::test]
async fn a_first_frame_has_to_be_a_small_text() {
    let mut stage = Stage::new().await;
    stage.grace(Period::Running);
    let mut binary = stage.dial().await;
    binary.frame(BINARY, hello(None, Some(SHARED)).as_bytes()).await;
    assert_eq!(left_with(&mut binary).await, (None, 1003));
    let mut large = stage.dial().await;
    large.say(&hello(None, Some(&"x".repeat(17_000)))).await;
    assert_eq!(left_with(&mut large).await, (None, 1009));
    let mut in_pieces = stage.dial().await;
    in_pieces.frame(0x01, b"{").await;
    assert_eq!(left_with(&mut in_pieces).await, (None, 1009));
    let mut declared = stage.dial().await;
    declared.wire.send([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]).await;
    assert_eq!(left_with(&mut declared).await, (None, 1009));
    assert!(stage.daemon.saw_nobody());
}

#[tokio::test]
async fn the_session_is_a_label_for_the_client_and_another_one_for_the_server() {
    let mut stage = Stage::new().await;
    let ann = stage.bench.ann.clone();
    let mut seen = Vec::new();
    for (asked, answered) in [("vscode-1", Some("vscode-1")), ("x", None), ("a b c", None)] {
        let mut client = stage.dial().await;
        client.say(&json!({ "op": "hello", "session_id": asked, "jwt": ann.text }).to_string()).await;
        let (said, _server) = stage.daemon.greeted().await;
        let welcome: Value = serde_json::from_str(&client.heard().await).unwrap();
        let own = welcome["session_id"].as_str().unwrap();
        match answered {
            Some(answered) => assert_eq!(own, answered),
            None => assert!(own.len() == 32 && own != asked, "{own}"),
        }
        assert_eq!(said["token"], DAEMONS);
        assert_eq!(said.get("jwt"), None, "never the client's");
        let at_server = said["session_id"].as_str().unwrap().to_owned();
        assert!(at_server != own && at_server.len() == 55 && !seen.contains(&at_server), "{at_server}");
        seen.push(at_server);
    }
}

#[tokio::test]
async fn a_servers_own_token_goes_along_as_its_jwt() {
    let mut plan = Plan::default();
    let daemon = crate::ws::stage::SocketServer::start().await;
    let mut behind = upstream(daemon.address);
    behind.credential = Some(http::HeaderValue::from_static("Bearer a.b.c"));
    plan.more.push(("late", behind));
    let mut stage = Stage::with(plan).await;
    stage.daemon = daemon;
    let mut client = Socket::open(stage.address(), "/s/late/mcp", "").await;
    client.say(&hello(Some(&stage.bench.ann), None)).await;
    let (head, mut server) = stage.daemon.connection().await;
    assert!(head.contains("authorization: Bearer a.b.c\r\n"), "{head}");
    let said: Value = serde_json::from_str(&server.heard().await).unwrap();
    assert_eq!((&said["jwt"], &said["token"]), (&json!("a.b.c"), &json!(DAEMONS)));
}

#[tokio::test]
async fn a_credential_on_the_request_counts_for_a_hello_too_and_two_are_refused() {
    let mut stage = Stage::new().await;
    stage.grace(Period::Running);
    let (ann, bob) = (stage.bench.ann.clone(), stage.bench.bob.clone());
    let header = format!("Authorization: Bearer {}\r\n", ann.text);
    let mut client = stage.dial_with(&header).await;
    client.say(&hello(None, Some("whatever"))).await;
    let _server = stage.daemon.greeted().await;
    client.heard().await;
    assert_eq!(stage.event().await.client.as_deref(), Some("ann"));
    let mut client = stage.dial_with(&header).await;
    client.say(&hello(Some(&bob), None)).await;
    assert_eq!(left_with(&mut client).await, (Some(not_ok("unauthorized")), 4003));
    assert_eq!(stage.event().await.reason.as_deref(), Some("several_credentials"));
}

#[tokio::test]
async fn another_clients_path_and_a_server_out_of_scope_are_refused() {
    let mut stage = Stage::new().await;
    let ann = stage.bench.ann.clone();
    let mut client_of_bob = Socket::open(stage.address(), "/c/bob/s/exai/mcp", "").await;
    client_of_bob.say(&hello(Some(&ann), None)).await;
    assert_eq!(left_with(&mut client_of_bob).await, (Some(not_ok("jwt_required")), 4003));
    assert_eq!(stage.event().await.reason.as_deref(), Some("other_clients_path"));
    let nowhere = hallpass_core::snapshot::ServerScope::Only([crate::bench::server("docs")].into());
    let scoped = hallpass_core::snapshot::Client { servers: nowhere, ..client("ann") };
    stage.publish(Period::Never, [scoped], vec![active(&ann)]);
    let mut out_of_scope = stage.dial().await;
    out_of_scope.say(&hello(Some(&ann), None)).await;
    assert_eq!(left_with(&mut out_of_scope).await, (Some(not_ok("server_not_allowed")), 4003));
    let refused =
        Socket::try_open(stage.address(), PATH, &format!("Authorization: Bearer {}\r\n", ann.text)).await;
    assert_eq!(refused.err().map(|reply| reply.status), Some(403));
    assert!(stage.daemon.saw_nobody());
}
