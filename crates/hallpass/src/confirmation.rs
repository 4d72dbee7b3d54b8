//! Waits until the running gateway has a revision of the store in force. Changes nothing.

use crate::clock;
use crate::fault::{Doing, Result};
use crate::home::Home;
use crate::installation::Installation;
use crate::output::distance;
use crate::presence::NODE;
use hallpass_store::GatewayRow;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often the gateway's row is read.
const LOOK: Duration = Duration::from_millis(20);
/// How often it is looked whether a gateway still runs.
const LOOK_AT_THE_PROCESS: Duration = Duration::from_secs(1);

/// A gateway that holds the right to serve the home.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its process; `None` while it starts.
    pub pid: Option<u32>,
    /// `pid 12, http://...`
    pub said: String,
}

impl Running {
    /// The gateway of this home, if one runs.
    pub fn find(home: &Home) -> Option<Self> {
        let said = home.running_gateway()?;
        let pid = said.strip_prefix("pid ").and_then(|rest| rest.split(',').next()?.parse().ok());
        Some(Self { pid, said })
    }

    /// A row that another process left says nothing about this one.
    fn wrote(&self, row: &GatewayRow) -> bool {
        self.pid == Some(row.pid)
    }
}

/// What came of waiting.
#[derive(Clone, Debug)]
pub enum Confirmation {
    /// No gateway runs: what is in the store is in force from its next start.
    NoGateway,
    /// It has the revision in force.
    Confirmed(Running),
    /// It has not said so in time.
    Missing {
        /// Who.
        running: Running,
        /// When it was last heard of, in words.
        heard: String,
    },
}

impl Installation {
    /// Waits until the running gateway has what the store holds now in force, for as long as `patience` lasts.
    pub async fn confirmation(&self, patience: Duration) -> Result<Confirmation> {
        let revision = self.store.revision().await.doing("the store's revision")?;
        let deadline = Instant::now() + patience;
        loop {
            let Some(running) = Running::find(&self.home) else { return Ok(Confirmation::NoGateway) };
            let until = deadline.min(Instant::now() + LOOK_AT_THE_PROCESS);
            if self.is_confirmed(&running, revision, until).await? {
                return Ok(Confirmation::Confirmed(running));
            }
            if Instant::now() >= deadline {
                let heard = self.last_heard_of(&running).await;
                return Ok(Confirmation::Missing { running, heard });
            }
        }
    }

    /// Reads the gateway's row until it says that the revision is in force; `false` after `until`.
    async fn is_confirmed(&self, running: &Running, revision: i64, until: Instant) -> Result<bool> {
        loop {
            let row = self.store.gateway(NODE).await.doing("the gateway's row")?;
            if row.is_some_and(|row| running.wrote(&row) && row.revision >= revision) {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            sleep(LOOK).await;
        }
    }

    async fn last_heard_of(&self, running: &Running) -> String {
        let row = self.store.gateway(NODE).await.ok().flatten().filter(|row| running.wrote(row));
        row.map_or_else(
            || "it has not been heard of yet".into(),
            |row| format!("it was last heard of {}", distance(row.at_ms / 1000, clock::now().seconds())),
        )
    }
}
