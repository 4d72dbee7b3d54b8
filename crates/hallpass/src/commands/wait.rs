//! `--wait`: returns when the running gateway has what was just changed in force.

use crate::cli::Wait;
use crate::confirmation::{Confirmation, Running};
use crate::fault::{Fault, Result};
use crate::installation::Installation;
use crate::output::note;
use std::time::Duration;

impl Wait {
    /// Not after a dry run: nothing was changed.
    pub(super) fn unless(self, dry_run: bool) -> Self {
        if dry_run { Self::default() } else { self }
    }

    /// Waits, if it was asked for, until the running gateway has the store's present revision in force.
    pub(super) async fn for_gateway(self, installation: &Installation) -> Result<()> {
        let Some(seconds) = self.wait else { return Ok(()) };
        match installation.confirmation(Duration::from_secs(seconds)).await? {
            Confirmation::NoGateway => {
                note("no gateway runs: what was changed is in force from its next start");
                Ok(())
            }
            Confirmation::Confirmed(running) => {
                note(&format!("the running gateway has confirmed it ({})", running.said));
                Ok(())
            }
            Confirmation::Missing { running, heard } => Err(unconfirmed(&running, &heard, seconds)),
        }
    }
}

fn unconfirmed(running: &Running, heard: &str, seconds: u64) -> Fault {
    let stop = running.pid.map_or_else(|| "stop it".into(), |pid| format!("stop it (`kill {pid}`)"));
    let said = if running.said.is_empty() { "it starts" } else { running.said.as_str() };
    Fault::new(format!(
        "what was changed is in the store, and the running gateway ({said}) has not confirmed it within {seconds} s: {heard}"
    ))
    .hint(format!(
        "until it does, calls may pass that no longer should: look at what it says, or {stop}; it refuses everything once it has not read the store for `gateway.max_stale`"
    ))
}
