//! Which program a call comes from, as it says of itself: in the older revisions only once in a session.

use crate::bench::{ANSWER, Bench, CALL, Token};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"clientInfo":{"name":"PROGRAM","version":"1"}}}"#;

/// Begins a session. Returns its id as the client sees it.
async fn begin(bench: &mut Bench, token: &Token, program: &str) -> String {
    let mut wire = bench.dial().await;
    wire.send(bench.post(token, &INITIALIZE.replace("PROGRAM", program))).await;
    let answer = format!("HTTP/1.1 200 OK\r\nMcp-Session-Id: {program}\r\nContent-Length: 2\r\n\r\n{{}}");
    bench.server.request().await.answer(&answer).await;
    let [shown] = wire.reply().await.header("mcp-session-id").try_into().unwrap();
    assert_eq!(bench.event().await.client_info.as_deref(), Some(format!("{program}/1").as_str()));
    shown
}

async fn info(bench: &mut Bench, request: String) -> Option<String> {
    let mut wire = bench.dial().await;
    wire.send(request).await;
    tokio::select! {
        exchange = bench.server.request() => exchange.answer_json(ANSWER).await,
        _ = wire.reply() => {}
    }
    bench.event().await.client_info
}

#[tokio::test]
async fn a_sessions_later_calls_come_from_the_program_that_began_it() {
    let mut bench = Bench::new().await;
    let (ann, bob) = (bench.ann.clone(), bench.bob.clone());
    let cursor = begin(&mut bench, &ann, "cursor").await;
    let codex = begin(&mut bench, &ann, "codex").await;
    for (session, expect) in [(&cursor, "cursor/1"), (&codex, "codex/1"), (&cursor, "cursor/1")] {
        let more = format!("Mcp-Session-Id: {session}\r\n");
        for request in [bench.post_with(&ann, &more, CALL), bench.bare("GET", &ann, &more)] {
            assert_eq!(info(&mut bench, request).await.as_deref(), Some(expect));
        }
    }
    let more = format!("Mcp-Session-Id: {cursor}\r\n");
    let foreign = bench.post_with(&bob, &more, CALL);
    assert_eq!(info(&mut bench, foreign).await, None, "the session is not bob's");
    let without = bench.post(&ann, CALL);
    assert_eq!(info(&mut bench, without).await, None);
}

#[tokio::test]
async fn a_call_that_a_policy_refuses_is_told_apart_too() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    let session = begin(&mut bench, &ann, "cursor").await;
    bench.put_ann_under(&crate::ruled::policy(crate::ruled::READERS));
    let request = bench.post_with(&ann, &format!("Mcp-Session-Id: {session}\r\n"), CALL);
    assert_eq!(info(&mut bench, request).await.as_deref(), Some("cursor/1"));
}

#[tokio::test]
async fn what_a_call_says_of_itself_counts_more() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    let session = begin(&mut bench, &ann, "cursor").await;
    let more = format!("Mcp-Session-Id: {session}\r\n");
    let again = bench.post_with(&ann, &more, &INITIALIZE.replace("PROGRAM", "other"));
    assert_eq!(info(&mut bench, again).await.as_deref(), Some("other/1"));
    let later = bench.post_with(&ann, &more, CALL);
    assert_eq!(info(&mut bench, later).await.as_deref(), Some("cursor/1"), "no session was begun by that");
}
