//! `kill -9` at every moment of `issue` and `rotate`, and several commands at once. What is left is the old file or the new one, and
//! the next run mends the rest.

use crate::stage::{CLAUDE, CLIENTS, Stage, example_folder, text};
use hallpass_core::snapshot::TokenState;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::Command;

const ISSUE: &[&str] = &["issue", "claude", "--yes"];
const ROTATE: &[&str] = &["rotate", "claude", "--yes", "--overlap", "2h"];
/// Kills that are spread over the time that the command takes.
const ROUNDS: u32 = 60;
/// What changes anything on a disk: between two of these, files are as they are before the later one.
const CHANGES: &str =
    "write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,fchmod,mkdir";

/// A stage whose `claude` holds its token in one of the two shapes.
struct Subject {
    stage: Stage,
    config: &'static str,
    /// The file with the token.
    holder: PathBuf,
    /// What the configuration is but for the token, once it is placed.
    frame: String,
}

impl Subject {
    async fn variable() -> Self {
        let stage = Stage::applied().await;
        Self::of(stage, CLAUDE, None)
    }

    async fn bridge() -> Self {
        let stage = Stage::empty();
        let config = "claude.json";
        stage.hallpass.write(config, "{\n  \"theirs\": [1, 2]\n}\n");
        let roster = "[clients.claude]\napp = \"claude-desktop\"\nconfig = \"claude.json\"\n\
                      [servers.docs]\nurl = \"http://127.0.0.1:9000/mcp\"\n";
        stage.hallpass.write("hallpass.toml", roster);
        stage.hallpass.must(&["init"]).await;
        stage.hallpass.must(&["apply", "--yes"]).await;
        let holder = stage.hallpass.home().join("tokens/claude");
        Self::of(stage, config, Some(holder))
    }

    fn of(stage: Stage, config: &'static str, holder: Option<PathBuf>) -> Self {
        let holder = holder.unwrap_or_else(|| stage.file(config));
        let mut subject = Self { stage, config, holder, frame: String::new() };
        subject.frame = subject.frame_now();
        subject
    }

