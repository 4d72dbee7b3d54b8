//! `hallpass audit` as an auditor and an owner meet it.

use crate::scene::{Calling, ECHO, Scene};
use hallpass_core::{Event, Outcome};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

async fn scene() -> Scene {
    let scene = Scene::new(2, "").await;
    let gateway = scene.program.serve().await;
    let mut calling = Calling::new(&gateway, &scene.token("c0")).await;
    for _ in 0..5 {
        assert_eq!(calling.call(ECHO).await.expect("an answer").status(), 200);
    }
    scene.program.must(&["disable", "c1", "--reason", "on leave"]).await;
    gateway.terminate().await;
    scene
}

fn segment(scene: &Scene) -> PathBuf {
    scene.log().join("segments/00000000000000000000.jsonl")
}

#[expect(clippy::disallowed_methods, reason = "an attacker's write needs no atomicity")]
pub(crate) fn overwrite(file: PathBuf, text: impl AsRef<[u8]>) {
    fs::write(file, text).expect("a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_log_is_verified_and_a_changed_one_is_found_out() {
    let scene = scene().await;
    let said = scene.program.must(&["audit", "verify"]).await;
    assert!(said.starts_with("whole: ") && said.contains("not anchored outside"), "{said}");
    let pin = scene.program.user().join("pin");
    let pin = pin.to_str().expect("UTF-8");
    scene.program.must(&["audit", "pin", "--output", pin]).await;
    let again = scene.program.run(&["audit", "pin", "--output", pin]).await;
    assert_eq!(again.code, Some(1), "an older checkpoint is not overwritten: {again:#?}");
    let said = scene.program.must(&["audit", "verify", "--pin", pin, "--require-anchor"]).await;
    assert!(said.contains("anchored outside: no record can have been taken from the end"), "{said}");
    let wanting = scene.program.run(&["audit", "verify", "--require-anchor"]).await;
    assert_eq!(wanting.code, Some(2), "{wanting:#?}");
    let wanting = scene.program.run(&["audit", "verify", "--pin", pin, "--require-anchor=1000000"]).await;
    assert_eq!(wanting.code, Some(2), "{wanting:#?}");
    // From anywhere, with nothing but the folder and the key.
    let key = fs::read_to_string(scene.log().join("vkey")).expect("the public key");
    let folder = scene.log().display().to_string();
    let mut elsewhere = scene.program.command(&["audit", "verify", &folder, "--vkey", key.trim()]);
    elsewhere.env_remove("HALLPASS_HOME");
    let elsewhere = scene.program.finish(elsewhere).await;
    assert_eq!(elsewhere.code, Some(0), "{elsewhere:#?}");

    let text = fs::read_to_string(segment(&scene)).expect("the segment");
    let call = scene.records().iter().position(|record| record["kind"] == "call").expect("a call");
    overwrite(segment(&scene), text.replacen("\"tool\":\"echo\"", "\"tool\":\"ecko\"", 1));
    let found = scene.program.run(&["audit", "verify", "--json"]).await;
    assert_eq!(found.code, Some(1), "{found:#?}");
    let found: Value = serde_json::from_str(&found.stdout).expect("a document");
    assert_eq!(
        (found["outcome"].as_str(), found["first_bad"].as_u64()),
        (Some("tampered"), Some(call as u64))
    );
    // The end taken away, and the checkpoint with it: only a pin tells.
    overwrite(segment(&scene), &text);
    let pinned = scene.program.run(&["audit", "verify", "--pin", pin]).await;
    assert_eq!(pinned.code, Some(0), "{pinned:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_record_is_proven_without_the_others() {
    let scene = scene().await;
    let seq = scene.records().iter().position(|record| record["kind"] == "call").expect("a call").to_string();
    let proof = scene.program.must(&["audit", "prove", &seq]).await;
    let file = scene.program.write("proof", &proof);
    let file = file.to_str().expect("UTF-8");
    let key = fs::read_to_string(scene.log().join("vkey")).expect("the public key");
    let said = scene.program.must(&["audit", "check", file, "--vkey", key.trim()]).await;
    assert!(
        said.starts_with(&format!("proven: record {seq} ")) && said.contains("\"tool\":\"echo\""),
        "{said}"
    );
    scene.program.write("proof", &proof.replacen("index ", "index 1", 1));
    let refused = scene.program.run(&["audit", "check", file, "--vkey", key.trim()]).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    let none = scene.program.run(&["audit", "prove", "999999"]).await;
    assert_eq!(none.code, Some(1));
    assert!(none.stderr.contains("hint: "), "{none:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_export_is_the_log_line_for_line_and_can_be_narrowed() {
    let scene = scene().await;
    let text = fs::read_to_string(segment(&scene)).expect("the segment");
    assert_eq!(scene.program.must(&["audit", "export"]).await, text);
    let of_c1 = scene.program.must(&["audit", "export", "--client", "c1"]).await;
    assert!(!of_c1.is_empty() && of_c1.lines().all(|line| line.contains("\"client\":\"c1\"")), "{of_c1}");
    assert_eq!(scene.program.must(&["audit", "export", "--until", "1d"]).await, "");
    let table = scene.program.must(&["audit", "export", "--format", "csv"]).await;
    assert_eq!(table.lines().count(), text.lines().count() + 1);
    assert!(table.starts_with("seq,time,kind,outcome,client,"), "{table}");
    for wrong in [&["--since", "yesterday"][..], &["--since", "2d", "--until", "3d"]] {
        let wrong = scene.program.run(&[&["audit", "export"], wrong].concat()).await;
        assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(64), ""), "{wrong:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_say_who_did_them_and_why() {
    let scene = scene().await;
    let act = scene.records().into_iter().find(|record| record["kind"] == "disable").expect("the act");
    assert!(act["by"].as_str().is_some_and(|by| by.contains("uid")), "{act}");
    assert_eq!((act["client"].as_str(), act["reason"].as_str()), (Some("c1"), Some("on leave")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_that_is_too_long_for_a_record_is_cut_and_holds_nothing_up() {
    let scene = scene().await;
    scene.program.must(&["revoke", "c0", "--reason", &"why ".repeat(20_000)]).await;
    scene.program.must(&["enable", "c1"]).await;
    let records = scene.records();
    let revoked = records.iter().find(|record| record["kind"] == "revoke").expect("the act");
    let reason = revoked["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("why why ") && reason.ends_with("...") && reason.len() < 1100,
        "{}",
        reason.len()
    );
    assert_eq!(records.last().expect("a record")["kind"], "enable");
    scene.assert_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_differs_is_made_anew_from_the_log() {
    let scene = scene().await;
    let before = scene.program.must(&["log", "--json"]).await;
    let said = scene.program.must(&["audit", "reindex"]).await;
    assert!(said.starts_with("the view is equal to the log"), "{said}");
    let database = scene.program.home().join("hallpass.db");
    let store = hallpass_store::Store::open(&database).await.expect("the store");
    store.forget_logged(3).await.expect("rows that go");
    let other = vec![Event::new(0, "call", Outcome::Ok); before.lines().count() - 2];
    store.add_again(3, &other).await.expect("other rows");
    store.close().await;
    let said = scene.program.must(&["audit", "reindex"]).await;
    assert!(said.starts_with("the view was made anew"), "{said}");
    assert_eq!(scene.program.must(&["log", "--json"]).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log_stops_the_start_and_no_revocation_until_a_new_one_names_it() {
    let scene = scene().await;
    let text = fs::read_to_string(segment(&scene)).expect("the segment");
    overwrite(segment(&scene), text.replacen("\"c1\"", "\"c9\"", 1));
    let refused = scene.program.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stderr.contains("damaged") && refused.stderr.contains("--new-log"), "{refused:#?}");
    let denied = scene.program.run(&["enable", "c1"]).await;
    assert_eq!(denied.code, Some(1), "{denied:#?}");
    assert!(denied.stderr.contains("was not done"), "{denied:#?}");
    // It is done, it says so, and it does not say that all is well.
    let revoked = scene.program.run(&["revoke", "c0", "--reason", "laptop lost"]).await;
    assert_eq!(revoked.code, Some(1), "{revoked:#?}");
    assert!(
        revoked.stdout.contains("cut off") && revoked.stderr.contains("not in the log yet"),
        "{revoked:#?}"
    );
    let command = scene.program.command(&["serve", "--listen", "127.0.0.1:0", "--new-log"]);
    let gateway = scene.program.start(command).await;
    let mut calling = Calling::new(&gateway, &scene.token("c0")).await;
    assert_eq!(calling.call(ECHO).await.expect("an answer").status(), 401, "it was revoked");
    gateway.terminate().await;
    let records = scene.records();
    assert!(
        records[0]["former"].as_str().is_some_and(|former| former.contains("hallpass.local/")),
        "{}",
        records[0]
    );
    assert!(
        records.iter().any(|record| record["kind"] == "revoke" && record["client"] == "c0"),
        "it came after all"
    );
    scene.assert_whole();
    let closed = fs::read_dir(scene.program.home()).expect("the home");
    let closed: Vec<_> = closed.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    assert!(closed.iter().any(|name| name.starts_with("audit-closed-")), "{closed:?}");
    // What was shown of the old one is shown still, and what comes is behind it.
    let log = scene.program.must(&["log", "-n", "1000"]).await;
    assert!(log.contains("act=disable") && log.contains("act=revoke"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_put_back_to_an_older_state_is_noticed() {
    let scene = scene().await;
    let (text, checkpoint) = (
        fs::read(segment(&scene)).expect("a segment"),
        fs::read(scene.log().join("checkpoint")).expect("a checkpoint"),
    );
    scene.program.must(&["enable", "c1"]).await;
    scene.program.must(&["disable", "c1", "--reason", "again"]).await;
    overwrite(segment(&scene), text);
    overwrite(scene.log().join("checkpoint"), checkpoint);
    let refused = scene.program.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stderr.contains("were signed"), "{refused:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_nobody_needs_are_let_go_by_whole_segments() {
    let scene = scene().await;
    let said = scene.program.must(&["audit", "prune", "--before", "365d", "--yes"]).await;
    assert_eq!(said, "nothing to prune: no whole segment is that old\n");
    let wrong = scene.program.run(&["audit", "prune", "--before", "2999-01-01", "--yes"]).await;
    assert_eq!(wrong.code, Some(64), "{wrong:#?}");
    let asks = scene.program.run(&["audit", "prune"]).await;
    assert_eq!(asks.code, Some(64));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_put_back_is_refused_until_a_person_accepts_it() {
    let scene = scene().await;
    let database = scene.program.home().join("hallpass.db");
    let before = fs::read(&database).expect("the database");
    scene.program.must(&["revoke", "c0", "--reason", "laptop lost"]).await;
    overwrite(database, before);
    let refused = scene.program.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(
        refused.stderr.contains("lacks 1 acts") && refused.stderr.contains("--accept-rollback"),
        "{refused:#?}"
    );
    let command = scene.program.command(&["serve", "--listen", "127.0.0.1:0", "--accept-rollback"]);
    let gateway = scene.program.start(command).await;
    scene.program.must(&["revoke", "c0", "--reason", "again"]).await;
    gateway.terminate().await;
    let kinds: Vec<_> =
        scene.records().iter().map(|record| record["kind"].as_str().unwrap_or_default().to_owned()).collect();
    assert!(kinds.ends_with(&["revoke".into(), "rollback-accepted".into(), "revoke".into()]), "{kinds:?}");
    scene.assert_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_copied_out_and_serve_as_pins() {
    let aside = tempfile::tempdir().expect("a folder");
    let file = aside.path().join("checkpoints");
    let scene = Scene::new(1, &format!("[audit]\ncheckpoint_to = \"{}\"", file.display())).await;
    for _ in 0..2 {
        let gateway = scene.program.serve().await;
        let mut calling = Calling::new(&gateway, &scene.token("c0")).await;
        assert_eq!(calling.call(ECHO).await.expect("an answer").status(), 200);
        // At the latest at the end.
        gateway.terminate().await;
    }
    let file = file.to_str().expect("UTF-8");
    let said = scene.program.must(&["audit", "verify", "--pin", file, "--require-anchor"]).await;
    assert!(said.contains("no record can have been taken from the end"), "{said}");

    let scene = Scene::new(1, "[audit]\ncheckpoint_to = \"stdout\"").await;
    let gateway = scene.program.serve().await;
    let said = gateway.terminate().await.stdout;
    let printed = scene.program.write("journal", &said);
    scene
        .program
        .must(&["audit", "verify", "--pin", printed.to_str().expect("UTF-8"), "--require-anchor"])
        .await;
}

/// Neither who reads standard output nor who made the place has to be waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_for_checkpoints_that_takes_none_holds_up_nothing() {
    let aside = tempfile::tempdir().expect("a folder");
    let pipe = aside.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let scene = Scene::new(1, &format!("[audit]\ncheckpoint_to = \"{}\"", pipe.display())).await;
    let ended = scene.program.serve().await.terminate().await;
    assert!(ended.stderr.contains("the log's checkpoint is not kept elsewhere: "), "{ended:#?}");

    let scene = Scene::new(1, "[audit]\ncheckpoint_to = \"stdout\"").await;
    let script = r#"mkfifo "$HOME/unread" && exec "$0" serve --listen 127.0.0.1:0 1<>"$HOME/unread""#;
    let command = scene.program.outside("sh", &["-c", script, env!("CARGO_BIN_EXE_hallpass")]);
    let gateway = scene.program.start(command).await;
    let mut calling = Calling::new(&gateway, &scene.token("c0")).await;
    // More lines than a pipe holds.
    for _ in 0..1000 {
        assert_eq!(calling.call(ECHO).await.expect("an answer").status(), 200);
    }
    gateway.terminate().await;
    scene.assert_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_is_equal_to_the_log_while_calls_are_made() {
    let scene = Scene::new(1, "").await;
    let gateway = scene.program.serve().await;
    let mut calling = Calling::new(&gateway, &scene.token("c0")).await;
    let callers = tokio::spawn(async move { while calling.call(ECHO).await.is_some() {} });
    for _ in 0..8 {
        let said = scene.program.must(&["audit", "reindex"]).await;
        assert!(said.starts_with("the view is equal to the log: "), "{said}");
    }
    assert!(!callers.is_finished());
    gateway.terminate().await;
    scene.assert_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn old_records_go_by_whole_segments_and_the_rest_is_verified_still() {
    let scene = scene().await;
    let home = hallpass::home::Home::locate(Some(&scene.program.home())).expect("a home");
    let installation = hallpass::installation::Installation::open(&home).await.expect("the home");
    let old =
        Event { reason: Some("x".repeat(15_000)), ..Event::new(1_577_836_800_000, "call", Outcome::Ok) };
    let group = vec![old.json_line(); 300];
    // More than a segment holds.
    for _ in 0..16 {
        installation.audit.append(&group, false).expect("records");
    }
    installation.store.close().await;
    drop(installation);
    scene.program.must(&["enable", "c1"]).await;
    let before = scene.records().len();
    // Once what was written first is a second old.
    let due = async {
        while !scene
            .program
            .must(&["audit", "prune", "--before", "1s", "--dry-run"])
            .await
            .starts_with("records 0 to ")
        {}
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), due).await.expect("something to prune");
    assert_eq!(scene.records().len(), before, "a plan changes nothing");
    let asked = scene.program.run(&["audit", "prune", "--before", "1s"]).await;
    assert_eq!(asked.code, Some(1), "without a terminal nobody is there to agree: {asked:#?}");
    scene.program.must(&["audit", "prune", "--before", "1s", "--reason", "a year is enough", "--yes"]).await;
    let records = scene.records();
    assert!(records.len() < before && records[0]["seq"].as_u64() > Some(0), "{}", records[0]);
    let last = records.last().expect("a record");
    assert_eq!((last["kind"].as_str(), last["reason"].as_str()), (Some("prune"), Some("a year is enough")));
    let said = scene.program.must(&["audit", "verify"]).await;
    assert!(said.starts_with("whole: ") && said.contains("were pruned"), "{said}");
    let said = scene.program.must(&["audit", "reindex"]).await;
    assert!(said.starts_with("the view is equal to the log"), "{said}");
    let seq = records[0]["seq"].to_string();
    scene.program.must(&["audit", "prove", &seq]).await;
    let gateway = scene.program.serve().await;
    gateway.terminate().await;
    scene.assert_whole();
}
