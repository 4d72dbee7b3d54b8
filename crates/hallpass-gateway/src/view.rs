//! A look at a running gateway from outside, for metrics and for what is remembered of calls. Changes nothing, and keeps
//! neither threads nor the log alive.

use crate::credential::Gate;
use crate::freshness::Freshness;
use crate::tally::Tallies;
use crate::worker::Shared;
use hallpass_core::Snapshot;
use std::sync::Arc;
use std::time::Duration;

/// A look at a running gateway. Cheap to clone.
#[derive(Clone)]
pub struct View {
    gate: Arc<Gate>,
    freshness: Arc<Freshness>,
    tallies: Arc<Tallies>,
    stale_after: Duration,
}

impl View {
    pub(crate) fn of(shared: &Shared) -> Self {
        Self {
            gate: Arc::clone(&shared.gate),
            freshness: Arc::clone(&shared.freshness),
            tallies: Arc::clone(&shared.tallies),
            stale_after: shared.limits.stale_after,
        }
    }

    /// What is in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(self.gate.in_force().snapshot())
    }

    /// How long ago that was last seen to be the newest.
    pub fn age(&self) -> Duration {
        self.freshness.age()
    }

    /// Whether that is so long ago that nothing is let in.
    pub fn is_stale(&self) -> bool {
        self.age() > self.stale_after
    }

    /// Calls and streams in progress of callers that were verified.
    pub fn calls_in_progress(&self) -> usize {
        self.tallies.in_progress()
    }
}
