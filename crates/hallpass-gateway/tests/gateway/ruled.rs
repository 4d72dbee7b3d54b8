//! Calls that a policy allows and denies, of clients and of those who share the shared secret.

use crate::bench::{ANSWER, Bench, CALL, NOW, Plan, Reply, Token, active, client, snapshot, soon};
use hallpass_core::UnixTime;
use hallpass_core::grace::{Grace, GraceTerms, TagKey};
use hallpass_core::policy::{Policy, PolicySettings};
use hallpass_core::snapshot::{Client, ServerScope};
use std::sync::Arc;

/// A policy from what would stand in hallpass.toml, as JSON.
pub(crate) fn policy(settings: &str) -> Arc<Policy> {
    let settings: PolicySettings = serde_json::from_str(settings).unwrap();
    Arc::new(Policy::new("readers", &settings).unwrap())
}

/// Only `read` may be called, and nothing else that the server offers.
pub(crate) const READERS: &str = r#"{"rules":["allow docs/read*"],"default":"deny"}"#;

pub(crate) const SHARED: &str = "shared-by-all";

impl Bench {
    /// `ann` is under this policy from now on, and `bob` is under none.
    pub(crate) fn put_ann_under(&self, policy: &Arc<Policy>) {
        let ann = Client { policy: Some(Arc::clone(policy)), ..client("ann") };
        self.publish([ann, client("bob")], [&self.ann, &self.bob].map(active).into());
    }

    /// A grace period runs, and who shows the shared secret is under this policy.
    pub(crate) fn put_legacy_under(&self, policy: &Arc<Policy>) {
        let key = TagKey::new(&[3; 32]);
        let terms = GraceTerms {
            period: 1,
            tag: key.tag(SHARED.as_bytes()),
            until: UnixTime::from_seconds(NOW + 1000),
            ended_at: None,
            servers: ServerScope::All,
            policy: Some(Arc::clone(policy)),
            strict_after_migration: false,
        };
        let clients = [client("ann"), client("bob")];
        let snapshot = snapshot(&self.mint, clients, [&self.ann, &self.bob].map(active));
        let grace = Grace::new(terms, key, UnixTime::from_seconds(NOW));
        self.gateway.publish(Arc::new(snapshot.with_grace(grace)));
    }

    /// The caller who holds nothing but the shared secret.
    pub(crate) fn legacy(&self) -> Token {
        Token { text: SHARED.to_owned(), ..self.ann.clone() }
    }

    /// Calls, lets the server answer, and takes the answer; or the refusal, if nothing comes to the server.
    pub(crate) async fn ask(&mut self, token: &Token, body: &str) -> Reply {
        let request = self.post(token, body);
        let mut wire = self.dial().await;
        wire.send(request).await;
        tokio::select! {
            exchange = self.server.request() => exchange.answer_json(ANSWER).await,
            reply = wire.reply() => return reply,
        }
        wire.reply().await
    }

    /// The next event of a call on the server.
    pub(crate) async fn verdict(&mut self) -> (String, Option<String>) {
        let event = self.event().await;
        (event.outcome.as_str().to_owned(), event.reason)
    }
}

pub(crate) fn call(tool: &str) -> String {
    let tool = serde_json::Value::from(tool);
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{tool}}}}}"#)
}

fn asking(method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"name":"read","uri":"x:y"}}}}"#)
}

