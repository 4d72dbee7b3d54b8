//! A server's answer on its way to the client: counted and looked at in passing, held back for no event to come. If the server breaks
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
use std::future::poll_fn;
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
    pub(crate) ahead: Ahead,
    pub(crate) sniff: Sniff,
    pub(crate) silence: Option<Silence>,
    pub(crate) progress: Progress,
    // Dropped in this order after the rest: who reads the record may rely on everything else being over.
    pub(crate) _tally: Tally,
    pub(crate) hold: Hold,
    pub(crate) flight: Flight,
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

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> PollFrame {
        let next = match self.ahead.take() {
            Some(next) => Poll::Ready(next),
            None => poll_piece(&mut self.inner, cx),
        };
        match next {
            Poll::Ready(Some(Ok(piece))) => {
                self.passes(&piece);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Poll::Ready(Some(Err(broken))) => {
                self.progress.end = End::Broken;
                Poll::Ready(Some(Err(broken)))
            }
            Poll::Ready(None) => {
                self.progress.end = End::Whole;
                Poll::Ready(None)
            }
            Poll::Pending => self.poll_comment(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.ahead.0 {
            [None, None] => self.inner.is_end_stream(),
            [None, Some(next)] => next.is_none(),
            [Some(_), _] => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

type PollFrame = Poll<Option<Result<Frame<Bytes>, Broken>>>;

type Piece = Option<Result<Bytes, Broken>>;

/// The first pieces of a stream, if they were there as soon as its head.
#[derive(Default)]
pub(crate) struct Ahead([Option<Piece>; 2]);

impl Ahead {
    /// Pieces come one by one from another task of this thread. One turn of patience for each, and no more, lets a
    /// short answer, with its head and its end, go out in one packet.
    pub(crate) async fn look(body: &mut Incoming) -> Self {
        let mut ahead = Self::default();
        if body.size_hint().exact().is_some() {
            return ahead;
        }
        for place in &mut ahead.0 {
            let Some(piece) = piece_by_next_turn(body).await else { break };
            let more = matches!(piece, Some(Ok(_)));
            *place = Some(piece);
            if !more {
                break;
            }
        }
        ahead
    }

    fn take(&mut self) -> Option<Piece> {
        self.0.iter_mut().find_map(Option::take)
    }
}

async fn piece_by_next_turn(body: &mut Incoming) -> Option<Piece> {
    let mut patient = true;
    poll_fn(|cx| match poll_piece(body, cx) {
        Poll::Ready(piece) => Poll::Ready(Some(piece)),
        Poll::Pending if std::mem::take(&mut patient) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn poll_piece(body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Piece> {
    loop {
        return Poll::Ready(match std::task::ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) => Some(Ok(piece)),
                // Trailers are hop-by-hop for us and dropped.
                Err(_) => continue,
            },
            Some(Err(_)) => Some(Err(Broken)),
            None => None,
        });
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

    fn poll_comment(&mut self, cx: &mut Context<'_>) -> PollFrame {
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
        self.progress.end == End::Whole || (self.progress.end == End::NotYet && self.is_end_stream())
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
            // Some clients hang up on a stream as soon as they have what they asked for.
            self.flight.ended(self.sniff.answered().unwrap_or(Outcome::Gone), None);
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
