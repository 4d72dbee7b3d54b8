//! Sizes, times and floods: what ends a connection, and that nothing of it reaches the server.

use crate::bench::{Plan, Token};
use crate::ws::socket::{BINARY, CLOSE, PING, PONG, Socket, TEXT};
use crate::ws::stage::{Stage, hello};
use std::time::Duration;

async fn open(stage: &mut Stage) -> (Socket, Socket) {
    let ann = stage.bench.ann.clone();
    let ends = stage.greeted(&hello(Some(&ann), None)).await;
    stage.event().await;
    ends
}

/// An MCP connection whose first message has arrived.
async fn open_mcp(stage: &mut Stage) -> (Socket, Socket) {
    let mut client = stage.dial_with(&header(&stage.bench.ann)).await;
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    let (_, mut server) = stage.daemon.connection().await;
    server.heard().await;
    assert_eq!(stage.event().await.status, Some(101));
    assert_eq!(stage.event().await.method.as_deref(), Some("notifications/initialized"));
    (client, server)
}

fn header(token: &Token) -> String {
    format!("Authorization: Bearer {}\r\nSec-WebSocket-Protocol: mcp\r\n", token.text)
}

#[tokio::test]
async fn what_is_no_message_ends_the_connection_and_reaches_nobody() {
    let text = br#"{"op":"list_tools","request_id":1}"#;
    for (name, frames, code, reason) in [
        ("binary", vec![(BINARY, &text[..])], 1003, "binary_frame"),
        ("not UTF-8", vec![(TEXT, b"{\"op\":\"\xff\"}")], 1007, "not_utf8"),
        ("compressed", vec![(0xc1, text)], 1002, "against_the_protocol"),
        ("an opcode that is none", vec![(0x83, text)], 1002, "against_the_protocol"),
        ("an end without a beginning", vec![(0x80, text)], 1002, "against_the_protocol"),
        ("a message within a message", vec![(0x01, b"{"), (TEXT, text)], 1002, "against_the_protocol"),
        ("a ping in pieces", vec![(0x09, b"x")], 1002, "against_the_protocol"),
        ("a large ping", vec![(PING, &[b'x'; 126])], 1002, "against_the_protocol"),
        ("a close that is none", vec![(CLOSE, &[3])], 1002, "against_the_protocol"),
        ("a close with a code of nobody", vec![(CLOSE, &[0, 1])], 1002, "against_the_protocol"),
    ] {
        let mut stage = Stage::new().await;
        let (mut client, mut server) = open(&mut stage).await;
        for (first, payload) in frames {
            client.frame(first, payload).await;
        }
        assert_eq!(client.closed().await.0, code, "{name}");
        assert_eq!(server.closed().await.0, 1000, "{name}: nothing before the last frame");
        let end = stage.event().await;
        assert_eq!(
            (end.kind.as_ref(), end.reason.as_deref(), end.status),
            ("close", Some(reason), Some(code)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_frame_without_a_mask_is_against_the_protocol() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open(&mut stage).await;
    client.wire.send([&[0x81, 18][..], br#"{"op":"list_tools"}"#].concat()).await;
    assert_eq!(client.closed().await.0, 1002);
    assert_eq!(server.closed().await.0, 1000);
}

#[tokio::test]
async fn a_length_that_nobody_sends_takes_no_room() {
    let mut stage = Stage::new().await;
    let (mut client, _server) = open(&mut stage).await;
    client.wire.send([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]).await;
    assert_eq!(client.closed().await.0, 1009);
}

#[tokio::test]
async fn deep_nesting_is_refused_without_being_followed() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open(&mut stage).await;
    let deep = format!(r#"{{"op":"call_tool","request_id":1,"name":"a","arguments":{}"#, "[".repeat(8 << 20));
    client.say(&deep).await;
    assert!(client.heard().await.contains("nested deeper than 64"), "and the connection goes on");
    client.say(r#"{"op":"list_tools"}"#).await;
    assert_eq!(server.heard().await, r#"{"op":"list_tools"}"#);
}

#[tokio::test]
async fn mcp_messages_are_smaller_and_come_in_fewer_pieces() {
    for (name, frames, code) in [
        ("a large frame", vec![(TEXT, vec![b'x'; (1 << 20) + 1])], 1009),
        ("a large message", (0..5).map(|at| (u8::from(at == 0), vec![b'x'; 1 << 20])).collect(), 1009),
        ("many pieces", (0..65).map(|at| (u8::from(at == 0), vec![b'x'])).collect(), 1008),
        ("binary", vec![(BINARY, b"{}".to_vec())], 1003),
    ] {
        let mut stage = Stage::new().await;
        let (mut client, mut server) = open_mcp(&mut stage).await;
        for (first, payload) in frames {
            let bytes = client.bytes(first, &payload);
            client.wire.try_send(bytes).await;
        }
        assert_eq!(client.closed().await.0, code, "{name}");
        assert_eq!(server.closed().await.0, 1000, "{name}");
    }
}

#[tokio::test]
async fn the_largest_mcp_message_passes() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = open_mcp(&mut stage).await;
    let (start, end) = (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":""#, "\"}}");
    let message = format!("{start}{}{end}", "x".repeat((4 << 20) - start.len() - end.len()));
    let pieces: Vec<_> = message.as_bytes().chunks(message.len().div_ceil(64)).collect();
    assert_eq!(pieces.len(), 64);
    for (at, piece) in pieces.iter().enumerate() {
        let first = u8::from(at == 0) | if at == 63 { 0x80 } else { 0 };
        client.frame(first, piece).await;
    }
    assert!(server.heard().await == message);
}

#[tokio::test]
async fn a_flood_of_pings_ends_the_connection() {
    for kind in [PING, PONG] {
        let mut stage = Stage::new().await;
        let (mut client, mut server) = open(&mut stage).await;
        let flood = client.bytes(kind, b"x").repeat(200);
        client.wire.send(flood).await;
        let reading = async {
            let mut pings = 0;
            loop {
                match server.next().await {
                    Some(frame) if frame.first == kind => pings += 1,
                    Some(frame) => break (frame.first, pings),
                    None => panic!("no last frame"),
                }
            }
        };
        let (last, pings) = reading.await;
        assert_eq!((last, pings), (CLOSE, 100));
        assert_eq!(client.closed().await, (1008, "too many pings".into()));
        assert_eq!(stage.event().await.reason.as_deref(), Some("too_many_pings"));
    }
    let stage = Stage::new().await;
    let mut early = stage.dial().await;
    let flood = early.bytes(PING, b"x").repeat(200);
    early.wire.send(flood).await;
    assert_eq!(early.closed().await.0, 1008);
}

#[tokio::test]
async fn who_is_silent_is_asked_and_who_stays_silent_is_let_go() {
    let mut plan = Plan::default();
    plan.limits.sockets.ping_after = Duration::from_millis(50);
    plan.limits.sockets.gone_after = Duration::from_millis(400);
    let mut stage = Stage::with(plan).await;
    let (mut client, mut server) = open(&mut stage).await;
    // Both answer for a while: nobody hears of the other's pings.
    for _ in 0..12 {
        let (asked, asked_too) = tokio::join!(client.next(), server.next());
        let (asked, asked_too) = (asked.unwrap(), asked_too.unwrap());
        assert_eq!((asked.first, asked_too.first), (PING, PING));
        client.frame(PONG, &asked.payload).await;
        server.frame(PONG, &asked_too.payload).await;
    }
    // Then the client's machine is gone without a word.
    let end = loop {
        match server.next().await.expect("a last frame") {
            frame if frame.first == PING => server.frame(PONG, &frame.payload).await,
            frame => break frame,
        }
    };
    assert_eq!((end.first, &end.payload[..]), (CLOSE, &[3, 233][..]));
    let event = stage.event().await;
    assert_eq!((event.kind.as_ref(), event.outcome.as_str()), ("close", "gone"));
}

#[tokio::test]
async fn a_server_that_stays_silent_is_let_go_too() {
    let mut plan = Plan::default();
    plan.limits.sockets.ping_after = Duration::from_millis(50);
    plan.limits.sockets.gone_after = Duration::from_millis(300);
    let mut stage = Stage::with(plan).await;
    let (mut client, _server) = open(&mut stage).await;
    let end = loop {
        match client.next().await.expect("a last frame") {
            frame if frame.first == PING => client.frame(PONG, &frame.payload).await,
            frame => break frame,
        }
    };
    assert_eq!((end.first, &end.payload[..2]), (CLOSE, &1014_u16.to_be_bytes()[..]));
    assert_eq!(stage.event().await.reason.as_deref(), Some("upstream_broke_off"));
}

#[tokio::test]
async fn calls_and_connections_of_one_client_are_counted_together() {
    let mut plan = Plan::default();
    plan.limits.calls_per_client = 3;
    let mut stage = Stage::with(plan).await;
    let ann = stage.bench.ann.clone();
    let (mut client, mut server) = open(&mut stage).await;
    for id in [1, 2] {
        client.say(&format!(r#"{{"op":"call_tool","request_id":{id},"name":"a"}}"#)).await;
        server.heard().await;
    }
    client.say(r#"{"op":"call_tool","request_id":3,"name":"a"}"#).await;
    let refused: serde_json::Value = serde_json::from_str(&client.heard().await).unwrap();
    assert_eq!((&refused["op"], &refused["request_id"]), (&"call_tool_res".into(), &3.into()));
    assert_eq!(refused["error"]["code"], "too_many_in_flight");
    assert_eq!(stage.event().await.reason.as_deref(), Some("too_many_in_flight"));
    let mut second = stage.dial().await;
    second.say(&hello(Some(&ann), None)).await;
    assert!(second.heard().await.contains("too_many_in_flight"));
    assert_eq!(second.closed().await.0, 1013);
    let event = stage.event().await;
    assert_eq!(
        (event.client.as_deref(), event.reason.as_deref()),
        (Some("ann"), Some("too_many_in_flight")),
        "whose connection it was is known"
    );
    assert_eq!(event.origin_line(), None, "her token was good");
    server.say(r#"{"op":"call_tool_res","request_id":1}"#).await;
    client.heard().await;
    client.say(r#"{"op":"call_tool","request_id":4,"name":"a"}"#).await;
    assert!(server.heard().await.contains(":4"));
}

#[tokio::test]
async fn a_call_that_the_log_cannot_take_is_not_made() {
    let mut plan = Plan { event_places: 2, records_by_hand: true, ..Plan::default() };
    plan.limits.log_patience = Duration::from_millis(50);
    let mut stage = Stage::with(plan).await;
    let ann = stage.bench.ann.clone();
    let (mut client, mut server) = stage.greeted(&hello(Some(&ann), None)).await;
    client.say(r#"{"op":"call_tool","request_id":1,"name":"a"}"#).await;
    server.heard().await;
    client.say(r#"{"op":"call_tool","request_id":2,"name":"a"}"#).await;
    assert!(client.heard().await.contains(r#""code":"log_unavailable""#));
    assert_eq!(stage.event().await.method.as_deref(), Some("hello"));
    client.say(r#"{"op":"call_tool","request_id":3,"name":"a"}"#).await;
    assert!(server.heard().await.contains(":3"));
}

#[tokio::test]
async fn who_opens_connections_and_says_nothing_takes_no_place_in_the_log() {
    let mut plan = Plan { event_places: 2, records_by_hand: true, ..Plan::default() };
    plan.limits.log_patience = Duration::from_millis(50);
    let mut stage = Stage::with(plan).await;
    let ann = stage.bench.ann.clone();
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(stage.dial().await);
    }
    let (mut client, mut server) = stage.greeted(&hello(Some(&ann), None)).await;
    client.say(r#"{"op":"call_tool","request_id":1,"name":"a"}"#).await;
    assert!(server.heard().await.contains(":1"));
    assert_eq!(stage.event().await.client.as_deref(), Some("ann"));
    // Each has its record in the end.
    for _ in 0..2 {
        silent.pop();
        let event = stage.event().await;
        assert_eq!((event.outcome.as_str(), event.client), ("gone", None));
    }
}
