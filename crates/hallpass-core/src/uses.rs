//! What was used, when and by whom, as rows that are kept. Views of the log: an event says it once, these say it at a
//! glance.

use crate::name::ClientName;
use std::collections::BTreeMap;

/// The use of one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUse {
    /// Its public handle.
    pub jti: String,
    /// Whose it is.
    pub client: ClientName,
    /// When its first call began, in milliseconds.
    pub first_ms: i64,
    /// When its last call ended, in milliseconds.
    pub last_ms: i64,
    /// How many calls it was good for.
    pub calls: u64,
    /// The server called last.
    pub server: Option<String>,
    /// From where, without the port.
    pub address: Option<String>,
    /// `User-Agent`, as the caller said of itself.
    pub user_agent: Option<String>,
    /// `clientInfo` (`NAME/VERSION`), as the caller said of itself.
    pub client_info: Option<String>,
}

/// Somebody with the shared secret, as well as such callers can be told apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LegacyCaller {
    /// The client whose path was dialled.
    pub path_client: Option<ClientName>,
    /// `clientInfo` (`NAME/VERSION`), as the caller said of itself.
    pub client_info: Option<String>,
    /// `User-Agent`, as the caller said of itself.
    pub user_agent: Option<String>,
    /// From where, without the port. `None`: the row of those for whom there was no room for rows of their own.
    pub address: Option<String>,
}

impl LegacyCaller {
    /// The row in which the rest of a path's callers are counted together.
    pub fn the_rest(path_client: Option<ClientName>) -> Self {
        Self { path_client, ..Self::default() }
    }

    /// Whether it stands for callers that got no row of their own.
    pub fn is_the_rest(&self) -> bool {
        self.address.is_none()
    }
}

/// The use of the shared secret by one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyUse {
    /// Who, as well as can be told.
    pub caller: LegacyCaller,
    /// When its first call began, in milliseconds.
    pub first_ms: i64,
    /// When its last call ended, in milliseconds.
    pub last_ms: i64,
    /// When the last call that was let in ended, in milliseconds. `None`: none was.
    pub let_in_ms: Option<i64>,
    /// How many calls were let in.
    pub calls: u64,
    /// How many were refused.
    pub refused: u64,
    /// What was called and how often: `SERVER/TOOL` or `SERVER/METHOD`; `*` is the rest.
    pub called: BTreeMap<String, u64>,
}

/// What can be odd about the use of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WarningKind {
    /// Two programs, by the name in `clientInfo`, show the same token.
    TwoPrograms,
    /// Two machines, by their addresses, show the same token at about the same time.
    TwoAddresses,
    /// It was shown on another client's path.
    OtherClientsPath,
    /// It was used after a long silence.
    AfterSilence,
    /// It was used after its successor was used.
    Superseded,
    /// A key of ours signed it, and nobody here knows it.
    UnknownToken,
    /// A key of ours signed it, and another token is known under its `jti`.
    OtherTokenOfKnownId,
}

impl WarningKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::TwoPrograms,
        Self::TwoAddresses,
        Self::OtherClientsPath,
        Self::AfterSilence,
        Self::Superseded,
        Self::UnknownToken,
        Self::OtherTokenOfKnownId,
    ];

    /// The word in the store, in the log, in metrics and in hallpass.toml.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TwoPrograms => "two_programs",
            Self::TwoAddresses => "two_addresses",
            Self::OtherClientsPath => "other_clients_path",
            Self::AfterSilence => "after_silence",
            Self::Superseded => "superseded",
            Self::UnknownToken => "unknown_token",
            Self::OtherTokenOfKnownId => "other_token_of_known_id",
        }
    }

    /// Reads what [`WarningKind::as_str`] wrote.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether it means that a signing key has leaked, or that the database is an old one.
    pub const fn is_critical(self) -> bool {
        match self {
            Self::UnknownToken | Self::OtherTokenOfKnownId => true,
            Self::TwoPrograms
            | Self::TwoAddresses
            | Self::OtherClientsPath
            | Self::AfterSilence
            | Self::Superseded => false,
        }
    }
}

/// What is odd about a token's use: one row a token and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The token's public handle; empty for the unknown ones for which there was no room for rows of their own.
    pub jti: String,
    /// What is odd.
    pub kind: WarningKind,
    /// Whose token it is, if it is anybody's.
    pub client: Option<ClientName>,
    /// When it was first seen, in milliseconds.
    pub first_ms: i64,
    /// When it was last seen, in milliseconds.
    pub last_ms: i64,
    /// When it was last written into the log, in milliseconds: that is not done each time.
    pub told_ms: i64,
    /// How often it was seen.
    pub times: u64,
    /// What was seen last, in words.
    pub detail: String,
}
