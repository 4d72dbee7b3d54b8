//! What is left of lists of tools on their way to a caller whose policy shows only some.

use crate::bench::{Bench, CALL, Exchange, Token, Wire};
use crate::ruled::{READERS, policy};

const LIST: &str = r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#;
const TOOLS: &str = r#"{"jsonrpc":"2.0","id":"a","result":{"tools":[{"name":"delete","x":1}, {"name":"r\u0065ad" , "description":"\"name\":\"delete\""},{"name":"read_all"}],"nextCursor":"2"}}"#;
const LEFT: &str = r#"{"jsonrpc":"2.0","id":"a","result":{"tools":[ {"name":"r\u0065ad" , "description":"\"name\":\"delete\""},{"name":"read_all"}],"nextCursor":"2"}}"#;

async fn readers() -> (Bench, Token) {
    let bench = Bench::new().await;
    bench.put_ann_under(&policy(READERS));
    let ann = bench.ann.clone();
    (bench, ann)
}

async fn sent(request: String, bench: &mut Bench) -> (Wire, Exchange) {
    let mut wire = bench.dial().await;
    wire.send(request).await;
    (wire, bench.server.request().await)
}

fn json(more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{more}Content-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_list_shows_what_may_be_called_byte_for_byte_and_with_the_right_length() {
    let (mut bench, ann) = readers().await;
    let (mut wire, exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
    exchange.answer(&json("", TOOLS)).await;
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.text().as_str()), (200, LEFT));
    assert_eq!(reply.header("content-length"), [LEFT.len().to_string()]);
    let event = bench.event().await;
    assert_eq!((event.outcome.as_str(), event.bytes_out), ("ok", Some(LEFT.len() as u64)));
    // The connection goes on.
    wire.send(bench.post(&ann, LIST)).await;
    bench.server.request().await.answer(&json("", TOOLS)).await;
    assert_eq!(wire.reply().await.text(), LEFT);
}

