//! Frames in: puts one side's bytes together to messages, within limits. The form of a header is the library's to know,
//! the rules about what may follow what are here. Understands no message.

use crate::config::MessageLimits;
use crate::ws::close::Close;
use crate::ws::mask::apply;
use crate::ws::pulse::Pulse;
use bytes::{Buf as _, Bytes, BytesMut};
use std::io::Cursor;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Room for the next bytes while it is not known how many will come. An idle connection holds this and no more.
const ROOM: usize = 1 << 10;
/// As much of a large frame has to come before room is made for all of it.
const EARNEST: usize = 256 << 10;
/// The longest header of a frame.
const HEADER_MOST: usize = 14;
/// The largest payload of a control frame (RFC 6455 section 5.5).
const CONTROL_MOST: usize = 125;

/// What came.
pub(crate) enum Item {
    /// A whole message of text. UTF-8, and nothing else is known of it.
    Text(BytesMut),
    Ping(BytesMut),
    Pong(BytesMut),
    Close(Option<Close>),
}

/// Why nothing more can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ended without a word.
    Gone,
    /// Against the protocol.
    Protocol(&'static str),
    /// Not a text.
    Binary,
    NotUtf8,
    TooLarge,
    /// In too many pieces.
    TooManyPieces,
    /// Too many pings and pongs a time.
    TooManyControls,
}

impl Fault {
    /// Its fixed name in the log.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Protocol(_) => "against_the_protocol",
            Self::Binary => "binary_frame",
            Self::NotUtf8 => "not_utf8",
            Self::TooLarge => "message_too_large",
            Self::TooManyPieces => "too_many_pieces",
            Self::TooManyControls => "too_many_pings",
        }
    }
}

/// Whose frames they are: a client masks them, a server does not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Server,
}

/// The receiving half of a connection. Whoever gives up waiting for an item gives up the connection.
pub(crate) struct Receiver<R> {
    io: R,
    from: From,
    limits: MessageLimits,
    buffer: BytesMut,
    begun: Option<Begun>,
    pulse: Arc<Pulse>,
}

/// A message of which some frames are here.
struct Begun {
    payload: BytesMut,
    fragments: usize,
}

impl<R: AsyncRead + Unpin> Receiver<R> {
    /// `early`: what was read already.
    pub(crate) fn new(io: R, early: Bytes, from: From, limits: MessageLimits, pulse: Arc<Pulse>) -> Self {
        let buffer = early.try_into_mut().unwrap_or_else(|early| BytesMut::from(&early[..]));
        Self { io, from, limits, buffer, begun: None, pulse }
    }

    pub(crate) fn set_limits(&mut self, limits: MessageLimits) {
        self.limits = limits;
    }

