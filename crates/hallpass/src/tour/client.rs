//! One MCP client of the tour: speaks MCP to a real `hallpass connect`, as its configuration entry would.

use super::stage::Stage;
use super::{STEP, within};
use crate::fault::{Doing, Fault, Result};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// A client with its bridge.
pub(super) struct Client {
    _bridge: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    last_id: u64,
    /// What came while something else was waited for.
    early: Vec<Value>,
}

impl Client {
    pub(super) fn connect(stage: &Stage, name: &str) -> Result<Self> {
        let mut bridge = stage.bridge(name)?;
        let input = bridge.stdin.take().ok_or_else(|| Fault::new("the bridge has no input"))?;
        let output = bridge.stdout.take().ok_or_else(|| Fault::new("the bridge has no output"))?;
        Ok(Self {
            _bridge: bridge,
            input,
            output: BufReader::new(output).lines(),
            last_id: 0,
            early: Vec::new(),
        })
    }

    pub(super) async fn initialize(&mut self) -> Result<()> {
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "hallpass-tour", "version": "1" },
        });
        let id = self.send("initialize", &hello).await?;
        let answer = within(STEP, self.answer_to(id)).await?;
        if answer.get("result").is_none() {
            return Err(Fault::new(format!("the server did not say hello: {}", super::message(&answer))));
        }
        self.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await
    }

    pub(super) async fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value> {
        let id = self.send("tools/call", &json!({ "name": tool, "arguments": arguments })).await?;
        within(STEP, self.answer_to(id)).await
    }

    /// Starts a call whose answer goes on until it is cut, and waits for its first message.
    pub(super) async fn open_stream(&mut self) -> Result<u64> {
        let id = self.last_id + 1;
        let stream = json!({ "name": "watch", "arguments": {}, "_meta": { "progressToken": id } });
        let id = self.send("tools/call", &stream).await?;
        within(STEP, self.next_message(id)).await?;
        Ok(id)
    }

    /// The next message of the stream that is not its answer.
    pub(super) async fn next_message(&mut self, stream: u64) -> Result<()> {
        loop {
            let message = self.read().await?;
            if message["id"] == stream {
                return Err(Fault::new(format!("the stream ended: {}", super::message(&message))));
            }
            if message.get("method").is_some() {
                return Ok(());
            }
            self.early.push(message);
        }
    }

    /// The answer with that id.
    pub(super) async fn answer_to(&mut self, id: u64) -> Result<Value> {
        if let Some(position) = self.early.iter().position(|message| message["id"] == id) {
            return Ok(self.early.remove(position));
        }
        loop {
            let message = self.read().await?;
            if message["id"] == id && message.get("method").is_none() {
                return Ok(message);
            }
            if message.get("method").is_none() {
                self.early.push(message);
            }
        }
    }

    async fn send(&mut self, method: &str, params: &Value) -> Result<u64> {
        self.last_id += 1;
        self.write(&json!({ "jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params }))
            .await?;
        Ok(self.last_id)
    }

    async fn write(&mut self, message: &Value) -> Result<()> {
        let line = format!("{message}\n");
        self.input.write_all(line.as_bytes()).await.doing("the bridge takes no more input")
    }

    async fn read(&mut self) -> Result<Value> {
        let line = self.output.next_line().await.doing("the bridge's output")?;
        let line = line.ok_or_else(|| Fault::new("the bridge ended"))?;
        serde_json::from_str(&line).doing("the bridge's output is not JSON")
    }
}
