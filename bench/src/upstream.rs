//! A server that answers every POST at once, and every GET with a stream that says one thing and stays open.

use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\na\r\ndata: {}\n\n\r\n";

/// Serves for as long as the runtime runs. Returns the address.
pub async fn start() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _gone = serve(stream).await;
            });
        }
    });
    Ok(format!("http://{address}/mcp"))
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut unread = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut unread).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&unread[..end]).to_ascii_lowercase();
        unread.drain(..end);
        if head.starts_with("get ") {
            stream.write_all(STREAM.as_bytes()).await?;
            // Until the gateway goes.
            while stream.read_buf(&mut unread).await? > 0 {}
            return Ok(());
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        while unread.len() < length {
            if stream.read_buf(&mut unread).await? == 0 {
                return Ok(());
            }
        }
        unread.drain(..length);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{ANSWER}",
            ANSWER.len()
        );
        stream.write_all(answer.as_bytes()).await?;
    }
}
