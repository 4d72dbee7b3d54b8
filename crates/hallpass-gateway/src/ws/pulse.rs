//! When one side of a connection was last heard of. By the clock that only goes forward.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Beats whenever a byte comes.
pub(crate) struct Pulse {
    started: Instant,
    /// Milliseconds since then.
    last: AtomicU64,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), last: AtomicU64::new(0) }
    }

    pub(crate) fn beat(&self) {
        self.last.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    pub(crate) fn silence(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms().saturating_sub(self.last.load(Ordering::Relaxed)))
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
