//! The main road: three clients, three tokens, three files, nothing else in them; and the way back.

use crate::stage::{CLAUDE, CLIENTS, Stage, example_folder, mode_of, overwrite, text};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};

const MEMBER: &str = "\"EXAI_JWT_TOKEN\": \"";

/// Asserts that every file of the example holds a token of its own and is otherwise as it was.
async fn check_placed(stage: &Stage) {
    let mut tokens = Vec::new();
    for (client, file, _) in CLIENTS {
        let token = stage.token(file).expect("a token");
        let now = stage.text(file);
        let before = text(&example_folder().join(file));
        let start = now.find(MEMBER).expect("the member");
        // Ours is the last member of `env`: a comma, white space, the member.
        let from = now[..start].rfind(',').expect("a comma before it");
        let to = start + MEMBER.len() + token.len() + 1;
        assert_eq!(format!("{}{}", &now[..from], &now[to..]), before, "nothing else changed for {client}");
        assert_eq!(mode_of(&stage.file(file)), 0o600);
        let shown = stage.document(&["show", client]).await;
        assert_eq!(shown["tokens"].as_array().expect("tokens").len(), 1);
        assert_eq!(shown["tokens"][0]["state"], "active");
        stage.hallpass.write("token", &token);
        let verdict = stage.document(&["verify", "token"]).await;
        assert_eq!((&verdict["passes"], &verdict["client"]), (&true.into(), &client.into()));
        assert_eq!(verdict["claims"]["sub"], format!("{client}@exai-mcp.local"));
        assert_eq!(verdict["claims"]["jti"], shown["tokens"][0]["jti"]);
        tokens.push(token);
    }
    std::fs::remove_file(stage.file("token")).expect("the file");
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 3, "three different tokens");
}

#[tokio::test]
async fn apply_gives_each_client_a_token_and_a_second_run_changes_nothing() {
    let stage = Stage::founded().await;
    stage.hallpass.must(&["apply", "--yes"]).await;
    check_placed(&stage).await;
    let before = stage.picture().await;
    let said = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(said.ends_with("nothing to change\n"), "{said}");
    stage.picture().await.assert_same(&before, "a second apply");
    assert_eq!(stage.document(&["apply", "--yes"]).await["changed"], false);
    assert_eq!(stage.document(&["issue", "claude", "--yes"]).await["clients"][0]["done"], true);
}

#[tokio::test]
async fn up_makes_all_of_it_and_serves_until_it_is_told_to_stop() {
    let stage = Stage::example();
    for round in 0..2 {
        let before = stage.picture().await;
        let mut child = stage
            .hallpass
            .command(&["up", "--yes", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        loop {
            let line = lines.next_line().await.expect("a pipe").expect("the ready line before the end");
            if line.contains("listening on http://127.0.0.1:") {
                break;
            }
        }
        let process =
            rustix::process::Pid::from_raw(i32::try_from(child.id().expect("alive")).expect("a pid"));
        rustix::process::kill_process(process.expect("a pid"), rustix::process::Signal::TERM)
            .expect("a signal");
        assert_eq!(child.wait().await.expect("an end").code(), Some(0));
        if round == 1 {
            let moved = stage.picture().await.differences(&before);
            let users: Vec<_> = moved.iter().filter(|path| path.starts_with(stage.hallpass.user())).collect();
            assert!(users.is_empty(), "{users:?}");
        } else {
            check_placed(&stage).await;
        }
    }
}

#[tokio::test]
async fn remove_gives_the_bytes_back() {
    let stage = Stage::applied().await;
    stage.hallpass.must(&["issue", "--all", "--yes"]).await;
    for (client, file, _) in CLIENTS {
        stage.hallpass.must(&["remove", client, "--yes"]).await;
        assert_eq!(stage.text(file), text(&example_folder().join(file)), "{client}");
    }
    assert_eq!(stage.document(&["list"]).await["clients"], serde_json::json!([]));
}

#[tokio::test]
async fn a_value_that_stood_there_comes_back_however_often_a_token_was_issued() {
    let stage = Stage::founded().await;
    let with_secret = stage
        .text(CLAUDE)
        .replace("\"env\": {", "\"env\": {\n        \"EXAI_JWT_TOKEN\" : \"th\\u0065irs\",");
    overwrite(&stage.file(CLAUDE), &with_secret);
    let plan = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(plan.contains("in place of what stands there (kept sealed)"), "{plan}");
    let plan = stage.hallpass.must(&["issue", "claude", "--yes"]).await;
    assert!(!plan.contains("kept sealed"), "what stands there now is ours: {plan}");
    stage.hallpass.must(&["remove", "claude", "--yes"]).await;
    assert_eq!(stage.text(CLAUDE), with_secret);
}

#[tokio::test]
async fn a_value_put_over_our_token_stays_at_remove_and_comes_back_after_another_issue() {
    for issue_again in [false, true] {
        let stage = Stage::applied().await;
        let token = stage.token(CLAUDE).expect("a token");
        stage.swap(CLAUDE, &token, "somebody-elses");
        let theirs = stage.text(CLAUDE);
        if issue_again {
            stage.hallpass.must(&["apply", "--yes"]).await;
            assert_ne!(stage.token(CLAUDE), Some("somebody-elses".into()));
        }
        stage.hallpass.must(&["remove", "claude", "--yes"]).await;
        assert_eq!(stage.text(CLAUDE), theirs, "after another issue: {issue_again}");
    }
}

#[tokio::test]
async fn a_token_that_others_could_read_is_replaced() {
    let stage = Stage::applied().await;
    let before = stage.token(CLAUDE);
    crate::stage::mode(&stage.file(CLAUDE), 0o644);
    let plan = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(plan.contains("others could read the one before"), "{plan}");
    assert_ne!(stage.token(CLAUDE), before);
    assert_eq!(mode_of(&stage.file(CLAUDE)), 0o600);
}
