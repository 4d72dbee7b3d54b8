//! Dry runs, JSON, colours, closed pipes, help.

use crate::stage::{CLAUDE, CLIENTS, Stage, VSCODE2};
use serde_json::Value;
use std::process::Stdio;

const COMMANDS: [&str; 27] = [
    "tour",
    "adopt",
    "keys",
    "up",
    "init",
    "add",
    "apply",
    "issue",
    "rotate",
    "revoke",
    "disable",
    "enable",
    "grace",
    "remove",
    "policy",
    "list",
    "show",
    "status",
    "verify",
    "scan",
    "log",
    "usage",
    "report",
    "serve",
    "connect",
    "completions",
    "man",
];

const ADD: [&str; 10] =
    ["add", "x", "--app", "json", "--config", VSCODE2, "--entry", "filesystem", "--env", "TOKEN"];

fn changing() -> Vec<Vec<&'static str>> {
    let commands: [&[&str]; 17] = [
        &["init"],
        &["up"],
        &["apply"],
        &["apply", "--prune"],
        &["issue", "claude"],
        &["issue", "--all"],
        &["issue", "claude", "--print"],
        &["rotate", "claude"],
        &["rotate", "--all"],
        &["rotate", "claude", "--now", "--wait"],
        &["rotate", "claude", "--print"],
        &["disable", "claude", "--reason", "x", "--wait"],
        &["enable", "claude"],
        &["revoke", "claude", "--reason", "x"],
        &["remove", "claude"],
        &ADD,
        &["apply", "hallpass.toml"],
    ];
    commands.map(<[_]>::to_vec).into()
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_mints_nothing() {
    let stage = Stage::applied().await;
    stage.swap("hallpass.toml", "[clients.vscode1]", "[clients.other]");
    stage.swap("hallpass.toml", "vscode1@", "other@");
    let before = stage.picture().await;
    for mut command in changing() {
        command.push("--dry-run");
        let outcome = stage.hallpass.run(&command).await;
        // Without `--prune`, the renamed client and the stored one would share a place.
        let refused =
            ["up", "apply", "add"].contains(&command[0]) && command[1] != "--prune" || command[1] == "--all";
        assert_eq!(outcome.code, Some(i32::from(refused)), "{command:?}: {outcome:#?}");
        assert!(!outcome.stdout.contains("eyJ"), "{command:?}");
        stage.picture().await.assert_same(&before, &command.join(" "));
    }
    stage.swap("hallpass.toml", "[clients.other]", "[clients.vscode1]");
    stage.swap("hallpass.toml", "other@", "vscode1@");
    stage.edit("hallpass.toml", |text| text.replace("env     =", "env ="));
    let before = stage.picture().await;
    for mut command in changing() {
        command.push("--dry-run");
        stage.hallpass.must(&command).await;
        stage.picture().await.assert_same(&before, &command.join(" "));
    }
}

#[tokio::test]
async fn a_dry_run_without_a_home_makes_none() {
    let stage = Stage::example();
    let before = stage.picture().await;
    for command in [&["init", "--dry-run"][..], &["up", "--dry-run"], &["up", "--dry-run", "--json"]] {
        let said = stage.hallpass.must(command).await;
        assert!(!said.is_empty());
    }
    assert_eq!(stage.hallpass.run(&["apply", "--dry-run"]).await.code, Some(1));
    stage.picture().await.assert_same(&before, "dry runs");
    assert!(!stage.hallpass.home().exists());
}

