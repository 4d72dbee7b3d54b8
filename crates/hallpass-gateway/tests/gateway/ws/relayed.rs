//! Messages between two greeted sides: unchanged, named in the log, their answers matched.

use crate::bench::{Plan, Wire, soon};
use crate::ws::socket::{CLOSE, PING, PONG, Socket, TEXT};
use crate::ws::stage::{DAEMONS, Period, SHARED, Stage, hello};
use hallpass_core::Event;
use std::time::Duration;

/// A connection of ann's, and the record of its opening taken off.
async fn open(stage: &mut Stage) -> (Socket, Socket) {
    let ann = stage.bench.ann.clone();
    let ends = stage.greeted(&hello(Some(&ann), Some(SHARED))).await;
    assert_eq!(stage.event().await.method.as_deref(), Some("hello"));
    ends
}

fn said(event: &Event) -> (&str, Option<&str>, Option<&str>, Option<&str>) {
    (event.outcome.as_str(), event.client.as_deref(), event.method.as_deref(), event.tool.as_deref())
}

#[tokio::test]
async fn messages_pass_byte_for_byte_both_ways() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open(&mut stage).await;
    let call = " {\"op\" : \"call_tool\",\"request_id\":\"r\\u002d1\",\"name\":\"ch\u{e4}t\",\"arguments\":{\"n\":1.0,\"big\":12345678901234567890,\"op\":[]}}\n";
    client.say(call).await;
    assert_eq!(server.heard().await, call);
    for answer in [
        "{\"op\":\"call_tool_ack\",\"request_id\":\"r-1\"}",
        "{\"request_id\":\"r-1\",\"op\":\"progress\",\"note\":\"\u{1f600}\"}",
        "{\"op\":\"call_tool_res\",\"request_id\":\"r-1\",\"outputs\":[{\"text\":1e400}]} ",
        "not even JSON",
    ] {
        server.say(answer).await;
        assert_eq!(client.heard().await, answer);
    }
    let event = stage.event().await;
    assert_eq!(said(&event), ("ok", Some("ann"), Some("call_tool"), Some("ch\u{e4}t")));
    assert_eq!(
        (event.server.as_deref(), event.session.as_deref()),
        (Some("exai"), Some("vscode-instance-1"))
    );
    assert_eq!(event.bytes_in, Some(call.len() as u64));
    assert!(event.duration_us.is_some() && event.request_id.is_some() && event.address.is_some());
}

#[tokio::test]
async fn answers_are_matched_by_their_ids_whatever_their_order_and_spelling() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open(&mut stage).await;
    for call in [
        r#"{"op":"list_tools","request_id":1}"#,
        r#"{"op":"call_tool","request_id":"1","name":"a"}"#,
        r#"{"op":"tool_call","request_id":"\u00e9","name":"b"}"#,
        r#"{"op":"call_tool","name":"without-an-id"}"#,
    ] {
        client.say(call).await;
        server.heard().await;
    }
    assert_eq!(said(&stage.event().await), ("ok", Some("ann"), Some("call_tool"), Some("without-an-id")));
    for (answer, expect) in [
        (
            "{\"op\":\"call_tool_res\",\"request_id\":\"\u{e9}\",\"error\":{\"code\":\"x\"}}",
            ("error", "tool_call", Some("b")),
        ),
        ("{\"op\":\"call_tool_res\",\"request_id\":\"1\",\"error\":null}", ("ok", "call_tool", Some("a"))),
        ("{\"op\":\"list_tools_res\",\"request_id\":1,\"tools\":[]}", ("ok", "list_tools", None)),
    ] {
        server.say(answer).await;
        assert_eq!(client.heard().await, answer);
        let event = stage.event().await;
        assert_eq!(said(&event), (expect.0, Some("ann"), Some(expect.1), expect.2), "{answer}");
        assert_eq!(event.bytes_out, Some(answer.len() as u64));
    }
}

