//! `hallpass rotate`: the new token is in its place, the one before stays good for a while.

use crate::stage::{CLAUDE, Stage, VSCODE1, VSCODE2};
use serde_json::{Value, json};

const DAY: i64 = 86_400;

/// The client's tokens as `show` has them, newest first.
async fn tokens(stage: &Stage, client: &str) -> Vec<Value> {
    stage.document(&["show", client]).await["tokens"].as_array().expect("tokens").clone()
}

async fn states(stage: &Stage, client: &str) -> Vec<String> {
    let tokens = tokens(stage, client).await;
    tokens.iter().map(|token| token["state"].as_str().expect("a state").to_owned()).collect()
}

/// Seconds from the newest token's issue to the end of the one before.
async fn overlap_of(stage: &Stage, client: &str) -> i64 {
    let store = stage.store().await.expect("the store");
    let tokens = store.tokens_of(client).await.expect("tokens");
    match tokens[1].state {
        hallpass_core::snapshot::TokenState::Superseded { until } => until.since(tokens[0].issued_at),
        other => panic!("{other:?}"),
    }
}

async fn passes(stage: &Stage, token: &str) -> Value {
    stage.hallpass.write("token-to-check", token);
    let outcome = stage.hallpass.run(&["verify", "token-to-check", "--json"]).await;
    let verdict: Value = serde_json::from_str(&outcome.stdout).expect("a document");
    assert_eq!(outcome.code, Some(i32::from(verdict["passes"] == false)));
    verdict
}

#[tokio::test]
async fn the_new_token_is_placed_and_both_are_good() {
    let stage = Stage::applied().await;
    let old = stage.token(CLAUDE).expect("a token");
    let frame = stage.text(CLAUDE).replace(&old, "TOKEN");
    let said = stage.hallpass.must(&["rotate", "claude", "--yes"]).await;
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("claude: rotate its token -> "), "{said}");
    assert!(lines[2].starts_with("    the one before is good until 2"), "{said}");
    assert!(lines[3].starts_with("claude: rotated; restart Claude Desktop; the one before"), "{said}");
    let new = stage.token(CLAUDE).expect("a token");
    assert_ne!(new, old);
    assert_eq!(stage.text(CLAUDE).replace(&new, "TOKEN"), frame, "nothing else of the file has changed");
    assert_eq!(states(&stage, "claude").await, ["active", "superseded"]);
    assert_eq!(overlap_of(&stage, "claude").await, DAY, "unless told otherwise");
    let before = &tokens(&stage, "claude").await[1];
    assert_eq!((&before["ended_at"], &before["until_seen"]), (&Value::Null, &json!(false)));
    let until = before["good_until"].as_str().expect("a time").to_owned();
    assert!(lines[2].ends_with(&until), "{said}");
    assert_eq!(passes(&stage, &new).await["passes"], true);
    let verdict = passes(&stage, &old).await;
    assert_eq!(verdict["passes"], true);
    assert_eq!(verdict["state"], format!("superseded, good until {until} token of `claude`"));
    stage.hallpass.write("token", &old);
    let said = stage.hallpass.must(&["verify", "token"]).await;
    assert!(said.ends_with(&format!("passes: it is the token of `claude`, good until {until}\n")), "{said}");
    let list = stage.hallpass.must(&["list"]).await;
    assert!(list.contains(" days; 1 superseded, ends in 2"), "{list}");
    let log = stage.hallpass.must(&["log", "-n", "1"]).await;
    assert!(log.contains("act=rotate client=claude done reason=\"asked for\" by=\"uid "), "{log}");
    assert!(!log.contains("eyJ"));
    // It is where it should be: nothing is put right.
    assert_eq!(stage.document(&["apply", "--yes"]).await["changed"], false);
}

#[tokio::test]
async fn the_overlap_is_as_long_as_asked_for_and_ends_with_the_token_itself() {
    let stage = Stage::applied().await;
    stage.hallpass.must(&["rotate", "claude", "--yes", "--overlap", "90m"]).await;
    assert_eq!(overlap_of(&stage, "claude").await, 5400);
    stage.edit("hallpass.toml", |text| text.replace("[authority]", "[authority]\nlifetime = \"1h\""));
    stage.hallpass.must(&["issue", "vscode1", "--yes"]).await;
    let document = stage.document(&["rotate", "vscode1", "--yes", "--overlap", "30d"]).await;
    let shown = tokens(&stage, "vscode1").await;
    assert_eq!(shown[1]["good_until"], shown[1]["expires_at"], "never beyond its own end");
    assert_eq!(document["clients"][0]["before_good_until"], shown[1]["expires_at"]);
    assert_eq!(document["clients"][0]["action"], "rotate");
}

