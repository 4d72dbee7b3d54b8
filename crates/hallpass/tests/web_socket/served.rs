//! The former set-up's clients dial the address they always dialled, where the gateway listens now.

use crate::origin::serve_exai;
use crate::program::{Hallpass, Serving};
use crate::python::{Daemon, SHARED, Talker, until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const FORMER: &str = include_str!("../takeover/env.docker");

/// The former set-up taken over: its clients have tokens of their own, and may still show the old secret.
struct Heir {
    hallpass: Hallpass,
    gateway: Serving,
    daemon: Daemon,
    /// Where its clients dial.
    address: String,
}

impl Heir {
    async fn new() -> Self {
        let daemon = Daemon::start().await;
        let hallpass = Hallpass::new();
        let roster = format!(
            "[log]\norigin_lines = true\n\
             [clients.vscode1]\nsubject = \"vscode1@exai-mcp.local\"\napp = \"claude-desktop\"\nconfig = \"one.json\"\n\
             [clients.vscode2]\nsubject = \"vscode2@exai-mcp.local\"\napp = \"claude-desktop\"\nconfig = \"two.json\"\n\
             [servers.exai]\nurl = \"{}\"\nlisten = \"127.0.0.1:0\"\nlegacy_token_env = \"DAEMONS_TOKEN\"\n",
            daemon.url
        );
        hallpass.write("hallpass.toml", &roster);
        hallpass.write("env.docker", FORMER);
        hallpass.must(&["init", "--from-env", "env.docker"]).await;
        hallpass.must(&["apply", "--yes"]).await;
        let (gateway, address) = serve_exai(&hallpass).await;
        Self { hallpass, gateway, daemon, address }
    }

    fn hello(&self, client: Option<&str>) -> Value {
        let mut hello = json!({ "op": "hello", "session_id": "vscode-instance-1", "token": SHARED });
        if let Some(client) = client {
            let file = self.hallpass.home().join("tokens").join(client);
            hello["jwt"] = std::fs::read_to_string(file).expect("a token file").trim().into();
        }
        hello
    }

    /// A client that has been welcomed.
    async fn client(&self, name: Option<&str>) -> Talker {
        let mut client = Talker::dial(&self.address);
        let welcome = client.ask(&self.hello(name)).await;
        assert_eq!(welcome, json!({ "op": "hello_ack", "ok": true, "session_id": "vscode-instance-1" }));
        client
    }

    async fn printed(&self, wanted: &str) {
        until(|| self.gateway.stdout().contains(wanted).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_have_names_in_the_log_and_their_daemon_hears_the_gateway() {
    let mut heir = Heir::new().await;
    let mut one = heir.client(Some("vscode1")).await;
    let mut old = heir.client(None).await;
    one.sum().await;
    old.sum().await;
    for line in [
        "[JWT_AUTH] Valid JWT token (grace period active) - user: vscode1@exai-mcp.local\n",
        "[JWT_AUTH] No valid JWT token (grace period active) - allowing legacy auth\n",
        " client=vscode1 session=vscode-instance-1 server=exai method=hello ",
        " client=vscode1 session=vscode-instance-1 server=exai method=call_tool tool=add ",
        " client=- legacy session=vscode-instance-1 server=exai method=call_tool tool=add ",
    ] {
        heir.printed(line).await;
    }
    let mut sessions = Vec::new();
    for _ in 0..4 {
        let heard = heir.daemon.heard().await;
        let text = heard["frame"].as_str().expect("a frame");
        assert!(!text.contains("jwt") && !text.contains("vscode-instance"), "{text}");
        if heard["heard"] == "first" {
            let hello: Value = serde_json::from_str(text).expect("an object");
            assert_eq!(hello["token"], SHARED);
            sessions.push(hello["session_id"].clone());
        }
    }
    assert!(sessions.len() == 2 && sessions[0] != sessions[1], "{sessions:?}");
    let report = heir.hallpass.must(&["grace", "status", "--report", "--json"]).await;
    assert!(report.contains("exai/add"), "who still needs the old secret, and for what: {report}");
}

/// What lies where only callers could have put it is found by the harness.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_place_of_a_sessions_name_or_a_tools_is_not_kept() {
    let heir = Heir::new().await;
    for client in [Some("vscode1"), None] {
        let mut hello = heir.hello(client);
        hello["session_id"] = SHARED.into();
        let mut caller = Talker::dial(&heir.address);
        assert_eq!(caller.ask(&hello).await["ok"], true);
        for tool in [SHARED, hello["jwt"].as_str().unwrap_or("add")] {
            let arguments = json!({ SHARED: SHARED });
            caller
                .ask(&json!({ "op": "call_tool", "request_id": "1", "name": tool, "arguments": arguments }))
                .await;
        }
    }
    heir.printed(" session=\"(a secret)\" ").await;
    heir.printed(" tool=\"(a secret)\" ").await;
    assert_eq!(heir.gateway.terminate().await.code, Some(0));
    heir.hallpass.must(&["grace", "status", "--report"]).await;
    assert_eq!(heir.hallpass.leaks(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_closes_one_connection_and_the_end_of_the_grace_period_the_legacy_ones() {
    let heir = Heir::new().await;
    let mut one = heir.client(Some("vscode1")).await;
    let mut two = heir.client(Some("vscode2")).await;
    let mut old = heir.client(None).await;
    heir.hallpass.must(&["revoke", "vscode2", "--reason", "laptop lost"]).await;
    let returned = now();
    let end = two.heard().await;
    assert!(returned.elapsed() < Duration::from_secs(2), "{:?}", returned.elapsed());
    assert_eq!(end["closed"], 4003);
    let reason = end["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("this token was revoked on ") && reason.ends_with("run `hallpass issue vscode2`"),
        "{reason}"
    );
    one.sum().await;
    old.sum().await;
    heir.hallpass.must(&["grace", "end", "--force", "--yes", "--wait"]).await;
    assert_eq!(old.heard().await["closed"], 4003);
    one.sum().await;
    let mut late = Talker::dial(&heir.address);
    let refused = late.ask(&heir.hello(None)).await;
    assert_eq!((&refused["ok"], &refused["error"]), (&json!(false), &json!("jwt_required")));
    assert_eq!(late.heard().await["closed"], 4003);
    heir.printed("[JWT_AUTH] No valid JWT token and grace period ended - rejecting connection\n").await;
    let mut fresh = heir.client(Some("vscode1")).await;
    fresh.sum().await;
    heir.printed("[JWT_AUTH] Valid JWT token - user: vscode1@exai-mcp.local\n").await;
    heir.printed("act=close client=vscode2 ").await;
    assert_eq!(heir.gateway.terminate().await.code, Some(0));
    assert_eq!(one.heard().await, json!({ "closed": 1001, "reason": "the gateway is stopping" }));
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long a cut takes is what is promised")]
    Instant::now()
}
