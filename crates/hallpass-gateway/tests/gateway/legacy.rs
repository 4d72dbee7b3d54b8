//! Callers with the secret that clients shared before: let in until the end of the grace period and no longer, and
//! known for what they are.

use crate::bench::{ANSWER, Bench, CALL, Exchange, HOUR, NOW, Plan, Token, Wire, active, client, snapshot};
use hallpass_core::grace::{Grace, GraceTerms, TagKey};
use hallpass_core::policy::{Policy, PolicySettings};
use hallpass_core::snapshot::{Client, ServerScope};
use hallpass_core::{Event, ServerName, UnixTime};
use std::sync::Arc;
use std::time::Duration;

const SECRET: &str = "shared-by-all-of-us";
const DAY: i64 = 24 * HOUR;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"old-editor","version":"1.4"}}}"#;

fn key() -> TagKey {
    TagKey::new(&[3; 32])
}

/// A period of one day.
fn terms() -> GraceTerms {
    GraceTerms {
        period: 1,
        tag: key().tag(SECRET.as_bytes()),
        until: UnixTime::from_seconds(NOW + DAY),
        ended_at: None,
        servers: ServerScope::All,
        policy: None,
        strict_after_migration: false,
    }
}

fn publish(bench: &Bench, clients: impl IntoIterator<Item = Client>, terms: GraceTerms) {
    let snapshot = snapshot(&bench.mint, clients, [active(&bench.ann), active(&bench.bob)]);
    let grace = Grace::new(terms, key(), UnixTime::from_seconds(NOW));
    bench.gateway.publish(Arc::new(snapshot.with_grace(grace)));
}

/// `ann` and `bob` with their tokens, servers `docs` and `files`, and a period on these terms.
async fn bench(terms: GraceTerms) -> Bench {
    let bench = Bench::with(Plan { servers: vec!["docs", "files"], ..Plan::default() }).await;
    publish(&bench, [client("ann"), client("bob")], terms);
    bench
}

fn shared() -> Token {
    showing(SECRET)
}

fn showing(text: &str) -> Token {
    Token { client: String::new(), jti: String::new(), text: text.to_owned() }
}

/// A call with the shared secret on this path.
fn on(bench: &Bench, path: &str, body: &str) -> String {
    bench.post(&shared(), body).replace("/s/docs/mcp", path)
}

/// Asks, and has the server answer.
async fn answered(bench: &mut Bench, request: &str) -> Event {
    let mut wire = bench.dial().await;
    wire.send(request).await;
    bench.server.request().await.answer_json(ANSWER).await;
    assert_eq!(wire.reply().await.text(), ANSWER);
    bench.event().await
}

/// Asks what must be refused: status, what the caller is told, the reason in the log.
async fn refused(bench: &mut Bench, request: &str) -> (u16, String, String) {
    let reply = bench.dial().await.ask(request).await;
    assert!(bench.server.saw_nothing_more(), "it reached the server");
    let event = bench.event().await;
    assert_eq!(event.outcome.as_str(), "refused");
    (reply.status, reply.text(), event.reason.unwrap_or_default())
}

async fn stream(bench: &mut Bench, request: String) -> (Wire, Exchange) {
    let mut wire = bench.dial().await;
    wire.send(request).await;
    let mut exchange = bench.server.request().await;
    exchange.begin_stream().await;
    wire.reply_head().await;
    exchange.send_chunk("data: 1\n\n").await;
    assert!(wire.chunk().await.is_some());
    (wire, exchange)
}

#[tokio::test]
async fn a_caller_with_the_secret_is_let_in_and_is_nobody() {
    let mut bench = bench(terms()).await;
    let mut wire = bench.dial().await;
    wire.send(bench.post_with(&shared(), "User-Agent: node\r\n", INITIALIZE)).await;
    let exchange = bench.server.request().await;
    assert_eq!(String::from_utf8(exchange.body.clone()).unwrap(), INITIALIZE);
    assert!(exchange.header("authorization").is_empty());
    exchange.answer_json(ANSWER).await;
    assert_eq!(wire.reply().await.text(), ANSWER);
    let event = bench.event().await;
    assert_eq!((event.outcome.as_str(), event.legacy), ("ok", true));
    assert_eq!(
        (event.client.as_deref(), event.jti.as_deref(), event.path_client.as_deref()),
        (None, None, None)
    );
    assert_eq!(event.client_info.as_deref(), Some("old-editor/1.4"));
    assert_eq!(event.user_agent.as_deref(), Some("node"));
    assert!(event.address.as_deref().is_some_and(|address| address.starts_with("127.0.0.1:")));
    assert!(
        event.text_line().contains(" client=- legacy server=docs method=initialize"),
        "{}",
        event.text_line()
    );
}

