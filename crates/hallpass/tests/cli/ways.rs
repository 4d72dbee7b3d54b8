//! Each way in which a token gets to a client: what stands in its file, where the token is, and the way back.

use crate::stage::{Stage, mode_of, text};
use serde_json::{Value, json};
use std::path::PathBuf;

const SERVER: &str = "[servers.docs]\nurl = \"http://127.0.0.1:9000/mcp\"\n";

async fn stage() -> Stage {
    let stage = Stage::empty();
    stage.hallpass.write("hallpass.toml", SERVER);
    stage.hallpass.must(&["init"]).await;
    stage
}

/// A client of that program, placed that way, in a file that is there.
async fn added(app: &str, file: &str, before: &str, way: &str) -> Stage {
    let stage = stage().await;
    stage.hallpass.write(file, before);
    let add = ["add", "ann", "--app", app, "--config", file, "--placement", way, "--yes"];
    stage.hallpass.must(&add).await;
    stage
}

fn token_file(stage: &Stage, name: &str) -> PathBuf {
    stage.hallpass.home().join("tokens").join(name)
}

async fn is_good(stage: &Stage, token: &str) {
    stage.hallpass.write("to-verify", token);
    let verdict = stage.document(&["verify", "to-verify"]).await;
    assert_eq!((&verdict["passes"], &verdict["client"]), (&true.into(), &"ann".into()), "{verdict:#}");
}

/// A second run changes nothing, a rotation changes the token alone, and `remove` gives every byte back.
async fn holds(stage: &Stage, file: &str, before: &str, holder: PathBuf) {
    let whole = stage.picture().await;
    let again = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(again.ends_with("nothing to change\n"), "{again}");
    stage.picture().await.assert_same(&whole, "a second run");
    let frame = |stage: &Stage| masked(&stage.text(file));
    let (first, framed) = (text(&holder), frame(stage));
    stage.hallpass.must(&["rotate", "ann", "--yes", "--now"]).await;
    assert_ne!(text(&holder), first, "a new token");
    assert_eq!((frame(stage), masked(&text(&holder))), (framed, masked(&first)), "and nothing else");
    stage.hallpass.must(&["remove", "ann", "--yes"]).await;
    assert_eq!(stage.text(file), before);
    assert!(!token_file(stage, "ann").exists() && !token_file(stage, "ann.env").exists());
}

fn masked(text: &str) -> String {
    let mut words = text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    let mask = |word: &str| if word.starts_with("eyJ") { "TOKEN ".into() } else { word.to_owned() };
    words.by_ref().map(mask).collect()
}

#[tokio::test]
async fn a_helper_command_gives_the_header() {
    let before = "{\n  \"mcpServers\": {}\n}\n";
    let stage = added("claude-code", "claude.json", before, "helper").await;
    let entry = stage.json("claude.json")["mcpServers"]["docs"].clone();
    assert_eq!(entry["url"], "http://127.0.0.1:4255/c/ann/s/docs/mcp");
    assert_eq!(entry.get("headers"), None);
    assert!(!stage.text("claude.json").contains("eyJ"));
    let command = entry["headersHelper"].as_str().expect("a command");
    let mut shell = stage.hallpass.outside("sh", &["-c", command]);
    let output = shell.output().await.expect("a shell");
    let headers: Value = serde_json::from_slice(&output.stdout).expect("JSON headers");
    let token = text(&token_file(&stage, "ann"));
    assert_eq!(headers, json!({ "Authorization": format!("Bearer {}", token.trim_end()) }));
    is_good(&stage, &token).await;
    holds(&stage, "claude.json", before, token_file(&stage, "ann")).await;
}

#[tokio::test]
async fn a_program_that_runs_commands_in_a_header_gets_one() {
    let before = "{\n  \"mcp\": {}\n}\n";
    let stage = added("crush", "crush.json", before, "helper").await;
    let header = stage.json("crush.json")["mcp"]["docs"]["headers"]["Authorization"].clone();
    let header = header.as_str().expect("a header").to_owned();
    let command =
        header.strip_prefix("Bearer $(").and_then(|rest| rest.strip_suffix(')')).expect("a command");
    let output = stage.hallpass.outside("sh", &["-c", command]).output().await.expect("a shell");
    assert_eq!(String::from_utf8(output.stdout).expect("UTF-8"), text(&token_file(&stage, "ann")));
    holds(&stage, "crush.json", before, token_file(&stage, "ann")).await;
}

