//! The report for an auditor: who had which credential, who called what, who was refused and why, what operators did.
//! Records and a few rows in, one value out: the page, the Markdown and the JSON are renderings of it. Reads nothing and
//! asks no clock; every number can be recomputed from the records of the period alone.

mod acts;
mod gathering;
mod integrity;
mod records;
mod verdict;

pub use acts::{Act, Section};
pub use gathering::Gathering;
pub use integrity::{Integrity, IntegrityFault};
pub use records::Records;
pub use verdict::{Tone, Verdict, grouped};

use crate::migration::{instant, instant_if_any};
use crate::time::UnixTime;
use crate::usage::Numbers;
use serde::Serialize;
use std::collections::BTreeMap;

/// What the report is about, and who made it when.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// The installation's mark.
    pub installation: String,
    /// `iss` of its tokens.
    pub issuer: String,
    /// `aud` of its tokens.
    pub audience: String,
    /// The version that made it.
    pub version: String,
    /// The first instant of the period.
    #[serde(serialize_with = "instant")]
    pub from: UnixTime,
    /// The first instant after it.
    #[serde(serialize_with = "instant")]
    pub to: UnixTime,
    /// When it was made.
    #[serde(serialize_with = "instant")]
    pub made_at: UnixTime,
}

/// What the registry says beside the records.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// Every client that is or was registered.
    pub clients: Vec<ClientFacts>,
    /// Every token that was issued.
    pub tokens: Vec<Credential>,
    /// Every key.
    pub keys: Vec<KeyFacts>,
    /// The grace period, running or over.
    pub grace: Option<GraceFacts>,
}

/// A key as it stands when the report is made.
#[derive(Clone, Debug, Serialize)]
pub struct KeyFacts {
    /// Its name.
    pub kid: String,
    /// What it signs with.
    pub algorithm: String,
    /// `next`, `active`, `verify-only` or `retired`.
    pub state: &'static str,
    /// The secret of a former set-up.
    pub former: bool,
    /// When it was made.
    #[serde(serialize_with = "instant")]
    pub created_at: UnixTime,
    /// Why it was revoked.
    pub reason: Option<String>,
}

/// The grace period as it stands when the report is made.
#[derive(Clone, Debug, Serialize)]
pub struct GraceFacts {
    /// When it was started.
    #[serde(serialize_with = "instant")]
    pub started_at: UnixTime,
    /// The first instant at which the shared secret no longer counts.
    #[serde(serialize_with = "instant")]
    pub until: UnixTime,
    /// Since when it is over, if it is.
    #[serde(serialize_with = "instant_if_any")]
    pub over_since: Option<UnixTime>,
    /// On the path of a client that has used its own token the secret no longer counts.
    pub strict: bool,
}

/// A client as it is registered now.
#[derive(Clone, Debug, Serialize)]
pub struct ClientFacts {
    /// Its name.
    pub name: String,
    /// Which program it is.
    pub app: String,
    /// `enabled`, `disabled` or `removed`.
    pub state: &'static str,
    /// The servers that it may use; `None`: all.
    pub servers: Option<Vec<String>>,
    /// The policy that it is under.
    pub policy: Option<String>,
}

/// A token without the token. Its dates are the registry's, its calls the records'.
#[derive(Clone, Debug, Serialize)]
pub struct Credential {
    /// Its public handle.
    pub jti: String,
    /// Whose it is.
    pub client: String,
    /// The key that signed it.
    pub kid: String,
    /// Minted by a former set-up and taken over.
    pub adopted: bool,
    /// When it was issued.
    #[serde(serialize_with = "instant")]
    pub issued_at: UnixTime,
    /// When it ends by itself.
    #[serde(serialize_with = "instant")]
    pub expires_at: UnixTime,
    /// `active`, `replaced`, `revoked`, `expired` or `pending`, when the report was made.
    pub state: &'static str,
    /// Since when it does not count any more, if it was ended before its time.
    #[serde(serialize_with = "instant_if_any")]
    pub ended_at: Option<UnixTime>,
    /// Why it was revoked.
    pub reason: Option<String>,
    /// Calls of the period that showed it, refused ones included.
    pub calls: u64,
}

impl Credential {
    /// Whether it counted at any time from `from` to `to`.
    pub fn counted_in(&self, from: UnixTime, to: UnixTime) -> bool {
        let end = self.ended_at.map_or(self.expires_at, |ended| ended.min(self.expires_at));
        self.issued_at < to && end >= from
    }
}

/// What is counted of some calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All calls, however they ended.
    pub calls: u64,
    /// The server answered with an error.
    pub errors: u64,
    /// The server could not be reached or broke off.
    pub failed: u64,
    /// Refused by the gateway.
    pub refused: u64,
    /// Ended by the gateway, or left by the caller.
    pub cut: u64,
    /// Half of the calls took no longer, in microseconds.
    pub p50_us: Option<u64>,
    /// Of a hundred calls 95 took no longer, in microseconds.
    pub p95_us: Option<u64>,
    /// Bytes of requests' bodies.
    pub bytes_in: u64,
    /// Bytes of answers' bodies.
    pub bytes_out: u64,
    /// Milliseconds since the epoch.
    pub first_ms: Option<i64>,
    /// Milliseconds since the epoch.
    pub last_ms: Option<i64>,
}

