//! Sizes, counts and times.

use crate::bench::{ANSWER, Bench, CALL, Plan, soon};
use hallpass_gateway::Limits;
use std::time::Duration;

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_unread() {
    let limits = Limits { body_bytes: 1000, ..Limits::default() };
    let mut bench = Bench::with(Plan { limits, ..Plan::default() }).await;
    let most = format!(r#"{{"method":"{}"}}"#, "x".repeat(1000 - 13));
    assert_eq!(most.len(), 1000);
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, &most)).await;
    bench.server.request().await.answer_json("{}").await;
    assert_eq!(wire.reply().await.status, 200);
    let stated = bench.post(&bench.ann, &format!("{most} "));
    let reply = bench.dial().await.ask(&stated[..stated.len() - 500]).await;
    assert_eq!(reply.status, 413);
    assert_eq!(reply.header("connection"), ["close"]);
    let head = bench.post(&bench.ann, "").replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let reply = bench
        .dial()
        .await
        .ask(format!("{head}1f4\r\n{}\r\n1f5\r\n{}", "x".repeat(500), "x".repeat(501)))
        .await;
    assert_eq!(reply.status, 413);
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn a_body_that_stops_or_ends_early_is_refused() {
    let limits = Limits { body_idle: Duration::from_millis(50), ..Limits::default() };
    let mut bench = Bench::with(Plan { limits, ..Plan::default() }).await;
    let request = bench.post(&bench.ann, CALL);
    let mut wire = bench.dial().await;
    assert_eq!(wire.ask(&request[..request.len() - 5]).await.status, 408);
    assert_eq!(bench.event().await.reason.as_deref(), Some("body_too_slow"));
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn a_body_that_trickles_is_refused() {
    let limits = Limits { body_idle: Duration::from_secs(1), body_rate: 1000, ..Limits::default() };
    let mut bench = Bench::with(Plan { limits, ..Plan::default() }).await;
    let request = bench.post(&bench.ann, CALL);
    let (head, body) = request.split_at(request.len() - CALL.len());
    let mut wire = bench.dial().await;
    wire.send(head).await;
    let mut trickle = body.as_bytes().chunks(1);
    let reply = loop {
        tokio::select! {
            biased;
            reply = wire.reply() => break reply,
            () = tokio::time::sleep(Duration::from_millis(40)) => {}
        }
        let Some(byte) = trickle.next() else { break wire.reply().await };
        wire.send(byte).await;
    };
    assert_eq!(reply.status, 408);
    assert_eq!(bench.event().await.reason.as_deref(), Some("body_too_slow"));
}

#[tokio::test]
async fn heads_are_limited_in_size_number_and_time() {
    let limits = Limits { head_timeout: Duration::from_millis(100), ..Limits::default() };
    let mut bench = Bench::with(Plan { limits, ..Plan::default() }).await;
    let large = format!("X-Large: {}\r\n", "x".repeat(17_000));
    let huge = format!("X-Huge: {}\r\n", "x".repeat(200_000));
    let many = "X-Many: 1\r\n".repeat(65);
    for more in [&large, &many] {
        let reply = bench.dial().await.ask(bench.post_with(&bench.ann, more, CALL)).await;
        assert_eq!(reply.status, 431, "{}", reply.head);
    }
    let mut wire = bench.dial().await;
    wire.send(&bench.post_with(&bench.ann, &huge, "")[..60_000]).await;
    assert_eq!(wire.reply_head().await.split(' ').nth(1), Some("431"));
    let mut slow = bench.dial().await;
    slow.send("POST /mcp HTTP/1.1\r\n").await;
    soon(slow.rest()).await;
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn a_clients_calls_are_counted_and_another_clients_are_not() {
    let limits = Limits { calls_per_client: 2, ..Limits::default() };
    let mut bench = Bench::with(Plan { limits, ..Plan::default() }).await;
    let (mut one, mut two) = (bench.dial().await, bench.dial().await);
    one.send(bench.post(&bench.ann, CALL)).await;
    let first = bench.server.request().await;
    two.send(bench.bare("GET", &bench.ann, "")).await;
    let mut second = bench.server.request().await;
    second.begin_stream().await;
    two.reply_head().await;
    let reply = bench.dial().await.ask(bench.post(&bench.ann, CALL)).await;
    assert_eq!(reply.status, 429);
    assert_eq!(bench.event().await.reason.as_deref(), Some("too_many_in_flight"));
    let mut bobs = bench.dial().await;
    bobs.send(bench.post(&bench.bob, CALL)).await;
    bench.server.request().await.answer_json(ANSWER).await;
    assert_eq!(bobs.reply().await.status, 200);
    first.answer_json(ANSWER).await;
    assert_eq!(one.reply().await.status, 200);
    // The count goes down when the answer has ended, which its event says.
    while bench.event().await.client.as_deref() != Some("ann") {}
    let mut again = bench.dial().await;
    again.send(bench.post(&bench.ann, CALL)).await;
    bench.server.request().await.answer_json(ANSWER).await;
    assert_eq!(again.reply().await.status, 200);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_others_to_end() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let mut bench = Bench::with(Plan { limits, ..Plan::default() }).await;
    let mut first = bench.dial().await;
    first.send(bench.post(&bench.ann, CALL)).await;
    bench.server.request().await.answer_json(ANSWER).await;
    first.reply().await;
    let mut second = bench.dial().await;
    second.send(bench.post(&bench.bob, CALL)).await;
    assert!(bench.server.saw_nothing_more());
    drop(first);
    bench.server.request().await.answer_json(ANSWER).await;
    assert_eq!(second.reply().await.status, 200);
}

#[tokio::test]
async fn a_server_that_does_not_take_the_connection_in_time_is_a_504() {
    // Accepts at the level of the kernel only, and never says a word of TLS.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let limits = Limits { connect_timeout: Duration::from_millis(100), ..Limits::default() };
    let url = Some(format!("https://{}/mcp", mute.local_addr().unwrap()));
    let mut bench = Bench::with(Plan { limits, url, ..Plan::default() }).await;
    let reply = bench.dial().await.ask(bench.post(&bench.ann, CALL)).await;
    assert_eq!(reply.status, 504);
    assert!(reply.text().contains("upstream_timeout"));
    assert_eq!(bench.event().await.reason.as_deref(), Some("upstream_timeout"));
}

#[tokio::test]
async fn connections_to_a_server_are_kept_and_shared_in_turn() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    for _ in 0..3 {
        wire.send(bench.post(&bench.ann, CALL)).await;
        // `answer_json` takes the next request of the same connection only.
        bench.server.request().await.answer_json(ANSWER).await;
        assert_eq!(wire.reply().await.status, 200);
    }
}