#[tokio::test]
async fn a_clients_path_says_where_the_secret_still_is_and_not_who_calls() {
    let mut bench = bench(terms()).await;
    let request = on(&bench, "/c/ann/s/docs/mcp", CALL);
    let event = answered(&mut bench, &request).await;
    assert_eq!((event.client.as_deref(), event.path_client.as_deref()), (None, Some("ann")));
    assert!(event.text_line().contains(" client=- legacy path=ann server=docs "), "{}", event.text_line());
    let request = on(&bench, "/c/carol/s/docs/mcp", CALL);
    let (status, text, reason) = refused(&mut bench, &request).await;
    assert_eq!((status, reason.as_str()), (404, "no_such_path"), "{text}");
}

#[tokio::test]
async fn the_path_of_a_client_that_was_disabled_or_removed_is_closed() {
    let mut bench = bench(terms()).await;
    publish(&bench, [Client { enabled: false, ..client("ann") }, client("bob")], terms());
    let request = on(&bench, "/c/ann/s/docs/mcp", CALL);
    let (status, text, reason) = refused(&mut bench, &request).await;
    assert_eq!((status, reason.as_str()), (401, "client_disabled"), "{text}");
    let request = on(&bench, "/c/bob/s/docs/mcp", CALL);
    answered(&mut bench, &request).await;
}

#[tokio::test]
async fn on_the_path_of_a_client_that_has_moved_it_counts_only_while_that_is_wished() {
    let moved = || [Client { has_moved: true, ..client("ann") }, client("bob")];
    let mut bench = bench(terms()).await;
    publish(&bench, moved(), terms());
    let request = on(&bench, "/c/ann/s/docs/mcp", CALL);
    answered(&mut bench, &request).await;
    publish(&bench, moved(), GraceTerms { strict_after_migration: true, ..terms() });
    let (status, text, reason) = refused(&mut bench, &request).await;
    assert_eq!((status, reason.as_str()), (401, "has_moved"));
    assert!(text.contains("`ann` has a token of its own"), "{text}");
    for open in ["/c/bob/s/docs/mcp", "/s/docs/mcp"] {
        let request = on(&bench, open, CALL);
        answered(&mut bench, &request).await;
    }
}

