//! The built `hallpass` in a home of its own, with nothing of the user's environment but `PATH`.
//! Never a shell, never a fixed port, and no process is left behind.
//!
//! Whatever a test is about: when it is over, no piece of a token's signature, of a secret or of a key may be in what
//! the processes printed, nor in a file that they wrote where none belongs (`canary`, `searched`).

#[path = "canary.rs"]
pub(crate) mod canary;
#[path = "searched.rs"]
mod searched;

use std::{
    borrow::Cow,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use canary::Canaries;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use searched::Files;
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
/// Who says one of these asks to be shown a token, on standard output. Nothing else may show one.
const SHOWING: [&str; 2] = ["--print", "headers"];
/// How much is shown of what stands before a piece of a secret.
const BEFORE: usize = 24;
/// Words in the names of variables that hold a secret.
const SECRET_VARIABLES: [&str; 3] = ["TOKEN", "SECRET", "SHARED"];

pub(crate) struct Hallpass {
    folder: TempDir,
    /// All that its processes printed, on both streams.
    transcript: Lines,
    /// What is searched for when the test is over. Tokens are replaced under way: they are gathered before each command.
    canaries: Mutex<Canaries>,
    /// Files that commands were told to write.
    outputs: Mutex<Vec<PathBuf>>,
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
        let (transcript, canaries, outputs) = Default::default();
        Self { folder, transcript, canaries, outputs }
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
        self.note_secrets_of(&command);
        let output = timeout(PATIENCE, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("{command:?} does not end"));
        let output = output.expect("the program starts");
        let outcome = Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
        };
        self.has_ended(&command, &outcome);
        outcome
    }

    /// What a command printed, for [`Self::leaks`]. A token that a person asked to see is one that must be nowhere else.
    pub(crate) fn has_ended(&self, command: &Command, outcome: &Outcome) {
        let words = arguments_of(command);
        // A line for a shell is one argument.
        let mut words = words.iter().flat_map(|argument| argument.split_whitespace());
        if words.any(|word| SHOWING.contains(&word)) {
            self.canary(&outcome.stdout);
        } else {
            self.heard(&outcome.stdout);
        }
        self.heard(&outcome.stderr);
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
        self.note_secrets_of(&command);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the program starts");
        let also = &self.transcript;
        let (stdout, stdout_end) = Lines::follow(child.stdout.take().expect("a pipe"), also, None);
        let (sender, ready) = oneshot::channel();
        let (stderr, stderr_end) = Lines::follow(child.stderr.take().expect("a pipe"), also, Some(sender));
        let Ok(Ok(address)) = timeout(PATIENCE, ready).await else {
            panic!("{command:?} did not say `{READY}...`, but: {}", stderr.so_far());
        };
        self.assert_no_secret_argument(child.id().expect("a running child"));
        Serving { address, stdout, stderr, ends: [stdout_end, stderr_end], child }
    }

    /// What a process printed, or answered, where [`Self::finish`] and [`Self::start`] do not see it.
    pub(crate) fn heard(&self, text: &str) {
        self.transcript.add(text);
    }

    /// A file outside the home that our program writes.
    pub(crate) fn writes(&self, file: PathBuf) {
        self.outputs.lock().unwrap_or_else(PoisonError::into_inner).push(file);
    }

    /// Tokens, or another secret, that must be nowhere either, but are in no file of this test.
    pub(crate) fn canary(&self, text: &str) {
        self.canaries().add_tokens_in(text.as_bytes());
        if !text.contains("eyJ") {
            self.canaries().add_secret(text.as_bytes());
        }
    }

    /// Every place where a piece of a secret is, and none belongs.
    pub(crate) fn leaks(&self) -> Vec<String> {
        let files = self.gather();
        // Before the databases are opened: that may bring what lies beside them to rest.
        let outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let paths = files.ours.iter().chain(&outputs);
        let ours: Vec<_> = paths.filter_map(|path| Some((path.clone(), std::fs::read(path).ok()?))).collect();
        let mut canaries = self.canaries().clone();
        files.homes.iter().for_each(|home| with_sealed(home, &mut canaries));
        let search = canaries.search();
        let printed = self.transcript();
        let places = ours.iter().map(|(path, bytes)| (path.display().to_string(), bytes.as_slice()));
        let places = places.chain([("what was printed".to_owned(), printed.as_bytes())]);
        let mut sum = printed.len();
        let found = places.filter_map(|(place, bytes)| {
            sum += bytes.len();
            let at = search.first_in(bytes)?;
            let before = String::from_utf8_lossy(&bytes[at.saturating_sub(BEFORE)..at]);
            Some(format!("a piece of a secret at byte {at} of {place}, behind {before:?}"))
        });
        let found = found.collect();
        println!(
            "searched for {} canaries: {} homes, {} files, {sum} bytes",
            canaries.count(),
            files.homes.len(),
            ours.len(),
        );
        found
    }

    /// Notes what must be nowhere else, as things stand now.
    fn gather(&self) -> Files {
        let files = Files::of(self.folder.path());
        files.add_to(&mut self.canaries());
        files
    }

    /// Secrets in a command's variables and in a file that it names, and where it writes to.
    fn note_secrets_of(&self, command: &Command) {
        for (name, value) in command.as_std().get_envs() {
            let (name, value) = (name.to_string_lossy(), value.unwrap_or_default());
            // A path says where one is.
            let is_one = SECRET_VARIABLES.iter().any(|word| name.contains(word));
            if is_one && !value.as_encoded_bytes().contains(&b'/') {
                self.canaries().add_tokens_in(value.as_encoded_bytes());
                self.canaries().add_secret(value.as_encoded_bytes());
            }
        }
        for pair in arguments_of(command).windows(2) {
            let file = self.user().join(&*pair[1]);
            match &*pair[0] {
                "--secret-file" => {
                    let secret = std::fs::read(file).unwrap_or_default();
                    self.canaries().add_secret(secret.trim_ascii());
                }
                "--output" => self.writes(file),
                _ => {}
            }
        }
    }

    /// What anybody on the machine can see of a process and of those that it has started.
    fn assert_no_secret_argument(&self, process: u32) {
        let search = self.canaries().search();
        let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        let (children, process) = (children.unwrap_or_default(), process.to_string());
        for process in children.split_whitespace().chain([&*process]) {
            let arguments = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            assert_eq!(search.first_in(&arguments), None, "a piece of a secret is an argument of a process");
        }
    }

    fn canaries(&self) -> MutexGuard<'_, Canaries> {
        self.canaries.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.gather();
        let mut command = Command::new(program);
        #[expect(clippy::disallowed_methods, reason = "`environment` is inside the program; this is outside")]
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(arguments).env_clear().env("PATH", path);
        command.env("HOME", self.user()).env("HALLPASS_HOME", self.home()).current_dir(self.user());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

impl Drop for Hallpass {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.leaks(), Vec::<String>::new());
        }
    }
}

/// On a thread of its own: a test's own runtime cannot wait for it where a value is dropped.
fn with_sealed(home: &Path, canaries: &mut Canaries) {
    let reactor = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a reactor");
    std::thread::scope(|scope| {
        scope.spawn(|| reactor().block_on(searched::add_sealed(home, canaries)));
    });
}

fn arguments_of(command: &Command) -> Vec<Cow<'_, str>> {
    command.as_std().get_args().map(OsStr::to_string_lossy).collect()
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
