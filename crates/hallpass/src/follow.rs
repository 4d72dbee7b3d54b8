//! Follows the store for a running gateway: publishes what is in force whenever it changes, whichever process changed
//! it, and says when it cannot be known. Decides nothing about it.

use crate::installation::Installation;
use crate::output::note;
use hallpass_gateway::Gateway;
use hallpass_store::{StoreFault, Watch};
use std::time::Duration;
use tokio::time::Instant;

/// How often the store is asked whether another process changed it. A revocation binds within this and a little.
const LOOK: Duration = Duration::from_millis(100);

/// Looks and publishes for as long as it is polled. `watch` has seen what is published.
pub async fn follow(installation: &Installation, gateway: &Gateway, watch: &mut Watch) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut trouble = Trouble::default();
    loop {
        ticks.tick().await;
        // Taken before the look: what is committed while it lasts may be missing in what it finds.
        let seen_at = Instant::now();
        match installation.look(watch).await {
            Ok(news) => {
                if let Some(snapshot) = news {
                    gateway.publish(snapshot);
                }
                gateway.confirm(seen_at);
                trouble.is_over();
            }
            Err(fault) => trouble.goes_on(&fault, gateway.is_stale()),
        }
    }
}

/// What was said about a store that cannot be read: each thing once.
#[derive(Default)]
struct Trouble {
    said: Option<String>,
    said_refused: bool,
}

impl Trouble {
    fn goes_on(&mut self, fault: &StoreFault, is_stale: bool) {
        let fault_text = fault.to_string();
        if self.said.as_ref() != Some(&fault_text) {
            note(&format!("the store cannot be read, calls will be refused if this goes on: {fault_text}"));
            if let Some(hint) = hint(fault) {
                note(&format!("hint: {hint}"));
            }
            self.said = Some(fault_text);
        }
        if is_stale && !self.said_refused {
            note("every call is refused now: for too long nobody could see what is in force");
            self.said_refused = true;
        }
    }

    fn is_over(&mut self) {
        if self.said.is_some() {
            note("the store can be read again");
            *self = Self::default();
        }
    }
}

/// What a person has to do, where waiting does not help.
fn hint(fault: &StoreFault) -> Option<&'static str> {
    match fault {
        StoreFault::Missing | StoreFault::Replaced => Some("put `hallpass.db` back in its place"),
        StoreFault::SetBack { .. } => Some(
            "what was revoked since would be good again: put the newer one back (delete `hallpass.db-wal` and `hallpass.db-shm` first, they belong to this one); or start the gateway anew with this one, and revoke again",
        ),
        StoreFault::Foreign | StoreFault::Damaged(_) => {
            Some("put this home's own `hallpass.db` back in its place")
        }
        StoreFault::BehindLog => Some("put the newest database back"),
        StoreFault::Newer { .. } | StoreFault::Older => Some("start the gateway anew"),
        StoreFault::OthersCanRead { .. } => Some("`chmod 600` it"),
        StoreFault::OtherOwner => Some("give it to the user as whom the gateway runs"),
        StoreFault::Locked
        | StoreFault::AlreadyThere
        | StoreFault::DuplicateSubject { .. }
        | StoreFault::UnknownClient { .. }
        | StoreFault::KeyStopped { .. }
        | StoreFault::NotRecorded(_)
        | StoreFault::Failed(_) => None,
    }
}
