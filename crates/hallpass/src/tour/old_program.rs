//! A program of the tour that knows nothing of Hallpass: it shows the secret that everybody shared, by plain HTTP.

use super::{STEP, within};
use crate::fault::{Doing, Fault, Result};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// As it calls itself.
pub(super) const NAME: &str = "old-script";
/// The revision without sessions: one request is a call.
const VERSION: &str = "2026-07-28";

/// The status and the body of one call.
pub(super) async fn call(endpoint: &str, secret: &str) -> Result<(u16, Value)> {
    let host = endpoint.trim_start_matches("http://");
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": "echo", "arguments": { "text": format!("hello from {NAME}") },
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": VERSION,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { "name": NAME, "version": "1" },
            },
        },
    })
    .to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {secret}\r\nUser-Agent: {NAME}\r\n\
         Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nMCP-Protocol-Version: {VERSION}\r\n\
         Mcp-Method: tools/call\r\nMcp-Name: echo\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = within(STEP, async {
        let mut connection = TcpStream::connect(host).await.doing("the gateway's address")?;
        connection.write_all(request.as_bytes()).await.doing("the gateway takes no request")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.doing("the gateway's answer")?;
        Ok(answer)
    })
    .await?;
    read(&answer).ok_or_else(|| Fault::new("the gateway's answer is no HTTP"))
}

fn read(answer: &str) -> Option<(u16, Value)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}
