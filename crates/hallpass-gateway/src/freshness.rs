//! When the snapshot in force was last known to be the newest. Past a bound, nothing is let in by it.

use crate::config::Limits;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// By the clock that only goes forward: a machine whose time is set must neither shut nor open the gate.
pub(crate) struct Freshness {
    started: Instant,
    /// Milliseconds since then.
    confirmed: AtomicU64,
}

impl Freshness {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), confirmed: AtomicU64::new(0) }
    }

    /// What is in force was just seen to be what the store holds.
    pub(crate) fn confirm(&self) {
        self.confirmed.fetch_max(self.elapsed_ms(), Ordering::Relaxed);
    }

    pub(crate) fn is_stale(&self, limits: &Limits) -> bool {
        self.age() > limits.stale_after
    }

    /// How long ago it was confirmed.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms().saturating_sub(self.confirmed.load(Ordering::Relaxed)))
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
