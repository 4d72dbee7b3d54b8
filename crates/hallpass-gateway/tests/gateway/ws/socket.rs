//! One end of a WebSocket connection, frame by frame. Keeps to no rule that a test does not want kept.

use crate::bench::{Reply, Wire, soon};
use std::net::SocketAddr;

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
pub(crate) const CLOSE: u8 = 0x88;
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MASK: [u8; 4] = [7, 77, 177, 27];

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

pub(crate) struct Socket {
    pub(crate) wire: Wire,
    masks: bool,
}

/// The request that opens a connection, without its last line.
pub(crate) fn opening(path: &str, host: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
    )
}

impl Socket {
    /// A client's end. `more`: header lines, each ended by CRLF.
    pub(crate) async fn open(address: SocketAddr, path: &str, more: &str) -> Self {
        Self::try_open(address, path, more)
            .await
            .unwrap_or_else(|reply| panic!("{} {}", reply.head, reply.text()))
    }

    pub(crate) async fn try_open(address: SocketAddr, path: &str, more: &str) -> Result<Self, Reply> {
        let mut wire = Wire::dial(address).await;
        wire.send(format!("{}{more}\r\n", opening(path, &address.to_string()))).await;
        let head = wire.reply_head().await;
        if !head.starts_with("HTTP/1.1 101 ") {
            return Err(wire.reply_after(head).await);
        }
        assert!(head.contains(ACCEPT), "{head}");
        Ok(Self { wire, masks: true })
    }

    /// A server's end: the request that opened it has been answered.
    pub(crate) fn accepted(wire: Wire) -> Self {
        Self { wire, masks: false }
    }

    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) {
        let bytes = self.bytes(first, payload);
        self.wire.send(bytes).await;
    }

    /// The bytes of a frame.
    pub(crate) fn bytes(&self, first: u8, payload: &[u8]) -> Vec<u8> {
        let bit = if self.masks { 0x80 } else { 0 };
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..126 => bytes.push(bit | u8::try_from(length).unwrap()),
            length @ 126..65_536 => {
                bytes.push(bit | 0x7e);
                bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                bytes.push(bit | 0x7f);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        if self.masks {
            bytes.extend_from_slice(&MASK);
            bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
        } else {
            bytes.extend_from_slice(payload);
        }
        bytes
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.frame(TEXT, text.as_bytes()).await;
    }

    /// The next frame. `None`: the other side hung up.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        soon(async {
            let head = self.wire.take(2).await?;
            assert_eq!(head[1] & 0x80 != 0, !self.masks, "clients mask, servers do not");
            let length = match head[1] & 0x7f {
                126 => self.wire.take(2).await?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
                127 => self.wire.take(8).await?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
                length => usize::from(length),
            };
            let mask = if self.masks { vec![0; 4] } else { self.wire.take(4).await? };
            let payload = self.wire.take(length).await?;
            let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            Some(Frame { first: head[0], payload })
        })
        .await
    }

    /// The next frame, if one comes within this time.
    pub(crate) async fn next_within(&mut self, time: std::time::Duration) -> Option<Frame> {
        tokio::time::timeout(time, self.next()).await.ok().flatten()
    }

    /// The next frame, which is a text.
    pub(crate) async fn heard(&mut self) -> String {
        let frame = self.next().await.expect("a frame");
        assert_eq!(frame.first, TEXT, "{:?}", String::from_utf8_lossy(&frame.payload));
        String::from_utf8(frame.payload).unwrap()
    }

    /// The next frame, which is the last one: its code and reason.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        let frame = self.next().await.expect("a last frame");
        assert_eq!(frame.first, CLOSE, "{:?}", String::from_utf8_lossy(&frame.payload));
        assert_eq!(soon(self.wire.rest()).await, b"", "nothing comes after the last frame");
        let (code, reason) = frame.payload.split_at(2);
        (u16::from_be_bytes([code[0], code[1]]), String::from_utf8(reason.to_vec()).unwrap())
    }

    pub(crate) async fn close(&mut self, code: u16) {
        self.frame(CLOSE, &code.to_be_bytes()).await;
    }
}
