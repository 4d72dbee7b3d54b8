//! Counts each caller's calls and streams in progress. Knows no rates.

use hallpass_core::Denial;
use hallpass_core::judge::Principal;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// How many calls of each caller are in progress, in all threads together. By the principal's text: those who share the
/// shared secret cannot be told apart, and have one count.
#[derive(Debug, Default)]
pub(crate) struct Tallies(RwLock<HashMap<Box<str>, Arc<AtomicUsize>>>);

/// One call in progress.
#[derive(Debug)]
pub(crate) struct Tally(Arc<AtomicUsize>);

impl Tallies {
    /// Counts a call of `principal`, unless `most` are in progress.
    pub(crate) fn take(&self, principal: Principal<'_>, most: usize) -> Result<Tally, Denial> {
        let tally = Tally(match principal {
            Principal::Client(client) => self.count_of(client.as_str()),
            Principal::Legacy(_) => self.count_of(&principal.to_string()),
        });
        // Dropping the tally takes the call off again.
        if tally.0.fetch_add(1, Ordering::Relaxed) >= most { Err(Denial::TooManyInFlight) } else { Ok(tally) }
    }

    /// Forgets callers that are no longer there. Counts in use live on with their calls.
    pub(crate) fn keep_only(&self, is_client: impl Fn(&str) -> bool) {
        let mut counts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|client, count| is_client(client) || count.load(Ordering::Relaxed) > 0);
    }

    /// The calls of all callers together.
    pub(crate) fn in_progress(&self) -> usize {
        let counts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        counts.values().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    fn count_of(&self, client: &str) -> Arc<AtomicUsize> {
        if let Some(count) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(client) {
            return Arc::clone(count);
        }
        let mut counts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(counts.entry(client.into()).or_default())
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
