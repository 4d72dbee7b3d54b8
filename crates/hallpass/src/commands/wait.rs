//! `--wait`: returns when the running gateway has what was just changed in force.

use crate::cli::Wait;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::home::Home;
use crate::installation::Installation;
use crate::output::{distance, note};
use crate::presence::NODE;
use hallpass_store::GatewayRow;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often the gateway's row is read.
const LOOK: Duration = Duration::from_millis(20);
/// How often it is looked whether a gateway still runs.
const LOOK_AT_THE_PROCESS: Duration = Duration::from_secs(1);

/// A gateway that holds the right to serve the home.
struct Running {
    pid: Option<u32>,
    /// `pid 12, http://...`
    said: String,
}

impl Running {
    fn find(home: &Home) -> Option<Self> {
        let said = home.running_gateway()?;
        let pid = said.strip_prefix("pid ").and_then(|rest| rest.split(',').next()?.parse().ok());
        Some(Self { pid, said })
    }

    /// A row that another process left says nothing about this one.
    fn wrote(&self, row: &GatewayRow) -> bool {
        self.pid == Some(row.pid)
    }
}

impl Wait {
    /// Not after a dry run: nothing was changed.
    pub(super) fn unless(self, dry_run: bool) -> Self {
        if dry_run { Self::default() } else { self }
    }

    /// Waits, if it was asked for, until the running gateway has the store's present revision in force.
    pub(super) async fn for_gateway(self, installation: &Installation) -> Result<()> {
        let Some(seconds) = self.wait else { return Ok(()) };
        let revision = installation.store.revision().await.doing("the store's revision")?;
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            let Some(running) = Running::find(&installation.home) else {
                note("no gateway runs: what was changed is in force from its next start");
                return Ok(());
            };
            let until = deadline.min(Instant::now() + LOOK_AT_THE_PROCESS);
            if confirmed(installation, &running, revision, until).await? {
                note(&format!("the running gateway has confirmed it ({})", running.said));
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(unconfirmed(installation, &running, seconds).await);
            }
        }
    }
}

/// Reads the gateway's row until it says that the revision is in force; `false` after `until`.
async fn confirmed(
    installation: &Installation,
    running: &Running,
    revision: i64,
    until: Instant,
) -> Result<bool> {
    loop {
        let row = installation.store.gateway(NODE).await.doing("the gateway's row")?;
        if row.is_some_and(|row| running.wrote(&row) && row.revision >= revision) {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        sleep(LOOK).await;
    }
}

async fn unconfirmed(installation: &Installation, running: &Running, seconds: u64) -> Fault {
    let row = installation.store.gateway(NODE).await.ok().flatten().filter(|row| running.wrote(row));
    let heard = row.map_or_else(
        || "it has not been heard of yet".into(),
        |row| format!("it was last heard of {}", distance(row.at_ms / 1000, clock::now().seconds())),
    );
    let stop = running.pid.map_or_else(|| "stop it".into(), |pid| format!("stop it (`kill {pid}`)"));
    Fault::new(format!(
        "what was changed is in the store, and the running gateway ({}) has not confirmed it within {seconds} s: {heard}",
        running.said
    ))
    .hint(format!(
        "until it does, calls may pass that no longer should: look at what it says, or {stop}; it refuses everything once it has not read the store for `gateway.max_stale`"
    ))
}
