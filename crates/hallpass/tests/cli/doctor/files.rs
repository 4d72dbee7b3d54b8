//! Files that cannot be worked on, and files that show a token to others.

use super::scene::{ANN, BOB, bobs, doctor, finds, mends, person_as, placed, read, run, sound, tool};
use crate::stage::{Stage, mode, mode_of, overwrite, run as outside};
use rustix::fs::{Mode, mkfifoat};
use std::fs;
use std::os::unix::fs::symlink;

const ROOT_ONLY: &str = "skipped: only root can become another user";

#[tokio::test]
async fn a_file_that_is_no_json_is_named_with_its_line() {
    let (stage, _serving) = sound().await;
    let good = stage.text(BOB);
    overwrite(&stage.file(BOB), good.replace("\"docs\": {", "\"docs\": ["));
    let said = finds(&stage, "unparsable error bob bob.json").await;
    assert!(said.says().contains("line "), "{said:#?}");
    let kept = stage.hallpass.write("good.json", &good);
    mode(&kept, 0o600);
    tool(&stage, "editor", "cat good.json > \"$2\"");
    let mend = mends(&stage, "unparsable error bob bob.json").await;
    assert!(mend.starts_with("${EDITOR:-vi} +3 "), "{mend}");
}

#[tokio::test]
async fn a_file_of_a_program_without_a_token_is_looked_at_too() {
    let (stage, _serving) = sound().await;
    stage.hallpass.write(".codex/config.toml", "model = \n");
    tool(&stage, "editor", "echo 'model = \"x\"' > \"$2\"");
    mends(&stage, "unparsable warning - config.toml").await;
    // Comments where the program reads strict JSON, and a blank file.
    stage.hallpass.write(".aws/amazonq/mcp.json", "// mine\n{}\n");
    stage.hallpass.write(".claude.json", "");
    tool(&stage, "editor", "echo '{}' > \"$2\"");
    mends(&stage, "unparsable warning - mcp.json").await;
}

#[tokio::test]
async fn a_link_that_leads_nowhere() {
    let (stage, _serving) = sound().await;
    fs::create_dir(stage.file(".codex")).expect("a folder");
    symlink("../dotfiles/config.toml", stage.file(".codex/config.toml")).expect("a link");
    mends(&stage, "link_to_nowhere warning - config.toml").await;
}

#[tokio::test]
async fn a_link_in_a_folder_where_everybody_writes_is_not_followed() {
    let (stage, _serving) = sound().await;
    fs::create_dir(stage.file("shared")).expect("a folder");
    mode(&stage.file("shared"), 0o1777);
    let (file, link) = (stage.file(BOB), stage.file("shared/bob.json"));
    fs::rename(&file, stage.file("own.json")).expect("a move");
    symlink(stage.file("own.json"), &link).expect("a link");
    symlink(&link, &file).expect("a link");
    let said = finds(&stage, "folder_open error bob bob.json").await;
    assert!(said.says().contains("it was not followed"), "{said:#?}");
    mends(&stage, "folder_open error bob bob.json").await;
}

#[tokio::test]
async fn a_link_into_such_a_folder_is_said() {
    let (stage, _serving) = sound().await;
    stage.hallpass.write("shared/config.toml", "model = \"x\"\n");
    mode(&stage.file("shared"), 0o777);
    fs::create_dir(stage.file(".codex")).expect("a folder");
    symlink(stage.file("shared/config.toml"), stage.file(".codex/config.toml")).expect("a link");
    mends(&stage, "folder_open warning - config.toml").await;
}

#[tokio::test]
async fn a_folder_of_a_client_where_everybody_may_write() {
    let (stage, _serving) = sound().await;
    mode(&stage.file(".cursor"), 0o777);
    // Of no interest: nothing of ours is there.
    stage.hallpass.write(".codex/config.toml", "");
    mode(&stage.file(".codex"), 0o777);
    mends(&stage, "folder_open error ann mcp.json").await;
}

