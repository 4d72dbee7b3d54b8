//! `hallpass disable` and `hallpass enable`: a client is off and on again, and nothing else has changed.

use crate::stage::{CLAUDE, Stage};
use serde_json::{Value, json};

async fn verdict(stage: &Stage) -> (Value, Value) {
    stage.hallpass.write("token-to-check", &stage.token(CLAUDE).expect("a token"));
    let outcome = stage.hallpass.run(&["verify", "token-to-check", "--json"]).await;
    let verdict: Value = serde_json::from_str(&outcome.stdout).expect("a document");
    (verdict["passes"].clone(), verdict["reason"].clone())
}

#[tokio::test]
async fn a_disabled_client_is_refused_and_comes_back_with_the_token_that_it_had() {
    let stage = Stage::applied().await;
    let before = stage.document(&["show", "claude"]).await;
    let file = stage.text(CLAUDE);
    let said = stage.hallpass.must(&["disable", "claude", "--reason", "on leave"]).await;
    assert_eq!(said, "claude: disabled. `hallpass enable claude` lets it in again\n");
    assert_eq!(verdict(&stage).await, (json!(false), json!("client_disabled")));
    let shown = stage.document(&["show", "claude"]).await;
    assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("on leave")));
    let since = shown["disabled_at"].as_str().expect("a time").to_owned();
    assert_eq!(shown["tokens"], before["tokens"]);
    let said = stage.hallpass.must(&["disable", "claude", "--reason", "again"]).await;
    assert_eq!(said, format!("claude: it is disabled already since {since} (on leave), nothing to change\n"));
    let list = stage.hallpass.must(&["list"]).await;
    assert!(list.lines().any(|line| line.starts_with("claude") && line.ends_with("disabled")), "{list}");
    assert_eq!(stage.document(&["apply", "--yes"]).await["changed"], false, "nor does that bring it back");
    assert_eq!(verdict(&stage).await.0, json!(false));
    assert_eq!(stage.hallpass.must(&["enable", "claude"]).await, "claude: enabled\n");
    assert_eq!(
        stage.hallpass.must(&["enable", "claude"]).await,
        "claude: it is enabled, nothing to change\n"
    );
    assert_eq!(stage.document(&["show", "claude"]).await, before);
    assert_eq!(stage.text(CLAUDE), file);
    assert_eq!(verdict(&stage).await, (json!(true), Value::Null));
    let log = stage.hallpass.must(&["log", "-n", "2"]).await;
    assert!(log.contains("act=disable client=claude done reason=\"on leave\""), "{log}");
    assert!(log.contains("act=enable client=claude done by=\"uid "), "{log}");
}

#[tokio::test]
async fn a_disabled_client_may_get_a_new_token_and_stays_disabled() {
    let stage = Stage::applied().await;
    stage.hallpass.must(&["disable", "claude", "--reason", "on leave"]).await;
    for command in [&["issue", "claude", "--yes"][..], &["rotate", "claude", "--yes"]] {
        let said = stage.hallpass.must(command).await;
        let words = "    it is disabled: its tokens are refused until `hallpass enable claude`\n";
        assert!(said.contains(words), "{said}");
        assert_eq!(verdict(&stage).await, (json!(false), json!("client_disabled")));
    }
    stage.hallpass.must(&["enable", "claude"]).await;
    assert_eq!(verdict(&stage).await.0, json!(true));
}

#[tokio::test]
async fn whoever_is_let_in_again_without_a_good_token_is_told() {
    let stage = Stage::applied().await;
    stage.hallpass.must(&["revoke", "claude", "--reason", "lost"]).await;
    stage.hallpass.must(&["disable", "claude", "--reason", "on leave"]).await;
    let said = stage.hallpass.must(&["enable", "claude"]).await;
    let expect = "claude: enabled. It has no token that is good: `hallpass issue claude` gives it one\n";
    assert_eq!(said, expect);
    assert_eq!(verdict(&stage).await, (json!(false), json!("revoked")), "revoked is final");
}

/// Another command may hold the lock while a person thinks about its question, with a plan from before.
#[tokio::test]
async fn it_waits_for_nobody() {
    let stage = Stage::applied().await;
    let lock = std::fs::File::open(stage.hallpass.home().join("lock")).expect("the lock");
    lock.lock().expect("held");
    stage.hallpass.must(&["disable", "claude", "--reason", "on leave"]).await;
    stage.hallpass.must(&["enable", "claude"]).await;
    stage.hallpass.must(&["disable", "claude", "--reason", "on leave"]).await;
    drop(lock);
    assert_eq!(verdict(&stage).await.1, json!("client_disabled"));
}

#[tokio::test]
async fn dry_runs_documents_and_mistakes() {
    let stage = Stage::applied().await;
    let before = stage.picture().await;
    let dry = ["disable", "claude", "--reason", "x", "--dry-run"];
    assert_eq!(stage.hallpass.must(&dry).await, "claude: would be disabled\n");
    let document = stage.document(&dry).await;
    assert_eq!((&document["enabled"], &document["changed"]), (&json!(true), &json!(false)));
    for (command, code, words) in [
        (&["disable", "cluade", "--reason", "x"][..], 1, "hint: did you mean `claude`?"),
        (&["enable", "cluade"], 1, "hint: did you mean `claude`?"),
        (&["disable", "claude"], 64, "--reason <TEXT>"),
        (&["disable", "claude", "--reason", " "], 64, "error: the reason is empty"),
        (&["disable", "claude", "--reason", "two\nlines"], 64, "control characters"),
        (&["enable", "claude", "--wait=0"], 64, "0 is not in 1..=600"),
        (&["enable", "claude", "--wait=soon"], 64, "invalid value 'soon'"),
    ] {
        let outcome = stage.hallpass.run(command).await;
        assert_eq!(outcome.code, Some(code), "{command:?}: {outcome:#?}");
        assert!(outcome.stderr.contains(words), "{command:?}: {outcome:#?}");
    }
    stage.picture().await.assert_same(&before, "what was refused");
    let document = stage.document(&["disable", "claude", "--reason", "x"]).await;
    assert_eq!((&document["enabled"], &document["changed"]), (&json!(false), &json!(true)));
    assert_eq!(stage.hallpass.must(&["enable", "claude", "--dry-run"]).await, "claude: would be enabled\n");
    let document = stage.document(&["enable", "claude"]).await;
    assert_eq!((&document["enabled"], &document["changed"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn without_a_gateway_there_is_nobody_to_wait_for() {
    let stage = Stage::applied().await;
    let words = "no gateway runs: what was changed is in force from its next start\n";
    for command in [
        &["disable", "claude", "--reason", "x", "--wait"][..],
        &["enable", "claude", "--wait"],
        &["rotate", "claude", "--yes", "--now", "--wait=1"],
        &["revoke", "claude", "--reason", "x", "--wait"],
    ] {
        let outcome = stage.hallpass.run(command).await;
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), words), "{command:?}");
    }
}
