//! One HTTP/1.1 connection to the gateway, by hand: a call and its status, or a stream and its end.

use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;

/// A connection with what was read and not used yet.
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
    host: String,
}

impl Wire {
    /// `address`: host and port.
    pub async fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::new(), host: address.to_owned() })
    }

    /// Makes one call. Returns its status, and whether the connection can be used again.
    pub async fn call(&mut self, token: &str) -> io::Result<(u16, bool)> {
        let request = format!(
            "POST /s/docs/mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n{CALL}",
            self.host,
            CALL.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let head = self.head().await?;
        let length = field(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while self.unread.len() < length {
            self.more().await?;
        }
        self.unread.drain(..length);
        Ok((status(&head), field(&head, "connection") != Some("close")))
    }

    /// Opens a stream of events and waits for the first one.
    pub async fn listen(&mut self, token: &str) -> io::Result<()> {
        let request = format!(
            "GET /s/docs/mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n",
            self.host
        );
        self.stream.write_all(request.as_bytes()).await?;
        let head = self.head().await?;
        if status(&head) != 200 {
            return Err(io::Error::other(format!("the stream was answered with {}", status(&head))));
        }
        while !self.unread.windows(4).any(|window| window == b"\n\n\r\n") {
            self.more().await?;
        }
        Ok(())
    }

    /// Reads on until the other side ends the connection.
    pub async fn ended(mut self) {
        while self.more().await.is_ok() {
            self.unread.clear();
        }
    }

    async fn head(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = self.unread.drain(..at + 4).collect();
                return String::from_utf8(head).map_err(io::Error::other);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
