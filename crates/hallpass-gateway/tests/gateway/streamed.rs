//! Event streams and disconnects, in both directions.

use crate::bench::{Bench, CALL, Plan};
use hallpass_gateway::Limits;
use std::time::Duration;

#[tokio::test]
async fn each_event_passes_while_the_server_holds_back_the_next() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, CALL)).await;
    let mut exchange = bench.server.request().await;
    exchange.begin_stream().await;
    let head = wire.reply_head().await;
    assert!(head.contains("text/event-stream") && head.contains("x-accel-buffering: no"), "{head}");
    let events = [
        ": comment\r\n\r\n",
        "event: message\nid: 5\nretry: 10\ndata: {\"method\":\"notifications/progress\"}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n",
    ];
    for event in events {
        exchange.send_chunk(event).await;
        assert_eq!(wire.chunk().await.as_deref(), Some(event));
    }
    exchange.answer("0\r\n\r\n").await;
    assert_eq!(wire.chunk().await, None);
    let event = bench.event().await;
    assert_eq!((event.outcome.as_str(), event.status), ("ok", Some(200)));
    assert_eq!(event.bytes_out, Some(events.concat().len() as u64));
}

#[tokio::test]
async fn a_get_is_a_stream_that_outlives_calls() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    wire.send(bench.bare("GET", &bench.ann, "Accept: text/event-stream\r\nLast-Event-ID: 4\r\n")).await;
    let mut exchange = bench.server.request().await;
    assert!(exchange.head.starts_with("GET /upstream/mcp "));
    assert_eq!(exchange.header("last-event-id"), ["4"]);
    exchange.begin_stream().await;
    wire.reply_head().await;
    exchange.send_chunk("data: 1\n\n").await;
    assert_eq!(wire.chunk().await.as_deref(), Some("data: 1\n\n"));
    drop(wire);
    exchange.hung_up().await;
    let event = bench.event().await;
    assert_eq!((event.outcome.as_str(), event.method.as_deref()), ("gone", Some("GET")));
    assert_eq!(event.bytes_out, Some(9));
}

#[tokio::test]
async fn a_client_that_goes_away_while_the_server_thinks_is_passed_on() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, CALL)).await;
    let mut exchange = bench.server.request().await;
    drop(wire);
    exchange.hung_up().await;
    let event = bench.event().await;
    assert_eq!((event.outcome.as_str(), event.status), ("gone", None));
    assert_eq!(event.tool.as_deref(), Some("echo"));
}

#[tokio::test]
async fn a_server_that_breaks_off_never_looks_like_an_end() {
    let mut bench = Bench::new().await;
    for (begin, seen) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n",
            "9\r\ndata: 1\n\n\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"id\"",
            "{\"id\"",
        ),
    ] {
        let mut wire = bench.dial().await;
        wire.send(bench.post(&bench.ann, CALL)).await;
        let mut exchange = bench.server.request().await;
        exchange.send(begin).await;
        wire.reply_head().await;
        drop(exchange);
        let rest = wire.rest().await;
        assert!(seen.as_bytes().starts_with(&rest), "{}", String::from_utf8_lossy(&rest));
        let event = bench.event().await;
        assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("failed", Some("upstream_broke_off")));
    }
}

#[tokio::test]
async fn a_slow_reader_holds_its_own_server_back() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, CALL)).await;
    let mut exchange = bench.server.request().await;
    exchange.begin_stream().await;
    wire.reply_head().await;
    // Far more than all buffers on the way can hold: the server gets stuck until the client reads.
    let event = format!("data: {}\n\n", "x".repeat(60_000));
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    let flood = async {
        for _ in 0..1000 {
            exchange.send(&chunk).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), flood).await.is_err(), "nothing held it back");
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive_between_events_only() {
    let limits = Limits { comment_after: Duration::from_millis(30), ..Limits::default() };
    let mut bench = Bench::with(Plan { limits, ..Plan::default() }).await;
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, CALL)).await;
    let mut exchange = bench.server.request().await;
    exchange.begin_stream().await;
    wire.reply_head().await;
    assert_eq!(wire.chunk().await.as_deref(), Some(":\n\n"));
    assert_eq!(wire.chunk().await.as_deref(), Some(":\n\n"));
    exchange.send_chunk("data: a").await;
    let mut chunk = wire.chunk().await.unwrap();
    while chunk == ":\n\n" {
        chunk = wire.chunk().await.unwrap();
    }
    assert_eq!(chunk, "data: a");
    let inside = tokio::time::timeout(Duration::from_millis(200), wire.chunk()).await;
    assert!(inside.is_err(), "{inside:?} was put into an event");
    exchange.send_chunk("b\n\n").await;
    assert_eq!(wire.chunk().await.as_deref(), Some("b\n\n"));
    assert_eq!(wire.chunk().await.as_deref(), Some(":\n\n"));
}

#[tokio::test]
async fn an_encoded_stream_is_passed_as_it_is() {
    let limits = Limits { comment_after: Duration::from_millis(20), ..Limits::default() };
    let mut bench = Bench::with(Plan { limits, ..Plan::default() }).await;
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, CALL)).await;
    let mut exchange = bench.server.request().await;
    exchange.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    assert!(wire.reply_head().await.contains("content-encoding: gzip"));
    let silent = tokio::time::timeout(Duration::from_millis(150), wire.chunk()).await;
    assert!(silent.is_err(), "{silent:?} was put into an encoded stream");
    exchange.send_chunk("gzipped").await;
    assert_eq!(wire.chunk().await.as_deref(), Some("gzipped"));
}
