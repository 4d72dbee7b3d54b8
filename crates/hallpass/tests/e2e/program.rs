//! The built `hallpass` in a home of its own, with nothing of the user's environment but `PATH`.
//! Never a shell, never a fixed port, and no process is left behind.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::oneshot,
    time::timeout,
};

/// Longer than any command takes: a hang becomes a failure that names the command.
const PATIENCE: Duration = Duration::from_secs(30);
/// What `serve` says on standard error once it accepts connections, before the address.
const READY: &str = "listening on ";

pub(crate) struct Hallpass {
    folder: TempDir,
}

/// All that a command leaves behind, files aside.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Hallpass {
    /// A folder with an empty `user` (the user's home) and no Hallpass home yet.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("hallpass-e2e-").tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("user")).expect("a folder");
        Self { folder }
    }

    /// `HALLPASS_HOME`.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Where clients' files and the like go: the user's home and the working directory.
    pub(crate) fn user(&self) -> PathBuf {
        self.folder.path().join("user")
    }

    pub(crate) fn write(&self, path: impl AsRef<Path>, text: &str) -> PathBuf {
        let path = self.user().join(path);
        std::fs::create_dir_all(path.parent().expect("a path with a folder")).expect("a folder");
        #[expect(clippy::disallowed_methods, reason = "a test's own files need no atomic write")]
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Runs to the end, with nothing on standard input.
    pub(crate) async fn run<S: AsRef<str>>(&self, arguments: &[S]) -> Outcome {
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        let output = timeout(PATIENCE, self.command(&arguments).output()).await;
        let output = output.unwrap_or_else(|_| panic!("`hallpass {}` does not end", arguments.join(" ")));
        let output = output.expect("the program starts");
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
        }
    }

    /// [`Self::run`] for a step that must succeed; its standard output.
    pub(crate) async fn must<S: AsRef<str>>(&self, arguments: &[S]) -> String {
        let outcome = self.run(arguments).await;
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        outcome.stdout
    }

    /// Starts `hallpass serve` on a port of the system's choice; returns once it accepts connections.
    pub(crate) async fn serve(&self) -> Serving {
        let mut child = self
            .command(&["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = Lines::follow(child.stdout.take().expect("a pipe"), None);
        let (sender, ready) = oneshot::channel();
        let stderr = Lines::follow(child.stderr.take().expect("a pipe"), Some(sender));
        let Ok(Ok(address)) = timeout(PATIENCE, ready).await else {
            panic!("`hallpass serve` did not say `{READY}...`, but: {}", stderr.so_far());
        };
        Serving { address, stdout, stderr, child }
    }

    /// For what [`Self::run`] and [`Self::serve`] do not cover (`connect`, signals, other variables).
    /// The child is killed when its handle is dropped.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hallpass"));
        #[expect(clippy::disallowed_methods, reason = "`environment` is inside the program; this is outside")]
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(arguments).env_clear().env("PATH", path);
        command.env("HOME", self.user()).env("HALLPASS_HOME", self.home()).current_dir(self.user());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

/// A running gateway; killed when dropped.
pub(crate) struct Serving {
    /// Without a slash at the end.
    address: String,
    stdout: Lines,
    stderr: Lines,
    child: Child,
}

impl Serving {
    /// `http://127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The MCP endpoint of one server.
    pub(crate) fn server(&self, server: &str) -> String {
        format!("{}/s/{server}/mcp", self.address)
    }

    /// The same, for one client only.
    pub(crate) fn server_of(&self, client: &str, server: &str) -> String {
        format!("{}/c/{client}/s/{server}/mcp", self.address)
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// Ends it at once, as `kill -9` does, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("a child to kill");
    }
}

/// What a child has said, gathered as it comes so that no pipe ever fills.
struct Lines(Arc<Mutex<String>>);

impl Lines {
    fn follow(pipe: impl AsyncRead + Unpin + Send + 'static, ready: Option<oneshot::Sender<String>>) -> Self {
        let gathered = Self(Arc::default());
        tokio::spawn(gather(pipe, gathered.0.clone(), ready));
        gathered
    }

    fn so_far(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn gather(
    pipe: impl AsyncRead + Unpin,
    gathered: Arc<Mutex<String>>,
    mut ready: Option<oneshot::Sender<String>>,
) {
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let address = announced(&line).map(str::to_owned);
        {
            let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
            gathered.push_str(&line);
            gathered.push('\n');
        }
        if let Some(address) = address
            && let Some(ready) = ready.take()
        {
            let _given_up = ready.send(address);
        }
    }
}

/// The address in a ready line, wherever in the line the words stand.
fn announced(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(READY)?;
    let address = rest.split_whitespace().next()?.trim_end_matches(['/', ',', '"']);
    address.starts_with("http://").then_some(address)
}
