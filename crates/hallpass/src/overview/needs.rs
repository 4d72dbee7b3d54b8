//! What needs a person, each with what to type: the conditions of `hallpass status --check`.

use super::standing::NextToken;
use super::{DAY, Health, Overview, TokenStanding};
use crate::output::distance;
use hallpass_core::uses::{Warning, WarningKind};
use hallpass_core::{ClientName, UnixTime};

/// A grace period that ends sooner, in seconds, and is still used, needs a person.
const GRACE_SOON: i64 = 3 * DAY;
/// A superseded token that was used within this time is still in use, in seconds.
const IN_USE: i64 = DAY;
/// The least time before its end at which such a token needs a person, in seconds.
const REPLACED_SOON: i64 = 6 * 3600;

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The gateway does not run.
    GatewayDown,
    /// It does not answer.
    GatewaySilent,
    /// It refuses everything: it could not read its database for too long.
    GatewayStale,
    /// It does not have the newest revision in force.
    GatewayBehind {
        /// What it has.
        in_force: i64,
        /// What there is.
        newest: i64,
    },
    /// Something odd that nobody has seen yet.
    Odd(Warning),
    /// A client without a good token, whom nobody cut off.
    NoToken {
        /// Which.
        client: ClientName,
        /// When the last one ended; `None`: it never had one.
        since: Option<UnixTime>,
    },
    /// A token that ends, and nothing but a person sees to the next one.
    TokenEnds {
        /// Whose.
        client: ClientName,
        /// When.
        at: UnixTime,
        /// Why the gateway does not see to it.
        next: NextToken,
    },
    /// A superseded token that is still used and ends soon.
    ReplacedInUse {
        /// Whose.
        client: ClientName,
        /// When it ends.
        until: UnixTime,
        /// From where it was used last.
        address: Option<String>,
    },
    /// The grace period ends soon, and the shared secret is still used.
    GraceEnds {
        /// When.
        until: UnixTime,
        /// By how many.
        users: usize,
    },
}

/// All of them, the most urgent first.
pub fn needs(overview: &Overview) -> Vec<Need> {
    let mut needs: Vec<Need> = gateway(overview).into_iter().collect();
    let odd = |critical: bool| {
        let unseen = overview.warnings.iter().filter(|(_, seen)| !seen).map(|(warning, _)| warning);
        unseen.filter(move |warning| warning.kind.is_critical() == critical).cloned().map(Need::Odd)
    };
    needs.extend(odd(true));
    needs.extend(
        overview
            .clients
            .iter()
            .filter(|client| client.enabled)
            .filter_map(|client| token(&client.name, client.token)),
    );
    needs.extend(replaced(overview));
    needs.extend(grace(overview));
    needs.extend(odd(false));
    needs
}

fn gateway(overview: &Overview) -> Option<Need> {
    let gateway = &overview.gateway;
    if gateway.running.is_none() {
        return Some(Need::GatewayDown);
    }
    match gateway.health {
        Health::Silent => Some(Need::GatewaySilent),
        Health::Stale => Some(Need::GatewayStale),
        Health::Ready => {
            let newest = gateway.newest;
            let in_force = gateway.in_force.filter(|in_force| *in_force < newest)?;
            Some(Need::GatewayBehind { in_force, newest })
        }
    }
}

fn token(client: &ClientName, token: TokenStanding) -> Option<Need> {
    let client = client.clone();
    match token {
        TokenStanding::None => Some(Need::NoToken { client, since: None }),
        TokenStanding::Expired { at } | TokenStanding::Replaced { at } => {
            Some(Need::NoToken { client, since: Some(at) })
        }
        TokenStanding::Good { next: NextToken::NotYet, .. }
        // Whoever revoked it meant it.
        | TokenStanding::Pending | TokenStanding::Revoked { .. } => None,
        TokenStanding::Good { ends, next } => Some(Need::TokenEnds { client, at: ends, next }),
    }
}

/// In the last quarter of the overlap, at least in its last hours.
fn replaced(overview: &Overview) -> impl Iterator<Item = Need> {
    overview.replaced.iter().filter_map(|replaced| {
        let used = replaced.used.as_ref()?;
        let soon = REPLACED_SOON.max(replaced.until.since(replaced.successor_at) / 4);
        let is_in_use = overview.now.seconds() - used.last_ms / 1000 <= IN_USE;
        (is_in_use && replaced.until.since(overview.now) <= soon).then(|| Need::ReplacedInUse {
            client: replaced.token.client.clone(),
            until: replaced.until,
            address: used.address.clone(),
        })
    })
}

fn grace(overview: &Overview) -> Option<Need> {
    let grace = overview.grace.as_ref().filter(|grace| grace.over_since.is_none())?;
    let is_soon = grace.until.since(overview.now) <= GRACE_SOON;
    (is_soon && !grace.users.is_empty())
        .then_some(Need::GraceEnds { until: grace.until, users: grace.users.len() })
}

