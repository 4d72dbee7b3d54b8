//! The built `hallpass` in a home of its own, with nothing of the user's environment but `PATH`.
//! Never a shell, never a fixed port, and no process is left behind.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

/// Longer than any command takes: a hang becomes a failure that names the command.
const PATIENCE: Duration = Duration::from_secs(30);
/// What `serve` says on standard error once it accepts connections, before the address.
const READY: &str = "listening on ";

pub(crate) struct Hallpass {
    folder: TempDir,
    /// All that its processes printed, on both streams.
    transcript: Lines,
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
        Self { folder, transcript: Lines::default() }
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
        self.finish(self.command(&arguments)).await
    }

    /// The same for a command made by [`Self::command`].
    pub(crate) async fn finish(&self, mut command: Command) -> Outcome {
        let output = timeout(PATIENCE, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("{command:?} does not end"));
        let output = output.expect("the program starts");
        let outcome = Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
        };
        self.transcript.add(&outcome.stdout);
        self.transcript.add(&outcome.stderr);
        outcome
    }

    /// [`Self::run`] for a step that must succeed; its standard output.
    pub(crate) async fn must<S: AsRef<str>>(&self, arguments: &[S]) -> String {
        let outcome = self.run(arguments).await;
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        outcome.stdout
    }

    /// Starts `hallpass serve` on a port of the system's choice; returns once it accepts connections.
    pub(crate) async fn serve(&self) -> Serving {
        self.start(self.command(&["serve", "--listen", "127.0.0.1:0"])).await
    }

    /// The same for a command made by [`Self::command`] that serves.
    pub(crate) async fn start(&self, mut command: Command) -> Serving {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the program starts");
        let also = &self.transcript;
        let (stdout, stdout_end) = Lines::follow(child.stdout.take().expect("a pipe"), also, None);
        let (sender, ready) = oneshot::channel();
        let (stderr, stderr_end) = Lines::follow(child.stderr.take().expect("a pipe"), also, Some(sender));
        let Ok(Ok(address)) = timeout(PATIENCE, ready).await else {
            panic!("{command:?} did not say `{READY}...`, but: {}", stderr.so_far());
        };
        Serving { address, stdout, stderr, ends: [stdout_end, stderr_end], child }
    }

    /// All that its processes have printed so far, on both streams.
    pub(crate) fn transcript(&self) -> String {
        self.transcript.so_far()
    }

    /// For what [`Self::run`] and [`Self::serve`] do not cover (`connect`, signals, other variables).
    /// The child is killed when its handle is dropped.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.outside(env!("CARGO_BIN_EXE_hallpass"), arguments)
    }

    /// Another program in the same surroundings.
    pub(crate) fn outside(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
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
    ends: [JoinHandle<()>; 2],
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

    /// The MCP endpoint that exists when there is just one server.
    pub(crate) fn only_server(&self) -> String {
        format!("{}/mcp", self.address)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("a running child")
    }

    /// Asks it to stop, as `kill` does, and hands back all that it said.
    pub(crate) async fn terminate(self) -> Outcome {
        self.signal(Signal::TERM);
        self.ended().await
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("a child to signal");
    }

    /// Stops it, and returns once none of its threads runs. `Signal::CONT` lets it go on.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(self.pid()), stopped).expect("a child that stops");
    }

    fn pid(&self) -> Pid {
        self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).expect("a running child")
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(mut self) -> Outcome {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("`hallpass serve` ends");
        for end in &mut self.ends {
            end.await.expect("its pipes end with it");
        }
        let code = status.expect("a child to wait for").code();
        Outcome { code, stdout: self.stdout(), stderr: self.stderr() }
    }

    /// Ends it at once, as `kill -9` does, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("a child to kill");
    }
}

/// What a child has said, gathered as it comes so that no pipe ever fills.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<String>>);

impl Lines {
    fn follow(
        pipe: impl AsyncRead + Unpin + Send + 'static,
        also: &Lines,
        ready: Option<oneshot::Sender<String>>,
    ) -> (Self, JoinHandle<()>) {
        let gathered = Self::default();
        let end = tokio::spawn(gather(pipe, [gathered.clone(), also.clone()], ready));
        (gathered, end)
    }

    fn add(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
    }

    fn so_far(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn gather(
    pipe: impl AsyncRead + Unpin,
    gathered: [Lines; 2],
    mut ready: Option<oneshot::Sender<String>>,
) {
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        for gathered in &gathered {
            gathered.add(&format!("{line}\n"));
        }
        if let Some(address) = announced(&line)
            && let Some(ready) = ready.take()
        {
            let _given_up = ready.send(address.into());
        }
    }
}

/// The address in a ready line, wherever in the line the words stand.
fn announced(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(READY)?;
    let address = rest.split_whitespace().next()?.trim_end_matches(['/', ',', '"']);
    address.starts_with("http://").then_some(address)
}
