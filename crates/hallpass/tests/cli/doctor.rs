//! `hallpass doctor`: each finding by making that state, and by typing what is printed for it.
//!
//! - `scene`: a sound set-up, and a person who types.
//! - `files`: files that cannot be worked on, or that show a token to others.
//! - `tokens`: tokens that are shared, ended, unknown, lost.
//! - `entries`: entries that start this program, the shim's link, what is left over.
//! - `home`: the home itself, hallpass.toml, the clock. `gateway`: one that is not where clients look.

mod clock;
mod entries;
mod files;
mod gateway;
mod home;
mod scene;
mod tokens;

use crate::stage::Stage;
use scene::{doctor, finds, sound};
use serde_json::Value;

#[tokio::test]
async fn a_sound_set_up_has_nothing_wrong() {
    let (stage, _serving) = sound().await;
    assert_eq!(doctor(&stage).await.short(), Vec::<String>::new());
    let said = stage.hallpass.must(&["doctor"]).await;
    assert_eq!(said, "nothing is wrong: 3 files and 2 clients looked at\n");
    let example = Stage::applied().await;
    let said = example.hallpass.must(&["doctor"]).await;
    assert_eq!(said, "nothing is wrong: 3 files and 3 clients looked at\n", "it needs no gateway");
}

/// Whatever Hallpass has put somewhere is as it should be.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a person waits for it")]
async fn a_machine_with_many_clients_has_nothing_wrong() {
    let (stage, files) = crate::setup::machine();
    stage.hallpass.must(&["setup", "--yes"]).await;
    let begun = std::time::Instant::now();
    let said = doctor(&stage).await;
    let took = begun.elapsed();
    assert_eq!(said.short(), ["gateway_down error - -"], "{said:#?}");
    assert!(files.len() >= 40 && took < std::time::Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn every_way_of_placing_a_token_is_sound() {
    for (app, file, way) in [
        ("claude-code", "claude.json", "helper"),
        ("crush", "crush.json", "helper"),
        ("opencode", "opencode.jsonc", "token-file"),
        ("codex", "config.toml", "environment"),
        ("gemini-cli", "settings.json", "environment"),
        ("cursor", "mcp.json", "header"),
        ("goose", "config.yaml", "header"),
        ("env", "ci.env", "env-file"),
        ("continue", "continue.yaml", "instructions"),
    ] {
        let stage = Stage::empty();
        stage.hallpass.write("hallpass.toml", "[servers.docs]\nurl = \"http://127.0.0.1:9000/mcp\"\n");
        stage.hallpass.must(&["init"]).await;
        let add = ["add", "ann", "--app", app, "--config", file, "--placement", way, "--yes"];
        stage.hallpass.must(&add).await;
        let expect: &[&str] = if way == "env-file" { &[] } else { &["gateway_down error - -"] };
        assert_eq!(doctor(&stage).await.short(), expect, "{app} {way}");
    }
}

#[tokio::test]
async fn the_files_of_the_project_in_which_it_runs_are_looked_at() {
    let (stage, _serving) = sound().await;
    let file = stage.hallpass.write("work/.mcp.json", &format!("{{\"token\": \"{}\"}}", scene::bobs(&stage)));
    crate::stage::mode(&file, 0o600);
    let mut command = stage.hallpass.command(&["doctor", "--json", "--config", "../hallpass.toml"]);
    command.current_dir(stage.file("work"));
    let said = scene::read(&stage.hallpass.finish(command).await);
    assert_eq!(said.short(), ["shared_token error - .mcp.json"], "{said:#?}");
    assert_eq!(doctor(&stage).await.short(), Vec::<String>::new(), "elsewhere nobody looks there");
}

#[tokio::test]
async fn without_a_home_it_says_what_to_run() {
    let stage = Stage::empty();
    // A folder that is there is no home yet.
    std::fs::create_dir(stage.hallpass.home()).expect("a folder");
    crate::stage::mode(&stage.hallpass.home(), 0o755);
    let said = stage.said(&["doctor"]).await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        said.stderr,
        "error: there is no Hallpass home at `HOME` yet\nhint: make one: `hallpass init`, or `hallpass up` for the whole set-up\n"
    );
}

#[tokio::test]
async fn a_finding_has_a_form_for_eyes_and_one_for_programs() {
    let (stage, _serving) = sound().await;
    let token = scene::anns(&stage);
    stage.hallpass.write(".cursor/mcp.json.bak", &format!("{{ \"token\": \"{token}\" }}"));
    let said = finds(&stage, "copy error ann mcp.json.bak").await;
    let finding = said.findings[0].as_object().expect("an object");
    let keys: Vec<&str> = finding.keys().map(String::as_str).collect();
    assert_eq!(keys, ["client", "file", "kind", "mend", "says", "severity"]);
    assert!(finding.values().all(Value::is_string), "{finding:#?}");
    let eyes = stage.said(&["doctor"]).await;
    assert_eq!(
        eyes.stdout,
        "error: ann, USER/.cursor/mcp.json.bak\n  \
         it is a copy of USER/.cursor/mcp.json that something left there, and holds a token that is in force\n  \
         whoever finds it can use the token\n  \
         mend: rm USER/.cursor/mcp.json.bak\n\n\
         1 error, 0 warnings: 4 files and 2 clients looked at\n"
    );
    assert_eq!(eyes.stderr, "");
}
