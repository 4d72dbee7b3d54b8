//! One event for each request, whatever happens to it.

use crate::bench::{ANSWER, Bench, CALL, Plan, soon};
use hallpass_gateway::Limits;
use std::time::Duration;

#[tokio::test]
async fn a_call_is_recorded_with_all_its_fields() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, CALL)).await;
    bench.server.request().await.answer_json(ANSWER).await;
    let [id] = wire.reply().await.header("hallpass-request-id").try_into().unwrap();
    assert!(id.starts_with("run1-"), "{id}");
    let event = bench.event().await;
    assert_eq!((event.kind.as_ref(), event.outcome.as_str()), ("call", "ok"));
    assert_eq!(event.at_ms, crate::bench::NOW * 1000);
    assert_eq!((event.client.as_deref(), event.jti.as_deref()), (Some("ann"), Some("jti-ann")));
    assert_eq!((event.server.as_deref(), event.method.as_deref()), (Some("docs"), Some("tools/call")));
    assert_eq!((event.tool.as_deref(), event.reason), (Some("echo"), None));
    assert_eq!(event.status, Some(200));
    assert_eq!(event.bytes_in, Some(CALL.len() as u64));
    assert_eq!(event.bytes_out, Some(ANSWER.len() as u64));
    assert!(event.duration_us.is_some_and(|micros| micros > 0));
    assert!(event.address.is_some_and(|address| address.starts_with("127.0.0.1:")));
    assert_eq!(event.request_id, Some(id));
}

#[tokio::test]
async fn what_the_answer_says_is_the_outcome() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    let stream = |events: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {}\r\n\r\n{events}",
            events.len()
        )
    };
    let json = |status: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for (answer, outcome) in [
        (json("200 OK", ANSWER), "ok"),
        (json("200 OK", r#"{"id":7,"error":{"code":-32601}}"#), "error"),
        (json("200 OK", r#"{"id":7,"result":{"isError":true,"content":[]}}"#), "error"),
        (json("200 OK", r#"{"id":7,"result":{"isError":false,"text":"\"error\""}}"#), "ok"),
        (json("404 Not Found", r#"{"id":7,"result":{}}"#), "error"),
        (json("503 Later", ""), "error"),
        (stream("data: {\"id\":8,\"error\":{}}\n\ndata: {\"id\":7,\"result\":{}}\n\n"), "ok"),
        (stream("data: {\"method\":\"x\"}\n\ndata: {\"id\":7,\"error\":{}}\n\n"), "error"),
    ] {
        wire.send(bench.post(&bench.ann, CALL)).await;
        bench.server.request().await.answer(&answer).await;
        wire.reply().await;
        assert_eq!(bench.event().await.outcome.as_str(), outcome, "{answer}");
    }
}

#[tokio::test]
async fn a_callers_long_texts_are_cut_and_refusals_are_recorded() {
    let mut bench = Bench::new().await;
    let long = "\u{e9}".repeat(5000);
    let body = format!(r#"{{"id":1,"method":"tools/call","params":{{"name":"{long}"}}}}"#);
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, &body)).await;
    bench.server.request().await.answer_json("{}").await;
    wire.reply().await;
    assert_eq!(bench.event().await.tool.unwrap().chars().count(), 128);
    let reply = bench.dial().await.ask(bench.bare(&"M".repeat(3000), &bench.ann, "")).await;
    assert_eq!(reply.status, 405);
    let event = bench.event().await;
    assert_eq!(event.method.unwrap().len(), 128);
    assert_eq!(event.reason.as_deref(), Some("method_not_allowed"));
    assert_eq!((event.client.as_deref(), event.server.as_deref()), (Some("ann"), Some("docs")));
}

#[tokio::test]
async fn a_call_that_the_log_cannot_take_is_not_made() {
    let limits = Limits { log_patience: Duration::from_millis(50), ..Limits::default() };
    let mut bench = Bench::with(Plan { limits, event_places: 1, ..Plan::default() }).await;
    let mut first = bench.dial().await;
    first.send(bench.post(&bench.ann, CALL)).await;
    let exchange = bench.server.request().await;
    let reply = bench.dial().await.ask(bench.post(&bench.ann, CALL)).await;
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("log_unavailable"));
    assert!(bench.server.saw_nothing_more());
    // The place that was taken at the start is still there at the end.
    exchange.answer_json(ANSWER).await;
    assert_eq!(first.reply().await.status, 200);
    assert_eq!(bench.event().await.outcome.as_str(), "ok");
    let mut again = bench.dial().await;
    again.send(bench.post(&bench.ann, CALL)).await;
    bench.server.request().await.answer_json(ANSWER).await;
    assert_eq!(again.reply().await.status, 200);
}

#[tokio::test]
async fn a_call_waits_for_the_log_to_have_room() {
    let mut bench = Bench::with(Plan { event_places: 1, ..Plan::default() }).await;
    let mut first = bench.dial().await;
    first.send(bench.post(&bench.ann, CALL)).await;
    let exchange = bench.server.request().await;
    let mut second = bench.dial().await;
    second.send(bench.post(&bench.bob, CALL)).await;
    exchange.answer_json(ANSWER).await;
    assert_eq!(bench.event().await.client.as_deref(), Some("ann"));
    bench.server.request().await.answer_json(ANSWER).await;
    assert_eq!(second.reply().await.status, 200);
}

#[tokio::test]
async fn a_panic_fails_its_request_and_nothing_else() {
    // Nobody else looks at the clock meanwhile.
    let limits = Limits { watch_every: Duration::from_hours(1), ..Limits::default() };
    let mut bench = Bench::with(Plan { limits, ..Plan::default() }).await;
    let mut open = bench.dial().await;
    open.send(bench.bare("GET", &bench.bob, "")).await;
    let mut exchange = bench.server.request().await;
    exchange.begin_stream().await;
    open.reply_head().await;
    for looks in [0, 1] {
        bench.break_clock_after(looks);
        let reply = bench.dial().await.ask(bench.post(&bench.ann, CALL)).await;
        assert_eq!(reply.status, 500);
        assert!(!reply.text().contains("clock"), "{}", reply.text());
    }
    let event = bench.event().await;
    assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("refused", Some("internal")));
    assert_eq!(event.status, Some(500));
    assert!(bench.server.saw_nothing_more());
    bench.set_now(crate::bench::NOW);
    exchange.send_chunk("data: 1\n\n").await;
    assert_eq!(soon(open.chunk()).await.as_deref(), Some("data: 1\n\n"));
    let mut after = bench.dial().await;
    after.send(bench.post(&bench.ann, CALL)).await;
    bench.server.request().await.answer_json(ANSWER).await;
    assert_eq!(after.reply().await.status, 200);
}