#[tokio::test]
async fn it_can_be_narrowed_to_servers_and_by_a_policy() {
    let only = ServerScope::Only([ServerName::new("docs").unwrap()].into());
    let mut bench = bench(GraceTerms { servers: only, ..terms() }).await;
    let request = on(&bench, "/s/files/mcp", CALL);
    let (status, text, reason) = refused(&mut bench, &request).await;
    assert_eq!((status, reason.as_str()), (403, "legacy_server_not_allowed"));
    assert!(text.contains("the shared secret may not be used for `files`"), "{text}");
    let request = on(&bench, "/s/docs/mcp", CALL);
    answered(&mut bench, &request).await;

    let settings: PolicySettings = serde_json::from_str(r#"{"rules":["deny docs/echo"]}"#).unwrap();
    let policy = Policy::new("careful", &settings).unwrap();
    publish(&bench, [client("ann")], GraceTerms { policy: Some(Arc::new(policy)), ..terms() });
    let (status, text, reason) = refused(&mut bench, &request).await;
    assert_eq!((status, reason.as_str()), (403, "policy_denied"));
    assert!(text.contains("the policy `careful` of `the shared secret` denies"), "{text}");
    let request = bench.post(&bench.ann, CALL);
    let event = answered(&mut bench, &request).await;
    assert_eq!((event.client.as_deref(), event.legacy), (Some("ann"), false), "clients are not under it");
}

#[tokio::test]
async fn a_bad_token_is_refused_and_never_taken_for_the_secret() {
    let mut bench = bench(terms()).await;
    let other = crate::bench::Mint::new("hp-test");
    let ann = bench.ann.text.clone();
    let expired = bench.mint.token_for("ann", "jti-ann", "gateway.test", NOW - 3 * HOUR, HOUR).text;
    let bad = [
        other.token("ann", "jti-ann").text,
        bench.mint.token("ann", "jti-unknown").text,
        expired,
        format!("{ann}x"),
        format!("{SECRET}.{SECRET}.{SECRET}"),
        format!("{SECRET}x"),
        SECRET[1..].to_owned(),
        SECRET.to_uppercase(),
    ];
    for text in bad {
        let request = bench.post(&showing(&text), CALL);
        let (status, _, reason) = refused(&mut bench, &request).await;
        assert_eq!(status, 401, "{reason}");
    }
    // Both at once are two credentials, in either order; and elsewhere than in the bearer's place it is nothing.
    let both = bench.post_with(&bench.ann, &format!("Authorization: Bearer {SECRET}\r\n"), CALL);
    assert_eq!(refused(&mut bench, &both).await.0, 400);
    for instead in [format!("Basic {SECRET}"), SECRET.to_owned(), format!("Bearer {SECRET} {ann}")] {
        let request = bench.post(&shared(), CALL).replace(&format!("Bearer {SECRET}"), &instead);
        assert!([400, 401].contains(&refused(&mut bench, &request).await.0), "{instead}");
    }
    let query = on(&bench, &format!("/s/docs/mcp?token={SECRET}"), CALL);
    assert_eq!(refused(&mut bench, &query).await.0, 404);
}

#[tokio::test]
async fn without_a_period_the_secret_is_a_bad_token_like_any_other() {
    let mut bench = Bench::new().await;
    let request = bench.post(&shared(), CALL);
    let (status, text, reason) = refused(&mut bench, &request).await;
    assert_eq!((status, reason.as_str()), (401, "malformed_token"));
    assert!(text.contains("not issued by this gateway's authority"), "{text}");
}

#[tokio::test]
async fn after_the_end_it_is_refused_and_what_is_open_is_cut_at_that_instant() {
    let mut bench = bench(terms()).await;
    let ann = bench.ann.clone();
    let listening = bench.bare("GET", &shared(), "Accept: text/event-stream\r\n");
    let (mut legacy, mut legacy_server) = stream(&mut bench, listening).await;
    let of_ann = bench.bare("GET", &ann, "Accept: text/event-stream\r\n");
    bench.set_now(NOW + DAY - 1);
    legacy_server.send_chunk("data: 2\n\n").await;
    assert_eq!(legacy.chunk().await.as_deref(), Some("data: 2\n\n"), "one second before it");
    bench.set_now(NOW + DAY);
    assert!(legacy.is_over().await, "a proper end was made up");
    legacy_server.hung_up().await;
    let event = bench.event().await;
    assert_eq!(
        (event.outcome.as_str(), event.reason.as_deref(), event.legacy),
        ("cut", Some("grace_over"), true)
    );
    let request = bench.post(&shared(), CALL);
    let (status, text, reason) = refused(&mut bench, &request).await;
    assert_eq!((status, reason.as_str()), (401, "grace_over"));
    assert!(text.contains("no longer accepted since 2026-11-24T00:00:00Z"), "{text}");
    // The clock goes back: what was over stays over, and clients are not concerned.
    bench.set_now(NOW);
    assert_eq!(refused(&mut bench, &request).await.2, "grace_over");
    stream(&mut bench, of_ann).await;
}

#[tokio::test]
async fn a_clock_that_ran_ahead_ends_it_for_open_streams_too_and_an_extension_mends_it() {
    let mut bench = bench(terms()).await;
    let listening = bench.bare("GET", &shared(), "Accept: text/event-stream\r\n");
    bench.set_now(NOW + 2 * DAY);
    let request = bench.post(&shared(), CALL);
    assert_eq!(refused(&mut bench, &request).await.2, "grace_over");
    bench.set_now(NOW);
    // Of the same period: the highest time seen is handed on.
    publish(&bench, [client("ann")], terms());
    assert_eq!(refused(&mut bench, &request).await.2, "grace_over");
    // An extension counts as another period.
    publish(&bench, [client("ann")], GraceTerms { period: 2, ..terms() });
    answered(&mut bench, &request).await;
    let (mut legacy, _server) = stream(&mut bench, listening).await;
    assert_eq!(bench.gateway.grace().unwrap().seen(), UnixTime::from_seconds(NOW));
    // Nobody calls while it runs ahead: the gateway looks by itself.
    bench.set_now(NOW + DAY);
    assert!(legacy.is_over().await);
    bench.set_now(NOW);
    assert_eq!(bench.event().await.reason.as_deref(), Some("grace_over"));
    assert_eq!(refused(&mut bench, &request).await.2, "grace_over");
}

#[tokio::test]
async fn what_was_seen_to_be_over_is_cut_though_the_clock_went_back_before_anybody_looked() {
    let mut plan = Plan::default();
    plan.limits.watch_every = Duration::from_millis(300);
    let mut bench = Bench::with(plan).await;
    publish(&bench, [client("ann")], terms());
    let listening = bench.bare("GET", &shared(), "");
    let (mut legacy, _server) = stream(&mut bench, listening).await;
    bench.set_now(NOW + DAY);
    let request = bench.post(&shared(), CALL);
    assert_eq!(refused(&mut bench, &request).await.2, "grace_over");
    bench.set_now(NOW);
    assert!(legacy.is_over().await);
    assert_eq!(bench.event().await.reason.as_deref(), Some("grace_over"));
}

#[tokio::test]
async fn ended_by_a_person_binds_at_once_and_cuts_legacy_streams_only() {
    let mut bench = bench(terms()).await;
    let ann = bench.ann.clone();
    let of_ann = bench.bare("GET", &ann, "");
    let of_nobody = bench.bare("GET", &shared(), "");
    let (mut anns, mut anns_server) = stream(&mut bench, of_ann).await;
    let (mut legacy, _server) = stream(&mut bench, of_nobody).await;
    let ended_at = Some(UnixTime::from_seconds(NOW));
    publish(&bench, [client("ann"), client("bob")], GraceTerms { period: 2, ended_at, ..terms() });
    assert!(legacy.is_over().await);
    assert_eq!(bench.event().await.reason.as_deref(), Some("grace_over"));
    anns_server.send_chunk("data: 2\n\n").await;
    assert_eq!(anns.chunk().await.as_deref(), Some("data: 2\n\n"));
    let request = bench.post(&shared(), CALL);
    assert_eq!(refused(&mut bench, &request).await.2, "grace_over");
}

/// A former set-up may have shared a token among its clients: it is refused as one until the period begins.
#[tokio::test]
async fn a_secret_that_looks_like_a_token_counts_from_the_begin_of_its_period() {
    let mut bench = Bench::with(Plan { servers: vec!["docs", "files"], ..Plan::default() }).await;
    let former = bench.mint.token("ann", "of-nobody-here");
    let request = bench.post(&former, CALL);
    assert_eq!(refused(&mut bench, &request).await.2, "unknown_token");
    publish(&bench, [client("ann")], GraceTerms { tag: key().tag(former.text.as_bytes()), ..terms() });
    assert!(answered(&mut bench, &request).await.legacy);
    publish(&bench, [client("ann")], GraceTerms { period: 2, ..terms() });
    assert_eq!(refused(&mut bench, &request).await.2, "unknown_token");
}

#[tokio::test]
async fn another_secret_in_force_ends_what_the_former_one_opened() {
    let mut bench = bench(terms()).await;
    let of_nobody = bench.bare("GET", &shared(), "");
    let (mut legacy, _server) = stream(&mut bench, of_nobody).await;
    publish(&bench, [client("ann")], GraceTerms { period: 2, tag: key().tag(b"another-one"), ..terms() });
    assert!(legacy.is_over().await);
    bench.event().await;
    let request = bench.post(&shared(), CALL);
    assert_eq!(refused(&mut bench, &request).await.2, "malformed_token");
    let request = bench.post(&showing("another-one"), CALL);
    answered(&mut bench, &request).await;
}

#[tokio::test]
async fn a_stream_is_cut_for_each_change_of_the_terms_that_would_refuse_it() {
    let narrow = GraceTerms { servers: ServerScope::Only([].into()), ..terms() };
    let strict = GraceTerms { strict_after_migration: true, ..terms() };
    let disabled = Client { enabled: false, ..client("ann") };
    let moved = Client { has_moved: true, ..client("ann") };
    for (ann, terms_then, reason) in [
        (client("ann"), narrow, "legacy_server_not_allowed"),
        (disabled, terms(), "client_disabled"),
        (client("carol"), terms(), "no_such_path"),
        (moved, strict, "has_moved"),
    ] {
        let mut bench = bench(terms()).await;
        let request = bench.bare("GET", &shared(), "").replace("/s/docs/mcp", "/c/ann/s/docs/mcp");
        let (mut legacy, _server) = stream(&mut bench, request).await;
        publish(&bench, [ann], terms_then);
        assert!(legacy.is_over().await, "{reason}");
        let event = bench.event().await;
        assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("cut", Some(reason)));
    }
}

