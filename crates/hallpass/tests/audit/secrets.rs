//! Credentials in whatever callers and operators may write: none is kept, whatever is kept of arguments.
//! The search for them is the harness's (`program`), over the log, its view, what was printed.

use crate::program::Serving;
use crate::scene::{Calling, Scene};
use serde_json::{Value, json};

const SHARED: &str = "Zt4kqW9xLm2v-b7nYc5sHd8pJf3gQ";
/// What somebody shows to a server that is none of ours.
const OPAQUE: &str = "8f14e45fceea167a5a36dedd4bea2543";

/// A home with a grace period, and what is pasted into wrong places.
async fn scene(audit: &str) -> (Scene, Vec<String>) {
    let scene = Scene::new(2, &format!("[audit]\n{audit}\n")).await;
    scene.program.write("secret", SHARED);
    let start = ["grace", "start", "--until", "14d", "--secret-file", "secret", "--reason", "move", "--yes"];
    scene.program.must(&start).await;
    scene.program.canary(OPAQUE);
    let token = scene.token("c0");
    let pasted = [
        token.clone(),
        format!("Bearer {token}"),
        format!("use {token}, please"),
        SHARED.to_owned(),
        format!("Bearer {SHARED}"),
        format!("EXAI_WS_TOKEN={SHARED};"),
        format!("Authorization: bearer {OPAQUE}"),
    ];
    (scene, pasted.to_vec())
}

/// Every text of a caller's that a record may hold.
async fn paste(gateway: &Serving, credential: &str, text: &str) {
    let call = |name: &str, arguments: Value| {
        let params = json!({ "name": name, "arguments": arguments });
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
    };
    let client = json!({ "name": text, "version": text });
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    let bodies = [
        call("echo", json!({ "path": text, "deep": { "er": [[text]] } })),
        call("echo", json!({ text: 1, "path": { text: text } })),
        call(text, json!({ "path": text })),
        json!({ "jsonrpc": "2.0", "id": 1, "method": text }),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello }),
    ];
    for body in bodies {
        let lines = format!("User-Agent: {text}\r\nMcp-Session-Id: {text}\r\n");
        let mut plain = Calling::new(gateway, credential).await.saying(&format!("User-Agent: {text}\r\n"));
        plain.call(&body.to_string()).await.expect("an answer");
        let mut in_session = Calling::new(gateway, credential).await.saying(&lines);
        in_session.call(&body.to_string()).await.expect("an answer");
    }
}

/// By callers with a token, with the shared secret, and with nothing that counts; and by an operator.
async fn paste_everywhere(scene: &Scene, pasted: &[String]) {
    let gateway = scene.program.serve().await;
    let token = scene.token("c0");
    for text in pasted {
        for credential in [&token, SHARED, "nobody"] {
            paste(&gateway, credential, text).await;
        }
    }
    let reason = format!("saw Bearer {token} in a ticket");
    scene.program.must(&["disable", "c1", "--reason", &reason]).await;
    gateway.terminate().await;
    scene.assert_whole();
    for shown in
        [&["log", "-n", "1000"][..], &["audit", "export"], &["usage"], &["grace", "status", "--report"]]
    {
        scene.program.must(shown).await;
    }
    scene.program.must(&["report", "--output", "report.html"]).await;
    assert_eq!(scene.program.leaks(), Vec::<String>::new());
}

fn calls_of_echo(scene: &Scene) -> Vec<Value> {
    let records = scene.records().into_iter();
    let calls: Vec<_> =
        records.filter(|record| record["tool"] == "echo" && record["outcome"] == "ok").collect();
    assert!(!calls.is_empty(), "something was called");
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_is_in_a_log_of_hashes_and_what_somebody_knows_is_found_by_its_hash() {
    let (scene, pasted) = scene("arguments = \"hash\"").await;
    paste_everywhere(&scene, &pasted).await;
    let calls = calls_of_echo(&scene);
    for text in &pasted {
        scene.program.write("known", text);
        let hash = scene.program.must(&["audit", "hash", "known"]).await;
        let is_it = |call: &&Value| call["arguments_hash"]["values"]["path"] == hash.trim();
        assert!(calls.iter().any(|call| is_it(&call)), "a text that was sent is not found by its hash");
    }
    let names = calls.iter().filter_map(|call| call["arguments_hash"]["values"].as_object());
    let names: Vec<_> = names.flat_map(|values| values.keys()).collect();
    assert!(names.iter().all(|name| ["path", "deep"].contains(&name.as_str())), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_is_in_a_log_of_arguments_in_full() {
    let (scene, pasted) = scene("arguments_in_full = [\"docs/*\"]").await;
    paste_everywhere(&scene, &pasted).await;
    let kept: Vec<_> = calls_of_echo(&scene).iter().map(|call| call["arguments"].to_string()).collect();
    for shown in ["(a token)", "Bearer (a token)", "(a secret)", "Authorization: bearer (a secret)"] {
        assert!(kept.iter().any(|text| text.contains(shown)), "`{shown}` is in no record");
    }
}