    /// The next message or control frame.
    pub(crate) async fn next(&mut self) -> Result<Item, Fault> {
        loop {
            let (header, payload) = self.frame().await?;
            match header.opcode {
                OpCode::Control(Control::Ping) => return Ok(Item::Ping(payload)),
                OpCode::Control(Control::Pong) => return Ok(Item::Pong(payload)),
                OpCode::Control(Control::Close) => return Close::read(&payload).map(Item::Close),
                OpCode::Data(Data::Text) if header.is_final => return text(payload),
                OpCode::Data(Data::Text) => self.begun = Some(Begun { payload, fragments: 1 }),
                OpCode::Data(Data::Continue) => {
                    if let Some(whole) = self.go_on(&payload, header.is_final)? {
                        return text(whole);
                    }
                }
                OpCode::Data(Data::Binary) => return Err(Fault::Binary),
                OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
                    return Err(Fault::Protocol("an opcode that is none"));
                }
            }
        }
    }

    /// Reads and drops what still comes, until the other side has hung up.
    pub(crate) async fn drain(&mut self) {
        self.buffer = BytesMut::with_capacity(ROOM);
        while matches!(self.io.read_buf(&mut self.buffer).await, Ok(read) if read > 0) {
            self.buffer.clear();
        }
    }

    fn go_on(&mut self, payload: &[u8], is_final: bool) -> Result<Option<BytesMut>, Fault> {
        let Some(begun) = &mut self.begun else { return Err(Fault::Protocol("an end without a beginning")) };
        begun.fragments += 1;
        if begun.fragments > self.limits.fragments {
            return Err(Fault::TooManyPieces);
        }
        begun.payload.extend_from_slice(payload);
        Ok(if is_final { self.begun.take().map(|begun| begun.payload) } else { None })
    }

    async fn frame(&mut self) -> Result<(FrameHeader, BytesMut), Fault> {
        let (header, length) = loop {
            let mut cursor = Cursor::new(&self.buffer);
            let parsed = FrameHeader::parse(&mut cursor);
            let end = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
            match parsed.map_err(|_| Fault::Protocol("a header that is none"))? {
                Some((header, length)) => {
                    let length = self.check(&header, length)?;
                    self.buffer.advance(end);
                    break (header, length);
                }
                None => self.fill().await?,
            }
        };
        let mut payload = self.payload(length).await?;
        if let Some(mask) = header.mask {
            apply(mask, &mut payload);
        }
        Ok((header, payload))
    }

    /// Everything that can be wrong with a frame before any of its payload is here.
    fn check(&self, header: &FrameHeader, length: u64) -> Result<usize, Fault> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Fault::Protocol("an extension that was not agreed on"));
        }
        if header.mask.is_some() != (self.from == From::Client) {
            return Err(Fault::Protocol("clients mask their frames, servers do not"));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match header.opcode {
            OpCode::Control(_) if !header.is_final || length > CONTROL_MOST => {
                return Err(Fault::Protocol("a control frame that is too large or in pieces"));
            }
            OpCode::Control(_) => return Ok(length),
            OpCode::Data(Data::Binary) => return Err(Fault::Binary),
            OpCode::Data(Data::Text | Data::Reserved(_)) if self.begun.is_some() => {
                return Err(Fault::Protocol("a message within a message"));
            }
            OpCode::Data(Data::Continue | Data::Text | Data::Reserved(_)) => {}
        }
        let before = self.begun.as_ref().map_or(0, |begun| begun.payload.len());
        let fits = length <= self.limits.frame && length <= self.limits.message.saturating_sub(before);
        if !fits {
            return Err(Fault::TooLarge);
        }
        let in_pieces = !header.is_final && self.limits.fragments < 2;
        if in_pieces { Err(Fault::TooManyPieces) } else { Ok(length) }
    }

    /// The payload, in the memory into which it was read.
    async fn payload(&mut self, length: usize) -> Result<BytesMut, Fault> {
        while self.buffer.len() < length {
            let missing = length - self.buffer.len();
            // Who only says that much will come is given no room for it.
            let room = if self.buffer.len() < EARNEST { missing.min(EARNEST) } else { missing };
            if self.buffer.capacity() - self.buffer.len() < room.min(ROOM) {
                self.buffer.reserve(room);
            }
            // Not a byte beyond: a large frame's memory is not to be kept for the start of the next one.
            let read = (&mut self.io).take(missing as u64).read_buf(&mut self.buffer).await;
            self.heard(read.unwrap_or(0))?;
        }
        let payload = self.buffer.split_to(length);
        if length > ROOM {
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        Ok(payload)
    }

    async fn fill(&mut self) -> Result<(), Fault> {
        if self.buffer.capacity() - self.buffer.len() < HEADER_MOST {
            self.buffer.reserve(ROOM);
        }
        let read = self.io.read_buf(&mut self.buffer).await;
        self.heard(read.unwrap_or(0))
    }

    /// Nothing more comes from a connection that is broken either.
    fn heard(&self, bytes: usize) -> Result<(), Fault> {
        if bytes == 0 {
            return Err(Fault::Gone);
        }
        self.pulse.beat();
        Ok(())
    }
}

