//! A server's answer on its way to the client: counted and looked at in passing, never buffered. If the server breaks
//! off, so does the answer: a clean end is never made up.

use crate::flight::Flight;
use crate::line::Hold;
use crate::outcome::Sniff;
use crate::tally::Tally;
use bytes::Bytes;
use hallpass_core::Outcome;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// What is sent on a silent stream, so that nobody in between takes it for dead.
const COMMENT: &[u8] = b":\n\n";

/// The server broke off in the middle.
#[derive(Debug)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server broke off")
    }
}

impl std::error::Error for Broken {}

/// A server's answer on its way to the client.
pub(crate) struct Watched {
    pub(crate) inner: Incoming,
    pub(crate) sniff: Sniff,
    pub(crate) silence: Option<Silence>,
    pub(crate) progress: Progress,
    // Dropped in this order after the rest: first the record, then the hold on the connection, then the count.
    pub(crate) flight: Flight,
    pub(crate) hold: Hold,
    pub(crate) _tally: Tally,
}

/// How far an answer has come.
pub(crate) struct Progress {
    bytes: u64,
    end: End,
    /// The outcome that the answer's status alone says, if it does.
    by_status: Option<Outcome>,
}

#[derive(PartialEq)]
enum End {
    NotYet,
    Whole,
    Broken,
}

impl Progress {
    pub(crate) fn new(by_status: Option<Outcome>) -> Self {
        Self { bytes: 0, end: End::NotYet, by_status }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are hop-by-hop for us and dropped.
                    let Ok(piece) = frame.into_data() else { continue };
                    self.passes(&piece);
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Poll::Ready(Some(Err(_))) => {
                    self.progress.end = End::Broken;
                    return Poll::Ready(Some(Err(Broken)));
                }
                Poll::Ready(None) => {
                    self.progress.end = End::Whole;
                    return Poll::Ready(None);
                }
                Poll::Pending => return self.poll_comment(cx),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Watched {
    fn passes(&mut self, piece: &Bytes) {
        self.progress.bytes += piece.len() as u64;
        self.sniff.feed(piece);
        if let Some(silence) = &mut self.silence {
            silence.since = Instant::now();
        }
    }

    fn poll_comment(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(silence) = &mut self.silence else { return Poll::Pending };
        std::task::ready!(silence.poll_over(cx));
        if !self.sniff.is_between_events() {
            // Asked again when it has been silent for as long once more.
            let _ = silence.poll_over(cx);
            return Poll::Pending;
        }
        self.progress.bytes += COMMENT.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(COMMENT)))))
    }

    fn is_whole(&self) -> bool {
        self.progress.end == End::Whole || (self.progress.end == End::NotYet && self.inner.is_end_stream())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.flight.sent(self.progress.bytes);
        if self.is_whole() {
            let outcome = self.progress.by_status.unwrap_or_else(|| self.sniff.outcome());
            self.flight.ended(outcome, None);
        } else if let Some(cut) = self.hold.reason() {
            self.flight.cut(&cut);
        } else if self.progress.end == End::Broken {
            self.flight.ended(Outcome::Failed, Some("upstream_broke_off"));
        } else {
            self.flight.ended(Outcome::Gone, None);
        }
    }
}

/// Waits for a stream to have been silent for some time, again and again.
pub(crate) struct Silence {
    after: Duration,
    since: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    pub(crate) fn new(after: Duration) -> Self {
        Self { after, since: Instant::now(), timer: None }
    }

    /// Ready when it has been silent for long enough; from then on the time runs afresh.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.since + self.after;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        // The timer is not moved for each event, only once it has run out too early.
        while timer.as_mut().poll(cx).is_ready() {
            let due = self.since + self.after;
            if timer.deadline() >= due {
                self.since = Instant::now();
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}
