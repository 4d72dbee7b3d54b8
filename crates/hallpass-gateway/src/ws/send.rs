//! Frames out. A frame once begun is kept until it is sent whole, so that whoever gives up waiting can still say a last
//! word after it. Understands no message.

use crate::config::Random;
use crate::ws::close::Close;
use crate::ws::mask::apply;
use bytes::{Buf as _, BytesMut};
use std::io::{self, IoSlice};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The sending half of a connection.
pub(crate) struct Sender<W> {
    io: W,
    /// Where masks come from, if this is the client's side.
    masks: Option<Random>,
    begun: Option<Begun>,
}

/// A frame of which not every byte is sent.
struct Begun {
    head: BytesMut,
    payload: BytesMut,
}

impl<W: AsyncWrite + Unpin> Sender<W> {
    /// Frames go to a client.
    pub(crate) fn to_client(io: W) -> Self {
        Self { io, masks: None, begun: None }
    }

    /// Frames go to a server.
    pub(crate) fn to_server(io: W, masks: Random) -> Self {
        Self { io, masks: Some(masks), begun: None }
    }

    pub(crate) async fn text(&mut self, payload: BytesMut) -> io::Result<()> {
        self.frame(OpCode::Data(Data::Text), payload).await
    }

    pub(crate) async fn ping(&mut self, payload: BytesMut) -> io::Result<()> {
        self.frame(OpCode::Control(Control::Ping), payload).await
    }

    pub(crate) async fn pong(&mut self, payload: BytesMut) -> io::Result<()> {
        self.frame(OpCode::Control(Control::Pong), payload).await
    }

    /// The last frame, and the end of what is sent.
    pub(crate) async fn close(&mut self, close: Option<&Close>) -> io::Result<()> {
        let payload = close.map(Close::payload).unwrap_or_default();
        self.frame(OpCode::Control(Control::Close), BytesMut::from(&payload[..])).await?;
        self.io.shutdown().await
    }

    pub(crate) fn is_between_frames(&self) -> bool {
        self.begun.is_none()
    }

    async fn frame(&mut self, opcode: OpCode, mut payload: BytesMut) -> io::Result<()> {
        self.finish().await?;
        let mask = self.masks.as_ref().map(Random::bytes::<4>);
        let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
        let mut head = Vec::with_capacity(header.len(payload.len() as u64));
        header.format(payload.len() as u64, &mut head).map_err(io::Error::other)?;
        if let Some(mask) = mask {
            apply(mask, &mut payload);
        }
        self.begun = Some(Begun { head: BytesMut::from(&head[..]), payload });
        self.finish().await
    }

    /// Sends the rest of what was begun. May be given up and called again.
    async fn finish(&mut self) -> io::Result<()> {
        while let Some(begun) = &mut self.begun {
            if begun.head.is_empty() && begun.payload.is_empty() {
                self.begun = None;
                break;
            }
            let slices = [IoSlice::new(&begun.head), IoSlice::new(&begun.payload)];
            let sent = self.io.write_vectored(&slices).await?;
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            let of_head = sent.min(begun.head.len());
            begun.head.advance(of_head);
            begun.payload.advance(sent - of_head);
        }
        self.io.flush().await
    }
}

#[cfg(test)]
mod tests {
    use super::Sender;
    use crate::ws::close::Close;
    use bytes::BytesMut;
    use std::time::Duration;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn a_last_word_comes_after_the_frame_that_was_given_up() {
        let (near, mut far) = tokio::io::duplex(10);
        let mut sender = Sender::to_client(near);
        let sending = sender.text(BytesMut::from(&[b'x'; 100][..]));
        assert!(tokio::time::timeout(Duration::from_millis(20), sending).await.is_err(), "nobody reads");
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            all
        });
        sender.close(Some(&Close::new(4003, "no"))).await.unwrap();
        let expect = [&[0x81, 100][..], &[b'x'; 100], &[0x88, 4, 0x0f, 0xa3], b"no"].concat();
        assert_eq!(reading.await.unwrap(), expect);
    }
}
