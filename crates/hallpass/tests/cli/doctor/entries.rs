//! Entries that start this program, the shim's link, and what is left over.

use super::scene::{ANN, BOB, anns, finds, mends, run, sound, tool};
use crate::stage::{Stage, mode, overwrite};
use std::fs;
use std::os::unix::fs::symlink;

/// Another program in the entry of `ann`.
fn starts(stage: &Stage, program: &str) {
    let own = format!("\"{}\"", env!("CARGO_BIN_EXE_hallpass"));
    stage.swap(ANN, &own, &format!("\"{program}\""));
}

#[tokio::test]
async fn an_entry_that_was_taken_out_by_hand() {
    let (stage, _serving) = sound().await;
    let token = anns(&stage);
    overwrite(&stage.file(ANN), "{\n  \"mcpServers\": {}\n}\n");
    mends(&stage, "entry_lost error ann mcp.json").await;
    assert_eq!(anns(&stage), token, "the token stays");
}

#[tokio::test]
async fn a_program_that_is_not_there_cannot_be_started_or_is_another() {
    let (stage, _serving) = sound().await;
    let plain = stage.hallpass.write("plain", "x");
    let other = stage.hallpass.write("other", "x");
    mode(&other, 0o755);
    for (program, severity) in [
        ("/nowhere/hallpass", "error"),
        (plain.to_str().expect("UTF-8"), "error"),
        (other.to_str().expect("UTF-8"), "warning"),
    ] {
        starts(&stage, program);
        assert_eq!(mends(&stage, &format!("program_moved {severity} ann mcp.json")).await, "hallpass apply");
    }
    // A link to this program is this program, and what a shell finds by itself is left to it.
    let link = stage.file("link");
    symlink(env!("CARGO_BIN_EXE_hallpass"), &link).expect("a link");
    starts(&stage, link.to_str().expect("UTF-8"));
    finds(&stage, "entry_lost error ann mcp.json").await;
}

#[tokio::test]
async fn an_entry_that_a_person_put_in_is_his_to_change() {
    let (stage, _serving) = sound().await;
    let own = env!("CARGO_BIN_EXE_hallpass");
    let entry = stage.text(ANN).replace(own, "/nowhere/hallpass");
    stage.hallpass.write(".claude.json", &entry);
    tool(&stage, "editor", &format!("sed -i 's|/nowhere/hallpass|{own}|' \"$2\""));
    let mend = mends(&stage, "program_moved error - .claude.json").await;
    assert!(mend.starts_with("${EDITOR:-vi} +"), "{mend}");
}

#[tokio::test]
async fn an_entry_of_a_client_that_was_removed() {
    let (stage, _serving) = sound().await;
    let entries = stage.text(ANN);
    stage.hallpass.must(&["remove", "ann", "--yes"]).await;
    // As a backup brings it back.
    overwrite(&stage.file(ANN), &entries);
    tool(&stage, "editor", "echo '{}' > \"$2\"");
    let said = finds(&stage, "stale_entry warning - mcp.json").await;
    assert!(said.says().starts_with("`mcpServers.docs` starts hallpass for `ann`"), "{said:#?}");
    mends(&stage, "stale_entry warning - mcp.json").await;
}

#[tokio::test]
async fn an_entry_of_another_home_is_left_to_it() {
    let (stage, _serving) = sound().await;
    let home = stage.hallpass.home();
    let other =
        stage.text(ANN).replace(home.to_str().expect("UTF-8"), "/other/home").replace("\"ann\"", "\"eve\"");
    stage.hallpass.write(".claude.json", &other);
    run(&stage, "hallpass doctor").await;
}

#[tokio::test]
async fn a_command_for_headers_is_an_entry_too() {
    let (stage, _serving) = sound().await;
    stage.hallpass.write(".claude.json", "{}\n");
    let add = ["add", "eve", "--app", "claude-code", "--placement", "helper", "--yes"];
    stage.hallpass.must(&add).await;
    run(&stage, "hallpass doctor").await;
    let own = env!("CARGO_BIN_EXE_hallpass");
    stage.swap(".claude.json", own, "/nowhere/hallpass");
    mends(&stage, "program_moved error eve .claude.json").await;
    let kept = stage.text(".claude.json");
    stage.hallpass.must(&["remove", "eve", "--yes"]).await;
    overwrite(&stage.file(".claude.json"), kept);
    tool(&stage, "editor", "echo '{}' > \"$2\"");
    mends(&stage, "stale_entry warning - .claude.json").await;
}

#[tokio::test]
async fn a_token_file_of_nobody() {
    let (stage, _serving) = sound().await;
    stage.hallpass.write("../home/tokens/eve", "left over\n");
    let mend = mends(&stage, "nobodys_token_file warning - eve").await;
    assert!(mend.starts_with("rm "), "{mend}");
}

#[tokio::test]
async fn the_shims_link_leads_nowhere_or_elsewhere() {
    let (stage, _serving) = sound().await;
    let link = stage.hallpass.home().join("hallpass-shim");
    let other = stage.hallpass.write("other", "x");
    mode(&other, 0o755);
    for (leads_to, severity) in [("/nowhere", "error"), (other.to_str().expect("UTF-8"), "warning")] {
        let _ = fs::remove_file(&link);
        symlink(leads_to, &link).expect("a link");
        mends(&stage, &format!("shim_link {severity} - hallpass-shim")).await;
        assert_eq!(
            fs::canonicalize(&link).expect("a program"),
            fs::canonicalize(env!("CARGO_BIN_EXE_hallpass")).expect("it")
        );
    }
    assert!(stage.text(BOB).contains("eyJ"), "nothing else was touched");
}