#[tokio::test]
async fn until_seen_and_now_are_what_they_say() {
    let stage = Stage::applied().await;
    let said = stage.hallpass.must(&["rotate", "claude", "--yes", "--until-seen", "--overlap", "1h"]).await;
    assert!(said.contains("is good until the new one is first used, at the latest until 2"), "{said}");
    let shown = tokens(&stage, "claude").await;
    assert_eq!((&shown[1]["state"], &shown[1]["until_seen"]), (&json!("superseded"), &json!(true)));
    let shown = stage.hallpass.must(&["show", "claude"]).await;
    assert!(shown.contains("Z or the first use of the newer one"), "{shown}");
    let first = stage.token(CLAUDE).expect("a token");
    let said = stage.hallpass.must(&["rotate", "claude", "--yes", "--now"]).await;
    assert!(said.contains("the one before ends at once, and so does 1 older one"), "{said}");
    assert_eq!(states(&stage, "claude").await, ["active", "replaced", "replaced"]);
    assert_eq!(passes(&stage, &first).await["reason"], "replaced");
}

#[tokio::test]
async fn a_fresh_token_ends_the_superseded_ones_too() {
    let stage = Stage::applied().await;
    stage.hallpass.must(&["rotate", "claude", "--yes"]).await;
    stage.hallpass.must(&["issue", "claude", "--yes"]).await;
    assert_eq!(states(&stage, "claude").await, ["active", "replaced", "replaced"]);
}

#[tokio::test]
async fn a_second_rotation_leaves_the_end_of_the_first_and_a_fourth_is_refused() {
    let stage = Stage::applied().await;
    stage.hallpass.must(&["rotate", "claude", "--yes", "--overlap", "2h"]).await;
    let first_end = tokens(&stage, "claude").await[1]["good_until"].clone();
    let said = stage.hallpass.must(&["rotate", "claude", "--yes", "--overlap", "1h"]).await;
    assert!(said.contains("; 1 older one keeps its end\n"), "{said}");
    assert_eq!(tokens(&stage, "claude").await[2]["good_until"], first_end);
    stage.hallpass.must(&["rotate", "claude", "--yes"]).await;
    assert_eq!(states(&stage, "claude").await, ["active", "superseded", "superseded", "superseded"]);
    let placed = stage.token(CLAUDE);
    let outcome = stage.hallpass.run(&["rotate", "claude", "--yes"]).await;
    let next = tokens(&stage, "claude").await[2]["good_until"].as_str().expect("a time").to_owned();
    assert_eq!(
        (outcome.code, outcome.stdout, outcome.stderr),
        (
            Some(1),
            String::new(),
            format!(
                "error: `claude` has 3 tokens that were superseded and are still good\nhint: wait until the first ends ({next}), or end them all: `hallpass rotate claude --now`\n"
            )
        )
    );
    assert_eq!(stage.token(CLAUDE), placed);
    let document = stage.document(&["rotate", "--all", "--yes"]).await;
    let actions: Vec<&Value> =
        document["clients"].as_array().expect("clients").iter().map(|one| &one["action"]).collect();
    assert_eq!(actions, [&json!("left_crowded"), &json!("rotate"), &json!("rotate")]);
    stage.hallpass.must(&["rotate", "claude", "--yes", "--now"]).await;
    assert_eq!(states(&stage, "claude").await.iter().filter(|state| *state == "superseded").count(), 0);
}

