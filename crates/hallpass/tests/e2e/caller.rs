//! One connection to the gateway as one client makes it, by hand: every byte of both ways can be chosen and seen.
//! Knows no MCP beyond where its headers go.

use crate::{
    program::Serving,
    wire::{Head, Wire},
};

/// What every client of MCP says besides its token.
const ALWAYS: [&str; 2] = ["Content-Type: application/json", "Accept: application/json, text/event-stream"];

pub(crate) struct Caller {
    pub(crate) wire: Wire,
    host: String,
    path: String,
    authorization: Option<String>,
}

pub(crate) struct Reply {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Caller {
    /// At `/s/docs/mcp`, with this token.
    pub(crate) async fn new(gateway: &Serving, token: &str) -> Self {
        Self::at(gateway, "/s/docs/mcp", Some(format!("Bearer {token}"))).await
    }

    /// At this path, with this `Authorization` if any.
    pub(crate) async fn at(gateway: &Serving, path: &str, authorization: Option<String>) -> Self {
        let host = gateway.address().strip_prefix("http://").expect("a loopback address").to_owned();
        Self { wire: Wire::connect(&host).await, host, path: path.into(), authorization }
    }

    /// Opens what a server may answer with a stream: a GET that listens, or a call.
    pub(crate) async fn open(&mut self, listens: bool, lines: &[&str], call: &str) {
        if listens {
            self.get(lines).await;
        } else {
            self.post(lines, call.as_bytes()).await;
        }
    }

    pub(crate) async fn post(&mut self, lines: &[&str], body: &[u8]) {
        self.send("POST", &[&ALWAYS, lines].concat(), body).await;
    }

    pub(crate) async fn get(&mut self, lines: &[&str]) {
        self.send("GET", &[&["Accept: text/event-stream"], lines].concat(), b"").await;
    }

    pub(crate) async fn send(&mut self, method: &str, lines: &[&str], body: &[u8]) {
        let mut head = format!("{method} {} HTTP/1.1\r\nHost: {}\r\n", self.path, self.host);
        if let Some(authorization) = &self.authorization {
            head = head + "Authorization: " + authorization + "\r\n";
        }
        for line in lines {
            head = head + line + "\r\n";
        }
        if method == "POST" {
            head = head + "Content-Length: " + &body.len().to_string() + "\r\n";
        }
        self.wire.send([head.as_bytes(), b"\r\n", body].concat()).await.expect("an open connection");
    }

    pub(crate) async fn reply(&mut self) -> Reply {
        let head = self.wire.head().await.expect("an answer");
        let body = self.wire.body(&head).await;
        Reply { head, body }
    }

    pub(crate) async fn ask(&mut self, body: &str) -> Reply {
        self.post(&[], body.as_bytes()).await;
        self.reply().await
    }
}

impl Reply {
    pub(crate) fn status(&self) -> u16 {
        self.head.status()
    }

    /// One member of the JSON body, as text.
    pub(crate) fn says(&self, member: &str) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).expect("a JSON body");
        body[member].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn challenge(&self) -> Option<&str> {
        self.head.value("www-authenticate")
    }
}
