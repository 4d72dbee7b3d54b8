//! What a good call looks like on both sides.

use crate::bench::{ANSWER, Bench, CALL, Plan, Wire};

const LIST: &str = r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#;

#[tokio::test]
async fn a_call_and_its_answer_pass_byte_for_byte() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    let odd = " {\"id\" : 1.0, \"method\":\"x\",\r\n \"params\":{\"b\":1,\"a\":12345678901234567890,\"\\u00e9\":\"\u{e9}\"}}\n";
    for body in [CALL, odd] {
        wire.send(bench.post(&bench.ann, body)).await;
        let exchange = bench.server.request().await;
        assert!(exchange.head.starts_with("POST /upstream/mcp HTTP/1.1\r\n"), "{}", exchange.head);
        assert_eq!(exchange.body, body.as_bytes());
        exchange.answer_json(ANSWER).await;
        let reply = wire.reply().await;
        assert_eq!((reply.status, reply.text().as_str()), (200, ANSWER));
    }
}

#[tokio::test]
async fn a_large_body_in_many_pieces_is_the_same_on_the_other_side() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    let body = format!(r#"{{"id":1,"method":"x","params":"{}"}}"#, "z".repeat(3 << 20));
    let request = bench.post(&bench.ann, &body);
    let sending = async {
        for piece in request.as_bytes().chunks(10_007) {
            wire.send(piece).await;
        }
    };
    let ((), exchange) = tokio::join!(sending, bench.server.request());
    assert!(exchange.body == body.as_bytes());
    let large = format!(r#"{{"id":1,"result":"{}"}}"#, "y".repeat(5 << 20));
    let (reply, ()) = tokio::join!(wire.reply(), exchange.answer_json(&large));
    assert!(reply.body == large.as_bytes());
    assert_eq!(bench.event().await.bytes_out, Some(large.len() as u64));
}

#[tokio::test]
async fn a_chunked_request_is_framed_anew_and_its_connection_ends() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        bench.host(),
        bench.ann.text
    );
    let (one, two) = CALL.split_at(20);
    wire.send(format!("{head}{:x}\r\n{one}\r\n{:x};x=y\r\n{two}\r\n0\r\n\r\n", one.len(), two.len())).await;
    let exchange = bench.server.request().await;
    assert_eq!(exchange.header("content-length"), [CALL.len().to_string()]);
    assert!(exchange.header("transfer-encoding").is_empty());
    assert_eq!(exchange.body, CALL.as_bytes());
    exchange.answer_json(ANSWER).await;
    assert_eq!(wire.reply().await.header("connection"), ["close"]);
    assert!(wire.is_over().await);
}

#[tokio::test]
async fn headers_of_mcp_pass_and_what_speaks_for_somebody_does_not() {
    let plan = Plan { credential: Some("Bearer upstream-own-secret"), ..Plan::default() };
    let mut bench = Bench::with(plan).await;
    let mut wire = bench.dial().await;
    let origin = format!("Origin: http://{}\r\n", bench.host());
    let passing = "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\nMcp-Param-Region: eu\r\nLast-Event-ID: 9\r\ntraceparent: 00-a-b-01\r\nAccept-Encoding: gzip\r\nX-Custom: kept\r\nX-Custom: twice\r\n";
    let spoofed = "Cookie: sid=1\r\nProxy-Authorization: Basic eDp5\r\nDPoP: x\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nHallpass-Client: admin\r\nHallpass_Client: admin\r\nHallpass-Assertion: x\r\nReferer: http://x/\r\nKeep-Alive: timeout=9\r\nTE: trailers\r\nConnection: keep-alive, X-Hop, Authorization\r\nX-Hop: 1\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n";
    wire.send(bench.post_with(&bench.ann, &format!("{passing}{spoofed}{origin}"), CALL)).await;
    let exchange = bench.server.request().await;
    for (name, value) in [
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
        ("mcp-protocol-version", "2025-11-25"),
        ("mcp-param-region", "eu"),
        ("last-event-id", "9"),
        ("traceparent", "00-a-b-01"),
        ("accept-encoding", "gzip"),
        ("authorization", "Bearer upstream-own-secret"),
    ] {
        assert_eq!(exchange.header(name), [value], "{name}");
    }
    assert_eq!(exchange.header("x-custom"), ["kept", "twice"]);
    let head = exchange.head.to_lowercase();
    for gone in [
        "cookie",
        "proxy-",
        "dpop",
        "forwarded",
        "real-ip",
        "hallpass",
        "referer",
        "keep-alive",
        "\r\nte:",
        "x-hop",
        "upgrade",
        "http2",
        "origin",
        "admin",
        "1.2.3.4",
    ] {
        assert!(!head.contains(gone), "{gone}: {head}");
    }
    assert!(!exchange.head.contains(&bench.ann.text));
    exchange.answer_json(ANSWER).await;
    assert_eq!(wire.reply().await.status, 200);
}