#[tokio::test]
async fn all_leaves_a_revoked_client_alone_and_one_that_is_named_is_refused() {
    let stage = Stage::applied().await;
    stage.hallpass.must(&["revoke", "vscode2", "--reason", "lost"]).await;
    let before = stage.token(VSCODE2);
    let said = stage.hallpass.must(&["rotate", "--all", "--yes"]).await;
    assert!(said.contains("vscode2: left alone, it was revoked on 2"), "{said}");
    assert!(said.contains("claude: rotated") && said.contains("vscode1: rotated"), "{said}");
    assert_eq!(stage.token(VSCODE2), before);
    assert_eq!(states(&stage, "vscode2").await, ["revoked"]);
    let outcome = stage.hallpass.run(&["rotate", "vscode2", "--yes"]).await;
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.starts_with("error: `vscode2` was revoked on 2"), "{outcome:#?}");
    assert!(
        outcome.stderr.ends_with("hint: `hallpass issue vscode2` gives it a new token\n"),
        "{outcome:#?}"
    );
    let outcome = stage.hallpass.run(&["rotate", "vscode2", "--print", "--yes"]).await;
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "nor is one printed");
}

#[tokio::test]
async fn revoking_ends_the_superseded_tokens_too() {
    let stage = Stage::applied().await;
    let old = stage.token(CLAUDE).expect("a token");
    stage.hallpass.must(&["rotate", "claude", "--yes"]).await;
    let jti = tokens(&stage, "claude").await[0]["jti"].as_str().expect("a jti").to_owned();
    let said = stage.hallpass.must(&["revoke", &jti, "--reason", "lost"]).await;
    let expect =
        format!("{jti} of claude: revoked. It has 1 token that is good: `hallpass revoke claude` ends all\n");
    assert_eq!(said, expect);
    assert_eq!(passes(&stage, &old).await["passes"], true);
    let said = stage.hallpass.must(&["revoke", "claude", "--reason", "lost"]).await;
    assert_eq!(said, "claude: cut off (1 token). `hallpass issue claude` gives it a new one\n");
    assert_eq!(states(&stage, "claude").await, ["revoked", "revoked"]);
    assert_eq!(passes(&stage, &old).await["reason"], "revoked");
}

#[tokio::test]
async fn a_placement_that_fails_leaves_the_old_token_in_force() {
    let stage = Stage::applied().await;
    let old = stage.token(VSCODE1).expect("a token");
    let whole = stage.text(VSCODE1);
    stage.edit(VSCODE1, |text| text.replacen('{', "{ broken", 1));
    let outcome = stage.hallpass.run(&["rotate", "vscode1", "--yes"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(outcome.stderr.contains("is left alone: "), "{outcome:#?}");
    crate::stage::overwrite(&stage.file(VSCODE1), whole);
    assert_eq!(states(&stage, "vscode1").await, ["active"]);
    assert_eq!(passes(&stage, &old).await["passes"], true);
}

/// The configuration can be read and planned for; the token file cannot be replaced.
#[tokio::test]
async fn a_token_file_that_cannot_be_written_leaves_the_old_token_in_force() {
    let stage = Stage::empty();
    let roster = "[clients.claude]\napp = \"claude-desktop\"\nconfig = \"claude.json\"\n\
                  [servers.docs]\nurl = \"http://127.0.0.1:9000/mcp\"\n";
    stage.hallpass.write("hallpass.toml", roster);
    stage.hallpass.must(&["init"]).await;
    stage.hallpass.must(&["apply", "--yes"]).await;
    let file = stage.hallpass.home().join("tokens/claude");
    let old = crate::stage::text(&file);
    // After the plan, where it would have been told already.
    let asking = crate::asked::Asking::start(&stage, &["rotate", "claude"]).await;
    crate::stage::mode(&file, 0o400);
    let (status, said) = asking.answer("y").await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("claude: not done\nerror: ") && said.contains("is read-only"), "{said}");
    let planned = stage.hallpass.run(&["rotate", "claude", "--yes"]).await;
    assert!(planned.stderr.starts_with("error: ") && planned.stderr.contains("is read-only"), "{planned:#?}");
    assert_eq!(crate::stage::text(&file), old);
    assert_eq!(states(&stage, "claude").await, ["active"]);
    assert_eq!(passes(&stage, old.trim()).await["passes"], true);
    crate::stage::mode(&file, 0o600);
    stage.hallpass.must(&["rotate", "claude", "--yes"]).await;
    assert_ne!(crate::stage::text(&file), old);
}

#[tokio::test]
async fn a_printed_token_is_followed_by_a_printed_one() {
    let stage = Stage::applied().await;
    let placed = stage.token(CLAUDE);
    let first = stage.hallpass.must(&["issue", "claude", "--print", "--yes"]).await;
    let outcome = stage.hallpass.run(&["rotate", "claude", "--yes"]).await;
    assert_eq!(outcome.code, Some(1));
    assert_eq!(
        outcome.stderr,
        "error: the token of `claude` was printed, and a person placed it\nhint: `hallpass rotate claude --print` prints a new one beside it; `hallpass issue claude` places one and ends it\n"
    );
    let said = stage.hallpass.must(&["rotate", "--all", "--yes"]).await;
    assert!(said.contains("claude: keep the token that a person placed"), "{said}");
    let outcome = stage.hallpass.run(&["rotate", "claude", "--print", "--yes", "--overlap", "1h"]).await;
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("the one before is good until 2"), "{outcome:#?}");
    let second = outcome.stdout;
    assert_ne!(second, first);
    for token in [&first, &second] {
        assert_eq!(passes(&stage, token.trim()).await["passes"], true);
    }
    assert_eq!(states(&stage, "claude").await, ["active", "superseded", "replaced"]);
    assert_eq!(stage.token(CLAUDE), placed, "its file is not touched");
    assert_eq!(stage.document(&["apply", "--yes"]).await["changed"], false);
}

