//! Follows the store for a running gateway: publishes what is in force whenever it changes, whichever process changed
//! it. Decides nothing about it.

use crate::fault::Fault;
use crate::installation::Installation;
use crate::output::note;
use hallpass_gateway::Gateway;
use hallpass_store::Watch;
use std::sync::Arc;
use std::time::Duration;

/// How often the store is asked whether another process changed it. A revocation binds within this and a little.
const LOOK: Duration = Duration::from_millis(100);

/// Looks and publishes for as long as it is polled. `shown`: the revision that is published; it moves only with what
/// is, so that a snapshot that cannot be read is tried again.
pub async fn follow(installation: &Installation, gateway: &Gateway, watch: &mut Watch, mut shown: i64) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut said = String::new();
    loop {
        ticks.tick().await;
        let news = match watch.changed(shown).await {
            Ok(false) => {
                gateway.confirm();
                said.clear();
                continue;
            }
            Ok(true) => installation.snapshot().await.map(|snapshot| {
                shown = snapshot.revision();
                gateway.publish(Arc::new(snapshot));
            }),
            Err(fault) => Err(Fault::new(fault.to_string())),
        };
        let trouble =
            news.err().map(|fault| format!("the store cannot be read: {fault}")).unwrap_or_default();
        if !trouble.is_empty() && trouble != said {
            note(&trouble);
        }
        said = trouble;
    }
}
