//! The one screen: rows and the time go in, what stands where comes out, and what needs a person. Opens nothing.

mod grace;
mod needs;
mod standing;
mod text;

pub use grace::GraceStanding;
pub use needs::{Need, needs};
pub use standing::{ClientStanding, NextToken, Replaced, TokenStanding};
pub use text::{lines, need_lines};

use hallpass_core::roster::Rotate;
use hallpass_core::uses::{LegacyUse, TokenUse, Warning};
use hallpass_core::{ClientName, UnixTime};
use hallpass_store::{ClientRow, Disabled, GraceRow, TokenRead, TokenRow};
use std::collections::HashMap;

/// How far back warnings are shown, in seconds.
pub const WARNINGS_SHOWN: i64 = 7 * DAY;
/// Seconds.
pub(crate) const DAY: i64 = 86_400;

/// Rows as they were read.
#[derive(Debug, Default)]
pub struct Rows {
    /// The clients by name.
    pub clients: Vec<ClientRow>,
    /// Live tokens, and each client's newest. Newest first.
    pub tokens: Vec<TokenRow>,
    /// How each client's token is placed.
    pub placements: HashMap<ClientName, TokenRead>,
    /// Why clients are disabled.
    pub disabled: HashMap<ClientName, Disabled>,
    /// Each client's newest use of a token of its own.
    pub newest_uses: Vec<TokenUse>,
    /// The uses of live tokens.
    pub live_uses: Vec<TokenUse>,
    /// What was odd of late, newest first.
    pub warnings: Vec<Warning>,
    /// Up to when a person has seen the warnings, in milliseconds.
    pub warnings_seen_until_ms: i64,
    /// The grace period.
    pub grace: Option<GraceRow>,
    /// Who uses the shared secret.
    pub legacy: Vec<LegacyUse>,
}

/// How the gateway is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayStanding {
    /// What it says of itself (`pid 12, http://...`); `None`: it does not run.
    pub running: Option<String>,
    /// What it answers.
    pub health: Health,
    /// The revision that it has in force, as far as it has said so.
    pub in_force: Option<i64>,
    /// The newest revision.
    pub newest: i64,
}

/// What a running gateway answers when it is asked whether it lets calls in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Ready,
    /// It does not: what is in force could not be read for too long.
    Stale,
    /// It does not answer.
    #[default]
    Silent,
}

/// The whole screen.
#[derive(Debug)]
pub struct Overview {
    /// When it was looked.
    pub now: UnixTime,
    /// The home's folder.
    pub home: String,
    /// The gateway.
    pub gateway: GatewayStanding,
    /// The servers: name and address.
    pub servers: Vec<(String, String)>,
    /// The clients by name.
    pub clients: Vec<ClientStanding>,
    /// Superseded tokens that are still good.
    pub replaced: Vec<Replaced>,
    /// What was odd of late, newest first; whether a person has seen it.
    pub warnings: Vec<(Warning, bool)>,
    /// The grace period, running or over of late.
    pub grace: Option<GraceStanding>,
}

/// What is known besides the rows.
#[derive(Debug)]
pub struct Surroundings {
    /// When it was looked.
    pub now: UnixTime,
    /// The home's folder.
    pub home: String,
    /// The gateway.
    pub gateway: GatewayStanding,
    /// The servers: name and address.
    pub servers: Vec<(String, String)>,
    /// Whether the gateway rotates tokens by itself.
    pub rotate: Rotate,
}

impl Overview {
    /// Puts the screen together.
    pub fn of(rows: &Rows, around: Surroundings) -> Self {
        let Surroundings { now, home, gateway, servers, rotate } = around;
        let seen = |warning: &Warning| warning.last_ms <= rows.warnings_seen_until_ms;
        Self {
            now,
            home,
            gateway,
            servers,
            clients: standing::clients(rows, rotate, now),
            replaced: standing::replaced(rows, now),
            warnings: rows.warnings.iter().map(|warning| (warning.clone(), seen(warning))).collect(),
            grace: rows.grace.as_ref().and_then(|row| GraceStanding::of(row, &rows.legacy, now)),
        }
    }
}
