//! The rows as types.

use crate::fault::{StoreFault, damaged};
use hallpass_core::keys::Algorithm;
use hallpass_core::snapshot::{ServerScope, TokenState};
use hallpass_core::{ClientName, PolicyName, Subject, TokenDigest, UnixTime};
use std::fmt;

/// A registered client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    /// Unique name.
    pub name: ClientName,
    /// The `sub` of its tokens.
    pub subject: Subject,
    /// Which program it is.
    pub app: String,
    /// A disabled client's tokens are refused.
    pub enabled: bool,
    /// Removed: kept so that its tokens keep their owner.
    pub removed: bool,
    /// It comes from hallpass.toml, not from `hallpass add`.
    pub from_roster: bool,
    /// The servers it may use.
    pub servers: ServerScope,
    /// What it may call there, and how much.
    pub policy: Option<PolicyName>,
    /// Its configuration file, absolute; `None`: the app's own place.
    pub config: Option<String>,
    /// The entry in it.
    pub entry: Option<String>,
    /// The variable of the entry that holds the token itself.
    pub env: Option<String>,
    /// How its token is placed, as somebody said; `None`: the best way that its program offers.
    pub placement: Option<String>,
    /// When it was registered.
    pub created_at: UnixTime,
}

/// An issued token, without the token.
#[expect(clippy::struct_excessive_bools, reason = "a row, as it is kept")]
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// Its public handle.
    pub jti: String,
    /// Whose it is.
    pub client: ClientName,
    /// The key that signed it.
    pub kid: String,
    /// `sub`
    pub subject: Subject,
    /// `iat`
    pub issued_at: UnixTime,
    /// `exp`
    pub expires_at: UnixTime,
    /// SHA-256 of its text.
    pub digest: TokenDigest,
    /// Where it stands.
    pub state: TokenState,
    /// Why it was revoked.
    pub reason: Option<String>,
    /// It was put where the client reads it. `false`: not yet, or it was printed instead.
    pub placed: bool,
    /// It was issued before the client was removed: it says nothing about who bears the name now.
    pub former: bool,
    /// Minted by a former set-up and taken over.
    pub adopted: bool,
    /// Superseded, and ends as soon as its successor is used.
    pub until_seen: bool,
    /// What was asked for when it was minted.
    pub overlap: Overlap,
}

impl TokenRow {
    /// Until when it is good although a newer one has taken its place, if it is.
    pub fn good_beside_its_successor(&self, now: UnixTime) -> Option<UnixTime> {
        match self.state {
            TokenState::Superseded { until } => Some(until.min(self.expires_at)).filter(|until| now < *until),
            TokenState::Pending | TokenState::Active | TokenState::Revoked { .. } => None,
        }
    }

    /// Whether it is accepted, as far as the token itself decides that.
    pub fn is_good(&self, now: UnixTime) -> bool {
        match self.state {
            TokenState::Pending | TokenState::Active => now < self.expires_at,
            TokenState::Superseded { .. } => self.good_beside_its_successor(now).is_some(),
            TokenState::Revoked { .. } => false,
        }
    }
}

/// How long the token before stays good once a new one is in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Seconds from the minting of the new one. 0: it ends at once, and so does every older one.
    pub seconds: i64,
    /// It ends earlier if the new one is used earlier.
    pub until_seen: bool,
}

impl Overlap {
    /// The one before ends at once.
    pub const NONE: Self = Self { seconds: 0, until_seen: false };
}

/// A token that was just minted.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its public handle.
    pub jti: String,
    /// Whose it is.
    pub client: ClientName,
    /// The key that signed it.
    pub kid: String,
    /// `sub`
    pub subject: Subject,
    /// `iat`
    pub issued_at: UnixTime,
    /// `exp`
    pub expires_at: UnixTime,
    /// SHA-256 of its text.
    pub digest: TokenDigest,
}

/// Where a signing key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published and verifies; it will sign after the next rotation.
    Next,
    /// Signs and verifies.
    Active,
    /// Verifies what it signed.
    VerifyOnly,
    /// Does neither.
    Retired,
}

impl KeyState {
    /// The word in the store and on the screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::VerifyOnly => "verify-only",
            Self::Retired => "retired",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Next, Self::Active, Self::VerifyOnly, Self::Retired]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// A signing key as it is kept: the private part sealed.
#[derive(Clone)]
pub struct KeyRow {
    /// Its name.
    pub kid: String,
    /// `ES256`, `EdDSA`, `Ed25519` or `HS256`
    pub algorithm: Algorithm,
    /// The public key; for ES256 the uncompressed point, for HS256 nothing.
    pub public: Vec<u8>,
    /// The private key, sealed.
    pub sealed: Vec<u8>,
    /// Where it stands.
    pub state: KeyState,
    /// The secret of a former set-up: its tokens count only if they were adopted.
    pub former: bool,
    /// When it was made.
    pub created_at: UnixTime,
    /// Why it was revoked.
    pub reason: Option<String>,
}

/// A key to be kept.
pub type NewKey = KeyRow;

impl fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRow").field("kid", &self.kid).field("state", &self.state).finish_non_exhaustive()
    }
}

/// When a client reads its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRead {
    /// When it starts: a new one needs a restart.
    AtStart,
    /// Again and again, through the bridge or a helper command.
    Afresh,
}

impl TokenRead {
    /// The words are those of the first two ways: a variable of an entry, and the bridge.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AtStart => "env",
            Self::Afresh => "bridge",
        }
    }

    pub(crate) fn of_word(word: &str) -> Result<Self, StoreFault> {
        [Self::AtStart, Self::Afresh]
            .into_iter()
            .find(|read| read.as_str() == word)
            .ok_or_else(|| damaged("a placement's kind"))
    }
}

/// Where a client's token was placed, and how to take it back.
#[derive(Clone)]
pub struct PlacementRow {
    /// Whose.
    pub client: ClientName,
    /// When the client reads the token.
    pub read: TokenRead,
    /// The client's configuration file, absolute.
    pub file: String,
    /// The file of the home that holds the token, unless the configuration does.
    pub token_file: Option<String>,
    /// What stood there before, sealed by the program.
    pub undo: Vec<u8>,
    /// When.
    pub at: UnixTime,
}

impl fmt::Debug for PlacementRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlacementRow")
            .field("client", &self.client)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