#[tokio::test]
async fn a_reference_leads_to_the_token_file() {
    let before = "{\n  \"theme\": \"dark\",\n}\n";
    let stage = added("opencode", "opencode.jsonc", before, "token-file").await;
    let file = token_file(&stage, "ann");
    let text_of_file = stage.text("opencode.jsonc");
    assert!(text_of_file.contains(&format!("{{file:{}}}", file.display())), "{text_of_file}");
    assert!(!text_of_file.contains("eyJ"));
    assert_eq!(mode_of(&file), 0o600);
    is_good(&stage, &text(&file)).await;
    holds(&stage, "opencode.jsonc", before, file).await;
}

#[tokio::test]
async fn a_variable_of_the_environment_is_read_from_a_file_that_a_shell_takes_in() {
    for (app, file, before, reference) in [
        ("codex", "config.toml", "model = \"x\"\n", "bearer_token_env_var = \"HALLPASS_TOKEN_ANN\""),
        ("cursor", "mcp.json", "{}\n", "\"Bearer ${env:HALLPASS_TOKEN_ANN}\""),
        ("gemini-cli", "settings.json", "{}\n", "\"Bearer $HALLPASS_TOKEN_ANN\""),
    ] {
        let stage = added(app, file, before, "environment").await;
        let written = stage.text(file);
        assert!(written.contains(reference) && !written.contains("eyJ"), "{app}: {written}");
        let holder = token_file(&stage, "ann.env");
        assert_eq!(mode_of(&holder), 0o600);
        let script = format!("set -a; . {}; set +a; printf %s \"$HALLPASS_TOKEN_ANN\"", holder.display());
        let output = stage.hallpass.outside("sh", &["-c", &script]).output().await.expect("a shell");
        is_good(&stage, &String::from_utf8(output.stdout).expect("UTF-8")).await;
        holds(&stage, file, before, holder).await;
    }
}

#[tokio::test]
async fn a_literal_header_closes_the_file() {
    for (app, file, before) in [
        (
            "cursor",
            "mcp.json",
            "{\n\t\"mcpServers\": {\n\t\t\"files\": { \"command\": \"npx\" } // mine\n\t}\n}\n",
        ),
        ("codex", "config.toml", "model = \"x\" # mine\n"),
        ("goose", "config.yaml", "extensions:\n  files:\n    type: stdio # mine\n"),
    ] {
        let stage = added(app, file, before, "header").await;
        assert_eq!(mode_of(&stage.file(file)), 0o600, "{app}");
        let written = stage.text(file);
        assert!(written.contains("Bearer eyJ") && written.contains("/c/ann/s/docs/mcp"), "{app}: {written}");
        assert!(!token_file(&stage, "ann").exists());
        let start = written.find("eyJ").expect("a token");
        let token: String = written[start..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
            .collect();
        is_good(&stage, &token).await;
        let holder = stage.file(file);
        holds(&stage, file, before, holder).await;
    }
}

#[tokio::test]
async fn a_line_of_an_environment_file_is_for_scripts() {
    let stage = stage().await;
    let before = "# mine\nexport OTHER='x y'\n";
    stage.hallpass.write("ci.env", before);
    stage.hallpass.must(&["add", "ann", "--app", "env", "--config", "ci.env", "--yes"]).await;
    let written = stage.text("ci.env");
    let token = written.strip_prefix(before).and_then(|rest| rest.strip_prefix("HALLPASS_TOKEN="));
    is_good(&stage, token.expect("our line behind theirs")).await;
    assert_eq!(mode_of(&stage.file("ci.env")), 0o600);
    let holder = stage.file("ci.env");
    holds(&stage, "ci.env", before, holder).await;
    // One that is not there is made, under the name that is asked for.
    stage
        .hallpass
        .must(&["add", "bob", "--app", "env", "--config", "bob.env", "--env", "BOB", "--yes"])
        .await;
    assert!(stage.text("bob.env").starts_with("BOB=eyJ"));
    stage.hallpass.must(&["remove", "bob", "--yes"]).await;
    assert!(!stage.file("bob.env").exists());
}

#[tokio::test]
async fn git_is_asked_before_a_literal_is_written_and_not_before_a_reference() {
    let stage = stage().await;
    stage.hallpass.write("mcp.json", "{}\n");
    crate::stage::run(&stage.hallpass.user(), "git", &["init", "-q"]);
    let add = |way| ["add", "ann", "--app", "cursor", "--config", "mcp.json", "--placement", way, "--yes"];
    let refused = stage.hallpass.run(&add("header")).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("git would commit"), "{refused:#?}");
    assert_eq!(stage.text("mcp.json"), "{}\n");
    stage.hallpass.must(&add("environment")).await;
}