fn text(payload: BytesMut) -> Result<Item, Fault> {
    match std::str::from_utf8(&payload) {
        Ok(_) => Ok(Item::Text(payload)),
        Err(_) => Err(Fault::NotUtf8),
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Fault, From, Item, Receiver};
    use crate::config::MessageLimits;
    use crate::ws::pulse::Pulse;
    use std::sync::Arc;

    const LIMITS: MessageLimits = MessageLimits { frame: 2000, message: 3000, fragments: 3 };

    fn frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        let bit = if masked { 0x80 } else { 0 };
        match payload.len() {
            short @ 0..126 => frame.push(bit | u8::try_from(short).unwrap()),
            long => {
                frame.push(bit | 0x7e);
                frame.extend_from_slice(&u16::try_from(long).unwrap().to_be_bytes());
            }
        }
        if masked {
            frame.extend_from_slice(&[1, 2, 3, 4]);
        }
        let key = [1, 2, 3, 4];
        frame.extend(
            payload.iter().enumerate().map(|(at, byte)| if masked { byte ^ key[at % 4] } else { *byte }),
        );
        frame
    }

    /// What comes of these bytes, in pieces of every size.
    async fn received(bytes: &[u8], from: From) -> Result<Vec<String>, Fault> {
        let mut outcome = None;
        for piece in [1, 7, 4096] {
            let (mut near, far) = tokio::io::duplex(piece);
            let bytes = bytes.to_vec();
            let sending = tokio::spawn(async move {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut near, &bytes).await;
            });
            let mut receiver = Receiver::new(far, Bytes::new(), from, LIMITS, Arc::new(Pulse::new()));
            let mut items = Vec::new();
            let end = loop {
                match receiver.next().await {
                    Ok(Item::Text(text)) => items.push(String::from_utf8(text.to_vec()).unwrap()),
                    Ok(Item::Ping(data)) => items.push(format!("ping {}", data.len())),
                    Ok(Item::Pong(data)) => items.push(format!("pong {}", data.len())),
                    Ok(Item::Close(close)) => {
                        items.push(format!("close {}", close.map_or(0, |close| close.code)));
                    }
                    Err(Fault::Gone) => break Ok(items),
                    Err(fault) => break Err(fault),
                }
            };
            sending.abort();
            assert!(outcome.is_none() || outcome == Some(end.clone()), "pieces of {piece}");
            outcome = Some(end);
        }
        outcome.unwrap()
    }

    #[tokio::test]
    async fn messages_come_whole_however_they_were_cut() {
        let long = "x".repeat(1900);
        let bytes = [
            frame(0x81, true, b"one"),
            frame(0x01, true, "t\u{e9}".as_bytes().split_at(2).0),
            frame(0x89, true, b"p"),
            frame(0x80, true, "t\u{e9}".as_bytes().split_at(2).1),
            frame(0x81, true, long.as_bytes()),
            frame(0x8a, true, b""),
            frame(0x81, true, b""),
            frame(0x88, true, &[0x03, 0xe8]),
        ];
        let items = received(&bytes.concat(), From::Client).await.unwrap();
        assert_eq!(items, ["one", "ping 1", "t\u{e9}", &long, "pong 0", "", "close 1000"]);
    }

    #[tokio::test]
    async fn what_is_against_the_rules_ends_it() {
        let large = vec![b'x'; 1500];
        for (bytes, fault) in [
            (frame(0xc1, true, b"x"), Fault::Protocol("an extension that was not agreed on")),
            (frame(0x81, false, b"x"), Fault::Protocol("clients mask their frames, servers do not")),
            (frame(0x83, true, b"x"), Fault::Protocol("a header that is none")),
            (frame(0x80, true, b"x"), Fault::Protocol("an end without a beginning")),
            (
                [frame(0x01, true, b"x"), frame(0x81, true, b"x")].concat(),
                Fault::Protocol("a message within a message"),
            ),
            (frame(0x09, true, b"x"), Fault::Protocol("a control frame that is too large or in pieces")),
            (
                frame(0x89, true, &[b'x'; 126]),
                Fault::Protocol("a control frame that is too large or in pieces"),
            ),
            (frame(0x88, true, &[3]), Fault::Protocol("a close without a reason that is one")),
            (frame(0x88, true, &[3, 237]), Fault::Protocol("a close without a reason that is one")),
            (frame(0x82, true, b"x"), Fault::Binary),
            (frame(0x81, true, b"\xff"), Fault::NotUtf8),
            (frame(0x81, true, &vec![b'x'; 2001]), Fault::TooLarge),
            (
                [frame(0x01, true, &large), frame(0x80, true, &[large.clone(), vec![b'x']].concat())]
                    .concat(),
                Fault::TooLarge,
            ),
            (vec![0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4], Fault::TooLarge),
            (
                [frame(0x01, true, b"x"), frame(0, true, b""), frame(0, true, b""), frame(0, true, b"")]
                    .concat(),
                Fault::TooManyPieces,
            ),
        ] {
            assert_eq!(
                received(&bytes, From::Client).await,
                Err(fault),
                "{:x?}",
                &bytes[..bytes.len().min(20)]
            );
        }
        assert!(received(&frame(0x81, true, b"x"), From::Server).await.is_err());
        assert_eq!(received(&frame(0x81, false, b"x"), From::Server).await.unwrap(), ["x"]);
    }
}
