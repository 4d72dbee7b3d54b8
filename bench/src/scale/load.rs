//! A server that answers at once, and callers without pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}]}}"#;

/// Starts an MCP server of one answer. Returns its address.
pub async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_all(stream));
        }
    });
    format!("http://{address}/mcp")
}

async fn answer_all(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let mut buffer = Vec::new();
    while message(&mut stream, &mut buffer).await.is_some() {
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// One connection to a gateway.
pub struct Caller {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Caller {
    pub async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// The status of one call.
    pub async fn call(&mut self, request: &str) -> u16 {
        self.stream.write_all(request.as_bytes()).await.unwrap();
        message(&mut self.stream, &mut self.buffer).await.expect("an answer")
    }
}

/// A whole call with this token.
pub fn request(address: &str, token: &str) -> String {
    format!(
        "POST /s/docs/mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n{CALL}",
        CALL.len()
    )
}

/// Reads one message to its end; the number in its first line, zero if there is none.
async fn message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<u16> {
    buffer.clear();
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end]).ok()?;
            if buffer.len() >= end + 4 + length(head) {
                return Some(head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0));
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let length =
        lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, value)| value);
    length.last().and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// When to stop.
#[derive(Clone, Copy)]
pub enum Until {
    /// After this time.
    After(Duration),
    /// When every token has been used.
    EachOnce,
}

/// Calls on so many connections without pause, with these tokens in turn. Returns how many calls there were. One that does
/// not succeed ends the measurement.
pub async fn run(address: &str, tokens: &[&str], connections: usize, until: Until) -> u64 {
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for connection in 0..connections {
        // Each connection has its share of the tokens; of few, the same as others.
        let share = tokens.iter().skip(connection % tokens.len()).step_by(connections);
        let requests: Vec<String> = share.map(|token| request(address, token)).collect();
        callers.spawn(call_all(address.to_owned(), requests, until, Arc::clone(&stop)));
    }
    if let Until::After(duration) = until {
        tokio::time::sleep(duration).await;
        stop.store(true, Ordering::Relaxed);
    }
    callers.join_all().await.into_iter().sum()
}

async fn call_all(address: String, requests: Vec<String>, until: Until, stop: Arc<AtomicBool>) -> u64 {
    let mut caller = Caller::connect(&address).await;
    let mut calls = 0;
    loop {
        for request in &requests {
            if stop.load(Ordering::Relaxed) {
                return calls;
            }
            assert_eq!(caller.call(request).await, 200);
            calls += 1;
        }
        if matches!(until, Until::EachOnce) {
            return calls;
        }
    }
}