#[tokio::test]
async fn statuses_and_bodies_that_clients_act_on_pass_unchanged() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    for (status, reason) in [
        (200, "OK"),
        (202, "Accepted"),
        (204, "No Content"),
        (400, "Bad Request"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (406, "Not Acceptable"),
        (409, "Conflict"),
        (413, "Too Large"),
        (415, "Unsupported"),
        (429, "Slow Down"),
        (500, "Oops"),
        (503, "Later"),
    ] {
        let body = if matches!(status, 202 | 204) { String::new() } else { format!("{{\"was\":{status}}}") };
        wire.send(bench.post(&bench.ann, LIST)).await;
        let framing =
            if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let own = "Retry-After: 3\r\nAllow: POST\r\nCache-Control: private\r\nX-Own: 1\r\n";
        let foreign = "Set-Cookie: a=b\r\nAccess-Control-Allow-Origin: *\r\nHallpass-Request-Id: forged\r\nHallpass-X: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: x\r\n";
        let answer = format!("HTTP/1.1 {status} {reason}\r\n{framing}{own}{foreign}\r\n{body}");
        bench.server.request().await.answer(&answer).await;
        let reply = wire.reply().await;
        assert_eq!((reply.status, reply.text()), (status, body), "{status}");
        assert_eq!(reply.header("retry-after"), ["3"]);
        assert_eq!(reply.header("allow"), ["POST"]);
        assert_eq!(reply.header("cache-control"), ["private"]);
        assert_eq!(reply.header("x-own"), ["1"]);
        for gone in
            ["set-cookie", "access-control-allow-origin", "hallpass-x", "keep-alive", "proxy-authenticate"]
        {
            assert!(reply.header(gone).is_empty(), "{gone}");
        }
        assert_eq!(reply.header("hallpass-request-id"), [bench.event().await.request_id.unwrap()]);
    }
}

#[tokio::test]
async fn the_servers_own_refusals_and_redirects_are_not_the_callers() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    for (status, more, error) in [
        (
            401,
            "WWW-Authenticate: Bearer resource_metadata=\"http://evil/\"\r\n",
            "upstream_refused_credential",
        ),
        (403, "WWW-Authenticate: Bearer\r\n", "upstream_refused_credential"),
        (407, "Proxy-Authenticate: Basic\r\n", "upstream_refused_credential"),
        (301, "Location: http://evil/\r\n", "upstream_redirected"),
        (302, "Location: http://evil/\r\n", "upstream_redirected"),
        (307, "Location: /other\r\n", "upstream_redirected"),
    ] {
        wire.send(bench.post(&bench.ann, CALL)).await;
        let answer = format!("HTTP/1.1 {status} X\r\n{more}Content-Length: 4\r\n\r\nevil");
        bench.server.request().await.answer(&answer).await;
        let reply = wire.reply().await;
        assert_eq!(reply.status, 502, "{status}");
        assert!(!reply.head.contains("evil") && !reply.text().contains("evil"), "{}", reply.head);
        assert!(reply.text().starts_with(&format!("{{\"error\":\"{error}\"")), "{}", reply.text());
        assert!(reply.text().contains("`docs`"));
        let event = bench.event().await;
        assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("failed", Some(error)));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_502_that_says_so() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut bench = Bench::with(Plan { url: Some(format!("http://{dead}/mcp")), ..Plan::default() }).await;
    let mut wire = bench.dial().await;
    let reply = wire.ask(bench.post(&bench.ann, CALL)).await;
    assert_eq!(reply.status, 502);
    let event = bench.event().await;
    let id = event.request_id.unwrap();
    let text = format!(
        r#"{{"error":"upstream_unreachable","error_description":"the server `docs` cannot be reached","request_id":"{id}"}}"#
    );
    assert_eq!(reply.text(), text);
    assert_eq!((event.outcome.as_str(), event.status), ("failed", Some(502)));
}

