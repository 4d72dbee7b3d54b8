//! Counts each client's calls and streams in progress. Knows no rates.

use hallpass_core::{ClientName, Denial};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// How many calls of each client are in progress, in all threads together.
#[derive(Debug, Default)]
pub(crate) struct Tallies(RwLock<HashMap<ClientName, Arc<AtomicUsize>>>);

/// One call in progress.
#[derive(Debug)]
pub(crate) struct Tally(Arc<AtomicUsize>);

impl Tallies {
    /// Counts a call of `client`, unless `most` are in progress.
    pub(crate) fn take(&self, client: &ClientName, most: usize) -> Result<Tally, Denial> {
        let tally = Tally(self.count_of(client));
        // Dropping the tally takes the call off again.
        if tally.0.fetch_add(1, Ordering::Relaxed) >= most { Err(Denial::TooManyInFlight) } else { Ok(tally) }
    }

    /// Forgets clients that are no longer there. Counts in use live on with their calls.
    pub(crate) fn keep_only(&self, is_client: impl Fn(&ClientName) -> bool) {
        let mut counts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|client, count| is_client(client) || count.load(Ordering::Relaxed) > 0);
    }

    fn count_of(&self, client: &ClientName) -> Arc<AtomicUsize> {
        if let Some(count) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(client) {
            return Arc::clone(count);
        }
        let mut counts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(counts.entry(client.clone()).or_default())
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