#[tokio::test]
async fn a_client_without_an_editor_is_told_what_to_put_in() {
    let stage = stage().await;
    let said = stage.hallpass.must(&["add", "ann", "--app", "continue", "--yes"]).await;
    assert!(said.contains("put this into it yourself") && said.contains("\"--client\""), "{said}");
    assert!(said.contains("ann: issued and placed; put the entry into the file of Continue"), "{said}");
    is_good(&stage, &text(&token_file(&stage, "ann"))).await;
    let again = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(again.ends_with("nothing to change\n"), "{again}");
    stage.hallpass.must(&["rotate", "ann", "--yes"]).await;
    stage.hallpass.must(&["remove", "ann", "--yes"]).await;
    assert!(!token_file(&stage, "ann").exists());
}

#[tokio::test]
async fn what_is_not_verified_is_written_only_when_a_person_says_so() {
    let stage = stage().await;
    let add = ["add", "ann", "--app", "grok-build", "--config", "config.toml", "--yes"];
    let refused = stage.hallpass.run(&add).await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("is not verified") && refused.stderr.contains("`--unverified`"),
        "{refused:#?}"
    );
    assert!(!stage.file("config.toml").exists());
    let said = stage.hallpass.must(&[&add[..], &["--unverified"]].concat()).await;
    assert!(said.contains("not verified for Grok Build"), "{said}");
    // Once it is registered, later commands do not ask again.
    stage.hallpass.must(&["rotate", "ann", "--yes"]).await;
    stage.hallpass.must(&["apply", "--yes"]).await;
    stage.hallpass.must(&["remove", "ann", "--yes"]).await;
    assert!(!stage.file("config.toml").exists());
}

#[tokio::test]
async fn another_way_takes_the_place_of_the_one_before() {
    let before = "{\n  \"mcpServers\": {\n    \"docs\": { \"url\": \"http://old.test/\" }\n  }\n}\n";
    let stage = stage().await;
    stage.hallpass.write("mcp.json", before);
    let client = |way: &str| {
        format!(
            "{SERVER}[clients.ann]\napp = \"cursor\"\nconfig = \"mcp.json\"\nentry = \"gate\"\nplacement = \"{way}\"\n"
        )
    };
    for (way, holds_token, files) in [
        ("bridge", false, ["ann"].as_slice()),
        ("header", true, &[]),
        ("environment", false, &["ann.env"]),
        ("bridge", false, &["ann"]),
    ] {
        stage.hallpass.write("hallpass.toml", &client(way));
        stage.hallpass.must(&["apply", "--yes"]).await;
        let written = stage.text("mcp.json");
        assert_eq!(written.contains("eyJ"), holds_token, "{way}: {written}");
        assert_eq!(stage.json("mcp.json")["mcpServers"]["gate"].get("command").is_some(), way == "bridge");
        let mut names: Vec<String> = std::fs::read_dir(stage.hallpass.home().join("tokens"))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, files, "{way}");
        let shown = stage.document(&["show", "ann"]).await;
        let tokens = shown["tokens"].as_array().expect("tokens");
        assert_eq!(tokens.iter().filter(|token| token["state"] == "active").count(), 1, "{way}");
    }
    stage.hallpass.write("hallpass.toml", SERVER);
    stage.hallpass.must(&["apply", "--prune", "--yes"]).await;
    assert_eq!(stage.text("mcp.json"), before);
}

#[tokio::test]
async fn a_file_in_the_newer_form_of_a_program_gets_the_newer_entry() {
    let stage = stage().await;
    let before = "{\n  \"mcp\": { \"servers\": {} }\n}\n";
    stage.hallpass.write("opencode.json", before);
    let add = ["add", "ann", "--app", "opencode", "--config", "opencode.json", "--yes"];
    let refused = stage.hallpass.run(&add).await;
    assert!(
        refused.stderr.contains("is not verified") && refused.stderr.contains("OpenCode 2"),
        "{refused:#?}"
    );
    stage.hallpass.must(&[&add[..], &["--unverified"]].concat()).await;
    assert!(stage.json("opencode.json")["mcp"]["servers"]["docs"]["command"].is_array());
    stage.hallpass.must(&["remove", "ann", "--yes"]).await;
    assert_eq!(stage.text("opencode.json"), before);
}

