//! The calls of one connection that wait for their answers, each with its record. Sends nothing.

use crate::failure::Failure;
use crate::flight::Flight;
use crate::line::{Asked, Cut};
use crate::log_state::LogState;
use crate::record::Receipt;
use crate::tally::Tally;
use hallpass_core::{Denial, Outcome};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A call in progress. Dropping it takes it off the client's count, and then sends its record.
pub(crate) struct Waiting {
    pub(crate) _tally: Option<Tally>,
    pub(crate) flight: Flight,
    pub(crate) asked: Asked,
    /// Its answer may say for whom it may be kept.
    pub(crate) caches: bool,
}

/// By their ids, as they were spelt. A client that uses one id for two calls gets its answers in their order.
#[derive(Default)]
pub(crate) struct Calls {
    waiting: Mutex<HashMap<Box<str>, VecDeque<Waiting>>>,
    /// Answers that are here and not passed on yet.
    passing: AtomicUsize,
    changed: Notify,
}

/// An answer that is here, until it is passed on or given up.
pub(crate) struct Passing<'a>(&'a Calls);

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0.passing.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_waiters();
    }
}

impl Calls {
    pub(crate) fn add(&self, id: &str, call: Waiting) {
        self.lock().entry(key(id)).or_default().push_back(call);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Waits until no call waits, and every answer is passed on.
    pub(crate) async fn all_answered(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_empty() && self.passing.load(Ordering::Relaxed) == 0 {
                return;
            }
            changed.await;
        }
    }

    /// What the call with this id asked for, and its own name in the log.
    pub(crate) fn asked(&self, id: &str) -> Option<(Asked, String)> {
        let waiting = self.lock();
        let call = waiting.get(&key(id))?.front()?;
        Some((call.asked.clone(), call.flight.request_id().to_owned()))
    }

    /// Whether the call with this id is of a revision that knows caches.
    pub(crate) fn caches(&self, id: &str) -> bool {
        self.lock().get(&key(id)).and_then(VecDeque::front).is_some_and(|call| call.caches)
    }

    /// The call with this id has its answer, of `bytes` as it will be passed on once its record is written.
    pub(crate) fn answered(
        &self,
        id: &str,
        outcome: Outcome,
        bytes: usize,
        log: &LogState,
    ) -> Option<(Passing<'_>, Option<Receipt>)> {
        let Waiting { _tally: tally, mut flight, .. } = self.take(id)?;
        self.passing.fetch_add(1, Ordering::Relaxed);
        flight.sent(bytes as u64);
        flight.ended(outcome, None);
        // Taken off the client's count before its record can be read.
        drop(tally);
        Some((Passing(self), flight.send(log)))
    }

    /// The call with this id got an answer that its caller may no longer have.
    pub(crate) fn refused(&self, id: &str, denial: &Denial) {
        let Some(mut call) = self.take(id) else { return };
        call.flight.cut(&Cut::Denied(denial.clone()));
        drop(call);
        self.changed.notify_waiters();
    }

    fn take(&self, id: &str) -> Option<Waiting> {
        let mut waiting = self.lock();
        let id = key(id);
        let calls = waiting.get_mut(&id)?;
        let call = calls.pop_front();
        if calls.is_empty() {
            waiting.remove(&id);
        }
        call
    }

    /// The gateway ended them.
    pub(crate) fn cut(&self, cut: &Cut) {
        self.end(|flight| flight.cut(cut));
    }

    /// Their server let them down.
    pub(crate) fn failed(&self, failure: Failure) {
        self.end(|flight| flight.failed(failure));
    }

    /// Their caller went away.
    pub(crate) fn gone(&self) {
        self.end(|flight| flight.ended(Outcome::Gone, None));
    }

    fn end(&self, how: impl Fn(&mut Flight)) {
        let calls = std::mem::take(&mut *self.lock());
        for mut call in calls.into_values().flatten() {
            how(&mut call.flight);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, VecDeque<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An id whatever its spelling: a server may write a letter as an escape where the client did not, and `1` for `1.0`.
fn key(id: &str) -> Box<str> {
    // No number and no word of JSON begins with a quote.
    if let Ok(text) = serde_json::from_str::<String>(id) {
        return format!("\"{text}").into();
    }
    let is_whole = id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match serde_json::from_str::<f64>(id) {
        Ok(number) if !is_whole => number.to_string().into(),
        Ok(_) | Err(_) => id.into(),
    }
}
