//! What was done to the installation, sorted by what an auditor asks for. Decides nothing about a call.

use crate::event::Event;
use serde::Serialize;

/// Which part of the report an act belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// Clients registered, tokens issued, rotated, adopted.
    Credentials,
    /// Tokens revoked, clients disabled, enabled, removed.
    Revocations,
    /// The grace period of a shared secret.
    Grace,
    /// Policies.
    Policies,
    /// Keys.
    Keys,
    /// What was odd about the use of a token.
    Warnings,
    /// The rest: configuration, the log itself.
    Configuration,
}

impl Section {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 7] = [
        Self::Credentials,
        Self::Revocations,
        Self::Keys,
        Self::Policies,
        Self::Grace,
        Self::Warnings,
        Self::Configuration,
    ];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Credentials => "Credentials issued and rotated",
            Self::Revocations => "Revoked, disabled, removed",
            Self::Grace => "Grace period of the shared secret",
            Self::Policies => "Policy changes",
            Self::Keys => "Key changes",
            Self::Warnings => "Warnings",
            Self::Configuration => "Configuration and the log itself",
        }
    }

    /// What an act of that kind belongs to. Kinds that are not known yet are shown all the same.
    pub fn of(kind: &str) -> Self {
        match kind {
            "register" | "issue" | "rotate" | "adopt" | "end-replaced" => Self::Credentials,
            "revoke" | "disable" | "enable" | "remove" => Self::Revocations,
            "policy" => Self::Policies,
            "import-key" | "rotate-key" | "revoke-key" => Self::Keys,
            "warning" | "acknowledge" => Self::Warnings,
            kind if kind.starts_with("grace-") => Self::Grace,
            _ => Self::Configuration,
        }
    }
}

/// One act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Act {
    /// The record's number; none if its log is closed.
    pub seq: Option<u64>,
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// What.
    pub kind: String,
    /// To which part of the report it belongs.
    pub section: Section,
    /// To whom.
    pub client: Option<String>,
    /// To which token.
    pub jti: Option<String>,
    /// By whom, if that was a person.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl Act {
    /// The act in a record.
    pub(super) fn of(seq: Option<u64>, event: &Event) -> Self {
        Self {
            seq,
            at_ms: event.at_ms,
            kind: event.kind.clone().into_owned(),
            section: Section::of(&event.kind),
            client: event.client.clone(),
            jti: event.jti.clone(),
            by: event.by.clone(),
            reason: event.reason.clone(),
        }
    }
}
