//! Who was revoked, removed, renamed, given another subject, or printed for; and what `apply` then does.

use crate::stage::{CLAUDE, CLIENTS, Stage, VSCODE1, VSCODE2, example_folder, text};
use serde_json::json;

#[tokio::test]
async fn apply_and_issue_all_leave_a_revoked_client_alone() {
    let stage = Stage::applied().await;
    let token = stage.token(VSCODE2);
    let said = stage.hallpass.must(&["revoke", "vscode2", "--reason", "laptop lost"]).await;
    assert_eq!(said, "vscode2: cut off (1 token). `hallpass issue vscode2` gives it a new one\n");
    for command in [&["apply", "--yes"][..], &["issue", "--all", "--yes"], &["up", "--dry-run"]] {
        let document = stage.document(command).await;
        let vscode2 = document["clients"]
            .as_array()
            .expect("clients")
            .iter()
            .find(|client| client["client"] == "vscode2");
        assert_eq!(vscode2.expect("it")["action"], "left_revoked");
        assert_eq!(stage.token(VSCODE2), token, "its file is not touched");
    }
    let shown = stage.document(&["show", "vscode2"]).await;
    assert_eq!(shown["tokens"][0]["state"], "revoked");
    assert_eq!(shown["tokens"][0]["reason"], "laptop lost");
    assert!(shown["tokens"][0]["ended_at"].as_str().is_some_and(|at| at.ends_with('Z')));
    let list = stage.hallpass.must(&["list"]).await;
    assert!(list.contains("revoked just now") || list.contains("second"), "{list}");
    let said = stage.hallpass.must(&["revoke", "vscode2", "--reason", "again"]).await;
    assert_eq!(said, "vscode2: it has no token in force, nothing to change\n");
    stage.hallpass.must(&["issue", "vscode2", "--yes"]).await;
    let shown = stage.document(&["show", "vscode2"]).await;
    assert_eq!(
        (&shown["tokens"][0]["state"], &shown["tokens"][1]["state"]),
        (&json!("active"), &json!("revoked"))
    );
}

#[tokio::test]
async fn a_revocation_waits_for_nobody() {
    let stage = Stage::applied().await;
    // As another command that waits for an answer.
    let lock = std::fs::File::open(stage.hallpass.home().join("lock")).expect("the lock");
    lock.lock().expect("held");
    stage.hallpass.must(&["revoke", "claude", "--reason", "lost"]).await;
    drop(lock);
    assert_eq!(stage.document(&["apply", "--yes"]).await["clients"][0]["action"], "left_revoked");
}

#[tokio::test]
async fn one_token_is_revoked_by_its_jti() {
    let stage = Stage::applied().await;
    let jti =
        stage.document(&["show", "claude"]).await["tokens"][0]["jti"].as_str().expect("a jti").to_owned();
    assert_eq!(stage.document(&["revoke", &jti.to_uppercase(), "--reason", "x"]).await["revoked"], 1);
    assert_eq!(stage.document(&["revoke", &jti, "--reason", "y"]).await["revoked"], 0);
    assert_eq!(stage.document(&["show", "claude"]).await["tokens"][0]["reason"], "x", "revoked is final");
}

#[tokio::test]
async fn a_client_whose_name_looks_like_an_id_is_revoked_by_its_name() {
    let stage = Stage::applied().await;
    let name = "deadbeefdeadbeefdeadbeefdeadbeef";
    stage.swap("hallpass.toml", "[clients.claude]", &format!("[clients.{name}]"));
    stage.hallpass.must(&["apply", "--prune", "--yes"]).await;
    assert_eq!(stage.document(&["revoke", name, "--reason", "x"]).await["revoked"], 1);
}

