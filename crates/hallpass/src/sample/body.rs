//! The body of an answer: all at once, or one piece with each tick until the caller goes away.
//! Starts no task: a body that is dropped does nothing more.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use serde_json::Value;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// What a tick brings.
pub(super) enum Tick {
    Piece(Bytes),
    Nothing,
    End,
}

type OnTick = Box<dyn FnMut(u64) -> Tick + Send>;

/// See the module.
pub(super) enum SampleBody {
    Whole(Option<Bytes>),
    Ticking { interval: Interval, count: u64, on_tick: OnTick },
}

impl SampleBody {
    pub(super) fn empty() -> Self {
        Self::Whole(None)
    }

    pub(super) fn full(text: String) -> Self {
        Self::Whole(Some(text.into()))
    }

    /// Calls `on_tick` at once and then with each period, with the number of the tick.
    pub(super) fn ticking(period: Duration, on_tick: impl FnMut(u64) -> Tick + Send + 'static) -> Self {
        let mut interval = interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self::Ticking { interval, count: 0, on_tick: Box::new(on_tick) }
    }
}

impl Tick {
    /// One event with a message in it.
    pub(super) fn message(message: &Value) -> Self {
        Self::Piece(format!("event: message\ndata: {message}\n\n").into())
    }

    /// What keeps the connection alive and means nothing.
    pub(super) fn comment() -> Self {
        Self::Piece(Bytes::from_static(b": still here\n\n"))
    }
}

impl Body for SampleBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Ticking { interval, count, on_tick } => loop {
                ready!(interval.poll_tick(context));
                let tick = on_tick(*count);
                *count += 1;
                match tick {
                    Tick::Piece(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                    Tick::Nothing => {}
                    Tick::End => return Poll::Ready(None),
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Ticking { .. } => SizeHint::default(),
        }
    }
}