    fn token(&self) -> String {
        let text = text(&self.holder);
        let start = text.find("eyJ").unwrap_or_else(|| panic!("a token in: {text}"));
        text[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect()
    }

    fn frame_now(&self) -> String {
        self.stage.text(self.config).replace(&self.token(), "TOKEN")
    }

    /// Right after a kill: every file is whole.
    fn check_whole(&self, when: &str) {
        assert_eq!(self.frame_now(), self.frame, "{when}");
        assert_eq!(self.token().split('.').count(), 3, "{when}");
    }

    /// After the next run: one active token, it is the one in its place, and nothing else is left.
    async fn check_mended(&self, when: &str) {
        let outcome = self.stage.hallpass.run(&["apply", "--yes"]).await;
        assert_eq!(outcome.code, Some(0), "{when}: {outcome:#?}");
        self.check_whole(when);
        let shown = self.stage.document(&["show", "claude"]).await;
        let tokens = shown["tokens"].as_array().expect("tokens");
        let of_state =
            |state: &str| tokens.iter().filter(|token| token["state"] == state).collect::<Vec<_>>();
        assert_eq!((of_state("active").len(), of_state("pending").len()), (1, 0), "{when}: {shown:#}");
        let token = self.stage.hallpass.user().join("token-to-check");
        crate::stage::overwrite(&token, self.token());
        let verdict = self.stage.document(&["verify", token.to_str().expect("UTF-8")]).await;
        assert_eq!(verdict["passes"], true, "{when}");
        assert_eq!(verdict["claims"]["jti"], of_state("active")[0]["jti"], "{when}");
        assert_eq!(self.stage.leftovers(), Vec::<PathBuf>::new(), "{when}");
    }

    /// Of a rotation, the token in its place before it, and nothing that was superseded earlier.
    async fn before(&self, arguments: &[&str]) -> Option<String> {
        if arguments != ROTATE {
            return None;
        }
        self.stage.hallpass.must(ISSUE).await;
        Some(self.token())
    }

    /// What a client still holds that has not read its file again: in force, or superseded and good for what was asked.
    async fn check_still_good(&self, before: Option<String>, when: &str) {
        let Some(before) = before else { return };
        let token = self.stage.hallpass.user().join("token-to-check");
        crate::stage::overwrite(&token, &before);
        let verdict = self.stage.document(&["verify", token.to_str().expect("UTF-8")]).await;
        assert_eq!(verdict["passes"], true, "{when}");
        let shown = self.stage.document(&["show", "claude"]).await;
        let live: Vec<_> = shown["tokens"].as_array().expect("tokens").iter().take(2).collect();
        if before == self.token() {
            assert_eq!(verdict["claims"]["jti"], live[0]["jti"], "{when}");
            assert_ne!(live[1]["state"], "superseded", "{when}");
            return;
        }
        let expect = (&verdict["claims"]["jti"], &"superseded".into());
        assert_eq!((&live[1]["jti"], &live[1]["state"]), expect, "{when}: {shown:#}");
        let store = self.stage.store().await.expect("the store");
        let rows = store.tokens_of("claude").await.expect("tokens");
        assert_eq!(rows[1].state, TokenState::Superseded { until: rows[0].issued_at.plus(7200) }, "{when}");
    }

    #[expect(clippy::disallowed_methods, reason = "how long the command takes on this machine")]
    async fn kill_after_growing_delays(&self, arguments: &[&str]) {
        let start = Instant::now();
        self.stage.hallpass.must(arguments).await;
        let whole = start.elapsed();
        for round in 0..ROUNDS {
            let delay = whole * round / ROUNDS;
            let before = self.before(arguments).await;
            let mut child =
                self.stage.hallpass.command(arguments).stdout(Stdio::null()).spawn().expect("the program");
            // There is no event to wait for: the moments themselves are what is tried.
            tokio::time::sleep(delay).await;
            let _ended_already = child.start_kill();
            child.wait().await.expect("an end");
            let when = format!("killed after {delay:?}");
            self.check_whole(&when);
            self.check_mended(&when).await;
            self.check_still_good(before, &when).await;
        }
    }

    /// Kills before the `nth` change, for each until the command is through. Without `strace` there is nothing to show.
    async fn kill_before_each_change(&self, arguments: &[&str]) {
        for nth in 1..500_u32 {
            let before = self.before(arguments).await;
            let Some(status) = killed_before(&self.stage, arguments, nth).await else { return };
            let when = format!("killed before change {nth}");
            self.check_whole(&when);
            self.check_mended(&when).await;
            self.check_still_good(before, &when).await;
            if status.success() {
                // Otherwise strace may not trace here, or found nothing to do.
                assert!(nth > 20 || nth == 1, "{} kills", nth - 1);
                return;
            }
        }
        panic!("it never ends");
    }
}

/// Runs the command until it is about to make its `nth` change. `None`: without `strace` there is nothing to show.
async fn killed_before(stage: &Stage, arguments: &[&str], nth: u32) -> Option<ExitStatus> {
    let plain = stage.hallpass.command(arguments);
    let mut command = Command::new("strace");
    let inject = format!("inject={CHANGES}:signal=KILL:when={nth}");
    command.args(["-f", "-o", "/dev/null", "-e", &inject, env!("CARGO_BIN_EXE_hallpass")]).args(arguments);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    for (name, value) in plain.as_std().get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.current_dir(stage.hallpass.user());
    command.status().await.ok()
}

/// A first `add` is killed before each of its changes: the client's file is the old one or the new one, the next run
/// comes to the whole of it, nothing that holds a token is left, and the way back is to the byte.
async fn a_killed_add_is_gone_on_with(config: &str, before: &str, add: &[&str]) {
    let stage = Stage::empty();
    stage.hallpass.write("hallpass.toml", "[servers.docs]\nurl = \"http://127.0.0.1:9000/mcp\"\n");
    stage.hallpass.write(config, before);
    stage.hallpass.must(&["init"]).await;
    stage.hallpass.must(add).await;
    let after = without_token(&stage.text(config));
    assert_ne!(after, before);
    for nth in 1..500_u32 {
        stage.hallpass.must(&["remove", "ann", "--yes"]).await;
        assert_eq!(stage.text(config), before, "the way back, before kill {nth}");
        let Some(status) = killed_before(&stage, add, nth).await else { return };
        let now = without_token(&stage.text(config));
        assert!(now == before || now == after, "killed before change {nth}: {now}");
        stage.hallpass.must(add).await;
        assert_eq!(without_token(&stage.text(config)), after, "gone on with after kill {nth}");
        assert_eq!(stage.leftovers(), Vec::<PathBuf>::new(), "kill {nth}");
        let shown = stage.document(&["show", "ann"]).await;
        let live =
            shown["tokens"].as_array().expect("tokens").iter().filter(|token| token["state"] == "active");
        assert_eq!(live.count(), 1, "kill {nth}: {shown:#}");
        if status.success() {
            assert!(nth > 20 || nth == 1, "{} kills", nth - 1);
            return;
        }
    }
    panic!("it never ends");
}

fn without_token(text: &str) -> String {
    let Some(start) = text.find("eyJ") else { return text.to_owned() };
    let rest = text[start..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_.".contains(c));
    format!("{}TOKEN{rest}", &text[..start])
}

#[tokio::test]
async fn a_killed_add_of_a_bridge_is_gone_on_with() {
    let before = "# mine\nmodel = \"x\"\n\n[mcp_servers.files]\ncommand = \"npx\" # theirs\n";
    let add = ["add", "ann", "--app", "codex", "--config", "config.toml", "--yes"];
    a_killed_add_is_gone_on_with("config.toml", before, &add).await;
}

#[tokio::test]
async fn a_killed_add_of_a_header_is_gone_on_with() {
    let before = "{\n  // mine\n  \"mcpServers\": {\n    \"files\": { \"command\": \"npx\" }\n  }\n}\n";
    let add = ["add", "ann", "--app", "cursor", "--config", "mcp.json", "--placement", "header", "--yes"];
    a_killed_add_is_gone_on_with("mcp.json", before, &add).await;
}

#[tokio::test]
async fn a_variable_is_the_old_one_or_the_new_one() {
    let subject = Subject::variable().await;
    subject.kill_before_each_change(ISSUE).await;
    subject.kill_after_growing_delays(ISSUE).await;
}

#[tokio::test]
async fn a_bridges_token_is_the_old_one_or_the_new_one() {
    let subject = Subject::bridge().await;
    subject.kill_before_each_change(ISSUE).await;
    subject.kill_after_growing_delays(ISSUE).await;
}

#[tokio::test]
async fn a_rotation_that_is_killed_keeps_the_overlap_of_a_variable() {
    Subject::variable().await.kill_before_each_change(ROTATE).await;
}

#[tokio::test]
async fn a_rotation_that_is_killed_keeps_the_overlap_of_a_bridge() {
    let subject = Subject::bridge().await;
    subject.kill_before_each_change(ROTATE).await;
    subject.kill_after_growing_delays(ROTATE).await;
}

#[tokio::test]
async fn a_first_apply_that_is_killed_is_gone_on_with() {
    for micros in (0..40_000).step_by(4000) {
        let stage = Stage::example();
        let mut child = stage.hallpass.command(&["up", "--yes", "--listen", "127.0.0.1:0"]);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program");
        tokio::time::sleep(Duration::from_micros(micros)).await;
        let _ended_already = child.start_kill();
        child.wait().await.expect("an end");
        stage.hallpass.must(&["init"]).await;
        stage.hallpass.must(&["apply", "--yes"]).await;
        for (client, file, _) in CLIENTS {
            let shown = stage.document(&["show", client]).await;
            assert_eq!(shown["tokens"].as_array().map(Vec::len), Some(1), "{micros}: {shown:#}");
            stage.hallpass.write("token", &stage.token(file).expect("a token"));
            assert_eq!(stage.document(&["verify", "token"]).await["passes"], true);
        }
        assert_eq!(stage.leftovers(), Vec::<PathBuf>::new());
    }
}

/// Starts the same command eight times at once; all must succeed.
async fn eight_times(stage: &Stage, arguments: &[&str]) {
    let mut children = Vec::new();
    for _ in 0..8 {
        let mut command = stage.hallpass.command(arguments);
        children.push(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program"));
    }
    for child in children {
        let output = child.wait_with_output().await.expect("an end");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn several_at_once_come_to_one_outcome() {
    let stage = Stage::example();
    eight_times(&stage, &["init"]).await;
    eight_times(&stage, &["apply", "--yes"]).await;
    for (client, file, _) in CLIENTS {
        let shown = stage.document(&["show", client]).await;
        assert_eq!(shown["tokens"].as_array().map(Vec::len), Some(1), "one token was issued: {shown:#}");
        assert!(stage.token(file).is_some());
    }
    eight_times(&stage, &["issue", "--all", "--yes"]).await;
    for (client, file, _) in CLIENTS {
        let shown = stage.document(&["show", client]).await;
        let tokens = shown["tokens"].as_array().expect("tokens");
        assert_eq!(tokens.iter().filter(|token| token["state"] == "active").count(), 1);
        assert_eq!(tokens.len(), 9);
        stage.hallpass.must(&["remove", client, "--yes"]).await;
        assert_eq!(stage.text(file), text(&example_folder().join(file)), "no key of anybody was lost");
    }
    assert_eq!(stage.leftovers(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn different_commands_at_once_wait_for_one_another() {
    let stage = Stage::applied().await;
    let commands: [&[&str]; 4] = [
        &["issue", "vscode1", "--yes"],
        &["revoke", "vscode2", "--reason", "lost"],
        &["remove", "claude", "--yes"],
        &["apply", "--dry-run"],
    ];
    let mut children = Vec::new();
    for arguments in commands {
        let mut command = stage.hallpass.command(arguments);
        children.push(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program"));
    }
    for child in children {
        let output = child.wait_with_output().await.expect("an end");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(stage.document(&["show", "vscode2"]).await["tokens"][0]["state"], "revoked");
    assert_eq!(stage.document(&["show", "vscode1"]).await["tokens"][0]["state"], "active");
    assert_eq!(stage.text(CLAUDE), text(&example_folder().join(CLAUDE)));
}
