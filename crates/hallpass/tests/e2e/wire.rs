//! HTTP/1.1 by hand over a loopback connection: sends the bytes it is given, shows the bytes it gets.
//! No redirect, no retry, no decompression, no header added.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than anything here takes: a hang becomes a panic that says what was waited for.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// A request's or a response's head.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// As it came, the empty line at its end included.
    pub(crate) raw: String,
    /// The request line or the status line.
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Wire {
    /// `address` may be a `SocketAddr` or the host and port of a URL.
    pub(crate) async fn connect(address: impl tokio::net::ToSocketAddrs) -> Self {
        Self::over(TcpStream::connect(address).await.expect("a listener on this address"))
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        // Otherwise small chunks wait for one another, and a test of streaming measures the kernel.
        stream.set_nodelay(true).expect("a TCP option");
        Self { stream, unread: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// A POST of `body` with these header lines, `Content-Length` added.
    pub(crate) async fn post(&mut self, path: &str, header_lines: &[&str], body: &[u8]) {
        let lines = header_lines.iter().fold(String::new(), |lines, line| lines + line + "\r\n");
        let head = format!("POST {path} HTTP/1.1\r\n{lines}Content-Length: {}\r\n\r\n", body.len());
        self.send([head.as_bytes(), body].concat()).await.expect("an open connection");
    }

    /// `None` when the peer closed before a head.
    pub(crate) async fn head(&mut self) -> Option<Head> {
        let raw = self.until(b"\r\n\r\n").await?;
        Some(Head::parse(String::from_utf8(raw).expect("a head in UTF-8")))
    }

    /// The whole body, whatever its framing.
    pub(crate) async fn body(&mut self, head: &Head) -> Vec<u8> {
        if head.is_chunked() {
            let mut body = Vec::new();
            while let Some(chunk) = self.chunk().await {
                body.extend(chunk);
            }
            return body;
        }
        match head.value("content-length") {
            Some(length) => self.exactly(length.parse().expect("a length")).await.expect("the whole body"),
            None if head.is_response() => self.rest().await,
            None => Vec::new(),
        }
    }

    /// The next chunk of a chunked body as soon as it is there; `None` after the last.
    ///
    /// Panics when the peer goes away inside the body: use [`Self::chunk_or_cut`] where that is the point.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        self.chunk_or_cut().await.expect("a body that is not cut off")
    }

    pub(crate) async fn chunk_or_cut(&mut self) -> Result<Option<Vec<u8>>, Cut> {
        let line = self.until(b"\r\n").await.ok_or(Cut)?;
        let size =
            str::from_utf8(&line).ok().and_then(|line| line.trim().split(';').next()).map(str::to_owned);
        let size = size.and_then(|size| usize::from_str_radix(&size, 16).ok()).expect("a chunk's size");
        let mut data = self.exactly(size + 2).await.ok_or(Cut)?;
        data.truncate(size);
        Ok(Some(data).filter(|data| !data.is_empty()))
    }

    /// Waits until the peer closes, and panics if it sends anything before.
    pub(crate) async fn closed(&mut self) {
        let rest = self.rest().await;
        assert_eq!(String::from_utf8_lossy(&rest), "", "the peer closes without another byte");
    }

    /// What is there before the peer closes.
    async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.unread)
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                return Some(self.unread.drain(..at + end.len()).collect());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// So many bytes; `None` when the peer goes away before.
    pub(crate) async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.unread.len() < length {
            if !self.more().await {
                return None;
            }
        }
        Some(self.unread.drain(..length).collect())
    }

    async fn more(&mut self) -> bool {
        timeout(PATIENCE, self.fill()).await.expect("bytes, or the end, from the peer")
    }

    /// Waits for the first byte of what comes next, for as long as it takes; false at the end.
    pub(crate) async fn woken(&mut self) -> bool {
        !self.unread.is_empty() || self.fill().await
    }

    /// Reads once; false at the end of the connection, however it ended. Safe to drop and call again.
    pub(crate) async fn fill(&mut self) -> bool {
        self.stream.read_buf(&mut self.unread).await.is_ok_and(|read| read > 0)
    }
}

/// The connection ended inside a body.
#[derive(Debug, PartialEq)]
pub(crate) struct Cut;

impl Head {
    fn parse(raw: String) -> Self {
        let mut lines = raw.trim_end().split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let pair = |line: &str| {
            let (name, value) = line.split_once(':').expect("a header line");
            (name.to_owned(), value.trim().to_owned())
        };
        let headers = lines.map(pair).collect();
        Self { raw, start, headers }
    }

    /// The first value under this name, in whatever case it came.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// A response's status.
    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line")
    }

    fn is_chunked(&self) -> bool {
        self.value("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }

    fn is_response(&self) -> bool {
        self.start.starts_with("HTTP/")
    }
}