/// What the server's answer to `initialize` gives this caller as its session.
async fn session(bench: &mut Bench, request: &str) -> String {
    let mut wire = bench.dial().await;
    wire.send(request).await;
    let answer = "HTTP/1.1 200 OK\r\nMcp-Session-Id: up-1\r\nContent-Length: 2\r\n\r\n{}";
    bench.server.request().await.answer(answer).await;
    let [shown] = wire.reply().await.header("mcp-session-id").try_into().unwrap();
    bench.event().await;
    shown
}

#[tokio::test]
async fn sessions_are_not_shared_with_clients_nor_between_paths() {
    let mut bench = bench(terms()).await;
    let ann = bench.ann.clone();
    let path = "/c/ann/s/docs/mcp";
    let (open, of_path, of_ann) = (
        on(&bench, "/s/docs/mcp", INITIALIZE),
        on(&bench, path, INITIALIZE),
        bench.post(&ann, INITIALIZE).replace("/s/docs/mcp", path),
    );
    let open = session(&mut bench, &open).await;
    let of_path = session(&mut bench, &of_path).await;
    let of_ann = session(&mut bench, &of_ann).await;
    let with = |bench: &Bench, id: &str, token: &Token, path: &str| {
        bench.post_with(token, &format!("Mcp-Session-Id: {id}\r\n"), CALL).replace("/s/docs/mcp", path)
    };
    for (id, token, path, own) in [
        (&open, shared(), "/s/docs/mcp", true),
        (&open, shared(), path, false),
        (&open, ann.clone(), "/s/docs/mcp", false),
        (&of_path, shared(), path, true),
        (&of_path, shared(), "/c/bob/s/docs/mcp", false),
        (&of_path, shared(), "/s/docs/mcp", false),
        (&of_path, ann.clone(), path, false),
        (&of_ann, ann.clone(), path, true),
        (&of_ann, shared(), path, false),
        (&of_ann, shared(), "/s/docs/mcp", false),
    ] {
        let request = with(&bench, id, &token, path);
        if own {
            answered(&mut bench, &request).await;
        } else {
            assert_eq!(refused(&mut bench, &request).await.2, "foreign_session", "{id} on {path}");
        }
    }
}