#[tokio::test]
async fn only_what_the_first_matching_line_allows_reaches_the_server() {
    let mut bench = Bench::new().await;
    let (ann, bob) = (bench.ann.clone(), bench.bob.clone());
    bench.put_ann_under(&policy(r#"{"rules":["deny docs/delete_*","allow docs/*","deny *"]}"#));
    assert_eq!(bench.ask(&ann, &call("echo")).await.status, 200);
    for tool in ["delete_all", "delete_", "d\\u0065lete_x", "\\u0064elete_\\\"\\n"] {
        let body = call("X").replace('X', tool);
        let reply = bench.ask(&ann, &body).await;
        assert_eq!((reply.status, reply.header("www-authenticate").len()), (403, 0), "{tool}");
        assert_eq!(bench.ask(&bob, &body).await.status, 200, "another client is under no policy");
    }
    assert!(bench.server.saw_nothing_more());
    let events = bench.events_so_far().await;
    let refused: Vec<_> = events.iter().filter(|event| event.outcome.as_str() == "refused").collect();
    assert_eq!(refused.len(), 4);
    for event in refused {
        assert_eq!((event.reason.as_deref(), event.client.as_deref()), (Some("policy_denied"), Some("ann")));
        assert!(event.tool.as_deref().is_some_and(|tool| tool.starts_with("delete_")), "{event:?}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_policy_and_the_tool() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    bench.put_ann_under(&policy(READERS));
    let reply = bench.ask(&ann, &call("delete")).await;
    let answer: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        (&answer["error"], &answer["error_description"]),
        (
            &"policy_denied".into(),
            &"the policy `readers` of `ann` denies the tool `delete` on `docs`: see `[policy.readers]`"
                .into()
        )
    );
}

#[tokio::test]
async fn under_a_default_of_deny_only_what_the_protocol_needs_passes_besides_the_tools() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    bench.put_ann_under(&policy(READERS));
    for method in ["initialize", "ping", "tools/list", "logging/setLevel", "notifications/initialized"] {
        assert_eq!(bench.ask(&ann, &asking(method)).await.status, 200, "{method}");
    }
    for method in
        ["prompts/list", "prompts/get", "resources/read", "resources/list", "completion/complete", "made/up"]
    {
        assert_eq!(bench.ask(&ann, &asking(method)).await.status, 403, "{method}");
    }
    // A call that says which tool in a way that the policy does not see.
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["delete",{}]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","name":"delete"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","Name":"delete"}}"#,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"read\"},\"param\u{17f}\":{\"name\":\"delete\"}}",
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete"}}]"#,
    ] {
        assert_eq!(bench.ask(&ann, body).await.status, 400, "{body}");
    }
    assert_eq!(bench.ask(&ann, r#"{"id":1,"method":"tools/call"}"#).await.status, 403, "no tool is named");
    assert!(bench.server.saw_nothing_more());
}

#[tokio::test]
async fn a_server_that_is_denied_as_a_whole_cannot_even_be_listened_to() {
    let mut bench = Bench::with(Plan { servers: vec!["docs", "files"], ..Plan::default() }).await;
    let ann = bench.ann.clone();
    bench.put_ann_under(&policy(r#"{"rules":["deny files"]}"#));
    for request in
        [bench.post(&ann, &asking("initialize")), bench.bare("GET", &ann, ""), bench.bare("DELETE", &ann, "")]
    {
        let reply = bench.dial().await.ask(request.replace("/s/docs/", "/s/files/")).await;
        assert_eq!(reply.status, 403);
        assert!(
            reply.text().contains("the policy `readers` of `ann` denies this on `files`"),
            "{}",
            reply.text()
        );
    }
    assert_eq!(bench.ask(&ann, CALL).await.status, 200);
}

#[tokio::test]
async fn who_shows_the_shared_secret_is_under_the_policy_of_the_grace_period() {
    let mut bench = Bench::new().await;
    let (legacy, ann) = (bench.legacy(), bench.ann.clone());
    bench.put_legacy_under(&policy(READERS));
    assert_eq!(bench.ask(&legacy, &call("read_it")).await.status, 200);
    let reply = bench.ask(&legacy, &call("delete")).await;
    assert_eq!(reply.status, 403);
    assert!(reply.text().contains("of `the shared secret` denies the tool"), "{}", reply.text());
    let on_a_path = bench.post(&legacy, &call("delete")).replace("/s/docs/", "/c/bob/s/docs/");
    assert_eq!(bench.dial().await.ask(on_a_path).await.status, 403);
    assert_eq!(bench.ask(&ann, &call("delete")).await.status, 200);
    bench.event().await;
    let event = bench.event().await;
    assert_eq!((event.legacy, event.client, event.reason.as_deref()), (true, None, Some("policy_denied")));
}

#[tokio::test]
async fn an_open_call_that_a_new_policy_denies_is_cut_and_another_goes_on() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    bench.put_ann_under(&policy(r#"{"rules":["allow docs/*"]}"#));
    let (mut doomed, mut lasting, mut waiting) = (bench.dial().await, bench.dial().await, bench.dial().await);
    doomed.send(bench.post(&ann, &call("delete"))).await;
    let mut doomed_server = bench.server.request().await;
    doomed_server.begin_stream().await;
    doomed.reply_head().await;
    lasting.send(bench.post(&ann, &call("read"))).await;
    let mut lasting_server = bench.server.request().await;
    lasting_server.begin_stream().await;
    lasting.reply_head().await;
    waiting.send(bench.post(&ann, &call("delete"))).await;
    let mut waiting_server = bench.server.request().await;
    bench.put_ann_under(&policy(READERS));
    assert!(doomed.is_over().await, "a proper end was made up");
    doomed_server.hung_up().await;
    assert_eq!(waiting.reply().await.status, 403);
    waiting_server.hung_up().await;
    for _ in 0..2 {
        assert_eq!(bench.verdict().await, ("cut".into(), Some("policy_denied".into())));
    }
    lasting_server.send_chunk("data: 2\n\n").await;
    assert_eq!(soon(lasting.chunk()).await.as_deref(), Some("data: 2\n\n"));
}

#[tokio::test]
async fn a_policy_that_only_watches_refuses_nothing_and_says_what_it_would_have() {
    let mut bench = Bench::new().await;
    let ann = bench.ann.clone();
    bench.put_ann_under(&policy(r#"{"default":"deny","shadow":true}"#));
    for body in [call("delete"), asking("initialize"), asking("prompts/list")] {
        assert_eq!(bench.ask(&ann, &body).await.status, 200);
        let event = bench.event().await;
        assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("ok", None));
        assert_eq!(
            (event.would_refuse.as_deref(), event.would_reason.as_deref()),
            (Some("readers"), Some("policy_denied"))
        );
    }
    bench.put_ann_under(&policy(r#"{"shadow":true}"#));
    bench.ask(&ann, CALL).await;
    assert_eq!(bench.event().await.would_refuse, None);
}
