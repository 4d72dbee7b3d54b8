//! What was used up to this moment: the rows that are kept, and what the log has that is not counted in them yet. The
//! running gateway writes rows every few seconds; whoever ends a grace period must not miss those seconds.

use crate::fault::{Doing, Fault, Result};
use hallpass_core::Snapshot;
use hallpass_core::sightings::{Kept, Noticed, Sightings};
use hallpass_core::uses::{LegacyCaller, LegacyUse, TokenUse};
use hallpass_store::Store;
use std::collections::BTreeMap;

/// Events that are read from the log at once.
const PAGE: u32 = 2000;
/// How far back the log is counted, in rows. So far back the gateway counts, too.
const BACK_MOST: i64 = 100_000;
/// How often rows are read again that changed while they were read.
const TRIES: usize = 10;

/// All uses.
#[derive(Debug, Default)]
pub struct UsesNow {
    /// Of tokens, by `jti`.
    pub tokens: BTreeMap<String, TokenUse>,
    /// Of the shared secret.
    pub legacy: BTreeMap<LegacyCaller, LegacyUse>,
}

impl UsesNow {
    /// Reads and counts it all. `snapshot`: what is in force.
    pub async fn read(store: &Store, snapshot: &Snapshot) -> Result<Self> {
        let (mut uses, counted) = Self::kept(store).await?;
        let newest = store.newest_event().await.doing("the log")?;
        let mut sightings = Sightings::default();
        sightings.begin(uses.legacy.values().cloned().collect(), Vec::new());
        let mut after = counted.unwrap_or(0).max(newest - BACK_MOST);
        loop {
            let page = store.events_after(after, PAGE).await.doing("the log")?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            let unknown = sightings.unknown_in(page.iter().map(|(_, event)| event));
            let tokens = unknown.iter().filter_map(|jti| uses.tokens.get(*jti).cloned()).collect();
            sightings.know(&unknown, Kept { tokens, warnings: Vec::new() });
            for (_, event) in &page {
                sightings.see(event, snapshot, &mut Noticed::default());
            }
        }
        let news = sightings.dirty();
        uses.tokens.extend(news.tokens.into_iter().map(|usage| (usage.jti.clone(), usage)));
        uses.legacy.extend(news.legacy.into_iter().map(|usage| (usage.caller.clone(), usage)));
        Ok(uses)
    }

    /// The rows, and the last event that is counted in all of them.
    async fn kept(store: &Store) -> Result<(Self, Option<i64>)> {
        let mut counted = store.uses_counted_until().await.doing("the uses")?;
        for _ in 0..TRIES {
            let tokens = store.token_uses().await.doing("the uses of tokens")?;
            let legacy = store.legacy_uses().await.doing("the uses of the shared secret")?;
            // Rows and mark are written together: with the same mark before and after they belong together.
            let after = store.uses_counted_until().await.doing("the uses")?;
            if after == counted {
                let tokens = tokens.into_iter().map(|usage| (usage.jti.clone(), usage)).collect();
                let legacy = legacy.into_iter().map(|usage| (usage.caller.clone(), usage)).collect();
                return Ok((Self { tokens, legacy }, counted));
            }
            counted = after;
        }
        Err(Fault::new("the uses of tokens change faster than they can be read").hint("run it again"))
    }
}
