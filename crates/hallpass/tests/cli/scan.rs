//! `hallpass scan`: whose token lies where, whether it still counts, and what is nobody's business.

use crate::stage::{CLAUDE, Stage, VSCODE1, run};
use rustix::fs::{Mode, mkfifoat};
use serde_json::Value;
use std::os::unix::fs::symlink;

/// Three parts of which nothing is true: `{"alg":"none"}`, claims, and a signature.
fn made_up(claims: &str) -> String {
    format!("eyJhbGciOiJub25lIn0.{}.c2ln", hallpass_core::encoding::base64url(claims.as_bytes()))
}

fn git(stage: &Stage, arguments: &[&str]) {
    let who = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
    run(&stage.hallpass.user(), "git", &[&who[..], arguments].concat());
}

#[tokio::test]
async fn a_live_token_is_told_until_it_is_revoked() {
    let stage = Stage::applied().await;
    let token = stage.token(CLAUDE).expect("a token");
    stage.hallpass.write("notes/today.md", &format!("# today\n\nit uses `{token}`.\n"));
    let scanned = stage.said(&["scan", "."]).await;
    assert_eq!(scanned.code, Some(1), "{scanned:#?}");
    let (before, line) =
        scanned.stdout.split_once("notes/today.md:3: LIVE token of `claude` (").expect("the note");
    // The three that lie where they were put are said to, and count for nothing.
    assert_eq!(before.matches(", where hallpass placed it\n").count(), 3, "{scanned:#?}");
    let jti = line.split(')').next().expect("a handle");
    assert!(
        scanned.stderr.starts_with("error: a live token lies where none should be, in 1 place: "),
        "{scanned:#?}"
    );
    let hint = format!(
        "hint: `hallpass rotate claude --now` gives its client another and ends this one; `hallpass revoke {jti} --reason"
    );
    assert!(scanned.stderr.contains(&hint), "{scanned:#?}");

    stage.hallpass.must(&["revoke", jti, "--reason", "found in a file"]).await;
    let scanned = stage.said(&["scan", "notes"]).await;
    assert_eq!(scanned.code, Some(0), "{scanned:#?}");
    let ended = format!("notes/today.md:3: token of `claude` ({jti}), revoked ");
    assert!(scanned.stdout.starts_with(&ended), "{scanned:#?}");
    assert!(
        scanned.stdout.ends_with("no live token lies where none should be: 1 file read\n"),
        "{scanned:#?}"
    );
    for said in [&scanned.stdout, &scanned.stderr] {
        assert!(!said.contains("eyJ"), "{said}");
    }
}

#[tokio::test]
async fn what_git_would_commit_is_no_place_for_a_token() {
    let stage = Stage::applied().await;
    assert_eq!(stage.hallpass.run(&["scan", VSCODE1]).await.code, Some(0));
    git(&stage, &["init", "-q"]);
    let scanned = stage.said(&["scan", VSCODE1]).await;
    assert_eq!(scanned.code, Some(1), "{scanned:#?}");
    stage.hallpass.write(".gitignore", "config/\n");
    assert_eq!(stage.hallpass.run(&["scan", VSCODE1]).await.code, Some(0));
}

#[tokio::test]
async fn what_was_committed_once_is_found_in_the_history() {
    let stage = Stage::applied().await;
    let token = stage.token(CLAUDE).expect("a token");
    git(&stage, &["init", "-q"]);
    stage.hallpass.write("deploy/ci.yml", &format!("a: b\ntoken: {token}\n"));
    git(&stage, &["add", "deploy"]);
    git(&stage, &["commit", "-q", "-m", "add"]);
    git(&stage, &["rm", "-q", "deploy/ci.yml"]);
    git(&stage, &["commit", "-q", "-m", "remove"]);
    git(&stage, &["gc", "-q"]);
    stage.hallpass.write("empty/x", "");
    assert_eq!(stage.hallpass.run(&["scan", "empty"]).await.code, Some(0));
    let scanned = stage.said(&["scan", "empty", "--history"]).await;
    assert_eq!(scanned.code, Some(1), "{scanned:#?}");
    assert!(scanned.stdout.starts_with("USER/.git, object "), "{scanned:#?}");
    assert!(
        scanned.stdout.contains(":2 (") && scanned.stdout.contains(":deploy/ci.yml): LIVE token of `claude`"),
        "{scanned:#?}"
    );
    // What no branch reaches is still there.
    let message = format!("use {token}");
    git(&stage, &["commit", "-q", "--allow-empty", "-m", &message]);
    git(&stage, &["reset", "-q", "--hard", "HEAD~1"]);
    let scanned = stage.said(&["scan", "empty", "--history"]).await;
    assert!(scanned.stderr.contains("a live token lies where none should be, in 2 places"), "{scanned:#?}");
}

