//! Calls and streams that are ended from here: revoked, expired, out of scope, shutting down.

use crate::bench::{Bench, CALL, Exchange, HOUR, NOW, Plan, Token, Wire, active, client, soon};
use hallpass_core::UnixTime;
use hallpass_core::snapshot::{Client, ServerScope, TokenState};
use std::collections::BTreeSet;
use std::time::Duration;

async fn stream(bench: &mut Bench, token: &Token) -> (Wire, Exchange) {
    let mut wire = bench.dial().await;
    wire.send(bench.bare("GET", token, "Accept: text/event-stream\r\n")).await;
    let mut exchange = bench.server.request().await;
    exchange.begin_stream().await;
    wire.reply_head().await;
    exchange.send_chunk("data: 1\n\n").await;
    assert!(wire.chunk().await.is_some());
    (wire, exchange)
}

fn revoked(token: &Token) -> crate::bench::Record {
    token.record(TokenState::Revoked { at: UnixTime::from_seconds(NOW) })
}

#[tokio::test]
async fn a_revocation_cuts_this_clients_stream_and_no_other() {
    let mut bench = Bench::new().await;
    let (ann, bob) = (bench.ann.clone(), bench.bob.clone());
    let (mut anns, mut anns_server) = stream(&mut bench, &ann).await;
    let (mut bobs, mut bobs_server) = stream(&mut bench, &bob).await;
    bench.publish([client("ann"), client("bob")], vec![revoked(&ann), active(&bob)]);
    assert!(anns.is_over().await, "a proper end was made up");
    anns_server.hung_up().await;
    let event = bench.event().await;
    assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("cut", Some("revoked")));
    assert_eq!((event.client.as_deref(), event.jti.as_deref()), (Some("ann"), Some("jti-ann")));
    let reply = bench.dial().await.ask(bench.post(&ann, CALL)).await;
    assert_eq!(reply.status, 401);
    assert!(
        reply.text().contains("was revoked on 2026-11-23T00:00:00Z: run `hallpass issue ann`"),
        "{}",
        reply.text()
    );
    bobs_server.send_chunk("data: 2\n\n").await;
    assert_eq!(bobs.chunk().await.as_deref(), Some("data: 2\n\n"));
}

#[tokio::test]
async fn a_stream_is_cut_for_every_reason_for_which_a_call_would_be_refused() {
    let others = |bench: &Bench| (vec![active(&bench.ann), active(&bench.bob)], client("bob"));
    let disabled = Client { enabled: false, ..client("ann") };
    let elsewhere = Client { servers: ServerScope::Only(BTreeSet::new()), ..client("ann") };
    let replaced = TokenState::Superseded { until: UnixTime::from_seconds(NOW) };
    for (change, reason) in [
        (disabled, "client_disabled"),
        (elsewhere, "server_not_allowed"),
        (client("carol"), "unknown_token"),
        (client("ann"), "replaced"),
    ] {
        let mut bench = Bench::new().await;
        let ann = bench.ann.clone();
        let (mut wire, mut server) = stream(&mut bench, &ann).await;
        let (mut tokens, bob) = others(&bench);
        if reason == "replaced" {
            tokens[0] = ann.record(replaced);
        }
        bench.publish([change, bob], tokens);
        assert!(wire.is_over().await);
        server.hung_up().await;
        assert_eq!(bench.event().await.reason.as_deref(), Some(reason));
    }
}

#[tokio::test]
async fn a_snapshot_that_changes_nothing_cuts_nothing() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    let (mut wire, mut server) = stream(&mut bench, &ann).await;
    bench.publish([client("ann")], vec![active(&ann)]);
    server.send_chunk("data: 2\n\n").await;
    assert_eq!(wire.chunk().await.as_deref(), Some("data: 2\n\n"));
}

#[tokio::test]
async fn a_call_that_still_waits_for_its_server_is_answered_401() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    let mut wire = bench.dial().await;
    wire.send(bench.post(&ann, CALL)).await;
    let mut exchange = bench.server.request().await;
    bench.publish([client("ann")], vec![revoked(&ann)]);
    let reply = wire.reply().await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("www-authenticate"), ["Bearer error=\"invalid_token\""]);
    exchange.hung_up().await;
    let event = bench.event().await;
    assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("cut", Some("revoked")));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_too() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    let (wire, mut server) = stream(&mut bench, &ann).await;
    let chunk = format!("ea60\r\n{}\r\n", "x".repeat(60_000));
    let mut stuck = false;
    while !stuck {
        stuck = tokio::time::timeout(Duration::from_millis(200), server.send(&chunk)).await.is_err();
    }
    bench.publish([client("ann")], vec![revoked(&ann)]);
    assert_eq!(bench.event().await.reason.as_deref(), Some("revoked"));
    drop(wire);
}