#[tokio::test]
async fn an_error_of_the_server_is_an_error_in_the_log() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open(&mut stage).await;
    client.say(r#"{"op":"call_tool","request_id":7,"name":"a"}"#).await;
    server.heard().await;
    server.say(r#"{"op":"error","request_id":7,"message":"over capacity"}"#).await;
    client.heard().await;
    assert_eq!(stage.event().await.outcome.as_str(), "error");
}

#[tokio::test]
async fn what_cannot_be_read_in_one_way_is_answered_and_not_sent() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open(&mut stage).await;
    for (message, op, reason) in [
        ("nonsense", "error", "envelope"),
        ("[]", "error", "envelope"),
        (r#"{"op":"call_tool","name":"a","name":"b","request_id":1}"#, "error", "envelope"),
        (r#"{"op":"call_tool","name":"a","NAME":"b","request_id":1}"#, "error", "envelope"),
        (r#"{"op":"call_tool","request_id":1}"#, "error", "envelope"),
        (r#"{"op":"hello","jwt":"a.b.c","token":"t"}"#, "error", "ambiguous_request"),
        (r#"{"op":"Hello","jwt":"a.b.c","token":"t"}"#, "error", "ambiguous_request"),
        (
            r#"{"op":"ping","jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#,
            "error",
            "ambiguous_request",
        ),
    ] {
        client.say(message).await;
        let answer: serde_json::Value = serde_json::from_str(&client.heard().await).unwrap();
        assert_eq!((&answer["op"], &answer["error"]["code"]), (&op.into(), &reason.into()), "{message}");
        let event = stage.event().await;
        assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("refused", Some(reason)), "{message}");
        assert_eq!(answer["error"]["gateway_request_id"].as_str(), event.request_id.as_deref());
    }
    client.say(r#"{"op":"list_tools","request_id":1}"#).await;
    assert_eq!(server.heard().await, r#"{"op":"list_tools","request_id":1}"#, "nothing came before it");
}

#[tokio::test]
async fn pings_and_pongs_pass_both_ways() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open(&mut stage).await;
    for kind in [PING, PONG] {
        client.frame(kind, b"up").await;
        let frame = server.next().await.unwrap();
        assert_eq!((frame.first, &frame.payload[..]), (kind, &b"up"[..]));
        server.frame(kind, b"down").await;
        let frame = client.next().await.unwrap();
        assert_eq!((frame.first, &frame.payload[..]), (kind, &b"down"[..]));
    }
}

#[tokio::test]
async fn a_message_in_pieces_arrives_whole() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open(&mut stage).await;
    client.frame(0x01, br#"{"op":"list_to"#).await;
    client.frame(PING, b"between").await;
    client.frame(0x00, br#"ols","request_id""#).await;
    client.frame(0x80, b":1}").await;
    assert_eq!(server.next().await.unwrap().first, PING);
    assert_eq!(server.heard().await, r#"{"op":"list_tools","request_id":1}"#);
}

#[tokio::test]
async fn a_frame_of_32_mib_passes_both_ways_and_one_byte_more_does_not() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open(&mut stage).await;
    let most = 32 << 20;
    let call = filled(r#"{"op":"call_tool","request_id":1,"name":"big","arguments":""#, "\"}", most);
    let sending = client.bytes(TEXT, call.as_bytes());
    let ((), frame) = tokio::join!(client.wire.send(sending), server.next());
    assert!(frame.unwrap().payload == call.as_bytes());
    let answer = filled(r#"{"op":"call_tool_res","request_id":1,"outputs":""#, "\"}", most);
    let sending = server.bytes(TEXT, answer.as_bytes());
    let ((), frame) = tokio::join!(server.wire.send(sending), client.next());
    assert!(frame.unwrap().payload == answer.as_bytes());
    let event = stage.event().await;
    assert_eq!((event.bytes_in, event.bytes_out), (Some(most as u64), Some(most as u64)));
    client.wire.send([0x81, 0xff, 0, 0, 0, 0, 2, 0, 0, 1, 1, 2, 3, 4]).await;
    assert_eq!(client.closed().await.0, 1009);
}

fn filled(start: &str, end: &str, length: usize) -> String {
    format!("{start}{}{end}", "x".repeat(length - start.len() - end.len()))
}

#[tokio::test]
async fn a_side_that_says_goodbye_is_answered_and_the_other_hears_it() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open(&mut stage).await;
    client.close(1000).await;
    assert_eq!(server.closed().await.0, 1000);
    assert_eq!(client.closed().await.0, 1000);
    let event = stage.event().await;
    assert_eq!((event.kind.as_ref(), event.outcome.as_str(), event.status), ("close", "ok", Some(1000)));
    assert_eq!((event.client.as_deref(), event.jti.as_deref()), (Some("ann"), Some("jti-ann")));
    for (code, expect) in [(1001, 1001), (4000, 4000), (4003, 1014), (4401, 1014)] {
        let (mut client, mut server) = open(&mut stage).await;
        server.close(code).await;
        assert_eq!(
            client.closed().await.0,
            expect,
            "a server's refusal of the gateway is no refusal of the client"
        );
        assert_eq!(stage.event().await.outcome.as_str(), "ok");
    }
}

#[tokio::test]
async fn a_server_that_dies_ends_the_call_and_the_connection() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open(&mut stage).await;
    client.say(r#"{"op":"call_tool","request_id":1,"name":"a"}"#).await;
    server.heard().await;
    drop(server);
    let (code, reason) = client.closed().await;
    assert_eq!((code, reason.as_str()), (1014, "the server `exai` broke off before it answered"));
    let call = stage.event().await;
    assert_eq!(
        (said(&call), call.reason.as_deref()),
        (("failed", Some("ann"), Some("call_tool"), Some("a")), Some("upstream_broke_off"))
    );
    let end = stage.event().await;
    assert_eq!((end.kind.as_ref(), end.outcome.as_str()), ("close", "failed"));
}

#[tokio::test]
async fn a_client_that_vanishes_is_noted_and_its_server_let_go() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open(&mut stage).await;
    client.say(r#"{"op":"call_tool","request_id":1,"name":"a"}"#).await;
    server.heard().await;
    drop(client);
    assert_eq!(server.closed().await.0, 1001);
    assert_eq!(stage.event().await.outcome.as_str(), "gone");
    let end = stage.event().await;
    assert_eq!((end.kind.as_ref(), end.outcome.as_str()), ("close", "gone"));
}

#[tokio::test]
async fn a_server_that_cannot_be_had_is_said_to_the_client() {
    for (answer, error, reason) in [
        (None, "upstream_broke_off", "upstream_broke_off"),
        (
            Some("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            "upstream_no_websocket",
            "upstream_no_websocket",
        ),
        (
            Some("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"),
            "upstream_refused_credential",
            "upstream_refused_credential",
        ),
        (
            Some("HTTP/1.1 302 Away\r\nLocation: ws://x\r\nContent-Length: 0\r\n\r\n"),
            "upstream_redirected",
            "upstream_redirected",
        ),
        (
            Some(
                "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
            ),
            "upstream_no_websocket",
            "upstream_no_websocket",
        ),
    ] {
        let mut stage = Stage::new().await;
        let ann = stage.bench.ann.clone();
        let mut client = stage.dial().await;
        client.say(&hello(Some(&ann), None)).await;
        let (_, mut wire) = stage.daemon.request().await;
        match answer {
            Some(answer) => wire.send(answer).await,
            None => drop(wire),
        }
        let answer: serde_json::Value = serde_json::from_str(&client.heard().await).unwrap();
        assert_eq!((&answer["ok"], &answer["error"]), (&false.into(), &error.into()));
        assert_eq!(client.closed().await.0, 1014);
        let event = stage.event().await;
        assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("failed", Some(reason)));
        assert_eq!(event.client.as_deref(), Some("ann"));
    }
}

#[tokio::test]
async fn a_server_that_refuses_the_gateway_does_not_refuse_the_client() {
    let mut stage = Stage::new().await;
    let ann = stage.bench.ann.clone();
    let mut client = stage.dial().await;
    client.say(&hello(Some(&ann), None)).await;
    let (_, mut server) = stage.daemon.connection().await;
    server.heard().await;
    server.say(r#"{"op":"hello_ack","ok":false,"error":"unauthorized"}"#).await;
    server.close(4003).await;
    assert_eq!(
        client.heard().await,
        r#"{"error":"upstream_refused_credential","ok":false,"op":"hello_ack"}"#
    );
    let (code, reason) = client.closed().await;
    assert_eq!(
        (code, reason.as_str()),
        (1014, "the server `exai` does not accept the gateway's own credential")
    );
    assert!(!stage.event().await.json_line().contains(DAEMONS));
}

#[tokio::test]
async fn nothing_of_the_request_and_no_credential_reaches_the_server() {
    let mut stage = Stage::new().await;
    stage.grace(Period::Running);
    let ann = stage.bench.ann.clone();
    let spoofed = "Cookie: c=SPOOF\r\nHallpass-Client: SPOOF\r\nHallpass_Client: SPOOF\r\nForwarded: for=SPOOF\r\nX-Forwarded-For: SPOOF\r\nX-Real-IP: SPOOF\r\nProxy-Authorization: SPOOF\r\nUser-Agent: shim/1\r\n";
    for first in [hello(Some(&ann), Some(SHARED)), hello(None, Some(SHARED))] {
        let mut client = stage.dial_with(spoofed).await;
        client.say(&first).await;
        let (head, mut server) = stage.daemon.connection().await;
        assert!(!head.contains("SPOOF") && !head.to_lowercase().contains("authorization"), "{head}");
        assert!(head.starts_with("GET /daemon HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("host: {}\r\n", stage.daemon.address)), "{head}");
        let said = server.heard().await;
        assert!(!said.contains(&ann.text) && !said.contains(SHARED) && !said.contains("vscode"), "{said}");
        server.say(r#"{"op":"hello_ack","ok":true}"#).await;
        client.heard().await;
        assert_eq!(server.next_within(Duration::from_millis(50)).await, None, "nothing more comes by itself");
        assert_eq!(stage.event().await.user_agent.as_deref(), Some("shim/1"));
        drop(client);
        assert_eq!(stage.event().await.kind, "close");
    }
}

#[tokio::test]
async fn a_reader_who_stands_still_holds_up_its_own_stream_and_nobody_elses() {
    let mut stage = Stage::new().await;
    let (mut slow, mut slow_server) = open(&mut stage).await;
    let bob = stage.bench.bob.clone();
    let (mut quick, mut quick_server) = stage.greeted(&hello(Some(&bob), None)).await;
    let piece = slow_server.bytes(TEXT, &vec![b'x'; 1 << 20]);
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_millis(300), slow_server.wire.send(&piece)).await.is_ok() {
        sent += 1;
        assert!(sent < 64, "somewhere it is all being kept");
    }
    // Its own calls still go up.
    slow.say(r#"{"op":"list_tools","request_id":1}"#).await;
    assert_eq!(slow_server.heard().await, r#"{"op":"list_tools","request_id":1}"#);
    for _ in 0..100 {
        quick.say(r#"{"op":"list_tools","request_id":1}"#).await;
        quick_server.heard().await;
        quick_server.say(r#"{"op":"list_tools_res","request_id":1}"#).await;
        quick.heard().await;
    }
}

#[tokio::test]
async fn a_listener_of_its_own_leads_to_its_server_from_every_path() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let plan = Plan { entrances: vec![("exai", listener)], ..Plan::default() };
    let mut stage = Stage::with(plan).await;
    let ann = stage.bench.ann.clone();
    for path in ["/", "/ws", "/c/ann/s/exai/mcp"] {
        let mut client = Socket::open(address, path, "").await;
        client.say(&hello(Some(&ann), None)).await;
        let _server = stage.daemon.greeted().await;
        client.heard().await;
        assert_eq!(stage.event().await.server.as_deref(), Some("exai"), "{path}");
        drop(client);
        assert_eq!(stage.event().await.kind, "close");
    }
    let mut without = Wire::dial(address).await;
    for (request, status) in
        [("GET /healthz", 401), ("GET /.well-known/jwks.json", 401), ("POST /s/docs/mcp", 404)]
    {
        let reply = without.ask(format!("{request} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await;
        assert_eq!(reply.status, status, "{request}");
    }
    // Its name is its own: the gateway's other listener is dialled by another one.
    let other = stage.address();
    let mut wrong = Wire::dial(address).await;
    let reply = wrong.ask(format!("{}\r\n", crate::ws::socket::opening("/", &other.to_string()))).await;
    assert_eq!(reply.status, 421);
    let mut client = Socket::open(other, "/s/exai/mcp", "").await;
    client.frame(CLOSE, &[]).await;
    assert_eq!(soon(client.closed()).await.0, 1000);
}
