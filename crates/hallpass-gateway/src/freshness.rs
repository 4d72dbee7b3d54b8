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

    /// At that instant, what is in force was what the store held.
    pub(crate) fn confirm(&self, at: Instant) {
        self.confirmed.fetch_max(milliseconds(at.saturating_duration_since(self.started)), Ordering::Relaxed);
    }

    pub(crate) fn is_stale(&self, limits: &Limits) -> bool {
        self.age() > limits.stale_after
    }

    /// How long ago it was confirmed.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms().saturating_sub(self.confirmed.load(Ordering::Relaxed)))
    }

    fn elapsed_ms(&self) -> u64 {
        milliseconds(self.started.elapsed())
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