#[tokio::test]
async fn callers_with_the_secret_have_one_count_and_take_no_clients_place() {
    let mut plan = Plan::default();
    plan.limits.calls_per_client = 2;
    let mut bench = Bench::with(plan).await;
    publish(&bench, [client("ann"), client("bob")], terms());
    let mut open = Vec::new();
    for _ in 0..2 {
        let request = bench.bare("GET", &shared(), "");
        open.push(stream(&mut bench, request).await);
    }
    let request = bench.post(&shared(), CALL);
    assert_eq!(refused(&mut bench, &request).await.2, "too_many_in_flight");
    let request = bench.post(&bench.ann, CALL);
    answered(&mut bench, &request).await;
}

#[tokio::test]
async fn the_secret_reaches_neither_the_server_nor_the_log_nor_an_answer() {
    let mut bench = bench(terms()).await;
    let mut said = String::new();
    for path in ["/s/docs/mcp", "/c/ann/s/docs/mcp", "/mcp"] {
        let mut wire = bench.dial().await;
        wire.send(on(&bench, path, CALL)).await;
        let request = if path == "/mcp" { None } else { Some(bench.server.request().await) };
        if let Some(exchange) = request {
            said += &exchange.head;
            exchange.answer_json(ANSWER).await;
        }
        let reply = wire.reply().await;
        said = said + &reply.head + &reply.text();
        let event = bench.event().await;
        said = said + &event.text_line() + &event.json_line();
    }
    bench.set_now(NOW + DAY);
    let request = bench.post(&shared(), CALL);
    let (_, text, _) = refused(&mut bench, &request).await;
    said += &text;
    assert!(said.len() > 500);
    assert!(!said.contains(&SECRET[..8]) && !said.contains(&SECRET[8..]), "{said}");
    assert!(!format!("{:?}", bench.gateway.grace()).contains(&SECRET[..8]));
}
