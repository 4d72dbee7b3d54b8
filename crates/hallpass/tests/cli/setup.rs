//! `setup` on a machine with many clients, and `undo`.

use crate::stage::{Stage, overwrite, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ROSTER: &str = "[servers.docs]\nurl = \"http://127.0.0.1:9000/mcp\"\n[servers.web]\nurl = \"http://127.0.0.1:9001/mcp\"\n";
/// What each program's file holds on the machine: its own things, and a secret of somebody else's.
const JSON: &str = "{\n  \"theirs\": { \"KEY\": \"s3cret-of-theirs\" }\n}\n";
const TOML: &str = "# mine\nkey = \"s3cret-of-theirs\"\n";
const YAML: &str = "# mine\nkey: s3cret-of-theirs\n";

/// A machine on which every program of the table with a file of its own was started once, with profiles of VS Code.
pub(crate) fn machine() -> (Stage, Vec<PathBuf>) {
    let stage = Stage::empty();
    stage.hallpass.write("hallpass.toml", ROSTER);
    let home = stage.hallpass.user();
    let home = home.to_str().expect("UTF-8");
    let machine = hallpass_clients::Machine {
        os: hallpass_clients::Os::Linux,
        home,
        variable: &|_| None,
        project: None,
    };
    let mut files = Vec::new();
    for client in hallpass_clients::clients().iter().filter(|client| client.verified) {
        let candidates = client.candidates(&machine).into_iter();
        let own = candidates.clone().find(|candidate| candidate.scope == hallpass_clients::Scope::User);
        let profiles = candidates.filter(|candidate| candidate.scope != hallpass_clients::Scope::User);
        for path in own.into_iter().chain(profiles).map(|candidate| candidate.path) {
            for number in ["1", "2", "3", "4"].into_iter().take(if path.contains('*') { 4 } else { 1 }) {
                let path = PathBuf::from(path.replace('*', number));
                let before = match path.extension().and_then(|end| end.to_str()) {
                    Some("toml") => TOML,
                    Some("yaml" | "yml") => YAML,
                    _ => JSON,
                };
                stage.hallpass.write(&path, before);
                files.push(path);
            }
        }
    }
    files.sort();
    files.dedup();
    (stage, files)
}

fn contents(files: &[PathBuf]) -> BTreeMap<&Path, String> {
    files.iter().map(|file| (file.as_path(), text(file))).collect()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a person waits for it")]
async fn thirty_clients_over_forty_files_in_seconds_and_back_to_the_byte() {
    let (stage, files) = machine();
    let before = contents(&files);
    let begun = Instant::now();
    let outcome = stage.hallpass.run(&["setup", "--yes"]).await;
    let took = begun.elapsed();
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(!outcome.stdout.contains("s3cret") && !outcome.stdout.contains("eyJ"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("next: ") && outcome.stdout.contains("restart "), "{}", outcome.stdout);
    let list = stage.document(&["list"]).await;
    let clients = list["clients"].as_array().expect("clients").len();
    let written: Vec<_> = files.iter().filter(|file| text(file) != before[file.as_path()]).collect();
    assert!(clients >= 30 && written.len() >= 40, "{clients} clients over {} files", written.len());
    for file in &written {
        assert!(text(file).contains("connect") && !text(file).contains("eyJ"), "{}", file.display());
        assert!(text(file).contains("s3cret-of-theirs"), "{}", file.display());
    }
    let tokens: Vec<_> = fs::read_dir(stage.hallpass.home().join("tokens")).expect("a folder").collect();
    assert_eq!(tokens.len(), clients, "one token each");
    let whole = stage.picture().await;
    let again = stage.hallpass.must(&["setup", "--yes"]).await;
    assert!(again.ends_with("nothing to change\n"), "{again}");
    stage.picture().await.assert_same(&whole, "a second run");
    stage.hallpass.must(&["undo", "--yes"]).await;
    assert!(contents(&files) == before, "every byte is back");
    assert_eq!(stage.document(&["list"]).await["clients"], Value::Array(Vec::new()));
    assert_eq!(fs::read_dir(stage.hallpass.home().join("tokens")).expect("a folder").count(), 0);
    assert_eq!(stage.leftovers(), Vec::<PathBuf>::new());
    let nothing = stage.hallpass.must(&["undo", "--yes"]).await;
    assert!(nothing.starts_with("there is nothing to take back"), "{nothing}");
    // Who tries it again gets the same names.
    let again = stage.hallpass.must(&["setup", "--yes", "--only", "codex"]).await;
    assert!(again.contains("codex: issued and placed"), "{again}");
}

#[tokio::test]
async fn a_dry_run_shows_each_change_and_makes_none() {
    let (stage, _) = machine();
    let before = stage.picture().await;
    let said = stage.hallpass.must(&["setup", "--dry-run", "--only", "codex,cursor"]).await;
    stage.picture().await.assert_same(&before, "a dry run");
    assert!(!stage.hallpass.home().exists(), "nor is a home made");
    assert!(said.contains("+ [mcp_servers.docs]") && said.contains("\"web\": {"), "{said}");
    assert!(said.contains("codex: register") && said.contains("cursor: register"), "{said}");
    assert!(!said.contains("goose") && !said.contains("s3cret"), "{said}");
    let document = stage.document(&["setup", "--dry-run", "--only", "cursor"]).await;
    assert_eq!(document["clients"].as_array().map(Vec::len), Some(1), "{document:#}");
    assert_eq!(document["clients"][0]["placement"], "bridge");
    assert_eq!(document["dry_run"], true);
}

#[tokio::test]
async fn what_is_not_asked_for_is_left_alone() {
    let (stage, files) = machine();
    let before = contents(&files);
    stage.hallpass.must(&["setup", "--yes", "--only", "codex"]).await;
    let changed: Vec<_> = files.iter().filter(|file| text(file) != before[file.as_path()]).collect();
    assert!(matches!(changed[..], [file] if file.ends_with(".codex/config.toml")), "{changed:?}");
    let unknown = stage.hallpass.run(&["setup", "--yes", "--only", "codxe"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.stderr.contains("`codxe` was not found") && unknown.stderr.contains("codex"),
        "{unknown:#?}"
    );
}

#[tokio::test]
async fn one_file_that_cannot_be_edited_stops_no_other() {
    let (stage, files) = machine();
    let broken = files.iter().find(|file| file.ends_with(".cursor/mcp.json")).expect("Cursor's");
    overwrite(broken, "{ \"mcpServers\": ");
    let outcome = stage.hallpass.run(&["setup", "--yes", "--only", "codex,cursor"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(outcome.stdout.contains("codex: issued and placed"), "{outcome:#?}");
    assert!(
        outcome.stderr.contains("cursor: left out\nerror: ") && outcome.stderr.contains("line 1"),
        "{outcome:#?}"
    );
    assert_eq!(text(broken), "{ \"mcpServers\": ");
}

#[tokio::test]
async fn instances_of_one_program_are_clients_of_their_own() {
    let (stage, _) = machine();
    stage.hallpass.must(&["setup", "--yes", "--only", "vscode"]).await;
    let list = stage.document(&["list"]).await;
    let mut names: Vec<&str> = list["clients"]
        .as_array()
        .expect("clients")
        .iter()
        .filter_map(|client| client["client"].as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["vscode", "vscode-1", "vscode-2", "vscode-3", "vscode-4", "vscode-remote"]);
}

#[tokio::test]
async fn who_is_there_already_keeps_its_name() {
    let (stage, _) = machine();
    stage.hallpass.must(&["init"]).await;
    stage.hallpass.must(&["add", "mine", "--app", "cursor", "--yes"]).await;
    let said = stage.hallpass.must(&["setup", "--yes", "--only", "cursor,codex"]).await;
    assert!(said.contains("mine: keep its token") && said.contains("codex: issued and placed"), "{said}");
    // The newest command is taken back, not the one before.
    stage.hallpass.must(&["undo", "--yes"]).await;
    let list = stage.document(&["list"]).await;
    assert_eq!(list["clients"][0]["client"], "mine");
    assert_eq!(list["clients"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn without_a_server_it_says_what_to_write() {
    let stage = Stage::empty();
    let refused = stage.hallpass.run(&["setup", "--yes"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("[servers.docs]") && !stage.hallpass.home().exists(), "{refused:#?}");
}

#[tokio::test]
async fn files_of_a_project_are_taken_in_when_asked() {
    let (stage, _) = machine();
    let project = "{\n  \"mcpServers\": {}\n}\n";
    stage.hallpass.write(".cursor-of-a-project/.cursor/mcp.json", project);
    let folder = stage.file(".cursor-of-a-project");
    stage.hallpass.write(".cursor-of-a-project/hallpass.toml", ROSTER);
    let mut command = stage.hallpass.command(&["setup", "--yes", "--project", "--only", "cursor"]);
    let output = command.current_dir(&folder).output().await.expect("the program");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text(&folder.join(".cursor/mcp.json")).contains("cursor-cursor-of-a-project"));
}

#[tokio::test]
async fn undo_brings_back_where_a_token_was_before() {
    let stage = Stage::empty();
    let client = |config: &str| format!("{ROSTER}[clients.ann]\napp = \"cursor\"\nconfig = \"{config}\"\n");
    let (one, two) = ("{\n  \"a\": 1\n}\n", "{\n  \"b\": 2\n}\n");
    stage.hallpass.write("one.json", one);
    stage.hallpass.write("two.json", two);
    stage.hallpass.write("hallpass.toml", &client("one.json"));
    stage.hallpass.must(&["init"]).await;
    stage.hallpass.must(&["apply", "--yes"]).await;
    let placed = stage.text("one.json");
    stage.hallpass.write("hallpass.toml", &client("two.json"));
    stage.hallpass.must(&["apply", "--yes"]).await;
    assert_eq!(stage.text("one.json"), one);
    assert_ne!(stage.text("two.json"), two);
    let undone = stage.hallpass.run(&["undo", "--yes"]).await;
    assert_eq!(undone.code, Some(0), "{undone:#?}");
    assert!(undone.stderr.contains("hallpass.toml still describes ann"), "{undone:#?}");
    assert_eq!((stage.text("one.json"), stage.text("two.json")), (placed, two.to_owned()));
    // And before that it was not there.
    stage.hallpass.must(&["undo", "--yes"]).await;
    assert_eq!(stage.text("one.json"), one);
}

#[tokio::test]
async fn undo_asks_and_takes_no_for_an_answer() {
    let (stage, files) = machine();
    stage.hallpass.must(&["setup", "--yes", "--only", "codex"]).await;
    let placed = contents(&files);
    let refused = stage.hallpass.run(&["undo"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("`--yes`"), "{refused:#?}");
    let shown = stage.document(&["undo", "--dry-run"]).await;
    assert_eq!(
        (&shown["clients"][0]["client"], &shown["clients"][0]["action"]),
        (&"codex".into(), &"remove".into())
    );
    assert!(contents(&files) == placed);
}

#[tokio::test]
async fn undo_takes_out_only_what_is_ours_where_somebody_wrote_meanwhile() {
    let (stage, files) = machine();
    let file = files.iter().find(|file| file.ends_with(".cursor/mcp.json")).expect("Cursor's");
    stage.hallpass.must(&["setup", "--yes", "--only", "cursor"]).await;
    overwrite(file, text(file).replace("\"theirs\"", "\"later\": true,\n  \"theirs\""));
    stage.hallpass.must(&["undo", "--yes"]).await;
    assert_eq!(text(file), JSON.replace("\"theirs\"", "\"later\": true,\n  \"theirs\""));
}

#[tokio::test]
async fn one_that_cannot_be_taken_back_stops_no_other() {
    let (stage, files) = machine();
    let before = contents(&files);
    stage.hallpass.must(&["setup", "--yes", "--only", "codex,cursor,goose"]).await;
    let broken = files.iter().find(|file| file.ends_with(".cursor/mcp.json")).expect("Cursor's");
    let placed = text(broken);
    overwrite(broken, "{ \"mcpServers\": ");
    let undone = stage.hallpass.run(&["undo", "--yes"]).await;
    assert_eq!(undone.code, Some(1), "{undone:#?}");
    assert!(undone.stderr.contains("cursor: not taken back\nerror: "), "{undone:#?}");
    assert!(undone.stderr.contains("error: not taken back for cursor: see above"), "{undone:#?}");
    let changed = || files.iter().filter(|file| text(file) != before[file.as_path()]).collect::<Vec<_>>();
    assert_eq!(changed(), [broken]);
    overwrite(broken, placed);
    stage.hallpass.must(&["undo", "--yes"]).await;
    assert_eq!(changed(), Vec::<&PathBuf>::new());
}
