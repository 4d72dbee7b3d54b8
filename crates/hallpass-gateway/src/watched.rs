//! A server's answer on its way to the client: counted and looked at in passing, held back for no event to come, but for
//! its last piece, which waits for the record. If the server breaks off, so does the answer: a clean end is never made up.

use crate::failure::Failure;
use crate::flight::Flight;
use crate::line::{Cut, Hold};
use crate::narrowed::Narrowed;
use crate::outcome::Sniff;
use crate::record::Receipt;
use crate::tally::Tally;
use bytes::{Bytes, BytesMut};
use hallpass_core::Outcome;
use hallpass_core::tool_sieve::Unreadable;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// What is sent on a silent stream, so that nobody in between takes it for dead.
const COMMENT: &[u8] = b":\n\n";

/// As much of a document as is held back until it is known whether it can be read.
const HELD_MOST: usize = 256 << 10;

/// The answer ended in the middle.
#[derive(Debug)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer broke off")
    }
}

impl std::error::Error for Broken {}

/// A server's answer on its way to the client.
pub(crate) struct Watched {
    pub(crate) inner: Incoming,
    pub(crate) ahead: Ahead,
    pub(crate) reading: Reading,
    pub(crate) sniff: Sniff,
    pub(crate) silence: Option<Silence>,
    pub(crate) progress: Progress,
    /// The end, while it waits for the record.
    pub(crate) tail: Option<Tail>,
    // Given back before the record is sent, and dropped in this order after the rest: who reads the record may rely on
    // everything else being over.
    pub(crate) tally: Option<Tally>,
    pub(crate) hold: Hold,
    pub(crate) flight: Flight,
}

/// Why an answer that is all here does not go out.
pub(crate) enum Withheld {
    /// Its record is not written.
    Unwritten,
    /// The call was cut while it waited.
    Cut(Cut),
}

/// The end of an answer, held until its record is written.
pub(crate) struct Tail {
    /// The last piece. `None`: all have passed, and only the end is left.
    last: Option<Bytes>,
    /// `None`: it is written.
    receipt: Option<Receipt>,
    until: Instant,
}

/// How an answer passes.
pub(crate) enum Reading {
    /// As it comes.
    AsItComes,
    /// What the caller's policy leaves of it.
    Narrowed(Box<Narrowed>),
    /// The same, and it is all here.
    Whole { bytes: u64 },
}

