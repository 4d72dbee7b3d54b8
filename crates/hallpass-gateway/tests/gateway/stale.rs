//! When nobody can say any more what is in force: everything is refused, and let in again once somebody can.

use crate::bench::{ANSWER, Bench, CALL, Exchange, NOW, Plan, Token, Wire, active, client, soon};
use hallpass_core::UnixTime;
use hallpass_core::snapshot::TokenState;
use hallpass_gateway::Limits;
use std::time::Duration;
use tokio::time::Instant;

const BOUND: Duration = Duration::from_secs(1);

/// A gateway that is stale soon unless it is told otherwise.
async fn bench() -> Bench {
    let limits = Limits { stale_after: BOUND, watch_every: Duration::from_millis(10), ..Limits::default() };
    Bench::with(Plan { limits, ..Plan::default() }).await
}

/// What one of the addresses says that need no token.
async fn open(bench: &Bench, path: &str) -> (u16, String) {
    let reply =
        bench.dial().await.ask(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", bench.host())).await;
    (reply.status, reply.text())
}

async fn is_stale(bench: &Bench) {
    soon(async { while open(bench, "/readyz").await.0 == 200 {} }).await;
}

async fn call(bench: &mut Bench, token: &Token) -> u16 {
    let mut wire = bench.dial().await;
    wire.send(bench.post(token, CALL)).await;
    let exchange = bench.server.request().await;
    exchange.answer_json(ANSWER).await;
    wire.reply().await.status
}

#[tokio::test]
async fn past_the_bound_every_call_is_refused_whatever_it_shows() {
    let mut bench = bench().await;
    let (ann, forged) = (bench.ann.clone(), Token { text: "forged".into(), ..bench.ann.clone() });
    bench.gateway.confirm(Instant::now());
    assert_eq!(call(&mut bench, &ann).await, 200);
    assert_eq!(bench.event().await.outcome.as_str(), "ok");
    is_stale(&bench).await;
    assert!(bench.gateway.is_stale());
    for token in [&ann, &forged] {
        let reply = bench.dial().await.ask(bench.post(token, CALL)).await;
        assert_eq!(reply.status, 503);
        assert!(reply.text().starts_with("{\"error\":\"stale\","), "{}", reply.text());
        let event = bench.event().await;
        assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("refused", Some("stale")));
        assert_eq!(event.client, None, "nobody was verified");
    }
    assert!(bench.server.saw_nothing_more());
    assert_eq!(open(&bench, "/healthz").await, (200, "ok".into()), "the process itself is well");
    assert_eq!(open(&bench, "/.well-known/jwks.json").await.0, 200);
}

async fn stream(bench: &mut Bench, token: &Token) -> (Wire, Exchange) {
    let mut wire = bench.dial().await;
    wire.send(bench.bare("GET", token, "Accept: text/event-stream\r\n")).await;
    let mut exchange = bench.server.request().await;
    exchange.begin_stream().await;
    wire.reply_head().await;
    (wire, exchange)
}

#[tokio::test]
async fn past_the_bound_streams_are_cut_and_waiting_calls_are_answered() {
    let mut bench = bench().await;
    let (ann, bob) = (bench.ann.clone(), bench.bob.clone());
    bench.gateway.confirm(Instant::now());
    let (mut anns, mut anns_server) = stream(&mut bench, &ann).await;
    let mut bobs = bench.dial().await;
    bobs.send(bench.post(&bob, CALL)).await;
    let mut bobs_server = bench.server.request().await;
    assert!(anns.is_over().await, "a proper end was made up");
    assert_eq!(bobs.reply().await.status, 503);
    anns_server.hung_up().await;
    bobs_server.hung_up().await;
    for _ in 0..2 {
        let event = bench.event().await;
        assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("cut", Some("stale")));
    }
}

#[tokio::test]
async fn a_confirmation_lets_in_again_whom_the_newest_snapshot_lets_in() {
    let mut bench = bench().await;
    let (ann, bob) = (bench.ann.clone(), bench.bob.clone());
    is_stale(&bench).await;
    // Meanwhile ann was revoked; that is in force before anybody is let in.
    let revoked = ann.record(TokenState::Revoked { at: UnixTime::from_seconds(NOW) });
    bench.publish([client("ann"), client("bob")], vec![revoked, active(&bob)]);
    assert_eq!(bench.dial().await.ask(bench.post(&bob, CALL)).await.status, 503, "not confirmed yet");
    bench.gateway.confirm(Instant::now());
    assert_eq!(open(&bench, "/readyz").await, (200, "ready".into()));
    assert_eq!(bench.dial().await.ask(bench.post(&ann, CALL)).await.status, 401);
    bench.gateway.confirm(Instant::now());
    assert_eq!(call(&mut bench, &bob).await, 200);
}

/// A look at a store that hangs may find what was so when it began, long ago.
#[tokio::test]
async fn a_confirmation_counts_from_when_it_was_seen() {
    let bench = bench().await;
    let seen_at = Instant::now();
    // By now that look is older than the bound, however long the gateway took to start.
    tokio::time::sleep_until(seen_at + BOUND + Duration::from_millis(10)).await;
    is_stale(&bench).await;
    bench.gateway.confirm(seen_at);
    assert_eq!(open(&bench, "/readyz").await.0, 503);
    bench.gateway.confirm(Instant::now());
    bench.gateway.confirm(seen_at);
    assert_eq!(open(&bench, "/readyz").await.0, 200, "an older one takes nothing back");
}

#[tokio::test]
async fn setting_the_clock_makes_nothing_stale_or_fresh() {
    let limits = Limits { watch_every: Duration::from_millis(10), ..Limits::default() };
    let mut bench = Bench::with(Plan { limits, ..Plan::default() }).await;
    let ann = bench.ann.clone();
    for now in [NOW + 3000, NOW - 50] {
        bench.set_now(now);
        assert_eq!(call(&mut bench, &ann).await, 200);
    }
}
