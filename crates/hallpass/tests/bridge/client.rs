//! A client of the bridge: writes lines, reads lines, both in memory.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallpass::bridge::{BridgeError, BridgeSettings, TokenSource, run};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, duplex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Long enough for a busy machine; a test that meets it has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const ROOM: usize = 256 * 1024;

/// What the bridge is told about its token when a test does not care.
pub(crate) fn some_token() -> TokenSource {
    TokenSource::Environment("hp-some-token".to_owned().into())
}

/// A bridge with somebody on either end of it.
pub(crate) struct Client {
    input: Option<DuplexStream>,
    output: Lines<BufReader<DuplexStream>>,
    bridge: JoinHandle<Result<(), BridgeError>>,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Client {
    pub(crate) fn new(url: &str, token: TokenSource) -> Self {
        let settings = BridgeSettings {
            url: url.parse().expect("an address"),
            token,
            client: "vscode1".to_owned(),
            server: "docs".to_owned(),
        };
        let (input, stdin) = duplex(ROOM);
        let (stdout, output) = duplex(ROOM);
        let notes = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&notes);
        let note = move |line: &str| kept.lock().expect("notes").push(line.to_owned());
        let bridge = tokio::spawn(async move { run(settings, BufReader::new(stdin), stdout, note).await });
        Self { input: Some(input), output: BufReader::new(output).lines(), bridge, notes }
    }

    pub(crate) async fn send(&mut self, line: &str) {
        let input = self.input.as_mut().expect("standard input is open");
        input.write_all(format!("{line}\n").as_bytes()).await.expect("the bridge reads");
    }

    pub(crate) async fn send_json(&mut self, message: Value) {
        self.send(&message.to_string()).await;
    }

    /// The next line, as it came.
    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.output.next_line()).await.expect("a line in time");
        line.expect("the bridge writes").expect("a line before the end")
    }

    pub(crate) async fn message(&mut self) -> Value {
        serde_json::from_str(&self.line().await).expect("JSON")
    }

    /// `initialize` and what follows it.
    pub(crate) async fn initialize(&mut self, version: &str) -> Value {
        self.send_json(initialize(version)).await;
        let answer = self.message().await;
        self.send_json(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        answer
    }

    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// Ends the input and returns what was still written, and how the bridge ended.
    pub(crate) async fn finish(mut self) -> (Vec<String>, Result<(), BridgeError>) {
        self.end_input();
        let mut rest = Vec::new();
        while let Some(line) =
            timeout(PATIENCE, self.output.next_line()).await.expect("an end").expect("read")
        {
            rest.push(line);
        }
        (rest, self.ended().await)
    }

    /// Waits until the bridge ends by itself.
    pub(crate) async fn ended(self) -> Result<(), BridgeError> {
        timeout(PATIENCE, self.bridge).await.expect("an end in time").expect("no panic")
    }

    /// Nobody reads standard output any more; the input stays open.
    pub(crate) async fn hang_up(self) -> Result<(), BridgeError> {
        let Self { input: _input, output, bridge, .. } = self;
        drop(output);
        timeout(PATIENCE, bridge).await.expect("an end in time").expect("no panic")
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().expect("notes").clone()
    }
}

pub(crate) fn initialize(version: &str) -> Value {
    let params = json!({
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": { "name": "test", "version": "0" },
    });
    json!({ "jsonrpc": "2.0", "id": "init", "method": "initialize", "params": params })
}

pub(crate) fn call(id: u64, tool: &str, arguments: &Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}

/// The same message as the newest revision has it.
pub(crate) fn modern(mut message: Value) -> Value {
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    message
}

pub(crate) fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {answer}"))
}

/// The sample server, on a port of its own.
pub(crate) async fn sample_server() -> (String, JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    (url, tokio::spawn(hallpass::sample::serve(listener)))
}

/// A file with a token in it.
pub(crate) fn token_file(folder: &tempfile::TempDir, token: &str) -> PathBuf {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = folder.path().join("token");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path).expect("a file");
    file.write_all(token.as_bytes()).expect("written");
    path
}
