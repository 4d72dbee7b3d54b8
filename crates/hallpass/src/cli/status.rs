//! `hallpass status`, as types.

use super::Roster;
use clap::Args;

/// `hallpass status`
#[derive(Args, Debug, Clone, Default)]
pub struct Status {
    /// Print only what needs a person, and exit with 3 if there is anything
    #[arg(long)]
    pub check: bool,
    /// Take the warnings so far as seen: `--check` leaves them out until they are seen again
    #[arg(long, conflicts_with = "check")]
    pub acknowledge: bool,
    /// Which hallpass.toml
    #[command(flatten)]
    pub roster: Roster,
}