impl Counts {
    /// Let in by the gateway, however they went on.
    pub const fn let_in(&self) -> u64 {
        self.calls - self.refused
    }

    /// Those that did not come to a good end, refused ones aside.
    pub const fn troubled(&self) -> u64 {
        self.errors + self.failed + self.cut
    }
}

impl From<&Numbers> for Counts {
    fn from(numbers: &Numbers) -> Self {
        let [p50_us, p95_us] = numbers.percentiles_us([50, 95]);
        Self {
            calls: numbers.calls,
            errors: numbers.errors,
            failed: numbers.failed,
            refused: numbers.refused,
            cut: numbers.cut,
            p50_us,
            p95_us,
            bytes_in: numbers.bytes_in,
            bytes_out: numbers.bytes_out,
            first_ms: Some(numbers.first_ms),
            last_ms: Some(numbers.last_ms),
        }
    }
}

/// To whom the calls that were let in can be put down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attribution {
    /// To one client, by a token of its own.
    pub named: u64,
    /// To nobody: the shared secret was shown.
    pub shared_secret: u64,
    /// To nobody, and nobody had to be named: health, public keys, callers that went away first.
    pub nobody: u64,
}

/// The calls of one day, UTC.
#[derive(Clone, Debug, Serialize)]
pub struct DayLine {
    /// `2026-12-24`
    pub day: String,
    /// Its calls.
    #[serde(flatten)]
    pub counts: Counts,
}

/// The calls of a client, a server, a tool.
#[derive(Clone, Debug, Serialize)]
pub struct UsageLine {
    /// The client; `(shared secret)`; `None`: nobody that was verified.
    pub client: Option<String>,
    /// The server.
    pub server: Option<String>,
    /// The tool, or the method.
    pub tool: Option<String>,
    /// Its calls.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Usage, counted apart in four ways. Each adds up to the whole.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UsageBy {
    /// By client.
    pub client: Vec<UsageLine>,
    /// By server.
    pub server: Vec<UsageLine>,
    /// By server and tool.
    pub tool: Vec<UsageLine>,
    /// By client and server.
    pub client_and_server: Vec<UsageLine>,
}

/// The refusals with one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusalLine {
    /// The reason's name in the log.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// How many of them by whom; callers that were not verified have no name.
    pub clients: BTreeMap<String, u64>,
    /// Milliseconds since the epoch.
    pub first_ms: i64,
    /// Milliseconds since the epoch.
    pub last_ms: i64,
}

/// What a policy that only watches would have refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WouldRefuseLine {
    /// The policy.
    pub policy: String,
    /// The reason.
    pub reason: String,
    /// How many calls.
    pub count: u64,
}

/// The use of the shared secret by one caller, as well as such callers can be told apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LegacyLine {
    /// The client whose path was dialled.
    pub path_client: Option<String>,
    /// `clientInfo`, as the caller said of itself.
    pub client_info: Option<String>,
    /// `User-Agent`, as the caller said of itself.
    pub user_agent: Option<String>,
    /// From where, without the port.
    pub address: Option<String>,
    /// How many calls were let in.
    pub let_in: u64,
    /// How many were refused.
    pub refused: u64,
    /// Milliseconds since the epoch.
    pub first_ms: i64,
    /// Milliseconds since the epoch.
    pub last_ms: i64,
}

/// The report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What it is about.
    pub about: About,
    /// In a line or two.
    pub verdict: Verdict,
    /// What it was made of.
    pub records: Records,
    /// All calls.
    pub totals: Counts,
    /// To whom they can be put down.
    pub attribution: Attribution,
    /// Every day of the period that had a call.
    pub days: Vec<DayLine>,
    /// Usage.
    pub usage: UsageBy,
    /// Registered clients that made no call.
    pub never_used: Vec<String>,
    /// Every client.
    pub clients: Vec<ClientFacts>,
    /// The credentials that counted in the period.
    pub credentials: Vec<Credential>,
    /// Every key.
    pub keys: Vec<KeyFacts>,
    /// The grace period of a shared secret, running or over.
    pub grace: Option<GraceFacts>,
    /// How often each act was done.
    pub acts_by_kind: BTreeMap<String, u64>,
    /// Each act, in the order of the log.
    pub acts: Vec<Act>,
    /// Refusals by reason, the most frequent first.
    pub refusals: Vec<RefusalLine>,
    /// What policies that only watch would have refused.
    pub would_refuse: Vec<WouldRefuseLine>,
    /// Use of the shared secret, the latest first.
    pub legacy: Vec<LegacyLine>,
    /// The log's checkpoint, if there is one.
    pub integrity: Option<Integrity>,
}

impl Report {
    /// The acts of a section, in the order of the log.
    pub fn acts_of(&self, section: Section) -> impl Iterator<Item = &Act> {
        self.acts.iter().filter(move |act| act.section == section)
    }
}