#[tokio::test]
async fn a_file_that_another_one_overrules_is_not_written() {
    let stage = stage().await;
    stage.hallpass.write(".config/crush/crush.json", "{}\n");
    stage.hallpass.write(".config/crush/crushrc", "mcp docs\n");
    let refused = stage.hallpass.run(&["add", "ann", "--app", "crush", "--yes"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("crushrc` instead of"), "{refused:#?}");
    assert_eq!(stage.text(".config/crush/crush.json"), "{}\n");
}

#[tokio::test]
async fn a_file_that_was_empty_is_empty_again_and_one_that_was_not_there_is_gone() {
    for (app, file) in [("env", "ci.env"), ("codex", "config.toml"), ("cursor", "mcp.json")] {
        let stage = added(app, file, "", if app == "env" { "env-file" } else { "header" }).await;
        assert!(stage.text(file).contains("eyJ"));
        stage.hallpass.must(&["rotate", "ann", "--yes"]).await;
        stage.hallpass.must(&["remove", "ann", "--yes"]).await;
        assert_eq!(stage.text(file), "", "{app}");
        std::fs::remove_file(stage.file(file)).expect("a file");
        stage.hallpass.must(&["add", "bob", "--app", app, "--config", file, "--yes"]).await;
        stage.hallpass.must(&["rotate", "bob", "--yes"]).await;
        stage.hallpass.must(&["remove", "bob", "--yes"]).await;
        assert!(!stage.file(file).exists(), "{app}");
    }
}

#[tokio::test]
async fn an_empty_token_file_gives_no_header() {
    let stage = added("claude-code", "claude.json", "{}\n", "helper").await;
    crate::stage::overwrite(&token_file(&stage, "ann"), "\n");
    let refused = stage.hallpass.run(&["headers", "--client", "ann"]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    assert!(refused.stderr.contains("hint: `hallpass issue ann`"), "{refused:#?}");
}

/// Whoever copies a line of the plan into a shell gets what it says, wherever the home is.
#[tokio::test]
async fn a_line_for_a_shell_holds_in_any_home() {
    let stage = stage().await;
    let home = stage.file("it's a \u{fc}ber home");
    let home = home.to_str().expect("UTF-8");
    stage.hallpass.write("mcp.json", "{}\n");
    stage.hallpass.must(&["--home", home, "init"]).await;
    let add = ["--home", home, "add", "ann", "--app", "cursor", "--config", "mcp.json", "--yes"];
    let said = stage.hallpass.must(&[&add[..], &["--placement", "environment"]].concat()).await;
    let line = said.split('`').find(|part| part.starts_with("set -a")).expect("a line for a shell");
    let script = format!("{line}; printf %s \"$HALLPASS_TOKEN_ANN\"");
    let output = stage.hallpass.outside("sh", &["-c", &script]).output().await.expect("a shell");
    assert!(output.stdout.starts_with(b"eyJ"), "{said}");
}

/// A client starts what its entry says in an environment of its own.
#[tokio::test]
async fn a_home_that_a_variable_moved_is_named_in_the_entry() {
    let stage = Stage::empty();
    stage.hallpass.write("hallpass.toml", SERVER);
    for add in [&["init"][..], &["add", "ann", "--app", "cursor", "--config", "mcp.json", "--yes"]] {
        let mut command = stage.hallpass.command(add);
        command.env_remove("HALLPASS_HOME").env("XDG_DATA_HOME", stage.file("data"));
        let outcome = stage.hallpass.finish(command).await;
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    }
    let entry = &stage.json("mcp.json")["mcpServers"]["docs"];
    let home = stage.file("data/hallpass");
    assert_eq!(entry["args"], json!(["connect", "docs", "--client", "ann", "--home", home]));
}

#[tokio::test]
async fn a_token_that_a_person_moved_with_its_file_is_taken_out_there() {
    let before = "{\n  \"mcpServers\": {\n    \"files\": { \"command\": \"x\", \"env\": { \"TOKEN\": \"theirs\" } }\n  }\n}\n";
    let stage = stage().await;
    let add = |file| {
        ["add", "ann", "--app", "json", "--config", file, "--entry", "files", "--env", "TOKEN", "--yes"]
    };
    stage.hallpass.write("old.json", before);
    stage.hallpass.must(&add("old.json")).await;
    std::fs::rename(stage.file("old.json"), stage.file("new.json")).expect("a move");
    let placed = stage.text("new.json");
    stage.hallpass.must(&add("new.json")).await;
    assert_eq!(stage.text("new.json"), placed, "the token stays");
    stage.hallpass.must(&["scan", "new.json"]).await;
    let again = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(again.ends_with("nothing to change\n"), "{again}");
    stage.hallpass.must(&["remove", "ann", "--yes"]).await;
    assert_eq!(stage.text("new.json"), before);
}
