//! The migration report: who has left the shared secret behind, who has not, and from which day it can end. Rows and a
//! time in, one value out: the text, the page and the JSON are renderings of it. Reads nothing and asks no clock.

mod rule;
mod steps;
mod words;

use crate::name::{ClientName, PolicyName, ServerName};
use crate::snapshot::ServerScope;
use crate::time::UnixTime;
use crate::uses::{LegacyUse, TokenUse};
use serde::{Serialize, Serializer};

use std::collections::{BTreeMap, BTreeSet};

pub use rule::report;
pub use words::on_one_line;

/// How long nobody must have been let in by the secret before it can end, in seconds.
pub const QUIET: i64 = 7 * 86_400;

/// From which day the period can end. A disabled client does not count: its address is closed already.
pub const RULE: &str = "it can end when every client that was seen with the shared secret has used a token of its own, and \
    when nobody has been let in by the secret for 7 days";

/// What the report is made of.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The period, running or over.
    pub period: Option<Period>,
    /// The clients that are registered now.
    pub clients: Vec<ClientFacts>,
    /// The uses of their own tokens; of none that was issued to an earlier client of that name.
    pub token_uses: Vec<TokenUse>,
    /// The uses of the shared secret.
    pub legacy_uses: Vec<LegacyUse>,
}

/// A grace period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// When it was started.
    #[serde(serialize_with = "instant")]
    pub started_at: UnixTime,
    /// The first instant at which the secret no longer counts.
    #[serde(serialize_with = "instant")]
    pub until: UnixTime,
    /// Since when it is over, if it is.
    #[serde(serialize_with = "instant_if_any")]
    pub over_since: Option<UnixTime>,
    /// The highest time seen during it.
    #[serde(serialize_with = "instant")]
    pub seen: UnixTime,
    /// The servers that may be called with it; `None`: all.
    pub servers: Option<BTreeSet<ServerName>>,
    /// The policy that its callers are under.
    pub policy: Option<PolicyName>,
    /// On the path of a client that has used its own token the secret no longer counts.
    pub strict: bool,
}

impl Period {
    /// The servers of a scope as the report has them.
    pub fn servers_of(scope: &ServerScope) -> Option<BTreeSet<ServerName>> {
        match scope {
            ServerScope::All => None,
            ServerScope::Only(servers) => Some(servers.clone()),
        }
    }
}

/// What is known of a client.
#[derive(Clone, Debug)]
pub struct ClientFacts {
    /// Its name.
    pub name: ClientName,
    /// Which program it is.
    pub app: String,
    /// Not disabled.
    pub enabled: bool,
    /// It has a token that is in force.
    pub has_token: bool,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// When it was made.
    #[serde(serialize_with = "instant")]
    pub at: UnixTime,
    /// The period, running or over.
    pub period: Option<Period>,
    /// From which day it can end.
    pub verdict: Verdict,
    /// The rule that says so.
    pub rule: &'static str,
    /// When somebody was let in by the secret for the last time.
    #[serde(serialize_with = "instant_if_any")]
    pub last_let_in: Option<UnixTime>,
    /// Every client: those who have to do something first, then by name.
    pub clients: Vec<ClientLine>,
    /// Everybody who showed the secret, as well as they can be told apart, the latest first.
    pub callers: Vec<CallerLine>,
    /// Who to talk to next, and what to type, the most pressing first.
    pub next: Vec<Step>,
}

/// From which day the period can end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Verdict {
    /// There is no period.
    NoPeriod,
    /// It is over.
    Over {
        /// Since when.
        #[serde(serialize_with = "instant")]
        since: UnixTime,
    },
    /// These were seen with the secret and never with a token of their own.
    NotYet {
        /// Who.
        unmoved: Vec<ClientName>,
    },
    /// From then on, if nobody uses the secret again before.
    From {
        /// The day.
        #[serde(serialize_with = "instant")]
        from: UnixTime,
    },
    /// Now.
    Now,
}

