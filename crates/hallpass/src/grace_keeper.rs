//! Keeps of the grace period, while the gateway runs, what no restart and no clock may bring back: the highest time seen,
//! and that it is over. What has to be kept is decided in the core.

use crate::clock;
use crate::output::note;
use hallpass_core::grace_watch::{GraceWatch, Note};
use hallpass_core::{Event, Grace, Outcome, UnixTime};
use hallpass_gateway::Gateway;
use hallpass_store::{Store, StoreFault};
use std::time::Duration;

/// How often it is looked at. A `kill -9` together with a clock set back can lose so much of the end.
const LOOK: Duration = Duration::from_secs(1);

/// The keeper of one running gateway.
pub struct GraceKeeper {
    store: Store,
    watch: GraceWatch,
    trouble: String,
}

impl GraceKeeper {
    /// Keeps in this store.
    pub fn new(store: Store) -> Self {
        Self { store, watch: GraceWatch::default(), trouble: String::new() }
    }

    /// Looks again and again, until it is dropped.
    pub async fn keep(&mut self, gateway: &Gateway) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(grace) = gateway.grace() else { continue };
            let kept = self.look(&grace, clock::now()).await;
            self.say(kept.err());
        }
    }

    /// Keeps what is left, before the gateway ends.
    pub async fn keep_the_rest(&mut self, gateway: &Gateway) {
        let Some(grace) = gateway.grace() else { return };
        let now = clock::now();
        if let Some(note) = self.watch.last_look(&grace, now) {
            let kept = self.write(note, now).await;
            self.say(kept.err());
        }
    }

    /// One look at `now`.
    pub async fn look(&mut self, grace: &Grace, now: UnixTime) -> Result<(), StoreFault> {
        match self.watch.look(grace, now) {
            Some(note) => self.write(note, now).await,
            None => Ok(()),
        }
    }

    async fn write(&mut self, found: Note, now: UnixTime) -> Result<(), StoreFault> {
        match found {
            Note::Seen { period, at } => self.store.note_grace_seen(period, at).await?,
            Note::Over { period, at, seen } => {
                // What ended it: by this a person sees later that a clock ran ahead.
                self.store.note_grace_seen(period, seen).await?;
                if self.store.end_grace(period, at, &is_over(at, seen, now)).await? {
                    note(&format!("the grace period is over since {at}: the shared secret is refused"));
                }
            }
        }
        self.watch.was_kept(found);
        Ok(())
    }

    /// Once for each kind of trouble, not each second.
    fn say(&mut self, fault: Option<StoreFault>) {
        let trouble = fault
            .map(|fault| format!("the highest time seen of the grace period cannot be kept: {fault}"))
            .unwrap_or_default();
        if !trouble.is_empty() && trouble != self.trouble {
            note(&trouble);
        }
        self.trouble = trouble;
    }
}

fn is_over(at: UnixTime, seen: UnixTime, now: UnixTime) -> Event {
    let reason = format!("its end was {at}, the highest time seen is {seen}");
    Event {
        reason: Some(reason),
        ..Event::new(now.seconds().saturating_mul(1000), "grace-over", Outcome::Done)
    }
}
