//! One connection to the gateway by hand, with any credential on any path. Knows no MCP beyond two messages.

use crate::wire::{Head, Wire};
use std::time::Duration;
use tokio::time::timeout;

/// Longer than a change takes to reach a running gateway.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{}}}"#;

/// The first message of a program that calls itself this.
pub(crate) fn hello(program: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":{{"name":"{program}","version":"1"}}}}}}"#
    )
}

pub(crate) struct Caller {
    host: String,
    wire: Wire,
    credential: String,
    agent: String,
}

impl Caller {
    /// `gateway`: `http://127.0.0.1:PORT`.
    pub(crate) async fn new(gateway: &str, credential: &str) -> Self {
        let host = gateway.trim_start_matches("http://").to_owned();
        let wire = Wire::connect(&host).await;
        Self { host, wire, credential: credential.to_owned(), agent: "test".into() }
    }

    pub(crate) fn agent(mut self, agent: &str) -> Self {
        agent.clone_into(&mut self.agent);
        self
    }

    fn lines(&self) -> [String; 5] {
        [
            format!("Host: {}", self.host),
            format!("Authorization: Bearer {}", self.credential),
            format!("User-Agent: {}", self.agent),
            "Content-Type: application/json".into(),
            "Accept: application/json, text/event-stream".into(),
        ]
    }

    /// Status and body of one message on this path.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> (u16, String) {
        let lines = self.lines();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.wire.post(path, &lines, body.as_bytes()).await;
        let head = self.wire.head().await.expect("an answer");
        let body = self.wire.body(&head).await;
        if head.value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.wire = Wire::connect(&self.host).await;
        }
        (head.status(), String::from_utf8(body).expect("UTF-8"))
    }

    /// Opens a stream that only listens.
    pub(crate) async fn listen(&mut self, path: &str) -> Head {
        let lines = self.lines().join("\r\n");
        self.wire.send(format!("GET {path} HTTP/1.1\r\n{lines}\r\n\r\n")).await.expect("an open connection");
        self.wire.head().await.expect("an answer")
    }

    /// Waits until the stream ends, and says whether it was cut in the middle.
    pub(crate) async fn is_cut(&mut self) -> bool {
        let end = async {
            loop {
                match self.wire.chunk_or_cut().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return false,
                    Err(_) => return true,
                }
            }
        };
        timeout(PATIENCE, end).await.expect("the stream ends")
    }

    /// Calls until the answer has this status: a change reaches a running gateway within a moment.
    pub(crate) async fn until(&mut self, path: &str, status: u16) -> String {
        let changed = async {
            loop {
                let (found, body) = self.post(path, CALL).await;
                if found == status {
                    return body;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, changed).await.unwrap_or_else(|_| panic!("the answer never becomes {status}"))
    }
}