impl Reading {
    pub(crate) fn is_narrowed(&self) -> bool {
        match self {
            Self::AsItComes => false,
            Self::Narrowed(_) | Self::Whole { .. } => true,
        }
    }
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
    /// It could not be read for certain, so it was broken off from here.
    Unreadable,
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
        if self.tail.is_some() {
            return self.poll_tail(cx);
        }
        match self.poll_next(cx) {
            Poll::Ready(Some(Ok(piece))) => {
                self.passes(&piece);
                if self.is_end_stream() { self.end(Some(piece)).poll_tail(cx) } else { passing(piece) }
            }
            Poll::Ready(Some(Err(broken))) => {
                if self.progress.end == End::NotYet {
                    self.progress.end = End::Broken;
                }
                Poll::Ready(Some(Err(broken)))
            }
            Poll::Ready(None) => self.end(None).poll_tail(cx),
            Poll::Pending => self.poll_comment(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        if let Some(tail) = &self.tail {
            return tail.receipt.is_none() && tail.last.is_none();
        }
        match (&self.ahead.0, &self.reading) {
            ([None, None], Reading::AsItComes) => self.inner.is_end_stream(),
            // What was held back to the end may have been cut short: that has to be looked at.
            ([None, None], Reading::Narrowed(_)) => self.progress.end == End::Whole,
            ([None, None], Reading::Whole { .. }) => true,
            ([None, Some(next)], _) => next.is_none(),
            ([Some(_), _], _) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        if let Some(tail) = &self.tail {
            return SizeHint::with_exact(tail.last.as_ref().map_or(0, |last| last.len() as u64));
        }
        match self.reading {
            Reading::AsItComes => match self.inner.size_hint().exact() {
                Some(rest) => SizeHint::with_exact(rest + self.ahead.bytes()),
                None => SizeHint::default(),
            },
            Reading::Narrowed(_) => SizeHint::default(),
            Reading::Whole { bytes } => SizeHint::with_exact(bytes - self.progress.bytes),
        }
    }
}

type PollFrame = Poll<Option<Result<Frame<Bytes>, Broken>>>;

type Piece = Option<Result<Bytes, Broken>>;

fn passing(piece: Bytes) -> PollFrame {
    Poll::Ready(Some(Ok(Frame::data(piece))))
}

/// The first pieces of a body, as they may pass: those of a stream that were there as soon as its head, or as much of a
/// document as was read before its head goes out.
#[derive(Default)]
pub(crate) struct Ahead([Option<Piece>; 2]);

impl Ahead {
    /// Pieces come one by one from another task of this thread. One turn of patience for each, and no more, lets a
    /// short answer, with its head and its end, go out in one packet.
    pub(crate) async fn look(body: &mut Incoming) -> Self {
        let mut ahead = Self::default();
        if body.size_hint().exact().is_some() {
            // It is here with its head, or it takes its time.
            ahead.0[0] = poll_fn(|cx| match poll_piece(body, cx) {
                Poll::Ready(piece) => Poll::Ready(Some(piece)),
                Poll::Pending => Poll::Ready(None),
            })
            .await;
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

    /// Reads a document that has to be looked through, up to its end if it is not large: so that one which cannot be read
    /// is answered as such.
    pub(crate) async fn read(
        body: &mut Incoming,
        mut narrowed: Box<Narrowed>,
    ) -> Result<(Self, Reading), Failure> {
        let mut held = BytesMut::new();
        while held.len() < HELD_MOST {
            match poll_fn(|cx| poll_piece(body, cx)).await {
                Some(Ok(piece)) => held.extend_from_slice(&narrowed.pass(&piece)?),
                Some(Err(Broken)) => return Err(Failure::BrokeOff),
                None => {
                    narrowed.end()?;
                    let bytes = held.len() as u64;
                    let all = (!held.is_empty()).then(|| Some(Ok(held.freeze())));
                    return Ok((Self([all, Some(None)]), Reading::Whole { bytes }));
                }
            }
        }
        Ok((Self([Some(Some(Ok(held.freeze()))), None]), Reading::Narrowed(narrowed)))
    }

    fn bytes(&self) -> u64 {
        let pieces = self.0.iter().flatten().flatten().flatten();
        pieces.map(|piece| piece.len() as u64).sum()
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
        return Poll::Ready(match ready!(Pin::new(&mut *body).poll_frame(cx)) {
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
    /// The next piece that may pass.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        if let Some(next) = self.ahead.take() {
            return Poll::Ready(next);
        }
        loop {
            let next = ready!(poll_piece(&mut self.inner, cx));
            let Reading::Narrowed(narrowed) = &mut self.reading else { return Poll::Ready(next) };
            let passing = match next {
                Some(Ok(piece)) => narrowed.pass(&piece).map(|left| Some(Ok(left))),
                Some(Err(broken)) => Ok(Some(Err(broken))),
                None => narrowed.end().map(|()| None),
            };
            match passing {
                Ok(Some(Ok(left))) if left.is_empty() => {}
                Ok(next) => return Poll::Ready(next),
                Err(Unreadable) => {
                    self.progress.end = End::Unreadable;
                    return Poll::Ready(Some(Err(Broken)));
                }
            }
        }
    }

    fn passes(&mut self, piece: &Bytes) {
        self.progress.bytes += piece.len() as u64;
        self.sniff.feed(piece);
        if let Some(silence) = &mut self.silence {
            silence.since = Instant::now();
        }
    }

    fn poll_comment(&mut self, cx: &mut Context<'_>) -> PollFrame {
        let Some(silence) = &mut self.silence else { return Poll::Pending };
        ready!(silence.poll_over(cx));
        if !self.sniff.is_between_events() {
            // Asked again when it has been silent for as long once more.
            let _ = silence.poll_over(cx);
            return Poll::Pending;
        }
        self.progress.bytes += COMMENT.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(COMMENT)))))
    }

    /// The answer is here to its end, of which `last` is left to pass: its record first.
    fn end(&mut self, last: Option<Bytes>) -> &mut Self {
        self.progress.end = End::Whole;
        self.note_whole();
        self.tally = None;
        let shared = self.hold.shared();
        let until = Instant::now() + shared.limits.written_within;
        let receipt = self.flight.send(&shared.log);
        if receipt.is_some() {
            self.hold.wake_at(until);
        }
        self.tail = Some(Tail { last, receipt, until });
        self
    }

    /// The end, once its record is written.
    fn poll_tail(&mut self, cx: &mut Context<'_>) -> PollFrame {
        match ready!(self.poll_written(cx)) {
            Ok(()) => {
                let last = self.tail.as_mut().and_then(|tail| tail.last.take());
                Poll::Ready(last.map(|last| Ok(Frame::data(last))))
            }
            Err(broken) => Poll::Ready(Some(Err(broken))),
        }
    }

    /// Without its record written the end never comes, unless the program counts what the log missed.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let Some(Tail { receipt: Some(receipt), until, .. }) = &mut self.tail else {
            return Poll::Ready(Ok(()));
        };
        let log = &self.hold.shared().log;
        let written = match receipt.poll(cx) {
            Poll::Ready(written) => written.is_ok(),
            Poll::Pending if log.holds() && Instant::now() < *until => return Poll::Pending,
            Poll::Pending => false,
        };
        if !log.lets_end(written) {
            return Poll::Ready(Err(Broken));
        }
        if let Some(tail) = &mut self.tail {
            tail.receipt = None;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether nothing of it has to come from the server any more, before its head goes out.
    pub(crate) fn is_all_here(&self) -> bool {
        let is_at_end = match self.reading {
            Reading::AsItComes => self.inner.is_end_stream(),
            Reading::Narrowed(_) | Reading::Whole { .. } => false,
        };
        match &self.ahead.0 {
            [Some(Some(Err(_))), _] | [_, Some(Some(_))] => false,
            [Some(None), _] | [_, Some(None)] => true,
            [_, None] => is_at_end,
        }
    }

    /// Records an answer that is all here. Returns once that is written. Until then no byte is sent, and whoever is cut off
    /// meanwhile is told why.
    pub(crate) async fn recorded(&mut self) -> Result<(), Withheld> {
        let last = match self.ahead.take() {
            Some(Some(Ok(piece))) => Some(piece),
            Some(Some(Err(_)) | None) | None => None,
        };
        if let Some(last) = &last {
            self.passes(last);
        }
        self.end(last);
        self.hold.not_begun();
        poll_fn(|cx| match self.hold.reason() {
            Some(cut) => Poll::Ready(Err(Withheld::Cut(cut))),
            None => self.poll_written(cx).map_err(|Broken| Withheld::Unwritten),
        })
        .await?;
        self.hold.begin_answer().map_err(Withheld::Cut)
    }

    fn note_whole(&mut self) {
        let outcome = self.progress.by_status.unwrap_or_else(|| self.sniff.outcome());
        self.flight.sent(self.progress.bytes);
        self.flight.ended(outcome, None);
    }

    fn is_whole(&self) -> bool {
        self.progress.end == End::Whole || (self.progress.end == End::NotYet && self.is_end_stream())
    }
}

/// The record, unless it was sent with the end.
impl Drop for Watched {
    fn drop(&mut self) {
        self.flight.sent(self.progress.bytes);
        if self.is_whole() {
            self.note_whole();
        } else if let Some(cut) = self.hold.reason() {
            self.flight.cut(&cut);
        } else if self.progress.end == End::Unreadable {
            self.flight.ended(Outcome::Failed, Some(Failure::Unreadable.code()));
        } else if self.progress.end == End::Broken {
            self.flight.ended(Outcome::Failed, Some(Failure::BrokeOff.code()));
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
