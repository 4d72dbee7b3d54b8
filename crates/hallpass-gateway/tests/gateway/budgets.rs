//! Rates, bursts and calls in flight.

use crate::bench::{ANSWER, Bench, CALL, Exchange, Token, Wire, active, client};
use crate::ruled::{call, policy};
use hallpass_core::snapshot::Client;
use std::sync::Arc;

/// How many of `calls` calls, one after the other, reach the server.
async fn let_through(bench: &mut Bench, token: &Token, calls: usize) -> usize {
    let mut through = 0;
    for _ in 0..calls {
        through += usize::from(bench.ask(token, CALL).await.status == 200);
    }
    through
}

async fn under_way(bench: &mut Bench, token: &Token, body: &str) -> (Wire, Exchange) {
    let mut wire = bench.dial().await;
    wire.send(bench.post(token, body)).await;
    (wire, bench.server.request().await)
}

#[tokio::test]
async fn a_burst_passes_and_what_is_too_fast_is_told_when_to_come_back() {
    let mut bench = Bench::new().await;
    let (ann, bob) = (bench.ann.clone(), bench.bob.clone());
    bench.put_ann_under(&policy(r#"{"rate":"60/h","burst":3}"#));
    assert_eq!(let_through(&mut bench, &ann, 3).await, 3);
    let reply = bench.ask(&ann, CALL).await;
    assert_eq!(reply.status, 429);
    let [seconds] = reply.header("retry-after").try_into().unwrap();
    assert!((50..=60).contains(&seconds.parse::<u32>().unwrap()), "{seconds}");
    assert!(
        reply
            .text()
            .contains(&format!("\"error_description\":\"too many calls a time: try again in {seconds} s\""))
    );
    for _ in 0..3 {
        assert_eq!(bench.event().await.outcome.as_str(), "ok");
    }
    let event = bench.event().await;
    assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("refused", Some("too_fast")));
    assert_eq!(event.client.as_deref(), Some("ann"));
    assert_eq!(let_through(&mut bench, &bob, 10).await, 10, "another client has nothing to do with it");
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn two_clients_under_one_policy_have_a_budget_each() {
    let mut bench = Bench::new().await;
    let (ann, bob) = (bench.ann.clone(), bench.bob.clone());
    let two = policy(r#"{"rate":"2/h"}"#);
    let under = |name| Client { policy: Some(Arc::clone(&two)), ..client(name) };
    bench.publish([under("ann"), under("bob")], [&ann, &bob].map(active).into());
    assert_eq!(let_through(&mut bench, &ann, 5).await, 2);
    assert_eq!(let_through(&mut bench, &bob, 5).await, 2);
}

#[tokio::test]
async fn who_shares_the_secret_shares_the_budget_whichever_path_is_dialled() {
    let mut bench = Bench::new().await;
    let (legacy, ann) = (bench.legacy(), bench.ann.clone());
    bench.put_legacy_under(&policy(r#"{"rate":"2/h"}"#));
    assert_eq!(let_through(&mut bench, &legacy, 2).await, 2);
    for path in ["/s/docs/", "/c/ann/s/docs/", "/c/bob/s/docs/"] {
        let request = bench.post(&legacy, CALL).replace("/s/docs/", path);
        assert_eq!(bench.dial().await.ask(request).await.status, 429, "{path}");
    }
    assert_eq!(let_through(&mut bench, &ann, 5).await, 5);
}

#[tokio::test]
async fn nothing_refused_spends_and_only_what_asks_for_something_counts() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    bench.put_ann_under(&policy(r#"{"rules":["deny docs/delete"],"rate":"2/h"}"#));
    for _ in 0..5 {
        assert_eq!(bench.ask(&ann, &call("delete")).await.status, 403);
        let session = "Mcp-Session-Id: none\r\n";
        assert_eq!(bench.dial().await.ask(bench.post_with(&ann, session, CALL)).await.status, 404);
    }
    for free in [
        r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}"#,
    ] {
        for _ in 0..3 {
            assert_eq!(bench.ask(&ann, free).await.status, 200, "{free}");
        }
    }
    for method in ["GET", "DELETE"] {
        let mut wire = bench.dial().await;
        wire.send(bench.bare(method, &ann, "")).await;
        bench.server.request().await.answer_json("{}").await;
        assert_eq!(wire.reply().await.status, 200);
    }
    // A call that asks for no answer is a call.
    let unanswered = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}"#;
    assert_eq!(bench.ask(&ann, unanswered).await.status, 200);
    assert_eq!(bench.ask(&ann, r#"{"jsonrpc":"2.0","id":1,"method":"notifications/x"}"#).await.status, 200);
    assert_eq!(bench.ask(&ann, unanswered).await.status, 429);
}

#[tokio::test]
async fn a_new_snapshot_hands_out_no_fresh_burst() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    let (two, three) = (policy(r#"{"rate":"2/h"}"#), policy(r#"{"rate":"3/h"}"#));
    bench.put_ann_under(&two);
    assert_eq!(let_through(&mut bench, &ann, 5).await, 2);
    bench.put_ann_under(&two);
    assert_eq!(let_through(&mut bench, &ann, 5).await, 0, "the same policy");
    bench.put_ann_under(&three);
    assert_eq!(let_through(&mut bench, &ann, 5).await, 1, "another policy that allows one more");
    for again in [&three, &two, &two] {
        bench.publish([client("ann"), client("bob")], [&bench.ann, &bench.bob].map(active).into());
        bench.put_ann_under(again);
        assert_eq!(let_through(&mut bench, &ann, 2).await, 0, "taken away and given back");
    }
}

#[tokio::test]
async fn room_comes_back_with_time() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    bench.put_ann_under(&policy(r#"{"rate":"10/s","burst":1}"#));
    let started = tokio::time::Instant::now();
    let mut refused = 0;
    for _ in 0..3 {
        while bench.ask(&ann, CALL).await.status == 429 {
            refused += 1;
        }
    }
    assert!(refused > 0);
    assert!(started.elapsed() >= std::time::Duration::from_millis(200), "three calls at ten a second");
}

#[tokio::test]
async fn so_many_calls_wait_for_answers_at_once_and_streams_take_no_place() {
    let mut bench = Bench::new().await;
    let (ann, bob) = (bench.ann.clone(), bench.bob.clone());
    bench.put_ann_under(&policy(r#"{"in_flight":2,"rate":"4/h"}"#));
    let mut listening = Vec::new();
    for _ in 0..3 {
        let mut wire = bench.dial().await;
        wire.send(bench.bare("GET", &ann, "")).await;
        let mut exchange = bench.server.request().await;
        exchange.begin_stream().await;
        wire.reply_head().await;
        listening.push((wire, exchange));
    }
    let (mut one, first) = under_way(&mut bench, &ann, CALL).await;
    let _two = under_way(&mut bench, &ann, CALL).await;
    for _ in 0..4 {
        let reply = bench.ask(&ann, CALL).await;
        assert_eq!(reply.status, 429);
        assert!(reply.text().contains("too_many_requests"), "{}", reply.text());
        assert_eq!(bench.verdict().await, ("refused".into(), Some("too_many_in_flight".into())));
    }
    assert_eq!(bench.ask(&bob, CALL).await.status, 200);
    bench.event().await;
    first.answer_json(ANSWER).await;
    assert_eq!(one.reply().await.status, 200);
    // The place is free when the answer has ended, which its event says.
    bench.event().await;
    assert_eq!(bench.ask(&ann, CALL).await.status, 200, "what was refused has spent nothing");
    bench.event().await;
    assert_eq!(bench.ask(&ann, CALL).await.status, 200);
    bench.event().await;
    assert_eq!(bench.ask(&ann, CALL).await.status, 429);
    assert_eq!(bench.verdict().await, ("refused".into(), Some("too_fast".into())));
}

#[tokio::test]
async fn a_policy_that_only_watches_says_what_would_have_been_too_much() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    bench
        .put_ann_under(&policy(r#"{"rules":["deny docs/delete"],"rate":"2/h","in_flight":1,"shadow":true}"#));
    let (mut wire, exchange) = under_way(&mut bench, &ann, CALL).await;
    let mut would_be = Vec::new();
    for tool in ["echo", "delete"] {
        assert_eq!(bench.ask(&ann, &call(tool)).await.status, 200);
        would_be.push(bench.event().await.would_reason);
    }
    exchange.answer_json(ANSWER).await;
    wire.reply().await;
    would_be.push(bench.event().await.would_reason);
    for _ in 0..2 {
        assert_eq!(bench.ask(&ann, CALL).await.status, 200);
        would_be.push(bench.event().await.would_reason);
    }
    let would_be: Vec<_> = would_be.iter().map(Option::as_deref).collect();
    assert_eq!(
        would_be,
        [Some("too_many_in_flight"), Some("policy_denied"), None, None, Some("too_fast")],
        "what would have been refused has spent nothing"
    );
}
