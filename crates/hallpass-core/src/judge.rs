//! From a signed token, or the shared secret of a grace period, to a caller who is good here and now. Never cached: a
//! revocation cannot be skipped.

use crate::denial::Denial;
use crate::grace::SharedSecret;
use crate::name::ClientName;
use crate::signed::Signed;
use crate::snapshot::{Authority, Client, Snapshot, TokenRecord, TokenState};
use crate::time::UnixTime;
use std::fmt;
use std::sync::Arc;

/// A caller whose credential was good at one instant.
#[derive(Clone, Debug)]
pub struct Verified {
    caller: Caller,
    refused_from: UnixTime,
}

/// Who calls, and by which credential.
#[derive(Clone, Debug)]
pub enum Caller {
    /// A client with a token of its own.
    Client(TokenBearer),
    /// Somebody with the secret that clients shared before. Who it is, nobody can tell.
    Legacy(LegacyBearer),
}

/// A client with a token of its own.
#[derive(Clone, Debug)]
pub struct TokenBearer {
    client: Arc<Client>,
    record: Arc<TokenRecord>,
    signed: Arc<Signed>,
}

impl TokenBearer {
    /// Who it is.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The token's public handle.
    pub fn jti(&self) -> &str {
        &self.record.jti
    }

    /// What the registry knows of the token.
    pub fn record(&self) -> &TokenRecord {
        &self.record
    }

    /// The token that was shown.
    pub fn signed(&self) -> &Arc<Signed> {
        &self.signed
    }
}

/// Somebody with the shared secret.
#[derive(Clone, Debug)]
pub struct LegacyBearer {
    secret: SharedSecret,
    path_client: Option<ClientName>,
}

impl LegacyBearer {
    /// The proof that the secret was shown.
    pub fn secret(&self) -> &SharedSecret {
        &self.secret
    }

    /// The client whose path was dialled. Says where the secret is still configured, not who calls.
    pub fn path_client(&self) -> Option<&ClientName> {
        self.path_client.as_ref()
    }
}

impl Verified {
    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The client, if a token of its own was shown.
    pub fn client(&self) -> Option<&Arc<Client>> {
        match &self.caller {
            Caller::Client(bearer) => Some(&bearer.client),
            Caller::Legacy(_) => None,
        }
    }

    /// What sessions and counts are bound to: a client's name, or `~legacy` and the path, which no client can be called.
    pub fn principal(&self) -> Principal<'_> {
        match &self.caller {
            Caller::Client(bearer) => Principal::Client(&bearer.client.name),
            Caller::Legacy(bearer) => Principal::Legacy(bearer.path_client.as_ref()),
        }
    }

    /// The first instant at which the credential is no longer accepted, if nothing else happens.
    pub fn refused_from(&self) -> UnixTime {
        self.refused_from
    }

    /// The same caller, judged anew by what is in force now.
    pub fn judge_again(&self, snapshot: &Snapshot, now: UnixTime) -> Result<Self, Denial> {
        match &self.caller {
            Caller::Client(bearer) => judge(&bearer.signed, snapshot, now),
            Caller::Legacy(bearer) => judge_shared(
                &bearer.secret,
                bearer.path_client.as_ref().map(ClientName::as_str),
                snapshot,
                now,
            ),
        }
    }
}

/// Whose sessions and counts these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal<'a> {
    /// A client.
    Client(&'a ClientName),
    /// Whoever has the shared secret, by the client's path that was dialled.
    Legacy(Option<&'a ClientName>),
}

impl fmt::Display for Principal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(name) => f.write_str(name.as_str()),
            Self::Legacy(None) => f.write_str("~legacy"),
            Self::Legacy(Some(path)) => write!(f, "~legacy:{path}"),
        }
    }
}

/// Checks key, audience, times, registry and client, in this order.
pub fn judge(signed: &Arc<Signed>, snapshot: &Snapshot, now: UnixTime) -> Result<Verified, Denial> {
    let authority = snapshot.authority();
    check_claims(signed, authority, now)?;
    let record = find_record(signed, snapshot)?;
    let client = check_registry(signed, record, snapshot, now)?;
    let expiry = signed.claims().expires_at.plus(authority.leeway);
    let refused_from = match record.state {
        TokenState::Superseded { until } => until.min(expiry),
        TokenState::Pending | TokenState::Active | TokenState::Revoked { .. } => expiry,
    };
    let bearer = TokenBearer { client, record: Arc::clone(record), signed: Arc::clone(signed) };
    Ok(Verified { caller: Caller::Client(bearer), refused_from })
}

