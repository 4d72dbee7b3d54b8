//! What the gateway hands to the log, and how it hears that the log has it. Writes nothing.

use crate::worker::Shared;
use hallpass_core::Event;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// One record on its way to the log.
#[derive(Debug)]
pub struct Entry {
    /// What happened.
    pub event: Event,
    /// Who waits for it to be written: an answer whose last piece is held until then.
    pub written: Option<Written>,
}

impl Entry {
    /// Takes the record as written: what waits for it may go on.
    pub fn written(self) -> Event {
        if let Some(written) = self.written {
            written.now();
        }
        self.event
    }
}

/// Says that a record is written. Dropped without a word: it never will be.
#[derive(Debug)]
pub struct Written {
    receipt: oneshot::Sender<()>,
    notices: Notices,
}

impl Written {
    /// It is written, as durably as was asked for: the answer may end.
    pub fn now(self) {
        // Its caller may have hung up meanwhile.
        let _ = self.receipt.send(());
    }

    /// All these are written. Each thread that serves calls is woken once for all of its own: to wake it for each costs
    /// more than to write a record.
    pub fn all(written: impl IntoIterator<Item = Self>) {
        let mut by_thread: Vec<(Notices, Vec<oneshot::Sender<()>>)> = Vec::new();
        for Self { receipt, notices } in written {
            match by_thread.iter_mut().find(|(theirs, _)| theirs.0.same_channel(&notices.0)) {
                Some((_, receipts)) => receipts.push(receipt),
                None => by_thread.push((notices, vec![receipt])),
            }
        }
        for (notices, receipts) in by_thread {
            // Without the thread there is no call.
            let _ = notices.0.send(receipts);
        }
    }
}

/// The way to the thread on which an answer waits.
#[derive(Clone, Debug)]
pub(crate) struct Notices(mpsc::UnboundedSender<Vec<oneshot::Sender<()>>>);

/// What comes that way.
pub(crate) struct Noticed(mpsc::UnboundedReceiver<Vec<oneshot::Sender<()>>>);

impl Notices {
    pub(crate) fn new() -> (Self, Noticed) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), Noticed(receiver))
    }
}

impl Noticed {
    /// Tells those who wait on this thread, for as long as it serves.
    pub(crate) async fn pass_on(mut self) {
        while let Some(receipts) = self.0.recv().await {
            for receipt in receipts {
                let _ = receipt.send(());
            }
        }
    }
}

/// The other end: waits for a record to be written.
pub(crate) struct Receipt(oneshot::Receiver<()>);

/// The log gave up on a record.
#[derive(Debug)]
pub(crate) struct Unwritten;

impl Receipt {
    pub(crate) fn new(notices: Notices) -> (Written, Self) {
        let (written, receipt) = oneshot::channel();
        (Written { receipt: written, notices }, Self(receipt))
    }

    /// Waits, for as long as that makes sense. An error: the answer must not end.
    pub(crate) async fn written(mut self, shared: &Shared) -> Result<(), Unwritten> {
        let writing = timeout(shared.limits.written_within, poll_fn(|cx| self.poll(cx)));
        let written = matches!(writing.await, Ok(Ok(())));
        if shared.log.lets_end(written) { Ok(()) } else { Err(Unwritten) }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unwritten>> {
        Pin::new(&mut self.0).poll(cx).map_err(|_| Unwritten)
    }
}
