//! Claude Desktop and VS Code by their own places: a bridge entry, no secret in it, the token in the home.

use crate::program::Outcome;
use crate::stage::{Stage, mode, mode_of, overwrite, run, text};
use serde_json::{Value, json};
use std::fs;

const CLAUDE: &str = ".config/Claude/claude_desktop_config.json";
const VSCODE: &str = ".config/Code/User/mcp.json";
const VSCODE_BEFORE: &str = "{\n  // my servers\n  \"servers\": {\n    \"mine\": { \"type\": \"http\", \"url\": \"http://127.0.0.1:1/\" }, // keep\n  },\n}\n";
const ROSTER: &str = "[clients.claude]\napp = \"claude-desktop\"\n[clients.code]\napp = \"vscode\"\n\
                      [servers.docs]\nurl = \"http://127.0.0.1:9000/mcp\"\n";

/// Both clients have been started once; Claude Desktop has no file yet.
async fn stage() -> Stage {
    let stage = Stage::empty();
    stage.hallpass.write("hallpass.toml", ROSTER);
    stage.hallpass.write(VSCODE, VSCODE_BEFORE);
    fs::create_dir_all(stage.file(".config/Claude")).expect("a folder");
    stage.hallpass.must(&["init"]).await;
    stage
}

async fn applied() -> Stage {
    let stage = stage().await;
    stage.hallpass.must(&["apply", "--yes"]).await;
    stage
}

fn entry(stage: &Stage, client: &str, server: &str) -> Value {
    let home = stage.hallpass.home();
    json!({
        "command": env!("CARGO_BIN_EXE_hallpass"),
        "args": ["connect", server, "--client", client, "--home", home.to_str().expect("UTF-8")],
    })
}

fn servers(stage: &Stage) -> Value {
    stage.json(CLAUDE)["mcpServers"].clone()
}

fn token_file(stage: &Stage, client: &str) -> std::path::PathBuf {
    stage.hallpass.home().join("tokens").join(client)
}

#[tokio::test]
async fn the_entry_starts_the_bridge_and_the_token_is_in_the_home() {
    let stage = applied().await;
    assert_eq!(stage.json(CLAUDE), json!({ "mcpServers": { "docs": entry(&stage, "claude", "docs") } }));
    let code = stage.text(VSCODE);
    assert!(
        code.contains("// my servers") && code.contains("// keep") && code.contains("\"type\": \"stdio\""),
        "{code}"
    );
    assert!(!code.contains("eyJ") && !stage.text(CLAUDE).contains("eyJ"));
    for client in ["claude", "code"] {
        let file = token_file(&stage, client);
        assert_eq!(mode_of(&file), 0o600);
        assert!(text(&file).starts_with("eyJ") && text(&file).ends_with('\n'));
        let verdict = stage.document(&["verify", file.to_str().expect("UTF-8")]).await;
        assert_eq!((&verdict["passes"], &verdict["client"]), (&true.into(), &client.into()));
    }
    let before = stage.picture().await;
    stage.hallpass.must(&["apply", "--yes"]).await;
    stage.picture().await.assert_same(&before, "a second apply");
    stage.hallpass.must(&["remove", "code", "--yes"]).await;
    assert_eq!(stage.text(VSCODE), VSCODE_BEFORE);
    assert!(!token_file(&stage, "code").exists());
    stage.hallpass.must(&["remove", "claude", "--yes"]).await;
    assert!(!stage.file(CLAUDE).exists(), "it was not there before");
}

#[tokio::test]
async fn a_fresh_token_leaves_the_configuration_alone() {
    let stage = applied().await;
    let before = stage.picture().await;
    stage.hallpass.must(&["issue", "claude", "--yes"]).await;
    let moved = stage.picture().await.differences(&before);
    let user = stage.hallpass.user();
    assert!(!moved.iter().any(|path| path.starts_with(&user)), "{moved:?}");
    assert!(moved.contains(&token_file(&stage, "claude")));
}

