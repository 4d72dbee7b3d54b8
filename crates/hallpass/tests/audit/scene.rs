//! A home with some clients, each with its token in `HOME/tokens`, and what is in its log.

use crate::program::{Hallpass, Serving};
use crate::upstream::Upstream;
use crate::wire::{Head, Wire};
use hallpass_audit::verify::{Outcome, Report, verify};
use hallpass_audit::{Reader, VerifierKey};
use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;

pub(crate) const ECHO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
pub(crate) const FAIL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fail"}}"#;
pub(crate) const WATCH: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"watch"}}"#;

pub(crate) struct Scene {
    pub(crate) program: Hallpass,
    _upstream: Upstream,
}

impl Scene {
    /// With so many clients `c0`, `c1`, ..., and whatever else `hallpass.toml` shall say.
    pub(crate) async fn new(clients: usize, rest: &str) -> Self {
        Self::in_home(Hallpass::new(), clients, rest).await
    }

    pub(crate) async fn in_home(program: Hallpass, clients: usize, rest: &str) -> Self {
        let upstream = Upstream::start().await;
        let mut roster = format!("[servers.docs]\nurl = \"http://{}/mcp\"\n{rest}\n", upstream.address);
        for number in 0..clients {
            let _ = writeln!(
                roster,
                "[clients.c{number}]\napp = \"claude-desktop\"\nconfig = \"c{number}.json\"\nentry = \"tools\""
            );
        }
        program.write("hallpass.toml", &roster);
        program.must(&["init"]).await;
        program.must(&["apply", "--yes"]).await;
        Self { program, _upstream: upstream }
    }

    pub(crate) fn token(&self, client: &str) -> String {
        let token =
            std::fs::read_to_string(self.program.home().join("tokens").join(client)).expect("a token");
        token.trim_end().to_owned()
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.program.home().join("audit")
    }

    /// Every record as it stands in the log.
    pub(crate) fn records(&self) -> Vec<Value> {
        let lines = Reader::lines_from(&self.log(), 0).expect("the log");
        lines.map(|line| serde_json::from_str(&line.expect("a line").1).expect("a record")).collect()
    }

    /// What the verifier says.
    pub(crate) fn verdict(&self) -> Report {
        let key = std::fs::read_to_string(self.log().join("vkey")).expect("the public key");
        let key: VerifierKey = key.trim().parse().expect("a public key");
        let pins: [&str; 0] = [];
        verify(&self.log(), &key, &pins).expect("a verdict")
    }

    pub(crate) fn assert_whole(&self) {
        let report = self.verdict();
        assert!(matches!(report.outcome, Outcome::Whole { .. }), "{report}");
    }
}

/// One connection to the gateway, as one client.
pub(crate) struct Calling {
    wire: Wire,
    head: String,
}

impl Calling {
    pub(crate) async fn new(gateway: &Serving, token: &str) -> Self {
        let host = gateway.address().strip_prefix("http://").expect("a loopback address").to_owned();
        Self { wire: Wire::connect(&host).await, head: head(&host, token) }
    }

    /// With more lines in the head of each call.
    pub(crate) fn saying(mut self, lines: &str) -> Self {
        self.head.push_str(lines);
        self
    }

    /// Sends a call, and does not wait for the answer.
    pub(crate) async fn send(&mut self, body: &str) -> Option<()> {
        let request = format!("{}Content-Length: {}\r\n\r\n{body}", self.head, body.len());
        self.wire.send(request.as_bytes()).await.ok()
    }

    /// The whole answer: its head. `None`: the connection ended before it was all there.
    pub(crate) async fn answer(&mut self) -> Option<Head> {
        let head = self.wire.head().await?;
        match head.value("content-length") {
            Some(length) => drop(self.wire.exactly(length.parse().expect("a length")).await?),
            None => while self.wire.chunk_or_cut().await.ok()?.is_some() {},
        }
        Some(head)
    }

    pub(crate) async fn call(&mut self, body: &str) -> Option<Head> {
        self.send(body).await?;
        self.answer().await
    }

    /// The head of an answer whose body goes on.
    pub(crate) async fn opened(&mut self, body: &str) -> Option<Head> {
        self.send(body).await?;
        self.wire.head().await
    }

    /// Waits until the other side has ended it.
    pub(crate) async fn cut(&mut self) {
        while self.wire.fill().await {}
    }
}

fn head(host: &str, token: &str) -> String {
    format!(
        "POST /s/docs/mcp HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
    )
}
