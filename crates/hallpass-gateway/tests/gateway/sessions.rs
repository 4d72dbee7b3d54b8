//! Session ids belong to the client that was given them.

use crate::bench::{ANSWER, Bench, CALL, Plan};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#;

async fn begin(bench: &mut Bench) -> String {
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, INITIALIZE)).await;
    let answer = "HTTP/1.1 200 OK\r\nMcp-Session-Id: up-1\r\nContent-Length: 2\r\n\r\n{}";
    bench.server.request().await.answer(answer).await;
    let [shown] = wire.reply().await.header("mcp-session-id").try_into().unwrap();
    assert!(shown.starts_with("up-1.") && shown.len() > 20, "{shown}");
    shown
}

#[tokio::test]
async fn the_server_sees_its_own_id_and_the_client_a_bound_one() {
    let mut bench = Bench::new().await;
    let shown = begin(&mut bench).await;
    let more = format!("Mcp-Session-Id: {shown}\r\n");
    for request in [
        bench.post_with(&bench.ann, &more, CALL),
        bench.bare("GET", &bench.ann, &more),
        bench.bare("DELETE", &bench.ann, &more),
    ] {
        let mut wire = bench.dial().await;
        wire.send(request).await;
        let exchange = bench.server.request().await;
        assert_eq!(exchange.header("mcp-session-id"), ["up-1"]);
        exchange.answer_json(ANSWER).await;
        assert_eq!(wire.reply().await.status, 200);
    }
}

#[tokio::test]
async fn an_id_is_worth_nothing_to_anybody_else() {
    let mut bench = Bench::with(Plan { servers: vec!["docs", "files"], ..Plan::default() }).await;
    let shown = begin(&mut bench).await;
    let more = format!("Mcp-Session-Id: {shown}\r\n");
    let elsewhere = bench.post_with(&bench.ann, &more, CALL).replace("/s/docs/", "/s/files/");
    let guessed = bench.post_with(&bench.ann, "Mcp-Session-Id: up-1\r\n", CALL);
    for request in [
        bench.post_with(&bench.bob, &more, CALL),
        bench.bare("GET", &bench.bob, &more),
        bench.bare("DELETE", &bench.bob, &more),
        elsewhere,
        guessed,
    ] {
        let reply = bench.dial().await.ask(request).await;
        assert_eq!(reply.status, 404);
        assert!(reply.text().contains("unknown_session"));
    }
    let twice = bench.post_with(&bench.ann, &format!("{more}{more}"), CALL);
    assert_eq!(bench.dial().await.ask(twice).await.status, 400);
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn revisions_without_sessions_have_the_header_dropped() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    let more = "Mcp-Session-Id: x\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n";
    wire.send(bench.post_with(&bench.ann, more, body)).await;
    let exchange = bench.server.request().await;
    assert!(exchange.header("mcp-session-id").is_empty());
    assert_eq!(exchange.header("mcp-method"), ["tools/list"]);
    exchange.answer_json(ANSWER).await;
    assert_eq!(wire.reply().await.status, 200);
}
