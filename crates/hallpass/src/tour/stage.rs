//! The tour's stage: a folder with the example, a home, a gateway of its own. Everything in it is made for the tour.

use crate::fault::{Doing, Fault, Result};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const ROSTER: &str = include_str!("../../example/hallpass.toml");
const SERVER: &str = "http://127.0.0.1:9000/mcp";

/// Made up for the tour; every program of the story had it.
const OLD_SECRET: &str = "the-secret-that-everybody-shared";
const OLD_SECRET_FILE: &str = "old-secret";

/// A client's file in the example: its path, the entry, and how it was before.
struct Example {
    client: &'static str,
    file: &'static str,
    entry: &'static str,
    before: &'static str,
}

const EXAMPLES: [Example; 3] = [
    Example {
        client: "vscode1",
        file: "config/daemon/mcp-config.augmentcode.vscode1.json",
        entry: "EXAI-WS-VSCode1",
        before: include_str!("../../example/config/daemon/mcp-config.augmentcode.vscode1.json"),
    },
    Example {
        client: "vscode2",
        file: "config/daemon/mcp-config.augmentcode.vscode2.json",
        entry: "EXAI-WS-VSCode2",
        before: include_str!("../../example/config/daemon/mcp-config.augmentcode.vscode2.json"),
    },
    Example {
        client: "claude",
        file: "config/daemon/mcp-config.claude.json",
        entry: "exai-mcp",
        before: include_str!("../../example/config/daemon/mcp-config.claude.json"),
    },
];

/// The folder, and the gateway while it runs.
pub(super) struct Stage {
    folder: PathBuf,
    temporary: Option<TempDir>,
    program: PathBuf,
    gateway: Option<Child>,
    endpoint: String,
}

impl Stage {
    /// Copies the example into a new folder and points it at the sample server.
    pub(super) fn set(keep: Option<&Path>, server: SocketAddr) -> Result<Self> {
        let (folder, temporary) = if let Some(folder) = keep {
            (make_empty(folder)?, None)
        } else {
            let temporary = tempfile::Builder::new().prefix("hallpass-tour-").tempdir();
            let temporary = temporary.doing("cannot make a temporary folder")?;
            (temporary.path().to_owned(), Some(temporary))
        };
        for example in &EXAMPLES {
            put(&folder.join("project").join(example.file), example.before)?;
        }
        put(&folder.join("project/hallpass.toml"), &ROSTER.replace(SERVER, &format!("http://{server}/mcp")))?;
        let program = std::env::current_exe().doing("where this program is")?;
        Ok(Self { folder, temporary, program, gateway: None, endpoint: String::new() })
    }