#[tokio::test]
async fn tokens_of_others_are_left_alone_and_false_ones_named() {
    let stage = Stage::applied().await;
    let token = stage.token(CLAUDE).expect("a token");
    let (signed, _) = token.rsplit_once('.').expect("a token");
    let lines = [
        made_up(r#"{"iss":"https://login.example","sub":"x"}"#),
        made_up(r#"{"iss":"exai-mcp-server","sub":"x"}"#),
        format!("{signed}.c2ln"),
        made_up("[]"),
        "eyJ.eyJ.eyJ".into(),
    ];
    stage.hallpass.write("env", &lines.join("\n"));
    let document = stage.hallpass.run(&["scan", "env", "--json"]).await;
    assert_eq!(document.code, Some(0), "{document:#?}");
    let document: Value = serde_json::from_str(&document.stdout).expect("JSON");
    let tokens = document["tokens"].as_array().expect("tokens");
    let told: Vec<_> = tokens.iter().map(|token| (token["line"].as_u64(), token["state"].as_str())).collect();
    assert_eq!(told, [(Some(2), Some("claimed")), (Some(3), Some("claimed"))], "{document:#}");
}

#[tokio::test]
async fn nothing_is_waited_for_and_what_cannot_be_read_is_said() {
    let stage = Stage::applied().await;
    let token = stage.token(CLAUDE).expect("a token");
    stage.hallpass.write("folder/a", "x");
    stage.hallpass.write("elsewhere/b", &token);
    let folder = stage.file("folder");
    symlink(stage.file("elsewhere"), folder.join("link")).expect("a link");
    symlink(stage.file("elsewhere/b"), folder.join("to-a-file")).expect("a link");
    mkfifoat(rustix::fs::CWD, folder.join("pipe"), Mode::RUSR).expect("a pipe");
    let scanned = stage.said(&["scan", "folder"]).await;
    assert_eq!((scanned.code, scanned.stderr.as_str()), (Some(0), ""), "{scanned:#?}");
    assert_eq!(scanned.stdout, "no live token lies where none should be: 1 file read\n");
    let missing = stage.said(&["scan", "folder", "nowhere"]).await;
    assert_eq!(
        (missing.code, missing.stderr.as_str()),
        (Some(1), "error: cannot read `nowhere`: No such file or directory (os error 2)\n")
    );
    let pipe = stage.said(&["scan", "folder/pipe"]).await;
    assert_eq!(pipe.stderr, "not read: folder/pipe: it is a pipe, not a file\n");
    let outside = stage.said(&["scan", "folder", "--history"]).await;
    assert_eq!(outside.code, Some(1));
    assert!(outside.stderr.contains("there is no git repository around `folder`"), "{outside:#?}");
    assert_eq!(stage.said(&["scan"]).await.code, Some(64));
}

#[tokio::test]
async fn letters_right_behind_a_token_hide_it_from_nobody() {
    let stage = Stage::applied().await;
    let token = stage.token(CLAUDE).expect("a token");
    stage.hallpass.write("notes.md", &format!("_{token}_\n{token}-old\n"));
    let scanned = stage.said(&["scan", "notes.md"]).await;
    assert_eq!(scanned.code, Some(1), "{scanned:#?}");
    assert_eq!(scanned.stdout.matches(": LIVE token of `claude`").count(), 2, "{scanned:#?}");
}

/// The configuration of a repository may name programs: one that came from elsewhere must not start any.
#[tokio::test]
async fn a_repository_cannot_start_a_program_by_being_scanned() {
    let stage = Stage::applied().await;
    let token = stage.token(CLAUDE).expect("a token");
    git(&stage, &["init", "-q"]);
    let program = stage.hallpass.write("program", "#!/bin/sh\ntouch started\nexit 1\n");
    crate::stage::mode(&program, 0o755);
    stage.hallpass.write("leaked", &token);
    git(&stage, &["add", "leaked"]);
    // A commit with a signature, which `git log` would have checked.
    let signed = "tree=$(git write-tree) && who='t <t@localhost> 1700000000 +0000' && \
        printf 'tree %s\\nauthor %s\\ncommitter %s\\ngpgsig -----BEGIN PGP SIGNATURE-----\\n \\n YQ==\\n -----END PGP SIGNATURE-----\\n\\nm\\n' \
        \"$tree\" \"$who\" \"$who\" | git hash-object -t commit -w --stdin | xargs git update-ref HEAD";
    run(&stage.hallpass.user(), "sh", &["-c", signed]);
    git(&stage, &["config", "log.showSignature", "true"]);
    git(&stage, &["config", "gpg.program", program.to_str().expect("UTF-8")]);
    let scanned = stage.said(&["scan", "leaked", "--history"]).await;
    assert_eq!(scanned.code, Some(1), "{scanned:#?}");
    assert!(scanned.stdout.contains(":leaked): LIVE token of `claude`"), "{scanned:#?}");
    assert!(!stage.file("started").exists() && !stage.file(".git/started").exists());
}
