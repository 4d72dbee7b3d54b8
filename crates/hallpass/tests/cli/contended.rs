//! Others who write the same file at the same time, and links that are put where it was.

use crate::asked::Asking;
use crate::stage::{Stage, mode, overwrite, text};
use hallpass::atomic_file::{Original, ReplaceFault, replace, target_of};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How often the script writes, however fast the commands are.
const AT_LEAST: u32 = 50;
/// How often two programs write at the same moment.
const MEETINGS: usize = 2000;
/// How often a link is put in the way.
const ROUNDS: usize = 10_000;

/// Writes a new file beside the old one and renames it, as editors do.
fn write_and_rename(file: &Path, text: &str, mark: &str) {
    let beside = file.with_extension(mark);
    overwrite(&beside, text);
    fs::rename(&beside, file).expect("a rename");
}

/// Eight commands add a client each to one file, while a script adds keys of its own to it by write and rename. The
/// script may overwrite what came in between its own reading and writing, as scripts do: that entry is put in again by
/// the next `apply`. What the script wrote is never lost, and the file is valid whenever it is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn eight_commands_and_a_script_share_a_file() {
    let stage = Stage::empty();
    stage.hallpass.write("hallpass.toml", "[servers.docs]\nurl = \"http://127.0.0.1:9000/mcp\"\n");
    let file = stage.hallpass.write("mcp.json", "{\n  \"mcpServers\": {}\n}\n");
    stage.hallpass.must(&["init"]).await;
    let names: Vec<String> = (1..=8).map(|number| format!("client{number}")).collect();
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            let add = ["add", name, "--app", "json", "--config", "mcp.json", "--entry", name, "--yes"];
            let mut command = stage.hallpass.command(&add);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program")
        })
        .collect();
    let over = std::sync::Arc::new(AtomicBool::new(false));
    let script = {
        let (file, over) = (file.clone(), over.clone());
        std::thread::spawn(move || {
            let mut written = 0_u32;
            while !over.load(Ordering::Acquire) || written < AT_LEAST {
                let mut document: Value = serde_json::from_str(&text(&file)).expect("valid at every instant");
                for number in 0..written {
                    assert_eq!(document[format!("theirs{number}")], number, "lost after {written}");
                }
                document[format!("theirs{written}")] = json!(written);
                write_and_rename(&file, &format!("{document:#}\n"), "script");
                written += 1;
            }
            written
        })
    };
    for child in children {
        let output = child.wait_with_output().await.expect("an end");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // A file that never stands still is left alone, with a word to the person.
        let left_alone = said.contains("keeps being changed by another program");
        assert!(output.status.success() || left_alone, "{said}");
    }
    over.store(true, Ordering::Release);
    let written = script.join().expect("the script");
    for name in &names {
        let add = ["add", name, "--app", "json", "--config", "mcp.json", "--entry", name, "--yes"];
        stage.hallpass.must(&add).await;
    }
    let document: Value = serde_json::from_str(&text(&file)).expect("JSON");
    for number in 0..written {
        assert_eq!(document[format!("theirs{number}")], number);
    }
    for name in &names {
        assert_eq!(document["mcpServers"][name]["args"][3], *name, "{document:#}");
    }
    assert_eq!(stage.leftovers(), Vec::<PathBuf>::new());
}

/// A folder in memory where there is one: what is tried is the order of things, not a disk.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// Somebody writes at some moment of each of our attempts: what he wrote last is there in the end.
#[test]
fn a_change_between_comparing_and_renaming_is_never_lost() {
    let folder = folder();
    let file = target_of(&folder.path().join("mcp.json")).expect("a path");
    overwrite(&file, "theirs 0\n");
    let attempts = AtomicUsize::new(0);
    let (mut ours, mut changed) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=MEETINGS {
                while attempts.load(Ordering::Acquire) < round {
                    std::hint::spin_loop();
                }
                // Each time at another moment of the attempt.
                for _ in 0..(round * 7919) % 40_000 {
                    std::hint::spin_loop();
                }
                write_and_rename(&file, &format!("theirs {round}\n"), "script");
            }
        });
        for round in 1..=MEETINGS {
            attempts.store(round, Ordering::Release);
            let original = Original::read(&file).expect("a file");
            let first = String::from_utf8(original.bytes.clone()).expect("text");
            let first = first.lines().next().expect("a line").to_owned();
            match replace(&file, &original, format!("{first}\nours\n").as_bytes(), false, "t") {
                Ok(()) => ours += 1,
                Err(ReplaceFault::Changed) => changed += 1,
                Err(ReplaceFault::Other(fault)) => panic!("{fault}"),
            }
        }
    });
    assert!(text(&file).starts_with(&format!("theirs {MEETINGS}\n")), "{}", text(&file));
    assert!(ours > 0 && changed > 0, "{ours} written, {changed} given up: they never met");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left");
}

