//! Connections that are ended from here: revoked, expired, the end of a grace period, stale, shutting down.

use crate::bench::{HOUR, NOW, Plan, Token, active, client, soon};
use crate::ws::socket::Socket;
use crate::ws::stage::{PATH, Period, SHARED, Stage, hello};
use hallpass_core::snapshot::{Client, ServerScope, TokenState};
use hallpass_core::{Event, UnixTime};
use std::time::{Duration, Instant};

fn revoked(token: &Token) -> crate::bench::Record {
    token.record(TokenState::Revoked { at: UnixTime::from_seconds(NOW) })
}

/// The next record that is none of an opening.
async fn next_end(stage: &mut Stage) -> Event {
    loop {
        let event = stage.event().await;
        if event.kind == "close" || event.outcome.as_str() != "ok" {
            return event;
        }
    }
}

#[tokio::test]
async fn a_revocation_closes_this_clients_connection_at_once_and_no_other() {
    let mut stage = Stage::new().await;
    let (ann, bob) = (stage.bench.ann.clone(), stage.bench.bob.clone());
    let (mut anns, mut anns_server) = stage.greeted(&hello(Some(&ann), None)).await;
    let (mut bobs, mut bobs_server) = stage.greeted(&hello(Some(&bob), None)).await;
    anns.say(r#"{"op":"call_tool","request_id":1,"name":"slow"}"#).await;
    anns_server.heard().await;
    let began = now();
    stage.publish(Period::Never, [client("ann"), client("bob")], vec![revoked(&ann), active(&bob)]);
    let (code, reason) = anns.closed().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(code, 4003);
    assert_eq!(reason, "this token was revoked on 2026-11-23T00:00:00Z: run `hallpass issue ann`");
    assert_eq!(anns_server.closed().await.0, 1000);
    let call = next_end(&mut stage).await;
    assert_eq!((call.outcome.as_str(), call.reason.as_deref()), ("cut", Some("revoked")));
    assert_eq!((call.tool.as_deref(), call.client.as_deref()), (Some("slow"), Some("ann")));
    let end = next_end(&mut stage).await;
    assert_eq!((end.kind.as_ref(), end.outcome.as_str(), end.status), ("close", "cut", Some(4003)));
    assert_eq!((end.client.as_deref(), end.reason.as_deref()), (Some("ann"), Some("revoked")));
    bobs.say(r#"{"op":"list_tools","request_id":1}"#).await;
    assert_eq!(bobs_server.heard().await, r#"{"op":"list_tools","request_id":1}"#);
    bobs_server.say("still here").await;
    assert_eq!(bobs.heard().await, "still here");
}

#[tokio::test]
async fn a_connection_is_closed_for_every_reason_for_which_it_would_not_be_opened() {
    let disabled = Client { enabled: false, ..client("ann") };
    let elsewhere = Client { servers: ServerScope::Only([].into()), ..client("ann") };
    for (change, reason) in
        [(disabled, "client_disabled"), (elsewhere, "server_not_allowed"), (client("carol"), "unknown_token")]
    {
        let mut stage = Stage::new().await;
        let ann = stage.bench.ann.clone();
        let (mut wire, mut server) = stage.greeted(&hello(Some(&ann), None)).await;
        stage.publish(Period::Never, [change], vec![active(&ann)]);
        assert_eq!(wire.closed().await.0, 4003);
        server.closed().await;
        assert_eq!(next_end(&mut stage).await.reason.as_deref(), Some(reason));
    }
}

#[tokio::test]
async fn a_revocation_closes_a_connection_on_which_nothing_was_said_yet() {
    let mut stage = Stage::new().await;
    let (ann, bob) = (stage.bench.ann.clone(), stage.bench.bob.clone());
    let shown = format!("Authorization: Bearer {}\r\n", ann.text);
    let mut for_hello = stage.dial_with(&shown).await;
    let mut for_mcp = stage.dial_with(&format!("{shown}Sec-WebSocket-Protocol: mcp\r\n")).await;
    let began = now();
    stage.publish(Period::Never, [client("ann"), client("bob")], vec![revoked(&ann), active(&bob)]);
    assert_eq!(for_hello.closed().await.0, 4003);
    assert_eq!(for_mcp.closed().await.0, 4401);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    for _ in 0..2 {
        let event = stage.event().await;
        assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("cut", Some("revoked")));
    }
    assert!(stage.daemon.saw_nobody());
}

#[tokio::test]
async fn an_mcp_connection_is_closed_with_that_dialects_codes() {
    let elsewhere = Client { servers: ServerScope::Only([].into()), ..client("ann") };
    for (change, revoke, code) in [(client("ann"), true, 4401), (elsewhere, false, 4403)] {
        let mut stage = Stage::new().await;
        let ann = stage.bench.ann.clone();
        let mut wire = stage.dial_with(&format!("Authorization: Bearer {}\r\n", ann.text)).await;
        wire.say(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await;
        let (_, mut server) = stage.daemon.connection().await;
        server.heard().await;
        stage.publish(Period::Never, [change], vec![if revoke { revoked(&ann) } else { active(&ann) }]);
        assert_eq!(wire.closed().await.0, code);
    }
}

#[tokio::test]
async fn the_end_of_the_grace_period_closes_legacy_connections_and_no_others() {
    let mut stage = Stage::new().await;
    stage.grace(Period::Running);
    let ann = stage.bench.ann.clone();
    let (mut legacy, mut legacy_server) = stage.greeted(&hello(None, Some(SHARED))).await;
    let (mut anns, mut anns_server) = stage.greeted(&hello(Some(&ann), Some(SHARED))).await;
    stage.grace(Period::Over);
    let (code, reason) = legacy.closed().await;
    assert_eq!(code, 4003);
    assert!(reason.starts_with("the shared secret is no longer accepted since 2026-"), "{reason}");
    legacy_server.closed().await;
    let end = next_end(&mut stage).await;
    assert_eq!((end.legacy, end.client.as_deref(), end.reason.as_deref()), (true, None, Some("grace_over")));
    anns_server.say("still here").await;
    assert_eq!(anns.heard().await, "still here");
}

#[tokio::test]
async fn a_grace_period_that_runs_out_by_the_clock_closes_them_too() {
    let mut stage = Stage::new().await;
    stage.grace(Period::Running);
    let (mut legacy, _server) = stage.greeted(&hello(None, Some(SHARED))).await;
    stage.bench.set_now(NOW + 999);
    legacy.say(r#"{"op":"ping"}"#).await;
    stage.bench.set_now(NOW + 1000);
    assert_eq!(legacy.closed().await.0, 4003);
    // Back again: the highest time that was seen counts.
    stage.bench.set_now(NOW);
    let mut late = stage.dial().await;
    late.say(&hello(None, Some(SHARED))).await;
    assert!(late.heard().await.contains("jwt_required"));
}

#[tokio::test]
async fn a_token_that_runs_out_closes_its_connection() {
    let mut stage = Stage::new().await;
    let ann = stage.bench.ann.clone();
    let (mut wire, mut server) = stage.greeted(&hello(Some(&ann), None)).await;
    stage.bench.set_now(NOW + 23 * HOUR + 59);
    server.say("still here").await;
    assert_eq!(wire.heard().await, "still here");
    stage.bench.set_now(NOW + 23 * HOUR + 60);
    let (code, reason) = wire.closed().await;
    assert_eq!(
        (code, reason.as_str()),
        (4003, "this token expired on 2026-11-23T23:00:00Z: run `hallpass issue ann`")
    );
}

#[tokio::test]
async fn a_message_is_judged_by_what_is_in_force_when_it_comes() {
    let mut plan = Plan::default();
    // Nobody looks by the clock: only the message itself finds out.
    plan.limits.watch_every = Duration::from_hours(1);
    let mut stage = Stage::with(plan).await;
    let ann = stage.bench.ann.clone();
    let (mut wire, mut server) = stage.greeted(&hello(Some(&ann), None)).await;
    stage.bench.set_now(NOW + 24 * HOUR);
    wire.say(r#"{"op":"call_tool","request_id":1,"name":"a"}"#).await;
    assert_eq!(wire.closed().await.0, 4003);
    assert_eq!(server.closed().await.0, 1000, "and nothing before it");
    let call = next_end(&mut stage).await;
    assert_eq!((call.outcome.as_str(), call.reason.as_deref()), ("refused", Some("expired")));
}

#[tokio::test]
async fn what_is_in_force_being_unknown_closes_every_connection() {
    let mut plan = Plan::default();
    plan.limits.stale_after = Duration::from_millis(200);
    let mut stage = Stage::with(plan).await;
    let ann = stage.bench.ann.clone();
    let (mut wire, _server) = stage.greeted(&hello(Some(&ann), None)).await;
    let (code, reason) = wire.closed().await;
    assert_eq!(code, 1013);
    assert!(reason.contains("could not be read for too long"), "{reason}");
    let refused = Socket::try_open(stage.address(), PATH, "").await.err().unwrap();
    assert_eq!(refused.status, 503);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_too() {
    let mut stage = Stage::new().await;
    let ann = stage.bench.ann.clone();
    let (wire, mut server) = stage.greeted(&hello(Some(&ann), None)).await;
    let piece = server.bytes(0x81, &vec![b'x'; 1 << 20]);
    while tokio::time::timeout(Duration::from_millis(200), server.wire.send(&piece)).await.is_ok() {}
    let began = now();
    stage.publish(Period::Never, [client("ann")], vec![revoked(&ann)]);
    assert_eq!(next_end(&mut stage).await.reason.as_deref(), Some("revoked"));
    soon(server.wire.rest()).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop(wire);
}

#[tokio::test]
async fn a_revocation_while_the_server_is_dialled_counts() {
    let mut stage = Stage::new().await;
    let ann = stage.bench.ann.clone();
    let mut wire = stage.dial().await;
    wire.say(&hello(Some(&ann), None)).await;
    let (_, mut server) = stage.daemon.connection().await;
    server.heard().await;
    stage.publish(Period::Never, [client("ann")], vec![revoked(&ann)]);
    assert_eq!(wire.closed().await.0, 4003);
    let event = next_end(&mut stage).await;
    assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("cut", Some("revoked")));
}

#[tokio::test]
async fn a_shutdown_lets_calls_be_answered_and_begins_none() {
    let mut stage = Stage::new().await;
    let (ann, bob) = (stage.bench.ann.clone(), stage.bench.bob.clone());
    let (mut calling, mut calling_server) = stage.greeted(&hello(Some(&ann), None)).await;
    let (mut idle, _idle_server) = stage.greeted(&hello(Some(&bob), None)).await;
    let mut early = stage.dial().await;
    calling.say(r#"{"op":"call_tool","request_id":1,"name":"a"}"#).await;
    calling_server.heard().await;
    let Stage { bench, .. } = stage;
    let ending = tokio::spawn(bench.gateway.shutdown(Duration::from_mins(1)));
    assert_eq!(idle.closed().await, (1001, "the gateway is stopping".into()));
    assert_eq!(early.closed().await.0, 1001);
    calling.say(r#"{"op":"call_tool","request_id":2,"name":"late"}"#).await;
    assert_eq!(calling_server.next_within(Duration::from_millis(50)).await, None);
    calling_server.say(r#"{"op":"call_tool_res","request_id":1}"#).await;
    assert_eq!(calling.heard().await, r#"{"op":"call_tool_res","request_id":1}"#);
    assert_eq!(calling.closed().await.0, 1001);
    soon(ending).await.unwrap();
}

#[tokio::test]
async fn patience_with_calls_has_an_end() {
    let mut stage = Stage::new().await;
    let ann = stage.bench.ann.clone();
    let (mut calling, mut calling_server) = stage.greeted(&hello(Some(&ann), None)).await;
    calling.say(r#"{"op":"call_tool","request_id":1,"name":"a"}"#).await;
    calling_server.heard().await;
    let Stage { bench, .. } = stage;
    let mut events = bench.events;
    soon(bench.gateway.shutdown(Duration::from_millis(50))).await;
    assert_eq!(calling.closed().await.0, 1001);
    let mut reasons = Vec::new();
    while let Some(event) = events.recv().await {
        reasons.push((event.method.unwrap_or_default(), event.reason.unwrap_or_default()));
    }
    let expect = [("hello", ""), ("call_tool", "shutdown"), ("", "shutdown")];
    assert_eq!(reasons, expect.map(|(method, reason)| (method.to_owned(), reason.to_owned())));
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long a cut takes is what is promised")]
    Instant::now()
}
