//! What is in force at one instant, as the gateway sees it. Built by the program from the store, read by everybody.

use crate::digest::TokenDigest;
use crate::grace::Grace;
use crate::keys::KeySet;
use crate::name::{Audience, ClientName, Issuer, ServerName, Subject};
use crate::policy::Policy;
use crate::time::UnixTime;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A registered client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Unique name.
    pub name: ClientName,
    /// The `sub` of its tokens.
    pub subject: Subject,
    /// A disabled client's tokens are refused until it is enabled again.
    pub enabled: bool,
    /// The servers that it may call.
    pub servers: ServerScope,
    /// What it may call there, and how much.
    pub policy: Option<Arc<Policy>>,
    /// It has used a token of its own.
    pub has_moved: bool,
}

impl Client {
    /// A client that is enabled, may call everything, and has not used its token yet.
    pub fn new(name: ClientName, subject: Subject) -> Self {
        Self { name, subject, enabled: true, servers: ServerScope::All, policy: None, has_moved: false }
    }
}

/// Which servers a client may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerScope {
    /// Every server of the gateway.
    All,
    /// These and no others.
    Only(BTreeSet<ServerName>),
}

impl ServerScope {
    /// Whether `server` is inside.
    pub fn contains(&self, server: &ServerName) -> bool {
        match self {
            Self::All => true,
            Self::Only(servers) => servers.contains(server),
        }
    }
}

/// Where an issued token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// Minted, being placed. Good already: its client may read it before the program has noted that it was placed.
    Pending,
    /// In force.
    Active,
    /// A newer token took its place. It counts until then, so that both can be in use for a while.
    Superseded {
        /// The first instant at which it no longer counts.
        until: UnixTime,
    },
    /// Revoked by a person: final.
    Revoked {
        /// When.
        at: UnixTime,
    },
}

/// What the registry knows of a token.
#[derive(Clone, Debug)]
pub struct TokenRecord {
    /// Its public handle: its `jti`, or for an adopted token without one, what it got when it was adopted.
    pub jti: Arc<str>,
    /// Whose it is.
    pub client: ClientName,
    /// SHA-256 of its text.
    pub digest: TokenDigest,
    /// Where it stands.
    pub state: TokenState,
    /// Minted by the former set-up and taken over: known by its digest.
    pub adopted: bool,
}

/// Which `typ` a token's header may have (RFC 8725 section 3.11): tokens of one kind never pass for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// `JWT`, or none: tokens for clients' configurations.
    Jwt,
    /// `at+jwt` (RFC 9068), which also needs `client_id`.
    AccessToken,
}

/// Issuer, audience and keys: what makes a token one of ours.
#[derive(Clone, Debug)]
pub struct Authority {
    /// `iss`
    pub issuer: Issuer,
    /// `aud`
    pub audience: Audience,
    /// The keys whose signatures count.
    pub keys: KeySet,
    /// The kind of token.
    pub token_type: TokenType,
    /// The longest `exp - iat` accepted, in seconds.
    pub lifetime_most: i64,
    /// How far clocks may differ, in seconds.
    pub leeway: i64,
}

/// Everything that a decision about a token needs, at one revision of the store.
#[derive(Debug)]
pub struct Snapshot {
    revision: i64,
    authority: Authority,
    clients: HashMap<ClientName, Arc<Client>>,
    tokens: HashMap<Arc<str>, Arc<TokenRecord>>,
    adopted: HashMap<TokenDigest, Arc<TokenRecord>>,
    adopted_until: Option<UnixTime>,
    grace: Option<Arc<Grace>>,
}

impl Snapshot {
    /// Puts a snapshot together.
    pub fn new(
        revision: i64,
        authority: Authority,
        clients: impl IntoIterator<Item = Client>,
        tokens: impl IntoIterator<Item = TokenRecord>,
    ) -> Self {
        let clients = clients.into_iter().map(|client| (client.name.clone(), Arc::new(client))).collect();
        let (mut by_jti, mut adopted) = (HashMap::new(), HashMap::new());
        for record in tokens.into_iter().map(Arc::new) {
            if record.adopted {
                adopted.insert(record.digest, Arc::clone(&record));
            }
            by_jti.insert(Arc::clone(&record.jti), record);
        }
        Self { revision, authority, clients, tokens: by_jti, adopted, adopted_until: None, grace: None }
    }

    /// The same snapshot with the cut-off for adopted tokens: one that was issued later is refused even if its digest
    /// should be on the list.
    #[must_use]
    pub fn with_adopted_until(self, cut_off: UnixTime) -> Self {
        Self { adopted_until: Some(cut_off), ..self }
    }

    /// The same snapshot with a grace period, running or over.
    #[must_use]
    pub fn with_grace(self, grace: Grace) -> Self {
        Self { grace: Some(Arc::new(grace)), ..self }
    }

    /// The grace period, running or over.
    pub fn grace(&self) -> Option<&Arc<Grace>> {
        self.grace.as_ref()
    }

    /// The store's revision that it shows.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Issuer, audience and keys.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The client of that name.
    pub fn client(&self, name: &str) -> Option<&Arc<Client>> {
        self.clients.get(name)
    }

    /// The token with that `jti`.
    pub fn token(&self, jti: &str) -> Option<&Arc<TokenRecord>> {
        self.tokens.get(jti)
    }

    /// The adopted token with that digest, if it was issued (`iat`) no later than the cut-off.
    pub fn adopted(&self, digest: &TokenDigest, issued_at: UnixTime) -> Option<&Arc<TokenRecord>> {
        let in_time = self.adopted_until.is_some_and(|cut_off| issued_at <= cut_off);
        self.adopted.get(digest).filter(|_| in_time)
    }
}
