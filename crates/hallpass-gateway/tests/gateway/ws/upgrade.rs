//! The request that opens a connection: who gets no 101, and why.

use crate::bench::{Bench, Plan};
use crate::ws::socket::{Socket, opening};
use crate::ws::stage::{PATH, Stage};

/// The status and the error of a refused opening.
async fn refused(stage: &Stage, request: &str) -> (u16, String) {
    let reply = stage.bench.dial().await.ask(request).await;
    let error: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    (reply.status, error["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn origin_and_host_are_looked_at_before_the_connection_is_opened() {
    let plan = Plan { origins: vec!["https://console.test".into()], ..Plan::default() };
    let mut stage = Stage::with(plan).await;
    let host = stage.bench.host();
    let token = format!("Authorization: Bearer {}\r\n", stage.bench.ann.text);
    for (more, expect) in [
        ("Origin: https://evil.test\r\n", (403, "origin_not_allowed")),
        ("Origin: null\r\n", (403, "origin_not_allowed")),
        ("Origin: https://console.test.evil.test\r\n", (403, "origin_not_allowed")),
        ("Origin: https://console.test\r\nOrigin: https://console.test\r\n", (400, "invalid_request")),
    ] {
        for credential in ["", &token] {
            let request = format!("{}{credential}{more}\r\n", opening(PATH, &host));
            let (code, error) = refused(&stage, &request).await;
            assert_eq!((code, error.as_str()), expect, "{more}");
        }
    }
    for (foreign, code) in [("rebound.test", 421), ("127.0.0.1:1", 421)] {
        assert_eq!(refused(&stage, &format!("{}\r\n", opening(PATH, foreign))).await.0, code);
    }
    for good in ["Origin: https://console.test\r\n".to_owned(), format!("Origin: http://{host}\r\n")] {
        Socket::open(stage.address(), PATH, &good).await;
    }
    assert!(stage.daemon.saw_nobody());
}

#[tokio::test]
async fn only_a_proper_handshake_on_a_web_socket_servers_path_is_answered_101() {
    let stage = Stage::new().await;
    let host = stage.bench.host();
    let whole = format!("{}\r\n", opening(PATH, &host));
    let changed = |from: &str, to: &str| whole.replacen(from, to, 1);
    for request in [
        changed("GET", "POST"),
        changed("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"),
        changed("Sec-WebSocket-Key: dGhl", "Sec-WebSocket-Key: "),
        changed("Sec-WebSocket-Key", "Sec-WebSocket-Kex"),
        changed("Connection: Upgrade", "Connection: keep-alive"),
        changed("Upgrade: websocket", "Upgrade: websocket, h2c"),
        changed("Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: websocket"),
        changed("Host:", "Content-Length: 5\r\nHost:"),
        changed("Host:", "Transfer-Encoding: chunked\r\nHost:"),
        changed("Host:", "Expect: 100-continue\r\nHost:"),
        // No server there, or one that speaks HTTP.
        changed(PATH, "/s/docs/mcp"),
        changed(PATH, "/s/nobody/mcp"),
        changed(PATH, "/c/ann/s/docs/mcp"),
    ] {
        assert_eq!(refused(&stage, &request).await, (400, "invalid_request".into()), "{request}");
    }
    for path in ["/", "/s/exai/mcp?token=x", "/s/exai", "/healthz"] {
        let code = refused(&stage, &changed(PATH, path)).await.0;
        assert!(matches!(code, 404 | 405), "{path} {code}");
    }
    assert_eq!(refused(&stage, &changed("HTTP/1.1", "HTTP/1.0")).await.0, 400);
}

#[tokio::test]
async fn an_http_server_is_not_upgraded_and_a_web_socket_server_asks_for_it() {
    let mut stage = Stage::new().await;
    let ann = stage.bench.ann.clone();
    let token = format!("Authorization: Bearer {}\r\n", ann.text);
    let refused = Socket::try_open(stage.address(), "/s/docs/mcp", &token).await.err().unwrap();
    assert_eq!(refused.status, 400);
    assert_eq!(refused.header("connection"), ["close"]);
    assert!(stage.bench.server.saw_nothing_more());
    let call = stage.bench.post(&ann, crate::bench::CALL).replace("/s/docs/mcp", PATH);
    let reply = stage.bench.dial().await.ask(&call).await;
    assert_eq!((reply.status, reply.text().contains("upgrade_required")), (426, true));
    assert!(stage.daemon.saw_nobody());
}

#[tokio::test]
async fn a_bad_credential_on_the_request_is_answered_like_one_of_http() {
    let mut stage = Stage::new().await;
    let host = stage.bench.host();
    for (header, code) in [
        ("Authorization: Bearer a.b.c\r\n".to_owned(), 401),
        ("Authorization: Basic YTpi\r\n".to_owned(), 401),
        (format!("Authorization: Bearer {0}\r\nAuthorization: Bearer {0}\r\n", stage.bench.ann.text), 400),
    ] {
        let request = format!("{}{header}\r\n", opening(PATH, &host));
        let (status, _) = refused(&stage, &request).await;
        assert_eq!(status, code, "{header}");
        assert_eq!(stage.event().await.outcome.as_str(), "refused");
    }
    let bobs_path = format!("Authorization: Bearer {}\r\n", stage.bench.ann.text);
    let request = format!("{}{bobs_path}\r\n", opening("/c/bob/s/exai/mcp", &host));
    assert_eq!(refused(&stage, &request).await.0, 401);
    // No subprotocol carries a token.
    let request =
        format!("{}Sec-WebSocket-Protocol: bearer.{}\r\n", opening(PATH, &host), stage.bench.ann.text);
    let mut socket = stage.bench.dial().await;
    socket.send(format!("{request}\r\n")).await;
    let head = socket.reply_head().await;
    assert!(head.starts_with("HTTP/1.1 101 ") && !head.to_lowercase().contains("protocol:"), "{head}");
}

#[tokio::test]
async fn compression_is_not_agreed_on() {
    let stage = Stage::new().await;
    let mut wire = stage.bench.dial().await;
    let request = opening(PATH, &stage.bench.host());
    wire.send(format!("{request}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")).await;
    let head = wire.reply_head().await;
    assert!(head.starts_with("HTTP/1.1 101 ") && !head.to_lowercase().contains("extensions"), "{head}");
}

#[tokio::test]
async fn a_gateway_without_web_socket_servers_upgrades_nothing() {
    let bench = Bench::new().await;
    let mut wire = bench.dial().await;
    let reply = wire.ask(format!("{}\r\n", opening("/mcp", &bench.host()))).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.header("connection"), ["close"]);
}