#[tokio::test]
async fn a_pipe_is_not_opened() {
    let (stage, _serving) = sound().await;
    fs::create_dir(stage.file(".codex")).expect("a folder");
    mkfifoat(rustix::fs::CWD, stage.file(".codex/config.toml"), Mode::RUSR).expect("a pipe");
    mends(&stage, "not_a_file warning - config.toml").await;
}

/// Root could read it.
#[tokio::test]
async fn a_file_that_cannot_be_read() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("{ROOT_ONLY}");
        return;
    }
    let stage = placed().await;
    let all = stage.file("..");
    for (path, of, expect) in [
        (ANN, 65534, "unreadable error ann mcp.json"),
        (ANN, 0, "unreadable error ann mcp.json"),
        (".codex/config.toml", 65534, "unreadable warning - config.toml"),
        (".codex", 65534, "unreadable warning - config.toml"),
    ] {
        stage.hallpass.write(".codex/config.toml", "");
        outside(&all, "chown", &["-R", "65534", "."]);
        let file = stage.file(path);
        let before = mode_of(&file);
        mode(&file, if of == 0 { 0o600 } else { 0 });
        outside(&all, "chown", &[&of.to_string(), file.to_str().expect("UTF-8")]);
        let said = read(&person_as(&stage, 65534, "hallpass doctor --json").await);
        // Nobody serves for them here.
        let short: Vec<_> = said.short().into_iter().filter(|short| !short.starts_with("gateway")).collect();
        assert_eq!(short, [expect], "{said:#?}");
        let mend = said.findings[0]["mend"].as_str().expect("a command").to_owned();
        if of == 0 {
            // A person who may become root.
            run(&stage, &mend).await;
        } else {
            let ended = person_as(&stage, 65534, &mend).await;
            assert_eq!(ended.code, Some(0), "`{mend}`: {ended:#?}");
        }
        let rest = read(&person_as(&stage, 65534, "hallpass doctor --json").await).short();
        assert_eq!(rest, ["gateway_down error - -"], "after `{mend}`");
        mode(&file, before);
    }
}

#[tokio::test]
async fn a_token_in_a_file_that_git_would_commit() {
    let (stage, _serving) = sound().await;
    outside(&stage.hallpass.user(), "git", &["init", "-q"]);
    stage.hallpass.write(".gitignore", "*.log");
    mends(&stage, "git_would_commit error bob bob.json").await;
    assert_eq!(stage.text(".gitignore"), "*.log\n/bob.json\n");
    // Tracked, it would be committed although it is ignored.
    outside(&stage.hallpass.user(), "git", &["add", "-f", BOB]);
    mends(&stage, "git_would_commit error bob bob.json").await;
}

#[tokio::test]
async fn a_name_with_signs_is_ignored_as_it_is() {
    let (stage, _serving) = sound().await;
    let name = "it's [one] *.json";
    fs::rename(stage.file(BOB), stage.file(name)).expect("a move");
    symlink(name, stage.file(BOB)).expect("a link");
    outside(&stage.hallpass.user(), "git", &["init", "-q"]);
    outside(&stage.hallpass.user(), "git", &["add", "-f", "--", ":(literal)it's [one] *.json"]);
    mends(&stage, "git_would_commit error bob bob.json").await;
}

#[tokio::test]
async fn a_token_in_a_folder_that_is_carried_elsewhere() {
    for folder in ["Dropbox/work", "OneDrive - Firm", "Google Drive", "Library/Mobile Documents/x"] {
        let (stage, _serving) = sound().await;
        let moved = stage.hallpass.write(format!("{folder}/bob.json"), "");
        fs::rename(stage.file(BOB), &moved).expect("a move");
        symlink(&moved, stage.file(BOB)).expect("a link");
        mends(&stage, "synced warning bob bob.json").await;
        stage.hallpass.must(&["rotate", "bob", "--yes"]).await;
        assert_eq!(doctor(&stage).await.short(), Vec::<String>::new(), "{folder}");
    }
}