/// While we write, a link to somebody's file takes the place of the file, or of its folder, again and again.
#[test]
fn a_link_that_is_put_in_the_way_leads_to_nobodys_file() {
    for swapped in ["file", "folder"] {
        let scene = folder();
        let root = fs::canonicalize(scene.path()).expect("a path");
        for folder in ["real", "victims"] {
            fs::create_dir(root.join(folder)).expect("a folder");
        }
        let victim = root.join("victims/mcp.json");
        overwrite(&victim, "somebody's\n");
        let file = root.join("real/mcp.json");
        overwrite(&file, "0\n");
        let (place, leads_to) = match swapped {
            "file" => (file.clone(), victim.clone()),
            _ => (root.join("real"), root.join("victims")),
        };
        let over = AtomicBool::new(false);
        let (mut written, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (link, aside) = (root.join("link"), root.join("aside"));
                while !over.load(Ordering::Acquire) {
                    let _ = symlink(&leads_to, &link);
                    let _ = fs::rename(&place, &aside);
                    let _ = fs::rename(&link, &place);
                    let _ = fs::remove_file(&place);
                    let _ = fs::rename(&aside, &place);
                }
            });
            for round in 0..ROUNDS {
                let outcome = Original::read(&file).map_err(ReplaceFault::from).and_then(|original| {
                    replace(&file, &original, format!("{round}\n").as_bytes(), true, "t")
                });
                if outcome.is_ok() {
                    written += 1;
                } else {
                    refused += 1;
                }
                assert_eq!(text(&victim), "somebody's\n", "{swapped}, round {round}");
                let beside = fs::read_dir(root.join("victims")).expect("a folder").count();
                assert_eq!(beside, 1, "nothing is put beside it: {swapped}, round {round}");
            }
            over.store(true, Ordering::Release);
        });
        assert!(written > 0 && refused > 0, "{swapped}: {written} written, {refused} refused");
    }
}

/// A home, a server, and a file of a client's.
async fn with_file(before: &str) -> (Stage, PathBuf) {
    let stage = Stage::empty();
    stage.hallpass.write("hallpass.toml", "[servers.docs]\nurl = \"http://127.0.0.1:9000/mcp\"\n");
    let file = stage.hallpass.write("mcp.json", before);
    stage.hallpass.must(&["init"]).await;
    (stage, file)
}

const ADD: [&str; 6] = ["add", "ann", "--app", "cursor", "--config", "mcp.json"];

/// What was shown is what is done: neither is somebody's entry written over that came meanwhile, nor another file written.
#[tokio::test]
async fn what_changed_while_a_person_thought_is_not_written_over() {
    let theirs = "{\n  \"mcpServers\": { \"docs\": { \"command\": \"theirs\" } }\n}\n";
    let (stage, file) = with_file("{}\n").await;
    let asking = Asking::start(&stage, &ADD).await;
    overwrite(&file, theirs);
    let (status, said) = asking.answer("y").await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("already has an entry `mcpServers.docs` that is not ours"), "{said}");
    assert_eq!(text(&file), theirs);

    let (stage, file) = with_file("{}\n").await;
    let other = stage.hallpass.write("other.json", "{}\n");
    let asking = Asking::start(&stage, &ADD).await;
    fs::remove_file(&file).expect("a file");
    symlink(&other, &file).expect("a link");
    let (status, said) = asking.answer("y").await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("leads to") && said.contains("when that was shown"), "{said}");
    assert_eq!(text(&other), "{}\n");
}

/// An entry of somebody's that reads what we placed is his all the same.
#[tokio::test]
async fn an_entry_that_mentions_a_client_is_not_its() {
    for theirs in [
        r#"{ "command": "proxy", "args": ["--token-file", "/srv/tokens/ann"] }"#,
        r#"{ "command": "proxy", "env": { "TOKEN": "${HALLPASS_TOKEN_ANN}" } }"#,
        r#"{ "command": "proxy", "args": ["http://127.0.0.1:4255/c/ann/s/docs/mcp"] }"#,
        r#"{ "url": "http://127.0.0.1:4255/c/ann-2/s/docs/mcp" }"#,
        r#"{ "command": "hallpass", "args": ["connect", "docs", "--client", "ann-2"] }"#,
    ] {
        let before = format!("{{ \"mcpServers\": {{ \"docs\": {theirs} }} }}\n");
        let (stage, file) = with_file(&before).await;
        let refused = stage.hallpass.run(&[&ADD[..], &["--yes"]].concat()).await;
        assert_eq!(refused.code, Some(1), "{theirs}: {refused:#?}");
        assert!(refused.stderr.contains("that is not ours"), "{theirs}: {refused:#?}");
        assert_eq!(text(&file), before);
    }
}

/// A token is not ended for a client whose file then cannot be put back.
#[tokio::test]
async fn who_cannot_be_taken_out_is_not_cut_off_half_way() {
    let (stage, file) = with_file("{}\n").await;
    stage.hallpass.must(&[&ADD[..], &["--yes"]].concat()).await;
    mode(&file, 0o444);
    for command in [&["remove", "ann", "--yes"][..], &["undo", "--yes"]] {
        let refused = stage.hallpass.run(command).await;
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(refused.stderr.contains("is read-only"), "{refused:#?}");
        let shown = stage.document(&["show", "ann"]).await;
        assert_eq!(shown["tokens"][0]["state"], "active", "{shown:#}");
    }
    mode(&file, 0o644);
    stage.hallpass.must(&["remove", "ann", "--yes"]).await;
    assert_eq!(text(&file), "{}\n");
}