impl Need {
    /// The word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::GatewayDown => "gateway_down",
            Self::GatewaySilent => "gateway_silent",
            Self::GatewayStale => "gateway_stale",
            Self::GatewayBehind { .. } => "gateway_behind",
            Self::Odd(_) => "warning",
            Self::NoToken { .. } => "no_token",
            Self::TokenEnds { .. } => "token_ends",
            Self::ReplacedInUse { .. } => "replaced_in_use",
            Self::GraceEnds { .. } => "grace_ends",
        }
    }

    /// The client that it is about, if it is about one.
    pub fn client(&self) -> Option<&ClientName> {
        match self {
            Self::Odd(warning) => warning.client.as_ref(),
            Self::NoToken { client, .. }
            | Self::TokenEnds { client, .. }
            | Self::ReplacedInUse { client, .. } => Some(client),
            Self::GatewayDown
            | Self::GatewaySilent
            | Self::GatewayStale
            | Self::GatewayBehind { .. }
            | Self::GraceEnds { .. } => None,
        }
    }

    /// What is so, in words.
    pub fn says(&self, now: UnixTime) -> String {
        let when = |at: UnixTime| distance(at.seconds(), now.seconds());
        match self {
            Self::GatewayDown => "the gateway does not run".into(),
            Self::GatewaySilent => "the gateway runs and does not answer".into(),
            Self::GatewayStale => {
                "the gateway refuses everything: it could not read its database for too long".into()
            }
            Self::GatewayBehind { in_force, newest } => {
                format!("the gateway has revision {in_force} in force, and {newest} is the newest")
            }
            Self::Odd(warning) => odd_in_words(warning),
            Self::NoToken { client, since: None } => format!("{client} has no token"),
            Self::NoToken { client, since: Some(since) } => {
                let ends = if *since > now { "ends" } else { "ended" };
                format!("{client} has no good token: the last one {ends} {}", when(*since))
            }
            Self::TokenEnds { client, at, next } => {
                let why = match next {
                    NextToken::GatewayIsLate => "the gateway has not rotated it",
                    NextToken::RotationIsOff => "`authority.rotate` is `never`",
                    NextToken::Restart => "its program reads a new one at a restart only",
                    NextToken::HandedOut => "a person placed it",
                    NextToken::NotYet => "there is time",
                };
                format!("the token of {client} ends {}, and {why}", when(*at))
            }
            Self::ReplacedInUse { client, until, address } => {
                let from = address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
                format!("{client} still uses its former token{from}, which ends {}", when(*until))
            }
            Self::GraceEnds { until, users } => {
                format!(
                    "the grace period ends {}, and {} still use the shared secret",
                    when(*until),
                    callers(*users)
                )
            }
        }
    }

    /// What to type next.
    pub fn type_next(&self) -> String {
        match self {
            Self::GatewayDown => "hallpass serve".into(),
            Self::GatewaySilent | Self::GatewayStale | Self::GatewayBehind { .. } => {
                "look at what `hallpass serve` says, or start it again".into()
            }
            Self::Odd(warning) => match (&warning.client, warning.kind.is_critical()) {
                (_, true) => "hallpass keys list".into(),
                (Some(client), false) => format!("hallpass log --client {client}"),
                (None, false) => "hallpass log".into(),
            },
            Self::NoToken { client, .. } => format!("hallpass issue {client}"),
            Self::TokenEnds { client, next: NextToken::HandedOut, .. } => {
                format!("hallpass rotate {client} --print")
            }
            Self::TokenEnds { client, .. } => format!("hallpass rotate {client}"),
            Self::ReplacedInUse { client, .. } => format!("restart {client}"),
            Self::GraceEnds { .. } => "hallpass grace status".into(),
        }
    }
}

fn callers(count: usize) -> String {
    if count == 1 { "1 caller".into() } else { format!("{count} callers") }
}

fn odd_in_words(warning: &Warning) -> String {
    let whose = warning.client.as_ref().map_or("a token", ClientName::as_str);
    let what = match warning.kind {
        WarningKind::TwoPrograms => "is shown by two programs",
        WarningKind::TwoAddresses => "is shown from two addresses at once",
        WarningKind::OtherClientsPath => "was shown on another client's path",
        WarningKind::AfterSilence => "was used after a long silence",
        WarningKind::Superseded => "uses its former token after the new one",
        WarningKind::UnknownToken | WarningKind::OtherTokenOfKnownId => {
            "was signed by a key of ours and is not known: unless a backup was restored, the key has leaked"
        }
    };
    let times = if warning.times == 1 { String::new() } else { format!(" ({} times)", warning.times) };
    format!("{whose} {what}{times}: {}", warning.detail)
}