#[tokio::test]
async fn whoever_is_under_no_policy_or_one_that_only_watches_gets_all_of_it_unread() {
    let mut bench = Bench::new().await;
    let (ann, bob) = (bench.ann.clone(), bench.bob.clone());
    bench.put_ann_under(&policy(r#"{"rules":["deny docs/delete"],"shadow":true}"#));
    for token in [&ann, &bob] {
        let request = bench.post_with(token, "Accept-Encoding: gzip\r\n", LIST);
        let (mut wire, exchange) = sent(request, &mut bench).await;
        assert_eq!(exchange.header("accept-encoding"), ["gzip"]);
        let more = "Cache-Control: public\r\nETag: \"1\"\r\nContent-Encoding: gzip\r\n";
        exchange.answer(&json(more, TOOLS)).await;
        let reply = wire.reply().await;
        assert_eq!(
            (reply.text().as_str(), reply.header("cache-control")),
            (TOOLS, vec!["public".to_owned()])
        );
    }
}

#[tokio::test]
async fn no_cache_may_keep_it_for_others() {
    let (mut bench, ann) = readers().await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    let mirrored = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\nRange: bytes=5-\r\n";
    for (tools, left) in [
        (
            r#"{"result":{"cacheScope":"public","tools":[]}}"#,
            r#"{"result":{"cacheScope":"private","tools":[]}}"#,
        ),
        (r#"{"result":{"tools":[]}}"#, r#"{"result":{"tools":[],"cacheScope":"private"}}"#),
    ] {
        let (mut wire, exchange) = sent(bench.post_with(&ann, mirrored, body), &mut bench).await;
        assert_eq!(exchange.header("accept-encoding"), ["identity"]);
        assert!(exchange.header("range").is_empty());
        let more = "Cache-Control: public, max-age=60\r\nETag: \"1\"\r\nCDN-Cache-Control: max-age=60\r\n";
        exchange.answer(&json(more, tools)).await;
        let reply = wire.reply().await;
        assert_eq!(reply.text(), left);
        assert_eq!(reply.header("cache-control"), ["max-age=60, private"]);
        assert!(reply.header("etag").is_empty() && reply.header("cdn-cache-control").is_empty());
    }
}

#[tokio::test]
async fn a_list_in_a_stream_is_filtered_and_each_event_passes_at_once() {
    let (mut bench, ann) = readers().await;
    let (mut wire, mut exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
    exchange.begin_stream().await;
    let head = wire.reply_head().await;
    assert!(head.contains("transfer-encoding: chunked") && head.contains("x-accel-buffering: no"), "{head}");
    let note = "event: message\nid: 5\ndata: {\"method\":\"notifications/progress\"}\n\n";
    for event in [": comment\n\n", note] {
        exchange.send_chunk(event).await;
        assert_eq!(wire.chunk().await.as_deref(), Some(event));
    }
    exchange.send_chunk(&format!("data: {TOOLS}\n\n")).await;
    assert_eq!(wire.chunk().await.as_deref(), Some(format!("data: {LEFT}\n\n").as_str()));
    exchange.answer("0\r\n\r\n").await;
    assert_eq!(wire.chunk().await, None);
    let event = bench.event().await;
    assert_eq!((event.outcome.as_str(), event.status), ("ok", Some(200)));
}

#[tokio::test]
async fn a_list_that_comes_in_small_pieces_is_filtered_all_the_same() {
    let (mut bench, ann) = readers().await;
    for (kind, text, left) in [
        ("application/json", TOOLS.to_owned(), LEFT.to_owned()),
        ("text/event-stream", format!("data: {TOOLS}\r\n\r\n"), format!("data: {LEFT}\r\n\r\n")),
    ] {
        let (mut wire, mut exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
        exchange
            .send(&format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"))
            .await;
        for position in 0..text.len() {
            exchange.send_chunk(&text[position..=position]).await;
        }
        exchange.answer("0\r\n\r\n").await;
        assert_eq!(wire.reply().await.text(), left, "{kind}");
    }
}

#[tokio::test]
async fn a_resumed_stream_shows_no_more_whatever_the_id() {
    let (mut bench, ann) = readers().await;
    let (mut wire, mut exchange) = sent(bench.bare("GET", &ann, "Last-Event-ID: 4\r\n"), &mut bench).await;
    exchange.begin_stream().await;
    wire.reply_head().await;
    for id in ["\"other\"", "null", "7.0"] {
        let event = |text: &str| format!("id: 5\ndata: {}\n\n", text.replace("\"a\"", id));
        exchange.send_chunk(&event(TOOLS)).await;
        assert_eq!(wire.chunk().await, Some(event(LEFT)));
    }
}

#[tokio::test]
async fn whatever_was_asked_for_a_list_is_a_list() {
    let (mut bench, ann) = readers().await;
    for body in [
        LIST.replace("tools/list", "initialize"),
        CALL.replace("echo", "read"),
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
    ] {
        let (mut wire, exchange) = sent(bench.post(&ann, &body), &mut bench).await;
        exchange.answer(&json("", TOOLS)).await;
        assert_eq!(wire.reply().await.text(), LEFT, "{body}");
    }
    let (mut wire, exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
    // Without a media type, with another status.
    exchange
        .answer(&format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{TOOLS}", TOOLS.len()))
        .await;
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.text().as_str()), (404, LEFT));
}

#[tokio::test]
async fn what_is_no_list_passes_as_it_is() {
    let (mut bench, ann) = readers().await;
    for (status, kind, body) in [
        ("200 OK", "application/json", r#"{"id":7,"result":{"content":[ ],"big":12345678901234567890}}"#),
        ("404 Not Found", "text/html", "<html>\u{e9} {\"result\":{\"tools\":[</html>"),
        ("202 Accepted", "text/plain", "Accepted"),
        ("500 Internal Server Error", "application/json", "no json at all"),
    ] {
        let (mut wire, exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
        let length = body.len();
        exchange
            .answer(&format!(
                "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
            .await;
        let reply = wire.reply().await;
        assert_eq!((reply.status.to_string().as_str(), reply.text().as_str()), (&status[..3], body));
    }
    let (mut wire, exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
    exchange.answer("HTTP/1.1 202 Accepted\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n").await;
    let reply = wire.reply().await;
    assert_eq!((reply.status, reply.body.len()), (202, 0));
}

#[tokio::test]
async fn what_cannot_be_read_for_certain_is_a_502_and_shows_nothing() {
    let (mut bench, ann) = readers().await;
    let twice = TOOLS.replace(r#""name":"delete""#, r#""name":"delete","name":"read""#);
    let large = TOOLS.replace(r#""x":1"#, &format!(r#""x":"{}""#, "x".repeat(1 << 20)));
    let short = &TOOLS[..TOOLS.len() - 1];
    for (more, body) in [
        ("Content-Encoding: gzip\r\n", TOOLS),
        ("Content-Type: text/event-stream\r\n", TOOLS),
        ("", &twice),
        ("", &large),
        ("", short),
        ("", &TOOLS.replace("delete", "\\ud800")),
        ("", &TOOLS.replace("\"tools\"", "\"tools\":[],\"Tools\"")),
    ] {
        let (mut wire, exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
        exchange.answer(&json(more, body)).await;
        let reply = wire.reply().await;
        assert_eq!(reply.status, 502, "{}", reply.text());
        assert!(reply.text().contains("upstream_unreadable") && !reply.text().contains("delete"));
        assert_eq!(bench.verdict().await, ("failed".into(), Some("upstream_unreadable".into())));
    }
    for part in ["206 Partial Content", "200 OK\r\nContent-Encoding: br"] {
        let (mut wire, exchange) = sent(bench.bare("GET", &ann, ""), &mut bench).await;
        exchange.answer(&format!("HTTP/1.1 {part}\r\nContent-Length: 5\r\n\r\ntools")).await;
        assert_eq!(wire.reply().await.status, 502, "{part}");
    }
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_for_certain_is_broken_off() {
    let (mut bench, ann) = readers().await;
    let (mut wire, mut exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
    exchange.begin_stream().await;
    wire.reply_head().await;
    let twice = TOOLS.replace(r#""name":"delete""#, r#""name":"delete","name":"read""#);
    exchange.send_chunk(&format!("data: {twice}\n\n")).await;
    let rest = String::from_utf8(wire.rest().await).unwrap();
    assert!(!rest.contains("delete") && !rest.ends_with("0\r\n\r\n"), "{rest}");
    exchange.hung_up().await;
    assert_eq!(bench.verdict().await, ("failed".into(), Some("upstream_unreadable".into())));
}

#[tokio::test]
async fn a_large_answer_passes_without_being_held_whole() {
    let (mut bench, ann) = readers().await;
    let (mut wire, mut exchange) = sent(bench.post(&ann, &CALL.replace("echo", "read")), &mut bench).await;
    let start = format!(r#"{{"id":7,"result":{{"content":"{}"#, "y".repeat(1 << 20));
    let end = r#"","tools":[{"name":"delete"},{"name":"read"}]}}"#;
    let length = start.len() + end.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    let seen = async {
        let head = wire.reply_head().await;
        assert!(head.contains("transfer-encoding: chunked") && !head.contains("content-length"), "{head}");
        let mut seen = String::new();
        while seen.len() < start.len() {
            seen += &wire.chunk().await.unwrap();
        }
        seen
    };
    // The server holds its end back until the client has all that came before.
    exchange.send(&head).await;
    let (mut seen, ()) = tokio::join!(seen, exchange.send(&start));
    exchange.answer(end).await;
    while let Some(chunk) = wire.chunk().await {
        seen += &chunk;
    }
    assert!(seen == format!("{start}{}", end.replace(r#"{"name":"delete"},"#, "")));
}

#[tokio::test]
async fn a_large_answer_that_turns_out_unreadable_never_looks_like_an_end() {
    let (mut bench, ann) = readers().await;
    for end in ["\"}}}", "\"", ""] {
        let (mut wire, mut exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
        let body = format!(r#"{{"id":7,"result":{{"x":"{}{end}"#, "y".repeat(1 << 20));
        let answer = json("", &body);
        let (rest, ()) = tokio::join!(wire.rest(), exchange.send(&answer));
        assert!(rest.len() > 1 << 19 && !rest.ends_with(b"0\r\n\r\n"), "{end}");
        assert_eq!(bench.verdict().await, ("failed".into(), Some("upstream_unreadable".into())), "{end}");
    }
}

#[tokio::test]
async fn a_server_that_breaks_off_before_the_end_of_a_list_is_a_502() {
    let (mut bench, ann) = readers().await;
    let (mut wire, mut exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
    let answer = json("", TOOLS);
    exchange.send(&answer[..answer.len() - 5]).await;
    drop(exchange);
    assert_eq!(wire.reply().await.status, 502);
    assert_eq!(bench.verdict().await, ("failed".into(), Some("upstream_broke_off".into())));
}

#[tokio::test]
async fn a_revocation_while_a_list_is_read_is_told() {
    let (mut bench, ann) = readers().await;
    let (mut wire, mut exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
    let answer = json("", TOOLS);
    exchange.send(&answer[..answer.len() - 5]).await;
    bench.publish([], Vec::new());
    assert_eq!(wire.reply().await.status, 401);
    exchange.hung_up().await;
}

#[tokio::test]
async fn an_open_stream_shows_no_more_than_a_new_policy_does() {
    for (before, narrows) in [("{}", true), (r#"{"rules":["deny docs/x"]}"#, true), (READERS, false)] {
        let mut bench = Bench::new().await;
        let ann = bench.ann.clone();
        bench.put_ann_under(&policy(before));
        let (mut wire, mut exchange) = sent(bench.bare("GET", &ann, ""), &mut bench).await;
        exchange.begin_stream().await;
        wire.reply_head().await;
        bench.put_ann_under(&policy(&READERS.replace('}', r#","rate":"100/s"}"#)));
        if narrows {
            assert!(wire.is_over().await, "{before}");
            assert_eq!(bench.verdict().await, ("cut".into(), Some("policy_changed".into())));
        } else {
            exchange.send_chunk(&format!("data: {TOOLS}\n\n")).await;
            assert_eq!(wire.chunk().await, Some(format!("data: {LEFT}\n\n")), "the same tools are shown");
        }
    }
}

#[tokio::test]
async fn an_answer_that_has_not_begun_is_filtered_by_what_is_in_force_then() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    let (mut wire, exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
    bench.put_ann_under(&policy(READERS));
    exchange.answer(&json("", TOOLS)).await;
    assert_eq!(wire.reply().await.text(), LEFT);
    // Half of it was read by one policy when another came: nobody gets a mixture.
    let (mut wire, mut exchange) = sent(bench.post(&ann, LIST), &mut bench).await;
    let answer = json("", TOOLS);
    let (one, two) = answer.split_at(answer.len() - 20);
    exchange.send(one).await;
    bench.put_ann_under(&policy(r#"{"rules":["deny docs/read_all"]}"#));
    exchange.answer(two).await;
    let reply = wire.reply().await;
    if reply.status == 503 {
        assert_eq!(reply.header("retry-after"), ["0"]);
        assert!(reply.text().contains("policy_changed"));
    } else {
        // It had not been looked at when the policy came.
        assert_eq!(reply.text(), TOOLS.replace(r#",{"name":"read_all"}"#, ""));
    }
}

#[tokio::test]
async fn those_who_share_the_secret_see_what_they_may_call() {
    let mut bench = Bench::new().await;
    let legacy = bench.legacy();
    bench.put_legacy_under(&policy(READERS));
    let (mut wire, exchange) = sent(bench.post(&legacy, LIST), &mut bench).await;
    exchange.answer(&json("", TOOLS)).await;
    assert_eq!(wire.reply().await.text(), LEFT);
}