#[tokio::test]
async fn the_platforms_own_places_need_no_words() {
    let stage = stage().await;
    // The default home, and a configuration folder of the user's choice.
    let run = async |arguments: &[&str]| -> Outcome {
        let mut command = stage.hallpass.command(arguments);
        command.env_remove("HALLPASS_HOME").env("XDG_CONFIG_HOME", stage.file("conf"));
        stage.hallpass.finish(command).await
    };
    fs::create_dir_all(stage.file("conf/Claude")).expect("a folder");
    assert_eq!(run(&["init"]).await.code, Some(0));
    assert!(stage.file(".local/share/hallpass/hallpass.db").exists());
    let refused = run(&["apply", "--yes"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("hint: start the client once, or make the folder"), "{refused:#?}");
    assert!(!stage.file("conf/Claude/claude_desktop_config.json").exists(), "all or nothing");
    fs::create_dir_all(stage.file("conf/Code/User")).expect("a folder");
    let applied = run(&["apply", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{applied:#?}");
    let claude = stage.json("conf/Claude/claude_desktop_config.json");
    assert_eq!(
        claude["mcpServers"]["docs"]["args"],
        json!(["connect", "docs", "--client", "claude"]),
        "no `--home`"
    );
}

#[tokio::test]
async fn entries_follow_the_servers() {
    let stage = applied().await;
    let token = text(&token_file(&stage, "claude"));
    stage.edit("hallpass.toml", |text| text + "[servers.more]\nurl = \"http://127.0.0.1:9001/mcp\"\n");
    stage.hallpass.must(&["apply", "--yes"]).await;
    assert_eq!(
        servers(&stage),
        json!({ "docs": entry(&stage, "claude", "docs"), "more": entry(&stage, "claude", "more") })
    );
    stage.swap("hallpass.toml", "app = \"claude-desktop\"", "app = \"claude-desktop\"\nservers = [\"more\"]");
    stage.hallpass.must(&["apply", "--yes"]).await;
    assert_eq!(
        servers(&stage),
        json!({ "more": entry(&stage, "claude", "more") }),
        "the stale one is taken out"
    );
    assert_eq!(text(&token_file(&stage, "claude")), token, "the token was never in question");
    let before = stage.picture().await;
    stage.hallpass.must(&["apply", "--yes"]).await;
    stage.picture().await.assert_same(&before, "one more apply");
    stage.hallpass.must(&["remove", "claude", "--yes"]).await;
    assert_eq!(stage.json(CLAUDE), json!({ "mcpServers": {} }));
}

#[tokio::test]
async fn an_entry_whose_program_moved_is_put_right_and_what_a_person_added_stays() {
    let stage = applied().await;
    let token = text(&token_file(&stage, "claude"));
    let edited = stage.text(CLAUDE).replace(env!("CARGO_BIN_EXE_hallpass"), "/old/hallpass");
    let edited = edited.replace("\"command\"", "\"env\": { \"LOG\": \"1\" },\n      \"command\"");
    overwrite(&stage.file(CLAUDE), &edited);
    let plan = stage.hallpass.must(&["apply", "--yes"]).await;
    assert!(plan.contains("claude: put right"), "{plan}");
    let expect = edited.replace("/old/hallpass", env!("CARGO_BIN_EXE_hallpass"));
    assert_eq!(stage.text(CLAUDE), expect);
    assert_eq!(text(&token_file(&stage, "claude")), token);
    stage.hallpass.must(&["remove", "claude", "--yes"]).await;
    assert!(
        !stage.file(CLAUDE).exists(),
        "the entry goes with what was added to it, and the file that was made for it"
    );
}

#[tokio::test]
async fn an_entry_of_somebody_else_stays_and_is_named() {
    let stage = stage().await;
    let theirs = "{ \"mcpServers\": { \"docs\": { \"command\": \"theirs\" } } }\n";
    stage.hallpass.write(CLAUDE, theirs);
    let before = stage.picture().await;
    let said = stage.said(&["apply", "--yes"]).await;
    let words = format!(
        "error: `USER/{CLAUDE}` already has an entry `mcpServers.docs` that is not ours\n\
         hint: give the client another one: `entry = \"...\"` in [clients.claude], or `--entry`\n"
    );
    assert_eq!((said.code, said.stderr), (Some(1), words));
    stage.picture().await.assert_same(&before, "a refusal");
    stage.swap(
        "hallpass.toml",
        "app = \"claude-desktop\"",
        "app = \"claude-desktop\"\nentry = \"docs-by-hallpass\"",
    );
    stage.hallpass.must(&["apply", "--yes"]).await;
    assert_eq!(servers(&stage)["docs-by-hallpass"], entry(&stage, "claude", "docs"));
    // Put there after ours was placed: `remove` leaves it.
    stage.swap(CLAUDE, "\"connect\"", "\"else\"");
    let theirs = stage.text(CLAUDE);
    let said = stage.hallpass.must(&["remove", "claude", "--yes"]).await;
    assert!(said.contains("is not ours and stays"), "{said}");
    assert_eq!(stage.text(CLAUDE), theirs);
}

#[tokio::test]
async fn a_bridge_may_stand_in_a_work_tree() {
    let stage = stage().await;
    run(&stage.hallpass.user(), "git", &["init", "-q"]);
    stage.hallpass.must(&["apply", "--yes"]).await;
}

#[tokio::test]
async fn an_entry_or_a_token_file_that_is_gone_comes_back() {
    let stage = applied().await;
    fs::remove_file(stage.file(CLAUDE)).expect("the file");
    let token = text(&token_file(&stage, "claude"));
    stage.hallpass.must(&["apply", "--yes"]).await;
    assert_eq!(servers(&stage), json!({ "docs": entry(&stage, "claude", "docs") }));
    assert_eq!(text(&token_file(&stage, "claude")), token);
    fs::remove_file(token_file(&stage, "claude")).expect("the file");
    stage.hallpass.must(&["apply", "--yes"]).await;
    assert_ne!(text(&token_file(&stage, "claude")), token, "nobody has the old one any more");
    let shown = stage.document(&["show", "claude"]).await;
    assert_eq!(shown["tokens"][1]["state"], "replaced");
}

#[tokio::test]
async fn from_a_variable_to_a_bridge_and_back() {
    let stage = Stage::applied().await;
    let before = text(&crate::stage::example_folder().join(crate::stage::CLAUDE));
    stage.swap("hallpass.toml", "entry   = \"exai-mcp\"\nenv     = \"EXAI_JWT_TOKEN\"", "# bridge");
    stage.hallpass.must(&["apply", "--yes"]).await;
    assert_eq!(stage.token(crate::stage::CLAUDE), None, "no secret is left in the file");
    assert_eq!(stage.json(crate::stage::CLAUDE)["mcpServers"]["sample"], entry(&stage, "claude", "sample"));
    stage.swap("hallpass.toml", "# bridge", "entry   = \"exai-mcp\"\nenv     = \"EXAI_JWT_TOKEN\"");
    stage.hallpass.must(&["apply", "--yes"]).await;
    assert_eq!(stage.json(crate::stage::CLAUDE)["mcpServers"].get("sample"), None);
    assert!(stage.token(crate::stage::CLAUDE).is_some());
    assert!(!token_file(&stage, "claude").exists(), "no dead token lies about");
    stage.hallpass.must(&["remove", "claude", "--yes"]).await;
    assert_eq!(stage.text(crate::stage::CLAUDE), before);
}

/// A bridge with nothing to say: it ends with its input, and connects to nobody.
async fn connect(stage: &Stage, arguments: &[&str]) -> Outcome {
    stage.said(&[&["connect", "docs", "--client", "claude"], arguments].concat()).await
}

#[tokio::test]
async fn the_token_goes_to_this_machine_only_unless_a_person_says_otherwise() {
    let stage = applied().await;
    let refused = "error: `--url` leads to another machine, and the token would go there unencrypted\n\
                   hint: let a tunnel of yours listen on this machine, or say `--cleartext-ok` if nobody else is on the way\n";
    for elsewhere in [
        "http://192.0.2.1:4255",
        "http://gateway.example",
        "http://[2001:db8::1]",
        "http://127.0.0.1.example",
        "http://0.0.0.0:4255",
    ] {
        let outcome = connect(&stage, &["--url", elsewhere]).await;
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), refused), "{elsewhere}");
        let outcome = connect(&stage, &["--url", elsewhere, "--cleartext-ok"]).await;
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{elsewhere}");
        let mut command = stage.hallpass.command(&["connect", "docs", "--client", "claude"]);
        command.env("HALLPASS_URL", elsewhere);
        let outcome = stage.hallpass.finish(command).await;
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), refused), "{elsewhere}");
    }
    for here in [
        "http://127.0.0.1:1",
        "http://127.8.9.10",
        "http://localhost:1/",
        "http://LOCALHOST",
        "http://[::1]:1",
    ] {
        let outcome = connect(&stage, &["--url", here]).await;
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{here}");
    }
    let outcome = connect(&stage, &["--url", "https://gateway.example", "--cleartext-ok"]).await;
    assert_eq!(
        outcome.stderr,
        "error: the bridge speaks to an `http` gateway only, not to `https://gateway.example`\n"
    );
}

#[tokio::test]
async fn a_home_that_others_can_read_gives_no_token() {
    let stage = applied().await;
    for (folder, name) in
        [(stage.hallpass.home(), "HOME"), (stage.hallpass.home().join("tokens"), "HOME/tokens")]
    {
        mode(&folder, 0o750);
        let outcome = connect(&stage, &[]).await;
        assert_eq!(outcome.code, Some(1), "{outcome:#?}");
        assert!(
            outcome.stderr.starts_with(&format!("error: `{name}` is open to others (mode 750)\n")),
            "{outcome:#?}"
        );
        mode(&folder, 0o700);
    }
    assert_eq!(connect(&stage, &[]).await.code, Some(0));
}

/// In a container, say: the token comes by the environment.
#[tokio::test]
async fn a_bridge_needs_no_home() {
    let stage = Stage::empty();
    let mut command =
        stage.hallpass.command(&["connect", "docs", "--client", "claude", "--url", "http://127.0.0.1:1"]);
    command.env("HALLPASS_TOKEN", "a.b.c");
    assert_eq!(stage.hallpass.finish(command).await.code, Some(0));
    assert!(!stage.hallpass.home().exists());
}
