//! What the program says of its log, for every call that begins or ends: whether it takes records, and what becomes of
//! calls while it does not. Writes nothing, and waits for nothing.

use hallpass_core::audit_settings::OnFailure;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The state of the log, shared by the program, which sets it, and the gateway.
#[derive(Clone, Debug, Default)]
pub struct LogState(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    on_failure: OnFailure,
    fails: AtomicBool,
    unrecorded: AtomicU64,
    refused: AtomicU64,
}

/// What the log has missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Calls and ends of connections that have no record.
    pub unrecorded: u64,
    /// Calls that were refused because the log took none.
    pub refused: u64,
}

impl LogState {
    /// A log that takes records, and what to do when it does not.
    pub fn new(on_failure: OnFailure) -> Self {
        Self(Arc::new(Inner { on_failure, ..Inner::default() }))
    }

    /// What becomes of calls that cannot be recorded.
    pub fn on_failure(&self) -> OnFailure {
        self.0.on_failure
    }

    /// The log takes nothing, and that will not be over in a moment: from now on no call waits for it.
    pub fn fails(&self) {
        self.0.fails.store(true, Ordering::Relaxed);
    }

    /// The log takes records again.
    pub fn works(&self) {
        self.0.fails.store(false, Ordering::Relaxed);
    }

    /// Whether it was said that the log takes nothing.
    pub fn is_failing(&self) -> bool {
        self.0.fails.load(Ordering::Relaxed)
    }

    /// What the log has missed since this was last asked.
    pub fn take_missed(&self) -> Missed {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        Missed { unrecorded: take(&self.0.unrecorded), refused: take(&self.0.refused) }
    }

    /// It has missed this, too: that it did could not be written.
    pub fn give_back(&self, missed: Missed) {
        self.0.unrecorded.fetch_add(missed.unrecorded, Ordering::Relaxed);
        self.0.refused.fetch_add(missed.refused, Ordering::Relaxed);
    }

    /// Whether answers wait for their records to be written.
    pub(crate) fn holds(&self) -> bool {
        match self.0.on_failure {
            OnFailure::Refuse => true,
            OnFailure::Count => !self.is_failing(),
        }
    }

    /// Whether an answer may end, whose record is written or never will be.
    pub(crate) fn lets_end(&self, written: bool) -> bool {
        written || self.0.on_failure == OnFailure::Count
    }

    pub(crate) fn missed_one(&self) {
        self.0.unrecorded.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused_one(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }
}