/// Where a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Seen with the secret, never with a token of its own.
    NotMoved,
    /// Uses its own token, and the secret was shown on its address since then, in the last 7 days.
    Both,
    /// Never seen with either.
    Silent,
    /// Uses its own token.
    Moved,
    /// Disabled: neither counts.
    Disabled,
}

impl Standing {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 5] = [Self::NotMoved, Self::Both, Self::Silent, Self::Moved, Self::Disabled];
}

/// One client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientLine {
    /// Its name.
    pub client: ClientName,
    /// Which program it is.
    pub app: String,
    /// Where it stands.
    pub standing: Standing,
    /// It has a token that is in force.
    pub has_token: bool,
    /// Its use of tokens of its own.
    pub token: Option<Usage>,
    /// The use of the secret on its address.
    pub legacy: Option<Usage>,
}

/// When and how often something was used, and what the latest user said of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// For the first time.
    #[serde(serialize_with = "instant")]
    pub first: UnixTime,
    /// For the last time.
    #[serde(serialize_with = "instant")]
    pub last: UnixTime,
    /// Calls that were let in.
    pub calls: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// From where.
    pub address: Option<String>,
    /// `User-Agent`
    pub user_agent: Option<String>,
    /// `clientInfo`
    pub client_info: Option<String>,
}

/// Somebody who showed the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallerLine {
    /// The client whose address was dialled. Says where the secret still is, not who calls.
    pub path_client: Option<ClientName>,
    /// All who got no line of their own, together.
    pub is_the_rest: bool,
    /// When, how often, from where and by which program.
    #[serde(flatten)]
    pub usage: Usage,
    /// When a call was let in for the last time.
    #[serde(serialize_with = "instant_if_any")]
    pub last_let_in: Option<UnixTime>,
    /// What was called and how often: `SERVER/TOOL` or `SERVER/METHOD`.
    pub called: BTreeMap<String, u64>,
    /// Clients that call with their own token from the same address with the same program.
    pub looks_like: Vec<ClientName>,
}

impl CallerLine {
    /// Whether it was let in within the last 7 days before `now`: an end would stop it.
    pub fn is_recent(&self, now: UnixTime) -> bool {
        self.last_let_in.is_some_and(|at| now.since(at) < QUIET)
    }
}

/// What somebody should do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Step {
    /// It has a token and does not use it.
    Restart {
        /// Whose owner to talk to.
        client: ClientName,
    },
    /// It has no token in force.
    Issue {
        /// Whose owner to talk to.
        client: ClientName,
    },
    /// It uses its token, and something else on its address still shows the secret.
    FindTheOtherCopy {
        /// Whose owner to talk to.
        client: ClientName,
        /// Where that something is.
        address: Option<String>,
    },
    /// Somebody who dials no client's address was let in lately.
    GiveAName {
        /// The caller's place in the report's list.
        caller: usize,
    },
    /// Never seen: are they in use at all?
    Ask {
        /// Whose owners to talk to.
        clients: Vec<ClientName>,
    },
    /// It ends before everybody has moved.
    EndsFirst {
        /// When.
        #[serde(serialize_with = "instant")]
        until: UnixTime,
    },
    /// The highest time seen is ahead of the clock, which may end the period early.
    ClockRanAhead {
        /// What was seen.
        #[serde(serialize_with = "instant")]
        seen: UnixTime,
    },
    /// Nobody needs the secret any more.
    End,
}

impl Report {
    /// How many clients stand there.
    pub fn count(&self, standing: Standing) -> usize {
        self.clients.iter().filter(|line| line.standing == standing).count()
    }

    /// Those whom an end of the period would stop: they were let in within the last 7 days.
    pub fn recent_callers(&self) -> impl Iterator<Item = &CallerLine> {
        self.callers.iter().filter(|caller| caller.is_recent(self.at))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
pub(crate) fn instant<S: Serializer>(at: &UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

#[expect(clippy::ref_option, reason = "serde hands references")]
pub(crate) fn instant_if_any<S: Serializer>(at: &Option<UnixTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}