#[tokio::test]
async fn syncthing_is_told_to_leave_it_out() {
    let (stage, _serving) = sound().await;
    let moved = stage.hallpass.write("notes/conf/bob.json", "");
    fs::create_dir(stage.file("notes/.stfolder")).expect("a mark");
    stage.hallpass.write("notes/.stignore", "*.log");
    fs::rename(stage.file(BOB), &moved).expect("a move");
    symlink(&moved, stage.file(BOB)).expect("a link");
    mends(&stage, "synced warning bob bob.json").await;
    assert_eq!(stage.text("notes/.stignore"), "*.log\n/conf/bob.json\n");
}

#[tokio::test]
async fn a_home_that_is_carried_elsewhere() {
    let stage = placed().await;
    let (home, moved) = (stage.hallpass.home(), stage.file("Dropbox/hallpass"));
    fs::create_dir(stage.file("Dropbox")).expect("a folder");
    fs::rename(&home, &moved).expect("a move");
    symlink(&moved, &home).expect("a link");
    let _serving = stage.hallpass.serve().await;
    mends(&stage, "synced warning - home").await;
    stage.hallpass.must(&["rotate", "--all", "--now", "--yes"]).await;
    assert_eq!(doctor(&stage).await.short(), Vec::<String>::new());
}

#[tokio::test]
async fn copies_with_a_token_are_told_and_others_are_not() {
    let (stage, _serving) = sound().await;
    let token = bobs(&stage);
    stage.hallpass.write("bob.json.orig", "{}");
    for name in [
        "bob.json~",
        ".bob.json.swp",
        "bob.json.bak",
        "#bob.json#",
        "bob (conflicted copy).json",
        "bob.sync-conflict-20260101-120000-ABCDEFG.json",
        "bob.json.orig",
        ".bob.json.hallpass-0a1b2c3d-1.tmp",
    ] {
        stage.hallpass.write(name, &format!("\0{token}\n"));
        mends(&stage, &format!("copy error bob {name}")).await;
        assert!(!stage.file(name).exists(), "{name}");
    }
    stage.hallpass.write("../home/tokens/ann~", &token);
    mends(&stage, "copy error bob ann~").await;
    stage.hallpass.must(&["rotate", "bob", "--now", "--yes"]).await;
    stage.hallpass.write("bob.json~", &token);
    mends(&stage, "copy warning bob bob.json~").await;
}

#[tokio::test]
async fn a_token_that_others_could_read_is_replaced() {
    let (stage, _serving) = sound().await;
    for (file, expect) in [
        (stage.file(BOB), "file_open error bob bob.json"),
        (stage.hallpass.home().join("tokens/ann"), "file_open error ann ann"),
    ] {
        let before = fs::read(&file).expect("a file");
        mode(&file, 0o644);
        mends(&stage, expect).await;
        assert_ne!(fs::read(&file).expect("a file"), before, "another token");
        assert_eq!(mode_of(&file), 0o600);
    }
}

/// A client's token that a person placed: it is his to replace.
#[tokio::test]
async fn a_printed_token_that_others_can_read_is_closed() {
    let stage = Stage::applied().await;
    let printed = stage.hallpass.must(&["issue", "claude", "--print", "--yes"]).await;
    let file = stage.hallpass.write(
        ".cursor/mcp.json",
        &format!(
            r#"{{"mcpServers":{{"x":{{"headers":{{"Authorization":"Bearer {}"}}}}}}}}"#,
            printed.trim_end()
        ),
    );
    mode(&file, 0o640);
    overwrite(&stage.file(crate::stage::CLAUDE), r#"{"mcpServers":{"exai-mcp":{"command":"x"}}}"#);
    super::scene::person(&stage);
    mends(&stage, "file_open error - mcp.json").await;
}
