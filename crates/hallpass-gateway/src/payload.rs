//! The body of an answer: a text of ours, or a server's as it comes. Reads none of it.

use crate::watched::{Broken, Watched};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an answer.
pub(crate) enum Payload {
    /// A text of ours.
    Own(Option<Bytes>),
    /// A server's body, as it comes.
    Relayed(Box<Watched>),
}

impl Payload {
    pub(crate) fn own(text: impl Into<Bytes>) -> Self {
        Self::Own(Some(text.into()))
    }

    pub(crate) fn none() -> Self {
        Self::Own(None)
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Relayed(watched) => Pin::new(&mut **watched).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(text) => text.is_none(),
            Self::Relayed(watched) => watched.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Self::Relayed(watched) => watched.size_hint(),
        }
    }
}