#[tokio::test]
async fn the_json_documents_hold_what_the_text_says() {
    let stage = Stage::example();
    let made = stage.document(&["init"]).await;
    assert_eq!((&made["made"], &made["issuer"]), (&true.into(), &"exai-mcp-server".into()));
    assert_eq!(stage.document(&["init"]).await["made"], false);
    let applied = stage.document(&["apply", "--yes"]).await;
    for client in applied["clients"].as_array().expect("clients") {
        let name = client["client"].as_str().expect("a name");
        let (_, file, entry) = CLIENTS.iter().find(|(client, _, _)| *client == name).expect("of the example");
        assert_eq!(
            (&client["action"], &client["done"], &client["registration"]),
            (&"issue".into(), &true.into(), &"new".into())
        );
        assert_eq!(client["file"], stage.file(file).to_str().expect("UTF-8"));
        assert_eq!(client["entries"][0], format!("mcpServers.{entry}.env.EXAI_JWT_TOKEN"));
    }
    let list = stage.document(&["list"]).await;
    let status = stage.document(&["status"]).await;
    assert_eq!(
        (&status["gateway"]["running"], &status["servers"][0]["server"]),
        (&false.into(), &"sample".into())
    );
    for (position, (name, ..)) in [CLIENTS[2], CLIENTS[0], CLIENTS[1]].iter().enumerate() {
        let shown = stage.document(&["show", name]).await;
        assert_eq!(list["clients"][position], shown, "list and show agree");
        assert_eq!(status["clients"][position]["client"], *name);
        assert_eq!(status["clients"][position]["token"], shown["tokens"][0]);
        assert_eq!(status["clients"][position]["last_call_at"], Value::Null);
        let token = &shown["tokens"][0];
        assert_eq!(
            (&token["state"], &token["ended_at"], &token["reason"]),
            (&"active".into(), &Value::Null, &Value::Null)
        );
        let said = stage.hallpass.must(&["show", name]).await;
        for field in [&shown["subject"], &shown["file"], &token["jti"], &token["expires_at"]] {
            assert!(said.contains(field.as_str().expect("text")), "{said}");
        }
    }
    let printed = stage.document(&["issue", "claude", "--print", "--yes"]).await;
    assert!(printed["token"].as_str().is_some_and(|token| token.starts_with("eyJ")));
    assert_eq!(stage.document(&["revoke", "claude", "--reason", "x"]).await["revoked"], 1);
    assert_eq!(stage.document(&["remove", "claude", "--yes"]).await["removed"], true);
    let mut add = ADD.to_vec();
    add.push("--yes");
    assert_eq!(stage.document(&add).await["clients"][0]["done"], true);
    for line in stage.hallpass.must(&["log", "--json"]).await.lines() {
        let event: Value = serde_json::from_str(line).expect("one object a line");
        assert!(event["time"].is_string() && event["outcome"].is_string(), "{event}");
    }
    // A refusal prints no half document.
    let refused = stage.hallpass.run(&["show", "nobody", "--json"]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
}

#[tokio::test]
async fn a_verdict_in_json_is_there_for_a_bad_token_too() {
    let stage = Stage::applied().await;
    stage.hallpass.write("token", &stage.token(CLAUDE).expect("a token"));
    stage.hallpass.must(&["revoke", "claude", "--reason", "x"]).await;
    let outcome = stage.hallpass.run(&["verify", "token", "--json"]).await;
    let verdict: Value = serde_json::from_str(&outcome.stdout).expect("a document");
    assert_eq!(
        (outcome.code, &verdict["passes"], &verdict["reason"]),
        (Some(1), &false.into(), &"revoked".into())
    );
    assert!(
        outcome.stderr.ends_with("hint: `hallpass issue claude` gives the client a new token\n"),
        "{outcome:#?}"
    );
    stage.hallpass.write("token", "eyJ.nonsense");
    let outcome = stage.hallpass.run(&["verify", "token", "--json"]).await;
    let verdict: Value = serde_json::from_str(&outcome.stdout).expect("a document");
    assert_eq!((outcome.code, &verdict["passes"]), (Some(1), &false.into()));
}

#[tokio::test]
async fn no_escape_codes_in_a_pipe_or_with_no_color() {
    let stage = Stage::applied().await;
    for command in [
        &["list"][..],
        &["status"],
        &["show", "claude"],
        &["show", "cluade"],
        &["log"],
        &["apply"],
        &["help"],
        &["bogus"],
        &["tour"],
    ] {
        for forced in [false, true] {
            let mut program = stage.hallpass.command(command);
            if forced {
                program.env("NO_COLOR", "1").env("TERM", "xterm-256color").env("COLORTERM", "truecolor");
            }
            let said = stage.hallpass.finish(program).await;
            assert!(!said.stdout.contains('\u{1b}') && !said.stderr.contains('\u{1b}'), "{command:?}");
            // Nor spelt out: what makes texts harmless came after the colours once.
            assert!(!said.stdout.contains("\\u{1b}"), "{command:?}");
        }
    }
}

#[tokio::test]
async fn a_hostile_file_cannot_steer_the_terminal() {
    let stage = Stage::founded().await;
    let good = stage.text("hallpass.toml");
    // Broken with raw escape codes, and well-formed with an escaped one.
    for (old, new) in [
        ("[authority]", "[authority]\n\u{1b}]0;title\u{7}"),
        ("config/daemon/mcp-config.claude", "\\u001b[2Jx"),
    ] {
        crate::stage::overwrite(&stage.file("hallpass.toml"), good.replace(old, new));
        // As on a terminal that takes colours.
        let mut command = stage.hallpass.command(&["apply", "--dry-run"]);
        command.env("CLICOLOR_FORCE", "1");
        let words = stage.hallpass.finish(command).await.stderr;
        assert!(words.starts_with("\u{1b}[1;31merror:\u{1b}[0m "), "{words:?}");
        assert!(
            !words.contains("\u{1b}]") && !words.contains("[2J`") && !words.contains("\u{1b}[2J"),
            "{words:?}"
        );
    }
}

/// Runs with a standard output that nobody reads any more.
async fn unread(stage: &Stage, arguments: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = stage.hallpass.command(arguments);
    let child = command.stdout(Stdio::from(writer)).stderr(Stdio::piped()).spawn().expect("the program");
    drop(command);
    let output = child.wait_with_output().await.expect("an end");
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[tokio::test]
async fn a_reader_who_left_stops_no_command_half_way() {
    let stage = Stage::founded().await;
    let quiet = (Some(0), String::new());
    assert_eq!(unread(&stage, &["apply", "--yes"]).await, quiet);
    for (client, file, _) in CLIENTS {
        assert!(stage.token(file).is_some(), "{client}");
    }
    for command in [
        &["list"][..],
        &["status"],
        &["show", "claude"],
        &["log"],
        &["log", "-f"],
        &["list", "--json"],
        &["completions", "bash"],
        &["man"],
        &["help"],
        &["--version"],
        &["revoke", "vscode2", "--reason", "x"],
        &["remove", "vscode2", "--dry-run"],
    ] {
        assert_eq!(unread(&stage, command).await, quiet, "{command:?}");
    }
    let (code, words) = unread(&stage, &["issue", "vscode1", "--print", "--yes"]).await;
    assert_eq!(code, Some(1));
    assert!(words.contains("error: the token could not be printed, and nobody has it\nhint: "), "{words}");
}

#[tokio::test]
async fn every_command_explains_itself() {
    let stage = Stage::empty();
    for command in COMMANDS {
        let help = stage.hallpass.must(&["help", command]).await;
        assert!(help.contains(&format!("Usage: hallpass {command}")), "{help}");
        assert_eq!(stage.hallpass.must(&[command, "--help"]).await, help);
    }
    let man = stage.hallpass.must(&["man"]).await;
    assert!(man.starts_with(".ie") && man.contains("hallpass"));
    stage.hallpass.must(&["man", "--dir", "pages"]).await;
    for command in COMMANDS {
        assert!(stage.file(&format!("pages/hallpass-{command}.1")).exists(), "{command}");
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stage.hallpass.must(&["completions", shell]).await;
        assert!(COMMANDS.iter().all(|command| script.contains(command)), "{shell}");
    }
    assert!(!stage.hallpass.home().exists(), "help needs no home");
    for command in [&["revoke"][..], &["disable"], &["enable"], &["grace", "start"], &["grace", "end"]] {
        let help = stage.hallpass.must(&[command, &["--help"]].concat()).await;
        assert!(!help.contains("--git-ok"), "it places no token: {help}");
    }
    let printing = stage.hallpass.must(&["issue", "--help"]).await;
    let printing = printing.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        printing.contains("`hallpass apply` leaves the client alone while that token is good"),
        "{printing}"
    );
}