#[tokio::test]
async fn a_client_that_was_removed_and_comes_back_is_not_taken_for_one_that_was_cut_off() {
    let stage = Stage::applied().await;
    let outcome = stage.hallpass.run(&["remove", "claude", "--yes"]).await;
    assert_eq!(
        outcome.stderr,
        "hallpass.toml still names `claude`: the next `hallpass apply` registers it anew\n"
    );
    // As an issue leaves it that failed right after the registration.
    let store = stage.store().await.expect("the store");
    let mut client = store.client("claude").await.expect("a client").expect("its row stays");
    client.removed = false;
    store.put_client(&client, None).await.expect("a registration");
    store.close().await;
    assert!(stage.hallpass.must(&["list"]).await.contains("none yet"));
    let said = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(said.contains("claude: issue a token (the first one)"), "{said}");
    let shown = stage.document(&["show", "claude"]).await;
    assert_eq!(
        (&shown["tokens"][0]["state"], &shown["tokens"][1]["state"]),
        (&json!("active"), &json!("revoked"))
    );
    // Cut off in its new life, it stays cut off.
    stage.hallpass.must(&["revoke", "claude", "--reason", "x"]).await;
    assert_eq!(stage.document(&["apply", "--yes"]).await["changed"], false);
}

#[tokio::test]
async fn another_subject_needs_another_token() {
    let stage = Stage::applied().await;
    stage.swap("hallpass.toml", "claude@exai-mcp.local", "desk@exai-mcp.local");
    let said = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(
        said.contains("claude: change registration, issue a token (the one before has another subject)"),
        "{said}"
    );
    stage.hallpass.write("token", &stage.token(CLAUDE).expect("a token"));
    let verdict = stage.document(&["verify", "token"]).await;
    assert_eq!(
        (&verdict["passes"], &verdict["claims"]["sub"]),
        (&true.into(), &"desk@exai-mcp.local".into())
    );
    assert_eq!(stage.document(&["apply", "--yes"]).await["changed"], false);
    // What does not concern the token leaves it.
    let token = stage.token(CLAUDE);
    stage.swap("hallpass.toml", "entry   = \"exai-mcp\"", "entry = \"exai-mcp\"\nservers = [\"sample\"]");
    let said = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(said.ends_with("claude: registered\n"), "{said}");
    assert_eq!(stage.token(CLAUDE), token);
}

#[tokio::test]
async fn a_printed_token_is_its_owners_business_until_it_ends() {
    let stage = Stage::applied().await;
    let in_file = stage.text(CLAUDE);
    let outcome = stage.hallpass.run(&["issue", "claude", "--print", "--yes"]).await;
    assert_eq!(outcome.code, Some(0));
    assert_eq!(
        outcome.stderr,
        "claude: issue a token and print it; the one before it ends, and `hallpass apply` places none while this one is good\n"
    );
    let token = outcome.stdout.strip_suffix('\n').expect("one line");
    stage.hallpass.write("token", token);
    let passes = async || stage.document(&["verify", "token"]).await["passes"].clone();
    assert_eq!(passes().await, true);
    let document = stage.document(&["apply", "--yes"]).await;
    assert_eq!(
        (&document["clients"][0]["action"], &document["changed"]),
        (&"keep_printed".into(), &false.into())
    );
    assert_eq!(stage.text(CLAUDE), in_file);
    assert_eq!(passes().await, true, "apply does not end it");
    let shown = stage.document(&["show", "claude"]).await;
    assert_eq!((&shown["tokens"][0]["placed"], &shown["tokens"][1]["placed"]), (&false.into(), &true.into()));
    assert!(stage.hallpass.must(&["list"]).await.contains("(printed)"));
    // From here on Hallpass places again.
    stage.hallpass.must(&["issue", "claude", "--yes"]).await;
    assert_eq!(stage.document(&["apply", "--yes"]).await["clients"][0]["action"], "keep");
    stage.hallpass.must(&["remove", "claude", "--yes"]).await;
    assert_eq!(
        stage.text(CLAUDE),
        text(&example_folder().join(CLAUDE)),
        "what stood there was not forgotten"
    );
}