/// Checks that the secret is the one in force, that its grace period is not over, and the path on which it was shown.
/// `path_client`: the client whose path was dialled, if any.
pub fn judge_shared(
    secret: &SharedSecret,
    path_client: Option<&str>,
    snapshot: &Snapshot,
    now: UnixTime,
) -> Result<Verified, Denial> {
    // Another secret may have been put in force since this one was recognised.
    let grace = snapshot.grace().filter(|grace| grace.terms().tag == secret.grace().terms().tag);
    let Some(grace) = grace else { return Err(Denial::MalformedToken) };
    if let Some(at) = grace.over_since(now) {
        return Err(Denial::GraceOver { at });
    }
    let path_client = match path_client {
        None => None,
        Some(name) => Some(check_path(name, grace.terms().strict_after_migration, snapshot)?),
    };
    let bearer = LegacyBearer { secret: SharedSecret::of(grace), path_client };
    Ok(Verified { caller: Caller::Legacy(bearer), refused_from: grace.terms().until })
}

/// A path is worth something only if it is a client's; and whoever cut a client off did not mean its path to stay open.
fn check_path(name: &str, strict: bool, snapshot: &Snapshot) -> Result<ClientName, Denial> {
    let Some(client) = snapshot.client(name) else { return Err(Denial::NoSuchPath) };
    if !client.enabled {
        return Err(Denial::ClientDisabled { client: client.name.clone() });
    }
    if strict && client.has_moved {
        return Err(Denial::HasMoved { client: client.name.clone() });
    }
    Ok(client.name.clone())
}

/// What can be told without the registry: key still in use, audience, times. Not enough to let anybody in.
pub fn check_claims(signed: &Signed, authority: &Authority, now: UnixTime) -> Result<(), Denial> {
    // The signature was checked at some earlier time, perhaps by a key that has since been withdrawn.
    let in_use = authority.keys.get(signed.key().kid().as_str());
    if !in_use.is_some_and(|key| key.is_same(signed.key())) {
        return Err(Denial::UnknownKey);
    }
    let claims = signed.claims();
    if !claims.audience().any(|audience| audience == authority.audience.as_str()) {
        return Err(Denial::WrongAudience);
    }
    check_times(signed, authority, now)
}

fn check_times(signed: &Signed, authority: &Authority, now: UnixTime) -> Result<(), Denial> {
    let claims = signed.claims();
    let latest = now.plus(authority.leeway);
    if now >= claims.expires_at.plus(authority.leeway) {
        let client = claims.client_id().and_then(|name| ClientName::new(name).ok());
        return Err(Denial::Expired { at: claims.expires_at, client });
    }
    if claims.not_before.is_some_and(|not_before| not_before > latest) {
        return Err(Denial::NotYetValid);
    }
    if claims.issued_at > latest {
        return Err(Denial::IssuedInFuture);
    }
    let lifetime = claims.expires_at.since(claims.issued_at);
    if lifetime <= 0 {
        return Err(Denial::ClaimValue { claim: "iat" });
    }
    if lifetime > authority.lifetime_most {
        return Err(Denial::LifetimeTooLong);
    }
    Ok(())
}

fn find_record<'a>(signed: &Signed, snapshot: &'a Snapshot) -> Result<&'a Arc<TokenRecord>, Denial> {
    let claims = signed.claims();
    let adopted = || snapshot.adopted(&signed.digest(), claims.issued_at).ok_or(Denial::NotAdopted);
    let Some(jti) = claims.jti() else { return adopted() };
    let record = snapshot.token(jti).ok_or(Denial::UnknownToken)?;
    // A `jti` does not lead around the list and its cut-off: some former set-ups wrote one.
    if record.adopted && record.digest.matches(&signed.digest()) { adopted() } else { Ok(record) }
}

fn check_registry(
    signed: &Signed,
    record: &TokenRecord,
    snapshot: &Snapshot,
    now: UnixTime,
) -> Result<Arc<Client>, Denial> {
    let Some(client) = snapshot.client(record.client.as_str()) else { return Err(Denial::UnknownToken) };
    let name = || client.name.clone();
    match record.state {
        TokenState::Revoked { at } => return Err(Denial::Revoked { at, client: name() }),
        TokenState::Superseded { until } if now >= until => {
            return Err(Denial::Replaced { at: until, client: name() });
        }
        TokenState::Superseded { .. } | TokenState::Pending | TokenState::Active => {}
    }
    // A leaked signing secret must not be able to use a known `jti` for a token that we never minted.
    if !record.digest.matches(&signed.digest()) {
        return Err(Denial::OtherTokenOfKnownId);
    }
    let claims = signed.claims();
    let says_so = claims.client_id().is_none_or(|id| id == client.name.as_str());
    if !says_so || claims.subject() != client.subject.as_str() {
        return Err(Denial::OtherSubject { client: name() });
    }
    if !client.enabled {
        return Err(Denial::ClientDisabled { client: name() });
    }
    Ok(Arc::clone(client))
}
