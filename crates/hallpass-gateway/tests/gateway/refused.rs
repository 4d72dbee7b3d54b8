//! Who and what is refused, and in which words.

use crate::bench::{Bench, CALL, HOUR, Mint, NOW, Plan, Reply, active, client};
use hallpass_core::UnixTime;
use hallpass_core::snapshot::{Client, ServerScope, TokenState};
use std::collections::BTreeSet;

/// An answer without what differs from request to request.
fn without_id(reply: &Reply) -> (u16, String, String) {
    let [id] = reply.header("hallpass-request-id").try_into().unwrap();
    assert!(reply.text().contains(&format!("\"request_id\":\"{id}\"")), "{}", reply.text());
    let fixed = |text: &str| {
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("date:")).collect();
        lines.join("\n").replace(&id, "ID")
    };
    // Ids grow, and the length of the body with them.
    let head = fixed(&reply.head).lines().filter(|line| !line.starts_with("content-length")).collect();
    (reply.status, head, fixed(&reply.text()))
}

fn with_credential(bench: &Bench, lines: &str) -> String {
    bench.post(&bench.ann, CALL).replace(&format!("Authorization: Bearer {}\r\n", bench.ann.text), lines)
}

#[tokio::test]
async fn without_a_credential_a_caller_is_asked_for_one() {
    let mut bench = Bench::new().await;
    for lines in
        ["", "Authorization: Basic YTpi\r\n", "Cookie: token=x\r\n", "Proxy-Authorization: Bearer x\r\n"]
    {
        let reply = bench.dial().await.ask(with_credential(&bench, lines)).await;
        assert_eq!(reply.status, 401, "{lines}");
        assert_eq!(reply.header("www-authenticate"), ["Bearer"]);
        assert_eq!(reply.header("cache-control"), ["no-store"]);
        assert_eq!(reply.header("content-type"), ["application/json"]);
        assert!(!reply.head.to_lowercase().contains("access-control"));
        let event = bench.event().await;
        assert_eq!((event.outcome.as_str(), event.status), ("refused", Some(401)));
        assert_eq!((event.client, event.jti), (None, None));
    }
    for lines in ["Authorization: Bearer\r\n", "Authorization: \r\n"] {
        let reply = bench.dial().await.ask(with_credential(&bench, lines)).await;
        assert_eq!(reply.status, 400, "{lines}");
    }
    let two = format!("Authorization: Bearer {0}\r\nAuthorization: Bearer {0}\r\n", bench.ann.text);
    assert_eq!(bench.dial().await.ask(with_credential(&bench, &two)).await.status, 400);
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn whatever_no_key_of_ours_signed_gets_one_answer() {
    let mut bench = Bench::new().await;
    let good = bench.ann.text.clone();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let stranger = Mint::new("hp-stranger").token("ann", "jti-ann").text;
    let impostor = Mint::new("hp-test").token("ann", "jti-ann").text;
    let shown = [
        "x".to_owned(),
        "a b".to_owned(),
        "\"a.b.c\"".to_owned(),
        "a.b.c".to_owned(),
        stranger,
        impostor,
        format!("{input}."),
        format!("{input}.{}", signature.replace(&signature[..2], "AA")),
        format!("{good}.x"),
        "x".repeat(9000),
        format!("eyJhbGciOiJub25lIn0.{}.", input.split('.').nth(1).unwrap()),
    ];
    let mut answers = Vec::new();
    for token in &shown {
        let request = with_credential(&bench, &format!("Authorization: Bearer {token}\r\n"));
        answers.push(without_id(&bench.dial().await.ask(request).await));
        let event = bench.event().await;
        assert_eq!((event.client, event.jti), (None, None));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    let (status, head, text) = &answers[0];
    assert_eq!(*status, 401);
    assert!(head.contains("www-authenticate: Bearer error=\"invalid_token\""), "{head}");
    assert_eq!(
        text,
        r#"{"error":"invalid_token","error_description":"this token was not issued by this gateway's authority","request_id":"ID"}"#
    );
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn who_holds_a_token_of_ours_is_told_what_is_wrong_with_it() {
    let mut bench = Bench::new().await;
    let mint = &bench.mint;
    let at = UnixTime::from_seconds(NOW - HOUR);
    let expired = mint.token_for("ann", "j1", "gateway.test", NOW - 3 * HOUR, HOUR);
    let elsewhere = mint.token_for("ann", "j2", "other.test", NOW, HOUR);
    let early = mint.token_for("ann", "j3", "gateway.test", NOW + HOUR, HOUR);
    let long = mint.token_for("ann", "j4", "gateway.test", NOW, 365 * 24 * HOUR);
    let unknown = mint.token("ann", "j5");
    let revoked = mint.token("ann", "j6");
    let replaced = mint.token("ann", "j7");
    let disabled = mint.token("dan", "j8");
    let other = mint.token("ann", "j9");
    let reused = mint.token("ann", "j9");
    let of_bob = mint.token("ann", "j10");
    let scoped = mint.token("sue", "j11");
    let mut bobs = active(&of_bob);
    bobs.client = crate::bench::name("bob");
    let tokens = vec![
        active(&expired),
        active(&elsewhere),
        active(&early),
        active(&long),
        revoked.record(TokenState::Revoked { at }),
        replaced.record(TokenState::Superseded { until: at }),
        active(&disabled),
        active(&other),
        bobs,
        active(&scoped),
    ];
    let dan = Client { enabled: false, ..client("dan") };
    let sue = Client { servers: ServerScope::Only(BTreeSet::new()), ..client("sue") };
    bench.publish([client("ann"), client("bob"), dan, sue], tokens);
    for (token, status, reason, words, who) in [
        (expired, 401, "expired", "expired on 2026-11-22T22:00:00Z: run `hallpass issue ann`", Some("ann")),
        (elsewhere, 401, "wrong_audience", "another audience", None),
        (early, 401, "issued_in_future", "a clock is wrong", None),
        (long, 401, "lifetime_too_long", "longer than allowed", None),
        (unknown, 401, "unknown_token", "not registered here", None),
        (revoked, 401, "revoked", "revoked on 2026-11-22T23:00:00Z: run `hallpass issue ann`", Some("ann")),
        (replaced, 401, "replaced", "replaced by a newer one", Some("ann")),
        (disabled, 401, "client_disabled", "the client `dan` is disabled", Some("dan")),
        (reused, 401, "other_token_of_known_id", "registered for another token", None),
        (of_bob, 401, "other_subject", "is not that of `bob`", Some("bob")),
        (scoped, 403, "server_not_allowed", "`sue` may not use the server `docs`", Some("sue")),
    ] {
        let reply = bench.dial().await.ask(bench.post(&token, CALL)).await;
        assert_eq!(reply.status, status, "{reason}");
        assert!(reply.text().contains(words), "{reason}: {}", reply.text());
        let challenge = if status == 403 { "insufficient_scope" } else { "invalid_token" };
        assert_eq!(reply.header("www-authenticate"), [format!("Bearer error=\"{challenge}\"")]);
        let event = bench.event().await;
        assert_eq!(event.reason.as_deref(), Some(reason));
        assert_eq!(event.client.as_deref(), who, "{reason}");
        assert_eq!(event.jti.as_deref(), Some(token.jti.as_str()));
    }
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn another_dial_name_or_page_is_refused_before_the_credential() {
    let plan = Plan {
        hosts: vec!["gw.example:8443".into()],
        origins: vec!["https://console.example".into()],
        ..Plan::default()
    };
    let mut bench = Bench::with(plan).await;
    let port = bench.gateway.local_addr().port();
    let get = |host: &str, more: &str| format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
    let own = format!("127.0.0.1:{port}");
    for host in [
        &own,
        &format!("localhost:{port}"),
        &format!("LOCALHOST:{port}"),
        &format!("[::1]:{port}"),
        "gw.example:8443",
    ] {
        assert_eq!(bench.dial().await.ask(get(host, "")).await.status, 200, "{host}");
    }
    for host in [
        "evil.example",
        "",
        "localhost",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.evil.example",
        "gw.example",
        "127.1:80",
        "x@localhost",
        "2130706433",
    ] {
        assert_eq!(bench.dial().await.ask(get(host, "")).await.status, 421, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "x@localhost", "127.0.0.1.nip.io"] {
        assert_eq!(bench.dial().await.ask(get(&format!("{host}:{port}"), "")).await.status, 421, "{host}");
    }
    for origin in
        [format!("http://{own}"), format!("http://localhost:{port}"), "https://console.example".into()]
    {
        assert_eq!(
            bench.dial().await.ask(get(&own, &format!("Origin: {origin}\r\n"))).await.status,
            200,
            "{origin}"
        );
    }
    for origin in [
        "null",
        "",
        "http://evil.example",
        "http://localhost",
        "https://localhost",
        "file://",
        "chrome-extension://x",
        "http://localhost:1",
        "http://console.example",
        "https://console.example.evil",
    ] {
        let reply = bench.dial().await.ask(get(&own, &format!("Origin: {origin}\r\n"))).await;
        assert_eq!(reply.status, 403, "{origin}");
        assert!(reply.header("www-authenticate").is_empty());
    }
    let reply = bench.dial().await.ask(bench.post(&bench.ann, CALL).replace(&own, "evil.example")).await;
    assert_eq!(reply.status, 421);
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn no_path_and_method_is_open_without_a_credential_but_health() {
    let mut bench = Bench::new().await;
    let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"];
    let paths = [
        "/",
        "/healthz",
        "/mcp",
        "/s/docs/mcp",
        "/s/nosuch/mcp",
        "/c/ann/s/docs/mcp",
        "/s/docs",
        "/s//mcp",
        "//mcp",
        "/s/docs/mcp/",
        "/s/docs/mcp?",
        "/s/docs/mcp?access_token=x",
        "/s/docs/../docs/mcp",
        "/s/%64ocs/mcp",
        "/s/docs%2fmcp",
        "/s/docs;a=b/mcp",
        "/s/docs\\mcp",
        "/metrics",
        "/.well-known/oauth-protected-resource",
        "/admin",
        "/sse",
        "/messages",
        "/favicon.ico",
        "*",
        "/healthz?x",
    ];
    for method in methods {
        for path in paths {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", bench.host());
            let mut wire = bench.dial().await;
            wire.send(request).await;
            let status: u16 = wire.reply_head().await.split(' ').nth(1).unwrap().parse().unwrap();
            let expect = match (method, path) {
                ("GET", "/healthz") => 200,
                (_, "/healthz") => 405,
                (_, "/mcp" | "/s/docs/mcp" | "/s/nosuch/mcp" | "/c/ann/s/docs/mcp") => 401,
                // Where the HTTP library refuses the target itself.
                _ if status == 400 => 400,
                _ => 404,
            };
            assert_eq!(status, expect, "{method} {path}");
        }
    }
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn only_the_methods_of_mcp_are_served() {
    let mut bench = Bench::new().await;
    for method in ["PUT", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let reply = bench.dial().await.ask(bench.bare(method, &bench.ann, "")).await;
        assert_eq!(reply.status, 405, "{method}");
        assert_eq!(reply.header("allow"), ["GET, POST, DELETE"]);
    }
    for method in ["GET", "DELETE"] {
        let reply =
            bench.dial().await.ask(bench.bare(method, &bench.ann, "Content-Length: 2\r\n") + "{}").await;
        assert_eq!(reply.status, 400, "{method}");
    }
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn only_plain_json_is_read() {
    let mut bench = Bench::new().await;
    for (line, status) in [
        ("Content-Type: application/json\r\n", 200),
        ("Content-Type: Application/JSON; charset=utf-8\r\n", 200),
        ("Content-Type: application/json\r\nContent-Encoding: identity\r\n", 200),
        ("Content-Type: text/plain\r\n", 415),
        ("Content-Type: application/jsonx\r\n", 415),
        ("Content-Type: text/plain, application/json\r\n", 415),
        ("", 415),
        ("Content-Type: application/json\r\nContent-Type: application/json\r\n", 415),
        ("Content-Type: application/json\r\nContent-Encoding: gzip\r\n", 415),
    ] {
        let request = bench.post(&bench.ann, CALL).replace("Content-Type: application/json\r\n", line);
        let mut wire = bench.dial().await;
        wire.send(request).await;
        if status == 200 {
            bench.server.request().await.answer_json("{}").await;
        }
        assert_eq!(wire.reply().await.status, status, "{line}");
    }
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn what_two_parsers_could_read_differently_never_arrives() {
    let mut bench = Bench::new().await;
    for (body, words) in [
        ("[]", "batches"),
        (r#"[{"id":1,"method":"x"}]"#, "batches"),
        (r#"{"id":1,"method":"a","method":"b"}"#, "`method` is there twice"),
        (r#"{"id":1,"method":"a","Method":"b"}"#, "another spelling"),
        (r#"{"id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#, "`name` is there twice"),
        (r#"{"id":1,"method":"a"} {"id":2,"method":"b"}"#, "not one JSON value"),
        (r#"{"id":1}"#, "neither"),
        ("", "not one JSON value"),
        ("x", "not one JSON value"),
    ] {
        let reply = bench.dial().await.ask(bench.post(&bench.ann, body)).await;
        assert_eq!(reply.status, 400, "{body}");
        assert!(reply.text().contains(words), "{body}: {}", reply.text());
        assert!(!reply.text().contains("-320"), "no code of MCP is claimed");
        assert_eq!(bench.event().await.reason.as_deref(), Some("envelope"));
    }
    let deep = format!(r#"{{"id":1,"method":"a","params":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(bench.dial().await.ask(bench.post(&bench.ann, &deep)).await.status, 400);
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn headers_that_contradict_the_body_are_refused_as_mcp_says() {
    let mut bench = Bench::new().await;
    let body = r#"{"jsonrpc":"2.0","id":"x1","method":"tools/call","params":{"name":"delete","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    let good = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: delete\r\n";
    for (from, to) in [
        ("Mcp-Name: delete", "Mcp-Name: list"),
        ("Mcp-Name: delete", "Mcp-Name: =?base64?bGlzdA==?="),
        ("Mcp-Name: delete", "Mcp-Name: Delete"),
        ("Mcp-Name: delete", "Mcp-Name: delete\r\nMcp-Name: list"),
        ("Mcp-Name: delete\r\n", ""),
        ("tools/call", "tools/list"),
        ("2026-07-28", "2025-11-25"),
        ("MCP-Protocol-Version: 2026-07-28\r\n", ""),
    ] {
        let reply = bench.dial().await.ask(bench.post_with(&bench.ann, &good.replace(from, to), body)).await;
        assert_eq!(reply.status, 400, "{to}");
        assert!(
            reply.text().starts_with(r#"{"jsonrpc":"2.0","id":"x1","error":{"code":-32020,"message":"#),
            "{}",
            reply.text()
        );
        assert_eq!(bench.event().await.reason.as_deref(), Some("header_mismatch"));
    }
    assert!(bench.server.saw_nothing_more());
    for encoded in ["delete", "=?base64?ZGVsZXRl?="] {
        let mut wire = bench.dial().await;
        wire.send(bench.post_with(
            &bench.ann,
            &good.replace("Name: delete", &format!("Name: {encoded}")),
            body,
        ))
        .await;
        let exchange = bench.server.request().await;
        assert_eq!(exchange.header("mcp-name"), [encoded]);
        exchange.answer_json("{}").await;
        assert_eq!(wire.reply().await.status, 200);
    }
}
