//! The daemon of the hello dialect, and a client of it, both written from its description alone.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// Longer than a Python takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// The secret that the daemon's clients shared.
pub(crate) const SHARED: &str = "Zt4kqW9xLm2v-b7nYc5sHd8pJf3gQ";

pub(crate) fn python(script: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(root.join("target/python/bin/python"));
    command.arg(root.join("tests/python").join(script));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

/// A running script, line by line.
pub(crate) struct Script {
    lines: Lines<BufReader<ChildStdout>>,
    input: ChildStdin,
    child: Child,
}

impl Script {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("installed libraries: `cargo xtask test python`");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let input = child.stdin.take().expect("a pipe");
        Self { lines, input, child }
    }

    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time");
        line.expect("UTF-8").expect("a line")
    }

    pub(crate) async fn say(&mut self, line: &Value) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.expect("a reader");
    }

    /// Ends its input, and waits until it has ended.
    pub(crate) async fn end(mut self) {
        drop(self.input);
        timeout(PATIENCE, self.child.wait()).await.expect("an end in time").expect("a child");
    }
}

/// A daemon that was there before, on a port of the system's choice.
pub(crate) struct Daemon {
    pub(crate) url: String,
    script: Script,
}

impl Daemon {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with these variables besides.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let mut command = python("hello_daemon.py");
        command.env("EXAI_WS_TOKEN", SHARED).envs(variables.iter().copied());
        let mut script = Script::start(command);
        Self { url: script.line().await, script }
    }

    /// The next thing that it hears.
    pub(crate) async fn heard(&mut self) -> Value {
        serde_json::from_str(&self.script.line().await).expect("an object")
    }
}

/// A client whose frames a test types.
pub(crate) struct Talker(Script);

impl Talker {
    pub(crate) fn dial(url: &str) -> Self {
        let mut command = python("hello_client.py");
        command.arg(url);
        Self(Script::start(command))
    }

    pub(crate) async fn say(&mut self, frame: &Value) {
        self.0.say(frame).await;
    }

    pub(crate) async fn heard(&mut self) -> Value {
        serde_json::from_str(&self.0.line().await).expect("an object")
    }

    /// A call that works.
    pub(crate) async fn sum(&mut self) {
        let call =
            json!({ "op": "call_tool", "request_id": "r-1", "name": "add", "arguments": { "a": 1, "b": 2 } });
        assert_eq!(self.ask(&call).await["op"], "call_tool_ack");
        assert_eq!(self.heard().await["op"], "progress");
        let answer = self.heard().await;
        assert_eq!((&answer["request_id"], &answer["outputs"][0]["text"]), (&json!("r-1"), &json!("3")));
    }

    pub(crate) async fn ask(&mut self, frame: &Value) -> Value {
        self.say(frame).await;
        self.heard().await
    }
}

/// Waits until there is what is looked for.
pub(crate) async fn until<T>(look: impl Fn() -> Option<T>) -> T {
    until_or(look, || "what is looked for is there in time".into()).await
}

/// The same; `said`: what to say if it does not come.
pub(crate) async fn until_or<T>(look: impl Fn() -> Option<T>, said: impl Fn() -> String) -> T {
    let found = async {
        loop {
            match look() {
                Some(found) => return found,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("{}", said()))
}