    /// `hallpass up --yes`; returns what it printed before it listened.
    pub(super) async fn up(&mut self) -> Result<Vec<String>> {
        let mut gateway = self
            .hallpass(&["up", "--yes", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .doing("cannot start `hallpass up`")?;
        let (out, err) = (gateway.stdout.take(), gateway.stderr.take());
        self.gateway = Some(gateway);
        let (Some(out), Some(err)) = (out, err) else { return Err(Fault::new("no output of `hallpass up`")) };
        let mut errors = BufReader::new(err).lines();
        let mut said = Vec::new();
        while let Some(line) = errors.next_line().await.doing("`hallpass up`")? {
            if let Some(endpoint) = line.strip_prefix("listening on ") {
                endpoint.clone_into(&mut self.endpoint);
                break;
            }
            said.push(line);
        }
        if self.endpoint.is_empty() {
            return Err(Fault::new(format!("`hallpass up` did not start: {}", said.join("; "))));
        }
        let mut printed = read_plan(out).await?;
        printed.push(format!("listening on {}", self.endpoint));
        drain(errors);
        Ok(printed)
    }

    /// The bridge of one client, with the token that stands in the client's own file.
    pub(super) fn bridge(&self, client: &str) -> Result<Child> {
        self.hallpass(&["connect", "sample", "--client", client])
            .env("HALLPASS_TOKEN", self.token(client)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .doing("cannot start `hallpass connect`")
    }

    /// Another command, in a process of its own. Its lines, or what it said when it failed.
    pub(super) async fn command(&self, arguments: &[&str]) -> Result<Vec<String>> {
        let output =
            self.hallpass(arguments).stdin(Stdio::null()).output().await.doing("cannot start hallpass")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Fault::new(format!("`hallpass {}` failed: {said}", arguments.join(" "))));
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    /// A command that has to be refused: what it said.
    pub(super) async fn refused(&self, arguments: &[&str]) -> Result<String> {
        let output =
            self.hallpass(arguments).stdin(Stdio::null()).output().await.doing("cannot start hallpass")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let typed = arguments.join(" ");
        super::ensure(output.status.code() == Some(1), &format!("`hallpass {typed}` is refused"))?;
        Ok(said)
    }

    /// The secret that everybody shared before, and the file in the project that holds it.
    pub(super) fn old_secret(&self) -> Result<(&'static str, &'static str)> {
        put(&self.folder.join("project").join(OLD_SECRET_FILE), OLD_SECRET)?;
        Ok((OLD_SECRET, OLD_SECRET_FILE))
    }

    /// Where the gateway listens.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The log, once it is what is waited for: a call's line is written when its answer has ended.
    pub(super) async fn log_until(&self, complete: impl Fn(&[String]) -> bool) -> Result<Vec<String>> {
        let mut follower = self
            .hallpass(&["log", "--follow"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .doing("cannot start `hallpass log`")?;
        let out = follower.stdout.take().ok_or_else(|| Fault::new("no output of `hallpass log`"))?;
        let mut reader = BufReader::new(out).lines();
        let mut lines = Vec::new();
        super::within(super::STEP, async {
            while !complete(&lines) {
                let line = reader.next_line().await.doing("`hallpass log`")?;
                lines.push(line.ok_or_else(|| Fault::new("`hallpass log` ended"))?);
            }
            Ok(())
        })
        .await?;
        Ok(lines)
    }

    /// The token that stands in the client's file.
    pub(super) fn token(&self, client: &str) -> Result<String> {
        let example = example(client)?;
        let text = std::fs::read_to_string(self.file(example)).doing("the client's file")?;
        let file: serde_json::Value = serde_json::from_str(&text).doing("the client's file")?;
        let token = file["mcpServers"][example.entry]["env"]["EXAI_JWT_TOKEN"].as_str();
        token.map(str::to_owned).ok_or_else(|| Fault::new(format!("no token in the file of {client}")))
    }

    /// Nothing but an insertion may have happened: what was there is there still, before it and after it.
    pub(super) fn check_only_ours_changed(&self, client: &str) -> Result<()> {
        let example = example(client)?;
        let after = std::fs::read_to_string(self.file(example)).doing("the client's file")?;
        let same = |a: &mut dyn Iterator<Item = u8>, b: &mut dyn Iterator<Item = u8>| {
            a.zip(b).take_while(|(a, b)| a == b).count()
        };
        let head = same(&mut example.before.bytes(), &mut after.bytes());
        let tail = same(&mut example.before.bytes().rev(), &mut after.bytes().rev());
        super::ensure(
            after.len() > example.before.len() && head + tail >= example.before.len(),
            "only our line was added",
        )
    }

    /// Bytes and modification times of the three files.
    pub(super) fn look_at_files(&self) -> Result<Vec<(Vec<u8>, SystemTime)>> {
        let look = |path: &Path| Ok((std::fs::read(path)?, std::fs::metadata(path)?.modified()?));
        EXAMPLES
            .iter()
            .map(|example| {
                look(&self.file(example)).map_err(|error: std::io::Error| Fault::new(error.to_string()))
            })
            .collect()
    }

    /// The folder, if it stays.
    pub(super) fn kept(&self) -> Option<&Path> {
        self.temporary.is_none().then_some(self.folder.as_path())
    }

    /// Ends the gateway that the tour started.
    pub(super) async fn stop(&mut self) {
        let Some(mut gateway) = self.gateway.take() else { return };
        if let Some(pid) = gateway.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = tokio::time::timeout(super::STEP, gateway.wait()).await;
        let _ = gateway.kill().await;
    }

    fn file(&self, example: &Example) -> PathBuf {
        self.folder.join("project").join(example.file)
    }

    fn hallpass(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder.join("project")).kill_on_drop(true);
        // A home of the tour's own, and nothing of the user's settings.
        for variable in ["HALLPASS_TOKEN", "HALLPASS_URL"] {
            command.env_remove(variable);
        }
        command.env("HALLPASS_HOME", self.folder.join("home"));
        command
    }
}

fn example(client: &str) -> Result<&'static Example> {
    EXAMPLES
        .iter()
        .find(|example| example.client == client)
        .ok_or_else(|| Fault::new("no such client in the example"))
}

fn make_empty(folder: &Path) -> Result<PathBuf> {
    let shown = folder.display();
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(
            Fault::new(format!("`{shown}` is not empty")).hint("name a folder that does not exist yet")
        );
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .doing(format!("cannot make `{shown}`"))?;
    std::path::absolute(folder).doing(format!("the path `{shown}`"))
}

#[expect(clippy::disallowed_methods, reason = "example files in a folder that the tour has just made")]
fn put(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).doing("cannot make the example's folder")?;
    std::fs::write(path, text).doing("cannot write the example")
}

/// What `up` printed so far: the plan and what was done, all of it before it listens.
async fn read_plan(out: tokio::process::ChildStdout) -> Result<Vec<String>> {
    let mut lines = BufReader::new(out).lines();
    let mut plan = Vec::new();
    // Printed before `listening on ...`, so it is in the pipe already; the log's lines come later.
    while let Ok(line) = tokio::time::timeout(std::time::Duration::from_millis(200), lines.next_line()).await
    {
        let Some(line) = line.doing("`hallpass up`")? else { break };
        plan.push(line);
    }
    drain(lines);
    Ok(plan)
}

/// Keeps the pipe empty, so that the gateway never waits for a reader.
fn drain<R: tokio::io::AsyncBufRead + Unpin + Send + 'static>(mut lines: tokio::io::Lines<R>) {
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
}
