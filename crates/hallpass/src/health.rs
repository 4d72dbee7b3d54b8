//! Asks a gateway how it is, on a path that needs no token. Waits for no answer longer than a person would.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The status of `GET path` at `address` (`127.0.0.1:4255`). `None`: nobody answers there, or not in HTTP.
pub async fn status(address: &str, path: &str) -> Option<u16> {
    let start = timeout(PATIENCE, ask(address, path)).await.ok()?.ok()?;
    let status = start.strip_prefix(b"HTTP/1.1 ")?;
    std::str::from_utf8(status).ok()?.parse().ok()
}

async fn ask(address: &str, path: &str) -> io::Result<[u8; 12]> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut start = *b"HTTP/1.1 200";
    stream.read_exact(&mut start).await?;
    Ok(start)
}
