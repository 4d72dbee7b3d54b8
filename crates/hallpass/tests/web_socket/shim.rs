//! `hallpass shim` in the place of the Python shim of a former set-up, started from its clients' own configuration files by
//! the official Python SDK, in both eras of MCP.

use crate::origin::{CLAUDE, Origin, SdkClient, VSCODE1, VSCODE2};
use crate::program::Hallpass;
use crate::python::{Daemon, SHARED, until};
use serde_json::{Value, json};
use std::path::Path;

/// A client program whose entry starts the shim by its name, with what its predecessor was started with.
fn entry(hallpass: &Hallpass, variables: &Value) -> String {
    let link = hallpass.user().join("hallpass-shim");
    if !link.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hallpass"), &link).expect("a link");
    }
    let entry = json!({
        "command": link,
        "args": ["-u", "scripts/runtime/run_ws_shim.py"],
        "env": variables,
    });
    json!({ "mcpServers": { "daemon": entry } }).to_string()
}

fn variables(url: &str) -> Value {
    let port = url.rsplit(':').next().expect("a port");
    json!({ "EXAI_WS_HOST": "127.0.0.1", "EXAI_WS_PORT": port, "EXAI_WS_TOKEN": SHARED, "EXAI_SESSION_ID": "vscode-instance-1" })
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_both_eras_reach_a_daemon_that_knows_neither() {
    let mut daemon = Daemon::start().await;
    let hallpass = Hallpass::new();
    let config = hallpass.write("mcp.json", &entry(&hallpass, &variables(&daemon.url)));
    for (mode, revision) in [("legacy", "2025-11-25"), ("auto", "2026-07-28"), ("2026-07-28", "2026-07-28")] {
        let (mut client, greeting) = SdkClient::start(&hallpass, &config, "daemon", mode).await;
        assert_eq!(greeting, json!({ "revision": revision, "tools": ["echo", "add", "delete"] }), "{mode}");
        let sum = client.call("add", json!({ "a": 1, "b": 2 })).await;
        assert_eq!(sum, json!({ "text": "3", "failed": false, "progress": 1 }), "{mode}");
        let failure = client.call("unheard_of", json!({})).await;
        assert_eq!(
            failure,
            json!({ "text": "unknown_tool: unheard_of", "failed": true, "progress": 1 }),
            "{mode}"
        );
        let notes = client.notes();
        assert_eq!(notes, "[JWT_AUTH] No JWT token configured - using legacy auth only\n", "{mode}");
        let first = daemon.heard().await;
        let hello: Value = serde_json::from_str(first["frame"].as_str().expect("a frame")).expect("JSON");
        assert_eq!(hello, json!({ "op": "hello", "session_id": "vscode-instance-1", "token": SHARED }));
        for _ in 0..3 {
            assert_eq!(daemon.heard().await["heard"], "message");
        }
        client.end().await;
        assert_eq!(daemon.heard().await["heard"], "end", "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_or_finds_nobody_is_told_why() {
    let daemon = Daemon::start().await;
    let hallpass = Hallpass::new();
    let mut wrong = variables(&daemon.url);
    wrong["EXAI_WS_TOKEN"] = "another".into();
    let mut nobody = wrong.clone();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    nobody["EXAI_WS_PORT"] = taken.local_addr().expect("an address").port().to_string().into();
    drop(taken);
    for (variables, code, words) in [
        (wrong, 401, "the daemon refused: unauthorized"),
        (nobody, 503, "cannot reach the daemon at ws://127.0.0.1:"),
    ] {
        let said =
            lines_of(&hallpass, &variables, &[r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#]).await;
        assert_eq!((&said[0]["id"], &said[0]["error"]["code"]), (&json!(1), &json!(code)), "{said:?}");
        let message = said[0]["error"]["message"].as_str().expect("words");
        assert!(message.starts_with(words), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_answered_and_the_rest_goes_on() {
    let daemon = Daemon::start().await;
    let hallpass = Hallpass::new();
    let lines = [
        "no JSON",
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        "",
        r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":"zwölf"}}}"#,
    ];
    let said = lines_of(&hallpass, &variables(&daemon.url), &lines).await;
    let codes: Vec<&Value> = said.iter().map(|line| &line["error"]["code"]).collect();
    assert_eq!(codes[..2], [&json!(-32700), &json!(-32600)]);
    assert_eq!(said[2], json!({ "jsonrpc": "2.0", "id": "p", "result": {} }));
    assert_eq!(said[3]["result"], json!({ "content": [{ "type": "text", "text": "zwölf" }] }));
    assert_eq!(said.len(), 4, "{said:?}");
}

/// What the shim answers to these lines before it ends with its input.
async fn lines_of(hallpass: &Hallpass, variables: &Value, lines: &[&str]) -> Vec<Value> {
    let file = hallpass.write("lines", &(lines.join("\n") + "\n"));
    let mut command = hallpass.command(&["shim"]);
    for (name, value) in variables.as_object().expect("variables") {
        command.env(name, value.as_str().expect("text"));
    }
    command.stdin(std::fs::File::open(file).expect("a file"));
    let outcome = hallpass.finish(command).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_and_variables_that_are_no_numbers_are_refused() {
    let hallpass = Hallpass::new();
    for (name, value, code, words) in [
        (
            "EXAI_WS_HOST",
            "192.0.2.1",
            1,
            "error: `EXAI_WS_HOST` is another machine, and the token would go there unencrypted\n",
        ),
        ("EXAI_WS_PORT", "http", 64, "error: `EXAI_WS_PORT` is not a number that it could be\n"),
    ] {
        let mut command = hallpass.command(&["shim"]);
        command.env(name, value);
        let outcome = hallpass.finish(command).await;
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), ""));
        assert!(outcome.stderr.starts_with(words), "{}", outcome.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_file_is_read_anew_so_that_a_rotation_fails_no_call() {
    let origin = Origin::served(&[]).await;
    let file = origin.hallpass.home().join("tokens/bridged");
    let mut variables = variables(&origin.address);
    variables["EXAI_JWT_TOKEN_FILE"] = file.to_str().expect("a path").into();
    let config = origin.hallpass.write("bridged-mcp.json", &entry(&origin.hallpass, &variables));
    let (mut client, _) = SdkClient::start(&origin.hallpass, &config, "daemon", "legacy").await;
    let length = std::fs::read_to_string(&file).expect("a token").trim_end().len();
    assert_eq!(client.notes(), format!("[JWT_AUTH] JWT token configured (length: {length} chars)\n"));
    client.sum().await;
    for _ in 0..2 {
        origin.hallpass.must(&["rotate", "bridged", "--overlap", "1h", "--yes"]).await;
        client.sum().await;
    }
    assert_eq!(client.notes().matches("the token has changed: connecting anew").count(), 2);
    let used = origin.hallpass.must(&["show", "bridged", "--json"]).await;
    let shown: Value = serde_json::from_str(&used).expect("JSON");
    let tokens = shown["tokens"].as_array().expect("tokens");
    assert_eq!(tokens.len(), 3, "{shown}");
    // A token that is not there is not the same as none: the shared secret is no way around it.
    std::fs::remove_file(&file).expect("a file");
    let lost = client.call("add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(lost["error"][0], 401, "{lost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_offers_the_shim_and_changes_the_command_alone() {
    let origin = Origin::founded(&[]).await;
    let plan = origin.hallpass.must(&["apply", "--yes"]).await;
    let offer = "offer: `hallpass apply --shim` puts `hallpass shim` in the place of the Python shim of claude, vscode1, vscode2; only `command` changes\n";
    assert!(plan.contains(offer), "{plan}");
    let before: Vec<String> = Origin::FILES.iter().map(|file| origin.text(file)).collect();
    let plan = origin.hallpass.must(&["apply", "--shim", "--yes"]).await;
    assert!(!plan.contains("offer:") && plan.contains("`hallpass shim` as its `command`"), "{plan}");
    let link = origin.hallpass.home().join("hallpass-shim");
    assert_eq!(std::fs::canonicalize(&link).ok(), std::fs::canonicalize(env!("CARGO_BIN_EXE_hallpass")).ok());
    let changed = |text: &str| {
        let wanted = format!("\"command\": \"{}\"", link.display());
        text.replacen("\"command\": \"python\"", &wanted, 1)
    };
    for (file, before) in Origin::FILES.iter().zip(&before) {
        assert_eq!(origin.text(file), changed(before), "{file}");
    }
    let said = origin.hallpass.must(&["apply", "--yes"]).await;
    assert!(said.ends_with("nothing to change\n") && !said.contains("offer:"), "{said}");
    // A link that leads nowhere, and a `command` that a person put back.
    std::fs::remove_file(&link).expect("a link");
    origin.hallpass.must(&["apply", "--yes"]).await;
    assert!(Path::new(&link).exists());
    origin.write(VSCODE1, &before[0]);
    let said = origin.hallpass.must(&["apply", "--yes"]).await;
    assert!(said.contains("Python shim of vscode1;"), "{said}");
    assert_eq!(origin.text(VSCODE1), before[0]);
    // A fresh token, and the way back.
    origin.hallpass.must(&["issue", "vscode2", "--yes"]).await;
    assert!(origin.text(VSCODE2).contains(&format!("\"command\": \"{}\"", link.display())));
    for (client, file) in [("vscode1", VSCODE1), ("vscode2", VSCODE2), ("claude", CLAUDE)] {
        origin.hallpass.must(&["remove", client, "--yes"]).await;
        assert_eq!(origin.text(file), Origin::former(file), "{client}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_clients_call_at_once_and_a_revocation_ends_one() {
    let mut origin = Origin::served(&["claude"]).await;
    let mut shims = Vec::new();
    for ((file, entry), mode) in Origin::ENTRIES.into_iter().zip(["legacy", "auto", "legacy"]) {
        origin.dial_the_gateway(file);
        let (client, greeting) =
            SdkClient::start(&origin.hallpass, &origin.hallpass.user().join(file), entry, mode).await;
        assert_eq!(greeting["tools"], json!(["echo", "add", "delete"]));
        shims.push(client);
    }
    let mut clients = Vec::new();
    for file in Origin::FILES {
        clients.push(origin.talker(file).await);
    }
    let [one, two, three] = &mut shims[..] else { panic!("three") };
    let [first, second, third] = &mut clients[..] else { panic!("three") };
    tokio::join!(one.sum(), two.sum(), three.sum(), first.sum(), second.sum(), third.sum());
    for client in ["vscode1", "vscode2", "claude"] {
        let calls = || {
            let line = |line: &&str| {
                line.contains(&format!("client={client} ")) && line.contains(" method=call_tool tool=add ")
            };
            (origin.gateway.stdout().lines().filter(line).count() == 2).then_some(())
        };
        until(calls).await;
        let line =
            format!("[JWT_AUTH] Valid JWT token (grace period active) - user: {client}@exai-mcp.local\n");
        until(|| origin.gateway.stdout().contains(&line).then_some(())).await;
    }
    let closed = origin.revoked("vscode2", second).await;
    assert_eq!(closed["closed"], 4003);
    until(|| {
        two.notes()
            .contains("the daemon closed the connection (4003): this token was revoked on ")
            .then_some(())
    })
    .await;
    let refused = two.call("add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(refused["error"][0], 401, "{refused}");
    let words = refused["error"][1].as_str().expect("words");
    assert!(words.ends_with("run `hallpass issue vscode2`"), "{words}");
    tokio::join!(one.sum(), three.sum(), first.sum(), third.sum());
    assert_eq!(origin.sessions_at_the_daemon().await, 6, "nobody else had to connect anew");
}
