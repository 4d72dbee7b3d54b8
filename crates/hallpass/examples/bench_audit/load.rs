//! A server that answers at once, and callers without pause, each on a connection that it keeps.

use hallpass::fault::{Doing as _, Fault, Result};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}]}}"#;

/// Starts an MCP server of one answer. Returns its address.
pub(crate) async fn server() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.doing("cannot listen")?;
    let address = listener.local_addr().doing("cannot listen")?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _gone = answer_all(stream).await;
            });
        }
    });
    Ok(format!("http://{address}/mcp"))
}

async fn answer_all(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let length = ANSWER.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{ANSWER}"
    );
    let mut buffer = Vec::new();
    loop {
        read_message(&mut stream, &mut buffer).await?;
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// Calls on so many connections for so long. Returns how many calls there were. One that is not answered well ends it.
pub(crate) async fn run(address: &str, tokens: &[String], connections: usize, time: Duration) -> Result<u64> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for token in tokens.iter().cycle().take(connections) {
        callers.spawn(call_all(address.to_owned(), request(address, token), Arc::clone(&stop)));
    }
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    let mut calls = 0;
    while let Some(called) = callers.join_next().await {
        calls += called.doing("a caller")?.doing("a call")?;
    }
    if calls == 0 { Err(Fault::new("no call was answered")) } else { Ok(calls) }
}

fn request(address: &str, token: &str) -> String {
    let length = CALL.len();
    format!(
        "POST /s/docs/mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: {length}\r\n\r\n{CALL}"
    )
}

async fn call_all(address: String, request: String, stop: Arc<AtomicBool>) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut buffer, mut calls) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(request.as_bytes()).await?;
        read_message(&mut stream, &mut buffer).await?;
        if !buffer.starts_with(b"HTTP/1.1 200 ") {
            let line = buffer.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Err(io::Error::other(String::from_utf8_lossy(line).into_owned()));
        }
        calls += 1;
    }
    Ok(calls)
}

/// Reads one message to its end.
async fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    loop {
        if let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n")
            && buffer.len() >= end + 4 + length(&buffer[..end])
        {
            return Ok(());
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn length(head: &[u8]) -> usize {
    let lines = std::str::from_utf8(head).unwrap_or_default().lines();
    let mut fields = lines.filter_map(|line| line.split_once(": "));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}