#[tokio::test]
async fn prune_removes_and_registers_in_one_plan() {
    let stage = Stage::applied().await;
    // A client gets another name, and keeps its subject, its file and its entry.
    stage.swap("hallpass.toml", "[clients.claude]", "[clients.desk]");
    let before = stage.picture().await;
    let said = stage.said(&["apply", "--yes"]).await;
    assert_eq!(said.code, Some(1), "two with one subject");
    let plan = stage.document(&["apply", "--prune", "--dry-run"]).await;
    stage.picture().await.assert_same(&before, "a refusal and a dry run");
    assert_eq!(plan["removed"][0]["client"], "claude");
    assert_eq!(stage.said(&["apply", "--prune"]).await.code, Some(1), "nobody to ask");
    stage.picture().await.assert_same(&before, "a refusal");
    let done = stage.document(&["apply", "--prune", "--yes"]).await;
    assert_eq!((&done["removed"][0]["removed"], &done["clients"][0]["done"]), (&true.into(), &true.into()));
    stage.hallpass.write("token", &stage.token(CLAUDE).expect("a token"));
    assert_eq!(stage.document(&["verify", "token"]).await["client"], "desk");
    stage.hallpass.must(&["remove", "desk", "--yes"]).await;
    assert_eq!(stage.text(CLAUDE), text(&example_folder().join(CLAUDE)));
}

#[tokio::test]
async fn prune_refuses_all_of_it_when_a_part_cannot_be_done() {
    let stage = Stage::applied().await;
    stage.swap("hallpass.toml", "[clients.claude]", "[clients.desk]");
    crate::stage::overwrite(&stage.file(VSCODE1), "broken");
    let before = stage.picture().await;
    assert_eq!(stage.said(&["apply", "--prune", "--yes"]).await.code, Some(1));
    stage.picture().await.assert_same(&before, "a refusal");
}

#[tokio::test]
async fn prune_gives_a_bridge_entry_to_the_client_that_takes_over() {
    let stage = Stage::empty();
    let roster = "[clients.claude]\napp = \"claude-desktop\"\nconfig = \"c.json\"\n[servers.docs]\nurl = \"http://127.0.0.1:9000/mcp\"\n";
    stage.hallpass.write("hallpass.toml", roster);
    stage.hallpass.must(&["init"]).await;
    stage.hallpass.must(&["apply", "--yes"]).await;
    stage.swap("hallpass.toml", "clients.claude", "clients.desk");
    stage.hallpass.must(&["apply", "--prune", "--yes"]).await;
    assert_eq!(stage.json("c.json")["mcpServers"]["docs"]["args"][3], "desk");
}

#[tokio::test]
async fn a_client_added_by_hand_is_kept_by_apply_and_can_be_added_twice() {
    let stage = Stage::applied().await;
    let add = [
        "add",
        "files",
        "--app",
        "augment-vscode",
        "--config",
        VSCODE2,
        "--entry",
        "filesystem",
        "--env",
        "TOKEN",
        "--yes",
    ];
    stage.hallpass.must(&add).await;
    let before = stage.picture().await;
    assert!(stage.hallpass.must(&add).await.ends_with("nothing to change\n"));
    stage.hallpass.must(&["apply", "--yes"]).await;
    stage.picture().await.assert_same(&before, "the same again");
    let entry = &stage.json(VSCODE2)["mcpServers"]["filesystem"];
    assert!(entry["env"]["TOKEN"].as_str().is_some_and(|token| token.starts_with("eyJ")));
    // Two clients of one file go one by one, in either order.
    stage.hallpass.must(&["remove", "vscode2", "--yes"]).await;
    stage.hallpass.must(&["remove", "files", "--yes"]).await;
    assert_eq!(stage.text(VSCODE2), text(&example_folder().join(VSCODE2)));
}

#[tokio::test]
async fn one_client_that_fails_in_the_middle_does_not_hold_the_others() {
    let stage = Stage::founded().await;
    // The token file of a bridge cannot be written, which no look at the configuration shows.
    stage.edit("hallpass.toml", |text| {
        text.replace("entry   = \"exai-mcp\"\nenv     = \"EXAI_JWT_TOKEN\"", "servers = [\"sample\"]")
    });
    std::fs::create_dir(stage.hallpass.home().join("tokens/claude")).expect("a folder");
    let said = stage.said(&["apply", "--yes"]).await;
    assert_eq!(said.code, Some(1), "{said:#?}");
    std::fs::remove_dir(stage.hallpass.home().join("tokens/claude")).expect("the folder");
    stage.hallpass.must(&["apply", "--yes"]).await;
    for (client, _, _) in CLIENTS {
        assert_eq!(stage.document(&["show", client]).await["tokens"][0]["state"], "active");
    }
}
