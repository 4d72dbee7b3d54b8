//! Commands that read the log: one that was put back, that cannot be read, that follows a closed one, with all sorts in it.

use crate::scene::{Calling, ECHO, Scene};
use hallpass::home::Home;
use hallpass::installation::Installation;
use hallpass_core::{Event, Outcome};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn segment(scene: &Scene) -> PathBuf {
    scene.log().join("segments/00000000000000000000.jsonl")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

/// Changes the record of a client's registration, so that the log is damaged there.
#[expect(clippy::disallowed_methods, reason = "an attacker's write needs no atomicity")]
fn damage(scene: &Scene) {
    let text = fs::read_to_string(segment(scene)).expect("the segment");
    fs::write(segment(scene), text.replacen("\"c1\"", "\"c9\"", 1)).expect("a file");
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

async fn installation(scene: &Scene) -> Installation {
    let home = Home::locate(Some(&scene.program.home())).expect("a home");
    Installation::open(&home).await.expect("the home")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_log_is_not_whole_where_the_database_knows_better() {
    let scene = Scene::new(2, "").await;
    let pin = scene.program.user().join("pin");
    let pin = pin.to_str().expect("UTF-8");
    scene.program.must(&["audit", "pin", "--output", pin]).await;
    let (log, older) = (scene.log(), scene.program.user().join("older"));
    copy(&log, &older);
    let before = scene.records().len();
    scene.program.must(&["revoke", "c0", "--reason", "laptop lost"]).await;
    let after = scene.records().len();
    scene.program.must(&["audit", "verify", "--pin", pin]).await;
    fs::remove_dir_all(&log).expect("a folder that goes");
    copy(&older, &log);
    for more in [&[][..], &["--pin", pin]] {
        let found = scene.program.run(&[&["audit", "verify"], more].concat()).await;
        assert_eq!(found.code, Some(1), "{found:#?}");
        let begins = format!(
            "tampered: record {before}: {before} records are there, and this home's database has a checkpoint of {after}\n"
        );
        assert!(found.stdout.starts_with(&begins), "{found:#?}");
        assert!(found.stdout.contains("no pin") && found.stdout.contains("serve --new-log"), "{found:#?}");
    }
    let found = scene.program.run(&["audit", "verify", "--json"]).await;
    let document: Value = serde_json::from_str(&found.stdout).expect("a document");
    assert_eq!((found.code, &document["database_is_why"]), (Some(1), &Value::Bool(true)), "{document}");
    // Whoever has the folder alone cannot know.
    let folder = log.to_str().expect("UTF-8");
    let alone = scene.program.must(&["audit", "verify", folder]).await;
    assert!(alone.starts_with("whole: "), "{alone}");
    // What it says mends it.
    let command = scene.program.command(&["serve", "--listen", "127.0.0.1:0", "--new-log"]);
    scene.program.start(command).await.terminate().await;
    scene.program.must(&["audit", "verify"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_databases_checkpoint_is_no_anchor() {
    let scene = Scene::new(1, "").await;
    let pin = scene.program.user().join("pin");
    let pin = pin.to_str().expect("UTF-8");
    scene.program.must(&["audit", "pin", "--output", pin]).await;
    let pinned = scene.records().len();
    scene.program.must(&["disable", "c0", "--reason", "on leave"]).await;
    let of = async |arguments: &[&str]| {
        let arguments = [&["audit", "verify", "--json"], arguments].concat();
        let document: Value = serde_json::from_str(&scene.program.must(&arguments).await).expect("JSON");
        document["anchored_until"].clone()
    };
    assert_eq!(of(&[]).await, Value::Null);
    assert_eq!(of(&["--pin", pin]).await, Value::from(pinned));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_said_no_verdict_is_given() {
    let scene = Scene::new(1, "").await;
    let other = Scene::new(1, "").await;
    let foreign = other.program.must(&["audit", "pin"]).await;
    let foreign = scene.program.write("foreign", &foreign).display().to_string();
    let text = scene.program.write("text", "no checkpoint\n").display().to_string();
    let empty = scene.program.user().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let empty = empty.display().to_string();
    let fifo = scene.program.user().join("fifo").display().to_string();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        fifo.as_str(),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("a pipe");
    let log = scene.log().display().to_string();
    let key = fs::read_to_string(scene.log().join("vkey")).expect("the public key");
    let linked = scene.program.user().join("linked");
    copy(&scene.log(), &linked);
    let first = linked.join("segments/00000000000000000000.jsonl");
    fs::rename(&first, linked.join("moved")).expect("a move");
    std::os::unix::fs::symlink(linked.join("moved"), &first).expect("a link");
    let linked = linked.display().to_string();
    for arguments in [
        &["verify", "/nowhere", "--vkey", &key][..],
        &["verify", &empty],
        &["verify", &empty, "--vkey", &key],
        &["verify", &text, "--vkey", &key],
        &["verify", &linked, "--vkey", &key],
        &["verify", &log, "--vkey", "a+b"],
        &["verify", "--pin", "/nowhere"],
        &["verify", "--pin", &empty],
        &["verify", "--pin", &fifo],
        &["verify", "--pin", &text],
        &["verify", "--pin", &foreign],
        &["verify", "--home", &empty],
        &["check", "/nowhere"],
        &["check", &fifo, "--vkey", &key],
        &["check", &text, "--vkey", "/nowhere+x"],
    ] {
        let outcome = scene.program.run(&[&["audit"], arguments].concat()).await;
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(64), ""), "{arguments:?}: {outcome:#?}");
        assert!(outcome.stderr.starts_with("error: "), "{arguments:?}: {outcome:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_are_read_however_long_checkpoints_were_collected() {
    let scene = Scene::new(1, "").await;
    let pin = scene.program.must(&["audit", "pin"]).await;
    let many = pin.repeat((2 << 20) / pin.len());
    let printed = format!("{}\n", serde_json::json!({ "checkpoint": pin })).repeat((2 << 20) / pin.len());
    for (name, text) in [("many", many), ("printed", printed)] {
        let file = scene.program.write(name, &text).display().to_string();
        let said = scene.program.must(&["audit", "verify", "--pin", &file, "--require-anchor"]).await;
        assert!(said.contains("anchored outside: no record"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_only_cannot_be_read_is_not_called_whole_and_not_closed() {
    let scene = Scene::new(1, "").await;
    let (first, aside) = (segment(&scene), scene.program.home().join("aside"));
    fs::rename(&first, &aside).expect("a move");
    std::os::unix::fs::symlink(&aside, &first).expect("a link");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--new-log"];
    let refused = scene.program.run(&serve).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(!refused.stderr.contains("is whole"), "{refused:#?}");
    assert!(refused.stderr.contains("not known to be damaged"), "{refused:#?}");
    let folder = scene.log().display().to_string();
    assert!(refused.stderr.contains(&format!("`mv {folder} {folder}-aside`")), "{refused:#?}");
    assert!(first.exists(), "it was left alone");
    fs::rename(&folder, format!("{folder}-aside")).expect("a move");
    let gateway = scene.program.start(scene.program.command(&serve)).await;
    let mut calling = Calling::new(&gateway, &scene.token("c0")).await;
    assert_eq!(calling.call(ECHO).await.expect("an answer").status(), 200);
    gateway.terminate().await;
    assert!(scene.records()[0]["former"].is_string(), "it names the one before");
    scene.assert_whole();

    let holder = installation(&scene).await;
    let record = Event::new(0, "call", Outcome::Ok).json_line();
    holder.audit.append_and_keep(&[record], true).expect("a record");
    let refused = scene.program.run(&serve).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stderr.contains("in use by") && !refused.stderr.contains("is whole"), "{refused:#?}");
    holder.audit.let_go();
    holder.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log_is_exported_though_an_act_waits_for_it() {
    let scene = Scene::new(2, "").await;
    damage(&scene);
    let revoked = scene.program.run(&["revoke", "c0", "--reason", "laptop lost"]).await;
    assert!(revoked.stderr.contains("not in the log yet"), "{revoked:#?}");
    let exported = scene.program.run(&["audit", "export"]).await;
    assert_eq!(exported.code, Some(0), "{exported:#?}");
    assert_eq!(exported.stdout, fs::read_to_string(segment(&scene)).expect("the segment"));
    assert!(exported.stderr.starts_with("note: what waits for the log is not in it: "), "{exported:#?}");
}

/// What would end a string of a terminal, if it were sent as it is.
const STEERING: &str = "a\u{7f}b\u{9b}31mc\u{1b}[31md";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_is_what_was_signed_to_the_byte() {
    let scene = Scene::new(1, "").await;
    let writer = installation(&scene).await;
    let call =
        Event { tool: Some("TOOL".into()), client: Some("c0".into()), ..Event::new(1, "call", Outcome::Ok) };
    // As a writer may spell it, too: JSON wants none of it escaped but what is below the blank.
    let record = call.json_line().replace("TOOL", &STEERING.replace('\u{1b}', "\\u001b"));
    let seq = writer.audit.append(&[record], true).expect("a record").first.to_string();
    writer.store.close().await;
    scene.program.must(&["audit", "pin"]).await;
    let exported = scene.program.must(&["audit", "export"]).await;
    assert_eq!(exported, fs::read_to_string(segment(&scene)).expect("the segment"));
    let one = scene.program.must(&["audit", "export", "--until", "2026-01-01"]).await;
    assert!(one.contains("a\u{7f}b\u{9b}31mc\\u001b"), "{one:?}");
    let record = scene.program.write("record", &one).display().to_string();
    let proof = scene.program.must(&["audit", "prove", &seq]).await;
    let proof = scene.program.write("proof", &proof).display().to_string();
    scene.program.must(&["audit", "check", &proof, "--record", &record]).await;

    for arguments in [&["usage", "--by", "tool", "--csv"][..], &["audit", "export", "--format", "csv"]] {
        let table = scene.program.must(arguments).await;
        assert!(table.contains(STEERING), "{arguments:?}: {table:?}");
    }
    let shown = scene.program.must(&["log", "--json", "--tool", STEERING]).await;
    assert!(!shown.contains(['\u{7f}', '\u{9b}', '\u{1b}']), "{shown:?}");
    assert_eq!(lines(&shown)[0]["tool"], STEERING, "and it is the same tool");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_new_log_a_record_has_the_number_by_which_it_is_proven() {
    let scene = Scene::new(2, "").await;
    let closed = scene.records().len();
    damage(&scene);
    let command = scene.program.command(&["serve", "--listen", "127.0.0.1:0", "--new-log"]);
    let gateway = scene.program.start(command).await;
    let mut calling = Calling::new(&gateway, &scene.token("c0")).await;
    assert_eq!(calling.call(ECHO).await.expect("an answer").status(), 200);
    scene.program.must(&["disable", "c1", "--reason", "on leave"]).await;
    gateway.terminate().await;
    let shown = lines(&scene.program.must(&["log", "--json", "-n", "1000"]).await);
    let numbers: Vec<Option<u64>> = shown.iter().map(|record| record["seq"].as_u64()).collect();
    let expect: Vec<Option<u64>> =
        (0..closed).map(|_| None).chain((0..scene.records().len() as u64).map(Some)).collect();
    assert_eq!(numbers, expect, "of a closed log none, of this one from 0 on");
    let call = shown.iter().find(|record| record["kind"] == "call").expect("the call");
    let proof = scene.program.must(&["audit", "prove", &call["seq"].to_string()]).await;
    let proof = scene.program.write("proof", &proof).display().to_string();
    let said = scene.program.must(&["audit", "check", &proof]).await;
    assert!(said.contains("\"tool\":\"echo\""), "{said}");

    let report = scene.program.must(&["report", "--json"]).await;
    let report: Value = serde_json::from_str(&report).expect("a document");
    let records = &report["records"];
    assert_eq!(
        (&records["closed"], &records["first"], &records["last"]),
        (&closed.into(), &0.into(), &(scene.records().len() - 1).into()),
        "{records}"
    );
    let act = |kind: &str| {
        let mut acts = report["acts"].as_array().expect("acts").iter();
        acts.rfind(|act| act["kind"] == kind).unwrap_or_else(|| panic!("{kind}"))["seq"].clone()
    };
    let disabled = scene.records().iter().position(|record| record["kind"] == "disable").expect("the act");
    assert_eq!((act("register"), act("disable")), (Value::Null, disabled.into()));
    let notes = report["verdict"]["notes"].to_string();
    assert!(notes.contains("a signed checkpoint vouches for all"), "{notes}");
    assert!(notes.contains("in logs that were closed"), "{notes}");
}
