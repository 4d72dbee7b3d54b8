//! What is in force at one instant, as the gateway sees it. Built by the program from the store, read by everybody.

use crate::digest::TokenDigest;
use crate::keys::KeySet;
use crate::name::{Audience, ClientName, Issuer, ServerName, Subject};
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
    /// A newer token took its place at this time; it stopped counting then.
    Replaced {
        /// When.
        at: UnixTime,
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
    /// Whose it is.
    pub client: ClientName,
    /// SHA-256 of its text.
    pub digest: TokenDigest,
    /// Where it stands.
    pub state: TokenState,
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
    /// The longest `exp - iat` accepted, in seconds.
    pub lifetime_most: i64,
}

/// Everything that a decision about a token needs, at one revision of the store.
#[derive(Debug)]
pub struct Snapshot {
    revision: i64,
    authority: Authority,
    clients: HashMap<ClientName, Arc<Client>>,
    tokens: HashMap<Box<str>, TokenRecord>,
}

impl Snapshot {
    /// Puts a snapshot together. `tokens` are keyed by `jti`.
    pub fn new(
        revision: i64,
        authority: Authority,
        clients: impl IntoIterator<Item = Client>,
        tokens: impl IntoIterator<Item = (Box<str>, TokenRecord)>,
    ) -> Self {
        let clients = clients.into_iter().map(|client| (client.name.clone(), Arc::new(client))).collect();
        Self { revision, authority, clients, tokens: tokens.into_iter().collect() }
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
    pub fn token(&self, jti: &str) -> Option<&TokenRecord> {
        self.tokens.get(jti)
    }
}
