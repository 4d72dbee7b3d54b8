//! The gateway between a client and a daemon of the hello dialect that are not ours: both in Python, written from the
//! dialect's description alone.

use crate::bench::{Plan, soon};
use crate::ws::stage::{DAEMONS, Period, SHARED, Stage, hello};
use aws_lc_rs::hmac;
use hallpass_core::encoding::base64url;
use hallpass_gateway::{LegacyToken, Upstream};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const SECRET: &str = "6f1d2c3b4a5968778695a4b3c2d1e0f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn python(script: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(root.join("target/python/bin/python"));
    let script: PathBuf = root.join("tests/python").join(script);
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

/// The daemon, and what it heard.
struct Daemon {
    url: String,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Daemon {
    async fn start() -> Self {
        let mut command = python("hello_daemon.py");
        command.env("JWT_SECRET_KEY", SECRET).env("EXAI_WS_TOKEN", DAEMONS);
        let mut child = command.spawn().expect("installed libraries: `cargo xtask test python`");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(Duration::from_mins(1), lines.next_line()).await;
        let url = first.expect("in time").unwrap().expect("a daemon that starts");
        Self { url, lines, _child: child }
    }

    fn upstream(&self) -> Upstream {
        Upstream { url: self.url.parse().unwrap(), credential: None, legacy_token: LegacyToken::new(DAEMONS) }
    }

    /// Everything that it heard until so many connections have ended.
    async fn heard_until(&mut self, mut ends: usize) -> Vec<Value> {
        let mut heard = Vec::new();
        while ends > 0 {
            let line = soon(self.lines.next_line()).await.unwrap().expect("a line");
            let line: Value = serde_json::from_str(&line).unwrap();
            ends -= usize::from(line["heard"] == "end");
            heard.push(line);
        }
        heard
    }
}

/// What the client heard in each of these scenes.
async fn play(scenes: &[Value]) -> Value {
    let mut child =
        python("hello_client.py").spawn().expect("installed libraries: `cargo xtask test python`");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(Value::from(scenes).to_string().as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(Duration::from_mins(1), child.wait_with_output()).await;
    serde_json::from_slice(&output.expect("in time").unwrap().stdout).expect("what was heard")
}

fn scene(name: &str, url: &str, frames: &[&str], until: usize) -> Value {
    json!({ "name": name, "url": url, "frames": frames, "until": until })
}

async fn stage_before(daemon: &Daemon, mut plan: Plan) -> (Stage, String) {
    plan.more.push(("daemon", daemon.upstream()));
    let mut stage = Stage::with(plan).await;
    stage.legacy_servers = vec!["daemon"];
    let url = format!("ws://{}/s/daemon/mcp", stage.address());
    (stage, url)
}

/// The first text that was heard, as JSON, and the close code.
fn outcome(heard: &Value) -> (Value, Value) {
    let first = heard["heard"][0].as_str().map(|text| serde_json::from_str(text).unwrap());
    (first.unwrap_or_default(), heard["code"].clone())
}

#[tokio::test]
async fn every_row_of_the_handshake_before_during_and_after_the_grace_period() {
    let daemon = Daemon::start().await;
    let (mut stage, url) = stage_before(&daemon, Plan::default()).await;
    let ann = stage.bench.ann.clone();
    let forged = crate::bench::Token { text: format!("{}A", ann.text), ..ann.clone() };
    for period in [Period::Never, Period::Running, Period::Over] {
        stage.grace(period);
        let legacy = |frame: String| (frame, period == Period::Running, "jwt_required");
        let unauthorized = if period == Period::Running { "unauthorized" } else { "jwt_required" };
        let hellos = [
            ("the right shared token", legacy(hello(None, Some(SHARED)))),
            ("a wrong shared token", (hello(None, Some("wrong")), false, unauthorized)),
            ("no credential", (hello(None, None), false, unauthorized)),
            (
                "empty credentials",
                (json!({ "op": "hello", "token": "", "jwt": "" }).to_string(), false, unauthorized),
            ),
            ("a token of its own", (hello(Some(&ann), None), true, "")),
            ("a token of its own and a wrong shared one", (hello(Some(&ann), Some("wrong")), true, "")),
            (
                "a bad token and the right shared one",
                (hello(Some(&forged), Some(SHARED)), false, unauthorized),
            ),
        ];
        let others = [
            ("not JSON", "hello", Value::Null, json!(4000)),
            (
                "no hello",
                "{\"op\":\"list_tools\"}",
                json!({ "op": "hello_ack", "ok": false, "error": "missing_hello" }),
                json!(4001),
            ),
        ];
        let calls = [("initialize", 4401), ("tools/call", 4001)];
        let call = |method: &str| json!({ "jsonrpc": "2.0", "id": 1, "method": method }).to_string();
        let mut scenes: Vec<_> = hellos
            .iter()
            .map(|(name, (frame, good, _))| scene(name, &url, &[frame], if *good { 1 } else { 2 }))
            .collect();
        scenes.extend(others.iter().map(|(name, frame, ..)| scene(name, &url, &[frame], 2)));
        scenes.extend(calls.iter().map(|(method, _)| scene(method, &url, &[&call(method)], 2)));
        let heard = play(&scenes).await;
        for (name, (_, good, error)) in &hellos {
            let (ack, code) = outcome(&heard[name]);
            if *good {
                assert_eq!(
                    ack,
                    json!({ "op": "hello_ack", "ok": true, "session_id": "vscode-instance-1" }),
                    "{name} {period:?}"
                );
            } else {
                assert_eq!(
                    (&ack["op"], &ack["ok"], &ack["error"]),
                    (&json!("hello_ack"), &json!(false), &json!(error)),
                    "{name} {period:?}"
                );
                assert_eq!(code, 4003, "{name} {period:?}");
            }
        }
        for (name, _, ack, code) in &others {
            assert_eq!(outcome(&heard[name]), (ack.clone(), code.clone()), "{name} {period:?}");
        }
        for (method, expect) in calls {
            let (error, code) = outcome(&heard[method]);
            assert_eq!(
                (&error["error"]["code"], &code),
                (&json!(-32000), &json!(expect)),
                "{method} {period:?}"
            );
        }
    }
}

#[tokio::test]
async fn who_says_nothing_is_let_go_with_the_dialects_code() {
    let daemon = Daemon::start().await;
    let mut plan = Plan::default();
    plan.limits.sockets.hello_within = Duration::from_millis(300);
    let (_stage, url) = stage_before(&daemon, plan).await;
    let heard = play(&[scene("silent", &url, &[], 1)]).await;
    assert_eq!(outcome(&heard["silent"]), (Value::Null, json!(4002)));
}

#[tokio::test]
async fn the_same_client_and_daemon_without_the_gateway_say_and_hear_the_same() {
    let mut daemon = Daemon::start().await;
    let (mut stage, url) = stage_before(&daemon, Plan::default()).await;
    stage.grace(Period::Running);
    let ann = stage.bench.ann.clone();
    let own = hs256();
    let calls = [
        r#"{"op":"list_tools","request_id":"r-1"}"#,
        r#"{"op":"call_tool","request_id":"r-2","name":"echo","arguments":{"text":"\u00e9\u4f60"}}"#,
        r#"{"op":"call_tool","request_id":3,"name":"add","arguments":{"a":1,"b":2}}"#,
        r#"{"op":"call_tool","request_id":"r-4","name":"none"}"#,
        r#"{"op":"whatever","request_id":"r-5"}"#,
    ];
    let mcp = [
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}"#,
    ];
    let said = |name: &str, url: &str, hello: &str| scene(name, url, &[&[hello][..], &calls].concat(), 12);
    let direct_hello = |jwt: Option<&str>| {
        let mut hello = json!({ "op": "hello", "session_id": "vscode-instance-1", "token": DAEMONS });
        if let Some(jwt) = jwt {
            hello["jwt"] = jwt.into();
        }
        hello.to_string()
    };
    let mut with_header = scene("mcp through", &url, &mcp, 3);
    with_header["headers"] = json!({ "Authorization": format!("Bearer {}", ann.text) });
    let heard = play(&[
        said("jwt through", &url, &hello(Some(&ann), Some(SHARED))),
        said("jwt direct", &daemon.url, &direct_hello(Some(&own))),
        said("shared through", &url, &hello(None, Some(SHARED))),
        said("shared direct", &daemon.url, &direct_hello(None)),
        with_header,
        scene("mcp direct", &daemon.url, &mcp, 3),
    ])
    .await;
    for (credential, texts) in [("jwt", 12), ("shared", 12), ("mcp", 3)] {
        let (through, direct) =
            (&heard[format!("{credential} through")], &heard[format!("{credential} direct")]);
        assert_eq!(through["heard"].as_array().map(Vec::len), Some(texts), "{through}");
        assert_eq!(reordered(through), reordered(direct), "{credential}");
    }
    let seen = daemon.heard_until(6).await;
    assert_eq!(seen.iter().filter(|line| line["heard"] == "message").count(), 4 * calls.len() + 2 * 3);
    let all = Value::from(seen).to_string();
    assert!(!all.contains(&ann.text) && !all.contains(SHARED), "a client's credential reached the daemon");
}

/// The ack has no order of members that anybody could rely on; every other text is compared letter for letter.
fn reordered(heard: &Value) -> Value {
    let mut heard = heard.clone();
    let first: Option<Value> = heard["heard"][0].as_str().and_then(|text| serde_json::from_str(text).ok());
    if let Some(ack) = first.filter(|ack| ack["op"] == "hello_ack") {
        heard["heard"][0] = ack;
    }
    heard
}

/// A token that the daemon itself takes.
fn hs256() -> String {
    let part = |value: Value| base64url(value.to_string().as_bytes());
    let claims = json!({ "sub": "vscode1@exai-mcp.local", "iss": "exai-mcp-server", "aud": "exai-mcp-client", "iat": 1_700_000_000, "exp": 4_000_000_000_u64 });
    let input = format!("{}.{}", part(json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), input.as_bytes());
    format!("{input}.{}", base64url(signature.as_ref()))
}