#[tokio::test]
async fn three_hundred_streams_of_one_client_are_cut_at_once() {
    let mut plan = Plan::default();
    plan.limits.calls_per_client = 1000;
    let mut bench = Bench::with(plan).await;
    let ann = bench.ann.clone();
    let mut streams = Vec::new();
    for _ in 0..300 {
        streams.push(stream(&mut bench, &ann).await);
    }
    bench.publish([client("ann")], vec![revoked(&ann)]);
    for (mut wire, _) in streams {
        assert!(wire.is_over().await);
    }
    for _ in 0..300 {
        assert_eq!(bench.event().await.reason.as_deref(), Some("revoked"));
    }
}

#[tokio::test]
async fn a_token_that_runs_out_ends_its_stream() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    let (mut wire, mut server) = stream(&mut bench, &ann).await;
    // One second before the last one that the leeway allows.
    bench.set_now(NOW + 23 * HOUR + 59);
    server.send_chunk("data: 2\n\n").await;
    assert_eq!(wire.chunk().await.as_deref(), Some("data: 2\n\n"));
    bench.set_now(NOW + 23 * HOUR + 60);
    assert!(wire.is_over().await);
    server.hung_up().await;
    let event = bench.event().await;
    assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("cut", Some("expired")));
    let reply = bench.dial().await.ask(bench.post(&ann, CALL)).await;
    assert!(
        reply.text().contains("expired on 2026-11-23T23:00:00Z: run `hallpass issue ann`"),
        "{}",
        reply.text()
    );
}

/// The stream was opened before anybody thought of a newer token.
#[tokio::test]
async fn a_superseded_tokens_stream_ends_when_its_overlap_does() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    let (mut wire, mut server) = stream(&mut bench, &ann).await;
    let superseded = TokenState::Superseded { until: UnixTime::from_seconds(NOW + 60) };
    bench.publish([client("ann")], vec![ann.record(superseded)]);
    bench.set_now(NOW + 59);
    server.send_chunk("data: 2\n\n").await;
    assert_eq!(wire.chunk().await.as_deref(), Some("data: 2\n\n"));
    bench.set_now(NOW + 60);
    assert!(wire.is_over().await);
    server.hung_up().await;
    let event = bench.event().await;
    assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("cut", Some("replaced")));
}

#[tokio::test]
async fn a_revocation_between_the_head_and_the_body_of_a_request_counts() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    let mut wire = bench.dial().await;
    let request = bench.post_with(&ann, "Expect: 100-continue\r\n", CALL);
    let (head, body) = request.split_at(request.len() - CALL.len());
    wire.send(head).await;
    // The gateway asks for the body, so it has judged the head.
    assert!(wire.reply_head().await.starts_with("HTTP/1.1 100 "));
    bench.publish([client("ann")], vec![revoked(&ann)]);
    wire.send(body).await;
    assert_eq!(wire.reply().await.status, 401);
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn a_shutdown_lets_answers_end_and_cuts_what_only_listens() {
    let mut bench = Bench::new().await;
    let (ann, bob) = (bench.ann.clone(), bench.bob.clone());
    let (mut listening, _server) = stream(&mut bench, &ann).await;
    let mut idle = bench.dial().await;
    let mut calling = bench.dial().await;
    calling.send(bench.post(&bob, CALL)).await;
    let exchange = bench.server.request().await;
    let address = bench.gateway.local_addr();
    let Bench { gateway, mut events, .. } = bench;
    let ending = tokio::spawn(gateway.shutdown(Duration::from_mins(1)));
    assert!(listening.is_over().await);
    assert!(idle.is_over().await);
    exchange.answer_json("{}").await;
    assert_eq!(calling.reply().await.text(), "{}");
    soon(ending).await.unwrap();
    let first = events.recv().await.unwrap();
    assert_eq!((first.outcome.as_str(), first.reason.as_deref()), ("cut", Some("shutdown")));
    assert_eq!(events.recv().await.unwrap().outcome.as_str(), "ok");
    assert_eq!(events.recv().await, None, "all threads have let go of the log");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn patience_has_an_end() {
    let mut bench = Bench::new().await;
    let mut calling = bench.dial().await;
    calling.send(bench.post(&bench.ann, CALL)).await;
    let mut exchange = bench.server.request().await;
    exchange.begin_stream().await;
    calling.reply_head().await;
    let mut slow = bench.dial().await;
    slow.send("POST /mcp HTTP/1.1\r\nHo").await;
    let Bench { gateway, mut events, .. } = bench;
    soon(gateway.shutdown(Duration::from_millis(50))).await;
    assert!(calling.is_over().await && slow.is_over().await);
    exchange.hung_up().await;
    assert_eq!(events.recv().await.unwrap().reason.as_deref(), Some("shutdown"));
}

#[tokio::test]
async fn a_gateway_that_is_dropped_serves_nobody() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    let (mut wire, _server) = stream(&mut bench, &ann).await;
    drop(bench);
    assert!(wire.is_over().await);
}
