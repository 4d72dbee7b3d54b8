//! Questions as a person meets them, in a terminal: each answer, the end of input, Ctrl-C. The terminal is Python's.

use crate::stage::{CLAUDE, Stage};
use serde_json::{Value, json};
use std::path::Path;

/// Types these keys once `wait_for` is shown, and says how it ended.
async fn typed(stage: &Stage, wait_for: &str, keys: &str, arguments: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/terminal.py");
    let script = script.to_str().expect("UTF-8");
    let program = env!("CARGO_BIN_EXE_hallpass");
    let command = [&[script, wait_for, keys, program], arguments].concat();
    let outcome = stage.hallpass.finish(stage.hallpass.outside("python3", &command)).await;
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    let ended: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(
        (&ended["typed"], &ended["as_before"]),
        (&json!(true), &json!(true)),
        "{arguments:?}: {ended}"
    );
    ended
}

/// Every command that asks.
const ASKING: [&[&str]; 8] = [
    &["apply"],
    &["apply", "--prune"],
    &["up"],
    &["issue", "claude"],
    &["issue", "claude", "--print"],
    &["remove", "claude"],
    &["keys", "rotate"],
    &["keys", "rotate", "--announce"],
];

/// The example, where there is something to do for `apply`.
async fn stage() -> Stage {
    let stage = Stage::applied().await;
    stage.swap("hallpass.toml", "[clients.vscode1]", "[clients.other]");
    stage.swap("hallpass.toml", "vscode1@", "other@");
    stage.hallpass.must(&["remove", "vscode1", "--yes"]).await;
    stage
}

#[tokio::test]
async fn ctrl_c_at_a_question_ends_it_as_the_shell_expects_and_changes_nothing() {
    let stage = stage().await;
    let before = stage.picture().await;
    for arguments in ASKING {
        let ended = typed(&stage, "do this? [y/N] ", "\\x03", arguments).await;
        // Ended by SIGINT itself, so that a script around it ends too.
        assert_eq!((&ended["code"], &ended["signal"]), (&json!(null), &json!(2)), "{arguments:?}: {ended}");
        stage.picture().await.assert_same(&before, &arguments.join(" "));
    }
    // Nothing is left locked or half-done.
    stage.hallpass.must(&["apply", "--yes"]).await;
}

#[tokio::test]
async fn anything_but_yes_is_a_no() {
    let stage = stage().await;
    let before = stage.picture().await;
    for keys in ["n\\n", "\\n", "yes!\\n", "Y E S\\n", "\\x04"] {
        let ended = typed(&stage, "do this? [y/N] ", keys, &["issue", "claude"]).await;
        let shown = ended["shown"].as_str().expect("text");
        assert_eq!(ended["code"], json!(1), "{keys}: {ended}");
        // On a line of its own, after the end of input too.
        assert!(shown.contains("\nerror: nothing was changed: the answer was no\r\n"), "{keys}: {shown:?}");
        stage.picture().await.assert_same(&before, keys);
    }
}

#[tokio::test]
async fn yes_is_yes() {
    let stage = stage().await;
    for keys in ["y\\n", "Yes\\n", " yes \\n", "n\\x7fy\\n"] {
        let before = stage.token(CLAUDE);
        let ended = typed(&stage, "do this? [y/N] ", keys, &["issue", "claude"]).await;
        assert_eq!(ended["code"], json!(0), "{keys}: {ended}");
        assert_ne!(stage.token(CLAUDE), before, "{keys}");
    }
}

/// The stop does not ask and stands, whatever the answer about new tokens is.
#[tokio::test]
async fn a_key_stays_stopped_when_the_question_about_new_tokens_is_broken_off() {
    for (keys, code) in [("\\x03", json!(null)), ("n\\n", json!(1))] {
        let stage = Stage::applied().await;
        let token = stage.token(CLAUDE).expect("a token");
        let listed = stage.document(&["keys", "list"]).await;
        let kid = listed["keys"][0]["kid"].as_str().expect("a kid");
        let ended =
            typed(&stage, "do this? [y/N] ", keys, &["keys", "revoke", kid, "--reason", "leaked"]).await;
        let shown = ended["shown"].as_str().expect("text");
        assert_eq!(ended["code"], code, "{ended}");
        assert!(shown.contains(&format!("{kid}: stopped, with 3 tokens\r\n")), "{shown}");
        assert_eq!(shown.contains("3 clients are without a token now"), code == json!(1), "{shown}");
        assert_eq!(stage.token(CLAUDE).as_deref(), Some(token.as_str()), "the file is left alone");
        let listed = stage.document(&["keys", "list"]).await;
        assert_eq!(
            (&listed["keys"][0]["state"], &listed["keys"][1]["state"]),
            (&json!("retired"), &json!("active"))
        );
        stage.hallpass.must(&["apply", "--yes"]).await;
        assert_ne!(stage.token(CLAUDE).as_deref(), Some(token.as_str()));
    }
}

#[tokio::test]
async fn who_is_to_paste_a_token_is_told_so() {
    let stage = Stage::founded().await;
    let ended =
        typed(&stage, "paste the token, then Enter and Ctrl-D\r\n", "no token\\n\\x04", &["verify"]).await;
    assert!(ended["shown"].as_str().expect("text").contains("would be refused (malformed_token)"), "{ended}");
    assert_eq!(ended["code"], json!(1));
    let ended = typed(&stage, "paste the token", "\\x03", &["adopt", "-"]).await;
    assert_eq!(ended["signal"], json!(2), "{ended}");
}
