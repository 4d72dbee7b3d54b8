//! The witnesses against each other, without Hallpass: what fails here is not the gateway's fault.

use crate::{
    journeys,
    recorder::Recorder,
    rmcp_server::RmcpServer,
    wire::{Cut, Wire},
    witness::{Revision, Sdk, Target},
};

/// Each journey, on each revision, with each client.
async fn all_journeys(sdk: Sdk, revision: Revision) {
    let server = RmcpServer::start().await;
    let target = Target::anonymous(server.url());
    journeys::lists_and_calls(sdk, revision, &target).await;
    journeys::streams_while_the_call_is_open(sdk, revision, &target).await;
    journeys::lists_and_calls(sdk, revision, &target.with_token("a.b.c")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_client_with_sessions() {
    all_journeys(Sdk::TypeScript, Revision::Sessions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_client_without_sessions() {
    all_journeys(Sdk::TypeScript, Revision::Stateless).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rmcp_client_with_sessions() {
    all_journeys(Sdk::Rmcp, Revision::Sessions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rmcp_client_without_sessions() {
    all_journeys(Sdk::Rmcp, Revision::Stateless).await;
}

/// Without this, "the upstream saw no token" would prove nothing.
#[tokio::test(flavor = "multi_thread")]
async fn clients_send_their_token_and_headers() {
    let server = RmcpServer::start().await;
    let target = Target::anonymous(server.url()).with_token("a.b.c").with_header("x-probe", "seen");
    for sdk in [Sdk::TypeScript, Sdk::Rmcp] {
        for revision in [Revision::Sessions, Revision::Stateless] {
            let headers = journeys::headers_at_the_server(sdk, revision, &target).await;
            assert_eq!(headers["authorization"], "Bearer a.b.c", "{sdk:?} {revision:?}");
            assert_eq!(headers["x-probe"], "seen", "{sdk:?} {revision:?}");
        }
    }
}

/// Otherwise "on both revisions" could be one revision under two names.
#[tokio::test(flavor = "multi_thread")]
async fn each_revision_has_its_own_headers() {
    let server = RmcpServer::start().await;
    let target = Target::anonymous(server.url());
    for sdk in [Sdk::TypeScript, Sdk::Rmcp] {
        let headers = journeys::headers_at_the_server(sdk, Revision::Sessions, &target).await;
        assert_eq!(headers["mcp-protocol-version"], "2025-11-25", "{sdk:?}");
        assert!(headers["mcp-session-id"].is_string() && headers["mcp-method"].is_null(), "{headers}");
        let headers = journeys::headers_at_the_server(sdk, Revision::Stateless, &target).await;
        assert_eq!(headers["mcp-protocol-version"], "2026-07-28", "{sdk:?}");
        assert_eq!((&headers["mcp-method"], &headers["mcp-name"]), (&"tools/call".into(), &"headers".into()));
        assert!(headers["mcp-session-id"].is_null(), "{headers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_report_a_refusal_with_its_challenge() {
    for sdk in [Sdk::TypeScript, Sdk::Rmcp] {
        for revision in [Revision::Sessions, Revision::Stateless] {
            let mut upstream = Recorder::start().await;
            let target = Target::anonymous(upstream.url()).with_token("a.b.c");
            let visit = tokio::spawn(async move { journeys::is_refused(sdk, revision, &target).await });
            let request = upstream.next().await;
            assert_eq!(request.head.value("authorization"), Some("Bearer a.b.c"));
            request.respond(
                "401 Unauthorized",
                &["WWW-Authenticate: Bearer error=\"invalid_token\"", "Content-Type: application/json"],
                br#"{"error":"invalid_token"}"#,
            );
            let failure = visit.await.expect("the visit ends");
            assert_eq!(failure.challenge.as_deref(), Some("Bearer error=\"invalid_token\""), "{failure:?}");
            assert!(matches!(failure.body.as_deref(), None | Some(r#"{"error":"invalid_token"}"#)));
            upstream.assert_quiet();
        }
    }
}

#[tokio::test]
async fn recorder_shows_a_request_as_it_was_sent() {
    let mut upstream = Recorder::start().await;
    let mut caller = Wire::connect(upstream.address()).await;
    for round in ["one", "two"] {
        caller.post("/mcp?x=1", &["Host: a", "X-Odd:  spaced ", "x-odd: twice"], round.as_bytes()).await;
        let request = upstream.next().await;
        let head = "POST /mcp?x=1 HTTP/1.1\r\nHost: a\r\nX-Odd:  spaced \r\nx-odd: twice\r\nContent-Length: 3\r\n\r\n";
        assert_eq!((request.head.raw.as_str(), request.body.as_slice()), (head, round.as_bytes()));
        request.respond("404 Not Found", &["Allow: POST"], b"gone");
        let head = caller.head().await.expect("an answer");
        assert_eq!(head.raw, "HTTP/1.1 404 Not Found\r\nAllow: POST\r\nContent-Length: 4\r\n\r\n");
        assert_eq!((head.status(), caller.body(&head).await), (404, b"gone".to_vec()));
    }
}

#[tokio::test]
async fn recorder_joins_a_chunked_request() {
    let mut upstream = Recorder::start().await;
    let mut caller = Wire::connect(upstream.address()).await;
    let request = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    caller.send(request).await.expect("an open connection");
    assert_eq!(upstream.next().await.body, b"abc");
}

#[tokio::test]
async fn recorder_streams_when_it_is_told_to() {
    let mut upstream = Recorder::start().await;
    let mut caller = Wire::connect(upstream.address()).await;
    caller.post("/mcp", &[], b"{}").await;
    let stream = upstream.next().await.stream(&["X-Accel-Buffering: no"]);
    let head = caller.head().await.expect("a head before any event");
    assert_eq!(head.value("content-type"), Some("text/event-stream"));
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        stream.chunk(event);
        assert_eq!(caller.chunk().await.as_deref(), Some(event.as_bytes()));
    }
    stream.finish();
    assert_eq!(caller.chunk().await, None);
}

#[tokio::test]
async fn recorder_sees_and_makes_a_disconnect() {
    let mut upstream = Recorder::start().await;
    let mut caller = Wire::connect(upstream.address()).await;
    caller.post("/mcp", &[], b"{}").await;
    let mut stream = upstream.next().await.stream(&[]);
    caller.head().await.expect("a head");
    drop(caller);
    stream.disconnected().await;

    let mut caller = Wire::connect(upstream.address()).await;
    caller.post("/mcp", &[], b"{}").await;
    let stream = upstream.next().await.stream(&[]);
    caller.head().await.expect("a head");
    stream.cut();
    assert_eq!(caller.chunk_or_cut().await, Err(Cut));
    caller.closed().await;
}
