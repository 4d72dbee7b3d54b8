//! A machine whose set-up can be looked at, and a person who types what is printed. Asserts on nothing by itself but that
//! no token is shown, and that what mends a finding does.

use crate::program::{Outcome, Serving};
use crate::stage::{Stage, mode, overwrite, text};
use serde_json::Value;
use std::path::PathBuf;
use tokio::process::Command;

/// A set-up of a client that is led to the gateway over the bridge, and one in whose file the token is.
pub(super) const ROSTER: &str = "[servers.docs]\nurl = \"http://127.0.0.1:9000/mcp\"\n\
    [gateway]\nlisten = \"127.0.0.1:0\"\n\
    [clients.ann]\napp = \"cursor\"\nplacement = \"bridge\"\n\
    [clients.bob]\napp = \"json\"\nconfig = \"bob.json\"\nentry = \"docs\"\nenv = \"DOCS_TOKEN\"\n";
pub(super) const ANN: &str = ".cursor/mcp.json";
pub(super) const BOB: &str = "bob.json";
const BOB_BEFORE: &str = "{\n  \"mcpServers\": {\n    \"docs\": { \"command\": \"docs\" }\n  }\n}\n";

/// What doctor said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) findings: Vec<Value>,
}

/// Both, and the gateway that runs for them.
pub(super) async fn sound() -> (Stage, Serving) {
    let stage = placed().await;
    let serving = stage.hallpass.serve().await;
    (stage, serving)
}

/// Both, and no gateway.
pub(super) async fn placed() -> Stage {
    let stage = Stage::empty();
    stage.hallpass.write("hallpass.toml", ROSTER);
    stage.hallpass.write(BOB, BOB_BEFORE);
    stage.hallpass.write(ANN, "{\n  \"mcpServers\": {}\n}\n");
    stage.hallpass.must(&["init"]).await;
    stage.hallpass.must(&["apply", "--yes"]).await;
    person(&stage);
    stage
}

/// The programs that a person has at hand: this one, to whose questions the answer is yes, and some that stand in for others.
pub(super) fn person(stage: &Stage) {
    let hallpass = env!("CARGO_BIN_EXE_hallpass");
    let yes = "case \"$1\" in issue|rotate|remove|apply|add|grace) set -- \"$@\" --yes ;; esac";
    tool(stage, "hallpass", &format!("{yes}\nexec {hallpass} \"$@\""));
    tool(stage, "sudo", "exec \"$@\"");
}

/// A program of a few lines.
pub(super) fn tool(stage: &Stage, name: &str, script: &str) {
    let path = stage.hallpass.write(PathBuf::from("../bin").join(name), &format!("#!/bin/sh\n{script}\n"));
    mode(&path, 0o755);
}

/// A line as a person types it.
pub(super) fn typed(stage: &Stage, line: &str) -> Command {
    let mut command = stage.hallpass.outside("sh", &["-c", line]);
    #[expect(clippy::disallowed_methods, reason = "`environment` is inside the program; this is outside")]
    let path = std::env::var("PATH").expect("a path");
    let bin = stage.file("../bin");
    command.env("PATH", format!("{}:{path}", bin.display())).env("EDITOR", bin.join("editor"));
    command
}

pub(super) async fn doctor(stage: &Stage) -> Said {
    let outcome = stage.hallpass.run(&["doctor", "--json"]).await;
    let said = read(&outcome);
    let eyes = stage.hallpass.run(&["doctor"]).await;
    assert_eq!(eyes.code, outcome.code, "{eyes:#?}");
    assert!(!eyes.stdout.contains("eyJ") && !eyes.stderr.contains("eyJ"), "{eyes:#?}");
    for finding in &said.findings {
        let mend = format!("  mend: {}\n", finding["mend"].as_str().expect("a command"));
        assert!(eyes.stdout.contains(&mend), "{finding:#}: {eyes:#?}");
    }
    said
}

pub(super) fn read(outcome: &Outcome) -> Said {
    assert!(!outcome.stdout.contains("eyJ") && !outcome.stderr.contains("eyJ"), "{outcome:#?}");
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome:#?}"));
    let findings = document["findings"].as_array().expect("findings").clone();
    assert_eq!(outcome.code, Some(i32::from(!findings.is_empty())), "{outcome:#?}");
    Said { findings }
}

impl Said {
    /// Kind, severity, client and the end of the file's path.
    pub(super) fn short(&self) -> Vec<String> {
        let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or("-").to_owned();
        let name = |path: String| path.rsplit('/').next().unwrap_or_default().to_owned();
        let short = |finding: &Value| {
            let words = [word(finding, "kind"), word(finding, "severity"), word(finding, "client")];
            format!("{} {}", words.join(" "), name(word(finding, "file")))
        };
        self.findings.iter().map(short).collect()
    }

    pub(super) fn mend(&self) -> &str {
        let [finding] = &self.findings[..] else { panic!("one finding: {self:#?}") };
        finding["mend"].as_str().expect("a command")
    }

    pub(super) fn says(&self) -> &str {
        self.findings[0]["says"].as_str().expect("words")
    }
}

/// There is this finding and no other; what is printed for it is typed; then nothing is wrong.
pub(super) async fn mends(stage: &Stage, expect: &str) -> String {
    let said = finds(stage, expect).await;
    let mend = said.mend().to_owned();
    run(stage, &mend).await;
    let rest = doctor(stage).await;
    assert_eq!(rest.short(), Vec::<String>::new(), "after `{mend}`: {rest:#?}");
    mend
}

/// There is this finding and no other, and looking changed nothing.
pub(super) async fn finds(stage: &Stage, expect: &str) -> Said {
    let before = stage.picture().await;
    let said = doctor(stage).await;
    stage.picture().await.assert_same(&before, "doctor");
    assert_eq!(said.short(), [expect], "{said:#?}");
    said
}

pub(super) async fn run(stage: &Stage, line: &str) {
    let ended = stage.hallpass.finish(typed(stage, line)).await;
    assert_eq!(ended.code, Some(0), "`{line}`: {ended:#?}");
}

/// The token of `bob`, which stands in his file.
pub(super) fn bobs(stage: &Stage) -> String {
    token_in(&stage.text(BOB))
}

/// The token of `ann`, which is in the home.
pub(super) fn anns(stage: &Stage) -> String {
    text(&stage.hallpass.home().join("tokens/ann")).trim_end().to_owned()
}

fn token_in(text: &str) -> String {
    let start = text.find("eyJ").expect("a token");
    text[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect()
}

/// Another token in the place of `bob`'s.
pub(super) fn give_bob(stage: &Stage, token: &str) {
    let own = bobs(stage);
    let changed = stage.text(BOB).replace(&own, token);
    overwrite(&stage.file(BOB), changed);
}

/// A line as another user types it. Root only.
pub(super) async fn person_as(stage: &Stage, uid: u32, line: &str) -> Outcome {
    let uid = format!("--reuid={uid}");
    let mut command = stage.hallpass.outside("setpriv", &[&uid, "--clear-groups", "sh", "-c", line]);
    let inner = typed(stage, line);
    let path = inner.as_std().get_envs().find_map(|(name, value)| (name == "PATH").then_some(value)?);
    command.env("PATH", path.expect("a path"));
    stage.hallpass.finish(command).await
}
