//! Gathers what the metrics say: counts, the running gateway, the store. Changes nothing.

use crate::clock;
use crate::installation::Installation;
use crate::metrics::{self, Counts, Gauges};
use hallpass_gateway::{Entry, View};
use hallpass_store::{Store, StoreFault};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::WeakSender;

/// Where the metrics come from.
pub struct Desk {
    store: Store,
    view: View,
    counts: Arc<Mutex<Counts>>,
    /// Weak: it must not keep the log open when the gateway ends.
    queue: WeakSender<Entry>,
}

impl Desk {
    /// Of a running gateway, what is counted of its events, and the queue in which these wait.
    pub fn new(
        installation: &Installation,
        view: View,
        counts: Arc<Mutex<Counts>>,
        queue: WeakSender<Entry>,
    ) -> Self {
        Self { store: installation.store.clone(), view, counts, queue }
    }

    /// The page for Prometheus.
    pub(super) async fn metrics(&self) -> Result<String, StoreFault> {
        let ends = self.store.token_ends().await?;
        let now = clock::now();
        let snapshot = self.view.snapshot();
        let left = |grace: &Arc<hallpass_core::Grace>| match grace.over_since(now) {
            Some(_) => 0,
            None => grace.terms().until.since(now),
        };
        let gauges = Gauges {
            in_progress: self.view.calls_in_progress(),
            waiting: self.queue.upgrade().map_or(0, |queue| queue.max_capacity() - queue.capacity()),
            revision: snapshot.revision(),
            age_s: self.view.age().as_secs_f64(),
            is_stale: self.view.is_stale(),
            grace_left_s: snapshot.grace().map(left),
            tokens_left_s: ends
                .into_iter()
                .map(|(client, end)| (client.as_str().to_owned(), end.since(now)))
                .collect(),
        };
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(metrics::text(&counts, &gauges, env!("CARGO_PKG_VERSION")))
    }
}