#[tokio::test]
async fn what_is_asked_for_wrongly_changes_nothing_and_is_named() {
    let stage = Stage::applied().await;
    let before = stage.picture().await;
    let cases: [(&[&str], i32, &str); 9] = [
        (&["rotate", "cluade", "--yes"], 1, "hint: did you mean `claude`?"),
        (&["rotate", "--yes"], 64, "<NAME|--all>"),
        (&["rotate", "claude", "--all", "--yes"], 64, "cannot be used with"),
        (&["rotate", "claude", "--yes", "--overlap", "soon"], 64, "must be from 1s to 30d, like `24h`"),
        (&["rotate", "claude", "--yes", "--overlap", "0s"], 64, "hint: `--now` ends the one before at once"),
        (&["rotate", "claude", "--yes", "--overlap", "31d"], 64, "must be from 1s to 30d"),
        (&["rotate", "claude", "--yes", "--now", "--overlap", "1h"], 64, "cannot be used with"),
        (&["rotate", "--all", "--print", "--yes"], 64, "cannot be used with"),
        (&["rotate", "claude"], 1, "there is no terminal to ask"),
    ];
    for (command, code, words) in cases {
        let outcome = stage.hallpass.run(command).await;
        assert_eq!(outcome.code, Some(code), "{command:?}: {outcome:#?}");
        assert!(outcome.stderr.contains(words), "{command:?}: {outcome:#?}");
        stage.picture().await.assert_same(&before, &command.join(" "));
    }
}

#[tokio::test]
async fn a_client_that_has_no_token_yet_gets_its_first() {
    let stage = Stage::founded().await;
    let said = stage.hallpass.must(&["rotate", "claude", "--yes"]).await;
    assert!(said.contains("claude: register, issue a token (the first one)"), "{said}");
    assert_eq!(states(&stage, "claude").await, ["active"]);
    let none = Stage::empty();
    none.hallpass.write("hallpass.toml", "");
    none.hallpass.must(&["init"]).await;
    let outcome = none.hallpass.run(&["rotate", "--all", "--yes"]).await;
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.starts_with("error: there is no client yet\nhint: "), "{outcome:#?}");
}

#[tokio::test]
async fn keys_that_are_revoked_give_new_tokens_only_to_those_whose_newest_they_signed() {
    let stage = Stage::applied().await;
    let keys = stage.document(&["keys", "list"]).await;
    let first = keys["keys"][0]["kid"].as_str().expect("a kid").to_owned();
    stage.hallpass.must(&["keys", "rotate", "--yes"]).await;
    stage.hallpass.must(&["rotate", "claude", "--yes"]).await;
    let (claude, vscode1) = (stage.token(CLAUDE), stage.token(VSCODE1));
    let said =
        stage.hallpass.must(&["keys", "revoke", &first, "--reason", "copied", "--yes", "--wait"]).await;
    assert!(said.contains("new tokens for 2 clients"), "{said}");
    assert!(said.contains("stopped, with 3 tokens"), "the superseded one of claude too: {said}");
    assert_eq!(states(&stage, "claude").await, ["active", "replaced"]);
    assert_eq!(stage.token(CLAUDE), claude);
    assert_ne!(stage.token(VSCODE1), vscode1);
}