#[tokio::test]
async fn a_server_that_hangs_up_before_it_answers_is_asked_once_and_is_a_502() {
    let mut bench = Bench::new().await;
    let mut wire = bench.dial().await;
    for garbage in ["", "HTTP/1.1 2", "no http at all\r\n\r\n"] {
        wire.send(bench.post(&bench.ann, CALL)).await;
        let mut exchange = bench.server.request().await;
        exchange.send(garbage).await;
        drop(exchange);
        let reply = wire.reply().await;
        assert_eq!(reply.status, 502, "{garbage}");
        assert!(reply.text().contains("upstream_broke_off"));
        assert!(bench.server.saw_nothing_more());
        assert_eq!(bench.event().await.reason.as_deref(), Some("upstream_broke_off"));
    }
}

#[tokio::test]
async fn each_path_leads_to_its_server_and_no_other() {
    let mut bench = Bench::with(Plan { servers: vec!["docs", "files"], ..Plan::default() }).await;
    let request = |bench: &Bench, path: &str| bench.post(&bench.ann, CALL).replace("/s/docs/mcp", path);
    for path in ["/s/docs/mcp", "/s/files/mcp", "/c/ann/s/docs/mcp"] {
        let mut wire = bench.dial().await;
        wire.send(request(&bench, path)).await;
        bench.server.request().await.answer_json(ANSWER).await;
        assert_eq!(wire.reply().await.status, 200, "{path}");
    }
    for (path, status, error) in [
        ("/s/nosuch/mcp", 404, "not_found"),
        ("/mcp", 404, "not_found"),
        ("/c/bob/s/docs/mcp", 401, "invalid_token"),
    ] {
        let reply = bench.dial().await.ask(request(&bench, path)).await;
        assert_eq!(reply.status, status, "{path}");
        assert!(reply.text().contains(error), "{path}: {}", reply.text());
    }
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn two_clients_are_served_at_once_and_health_is_for_everybody() {
    let mut bench = Bench::new().await;
    let (mut ann, mut bob) = (bench.dial().await, bench.dial().await);
    ann.send(bench.post(&bench.ann, CALL)).await;
    let first = bench.server.request().await;
    bob.send(bench.post(&bench.bob, LIST)).await;
    let second = bench.server.request().await;
    second.answer_json("{\"of\":\"bob\"}").await;
    assert_eq!(bob.reply().await.text(), "{\"of\":\"bob\"}");
    assert_eq!(bench.event().await.client.as_deref(), Some("bob"));
    first.answer_json("{\"of\":\"ann\"}").await;
    assert_eq!(ann.reply().await.text(), "{\"of\":\"ann\"}");
    assert_eq!(bench.event().await.client.as_deref(), Some("ann"));
    let health = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", bench.host());
    let reply = Wire::dial(bench.gateway.local_addr()).await.ask(health).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "ok"));
    assert_eq!(bench.events_so_far().await, [], "health checks are no calls");
}
