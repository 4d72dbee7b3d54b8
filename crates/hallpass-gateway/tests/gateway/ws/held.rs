//! A message that answers a call waits for the call's record to be written. Others do not.

use crate::bench::{Plan, soon};
use crate::ruled::policy;
use crate::ws::socket::Socket;
use crate::ws::stage::{PATH, Stage, hello};
use hallpass_gateway::{LogState, Missed, OnFailure};
use std::time::Duration;

/// Nothing comes within this time that had not to wait for something.
const AWHILE: Duration = Duration::from_millis(50);

/// A call in one of the dialects, a message that belongs to it, and its answer.
struct Talk {
    call: &'static str,
    meanwhile: &'static str,
    answer: &'static str,
}

const HELLO: Talk = Talk {
    call: r#"{"op":"call_tool","request_id":"r","name":"a"}"#,
    meanwhile: r#"{"op":"progress","request_id":"r"}"#,
    answer: r#"{"op":"call_tool_res","request_id":"r","outputs":[]}"#,
};
const MCP: Talk = Talk {
    call: r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a"}}"#,
    meanwhile: r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#,
    answer: r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#,
};

async fn stage(written_within: Duration, log: LogState) -> Stage {
    let mut plan = Plan { records_by_hand: true, log, ..Plan::default() };
    plan.limits.written_within = written_within;
    Stage::with(plan).await
}

/// Both ends of a connection in the talk's dialect, on which the call has been made.
async fn called(stage: &mut Stage, talk: &Talk) -> (Socket, Socket) {
    let ann = stage.bench.ann.clone();
    if talk.call == HELLO.call {
        let (mut client, mut server) = stage.greeted(&hello(Some(&ann), None)).await;
        client.say(talk.call).await;
        assert_eq!(server.heard().await, talk.call);
        assert_eq!(stage.event().await.method.as_deref(), Some("hello"));
        return (client, server);
    }
    let bearer = format!("Sec-WebSocket-Protocol: mcp\r\nAuthorization: Bearer {}\r\n", ann.text);
    let mut client = Socket::open(stage.address(), PATH, &bearer).await;
    client.say(talk.call).await;
    let (_, mut server) = stage.daemon.connection().await;
    assert_eq!(server.heard().await, talk.call);
    stage.event().await;
    (client, server)
}

#[tokio::test]
async fn an_answer_waits_and_what_is_no_answer_passes() {
    for talk in [HELLO, MCP] {
        let mut stage = stage(Duration::from_secs(10), LogState::default()).await;
        let (mut client, mut server) = called(&mut stage, &talk).await;
        server.say(talk.meanwhile).await;
        assert_eq!(client.heard().await, talk.meanwhile);
        server.say(talk.answer).await;
        let entry = stage.bench.entry().await;
        assert_eq!(entry.event.outcome.as_str(), "ok");
        assert!(client.next_within(AWHILE).await.is_none(), "{}", talk.call);
        entry.written();
        assert_eq!(client.heard().await, talk.answer);
    }
}

#[tokio::test]
async fn an_answer_whose_record_is_never_written_is_not_sent() {
    for (talk, gives_up) in [(HELLO, true), (HELLO, false), (MCP, true), (MCP, false)] {
        let mut stage = stage(AWHILE, LogState::default()).await;
        let (mut client, mut server) = called(&mut stage, &talk).await;
        server.say(talk.answer).await;
        let entry = stage.bench.entry().await;
        let kept = if gives_up { None } else { Some(entry) };
        let (code, reason) = client.closed().await;
        assert_eq!((code, reason.starts_with("the call was made")), (1013, true), "{reason}");
        let end = stage.event().await;
        assert_eq!((end.kind.as_ref(), end.reason.as_deref()), ("close", Some("not_recorded")));
        drop(kept);
    }
}

#[tokio::test]
async fn an_answer_that_its_caller_may_no_longer_have_does_not_come_once_it_is_written() {
    let mut stage = stage(Duration::from_secs(10), LogState::default()).await;
    let (mut client_end, mut server) = called(&mut stage, &HELLO).await;
    server.say(HELLO.answer).await;
    let entry = stage.bench.entry().await;
    stage.bench.put_ann_under(&policy(r#"{"default":"deny"}"#));
    entry.written();
    assert_eq!(client_end.closed().await.0, 4003);
}

#[tokio::test]
async fn a_gateway_that_stops_waits_for_an_answer_that_waits() {
    let mut stage = stage(Duration::from_secs(10), LogState::default()).await;
    let (mut client, mut server) = called(&mut stage, &HELLO).await;
    server.say(HELLO.answer).await;
    let entry = stage.bench.entry().await;
    let stopping = tokio::spawn(stage.bench.gateway.shutdown(Duration::from_secs(10)));
    assert!(client.next_within(AWHILE).await.is_none());
    entry.written();
    assert_eq!(client.heard().await, HELLO.answer);
    assert_eq!(client.closed().await.0, 1001);
    soon(stopping).await.unwrap();
}

#[tokio::test]
async fn calls_on_an_open_connection_are_refused_or_counted_while_the_log_takes_nothing() {
    let log = LogState::new(OnFailure::Refuse);
    let mut stage_ = stage(Duration::from_secs(10), log.clone()).await;
    let (mut client, _server) = called(&mut stage_, &HELLO).await;
    log.fails();
    client.say(HELLO.call).await;
    assert!(client.heard().await.contains(r#""code":"log_unavailable""#));
    assert_eq!(log.take_missed(), Missed { unrecorded: 0, refused: 1 });

    let log = LogState::new(OnFailure::Count);
    let mut stage_ = stage(Duration::from_secs(10), log.clone()).await;
    let (mut client, mut server) = called(&mut stage_, &HELLO).await;
    log.fails();
    server.say(HELLO.answer).await;
    assert_eq!(client.heard().await, HELLO.answer);
    client.say(HELLO.call).await;
    assert_eq!(server.heard().await, HELLO.call);
}
