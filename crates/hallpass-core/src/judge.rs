//! From a signed token to a caller who is good here and now. Never cached: a revocation cannot be skipped.

use crate::denial::Denial;
use crate::name::ClientName;
use crate::signed::Signed;
use crate::snapshot::{Authority, Client, Snapshot, TokenRecord, TokenState};
use crate::time::UnixTime;
use std::sync::Arc;

/// A caller whose token was good at one instant.
#[derive(Clone, Debug)]
pub struct Verified {
    client: Arc<Client>,
    record: Arc<TokenRecord>,
    signed: Arc<Signed>,
    refused_from: UnixTime,
}

impl Verified {
    /// Who it is.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The token's public handle.
    pub fn jti(&self) -> &str {
        &self.record.jti
    }

    /// The token that was shown.
    pub fn signed(&self) -> &Arc<Signed> {
        &self.signed
    }

    /// The first instant at which the token is no longer accepted, if nothing else happens.
    pub fn refused_from(&self) -> UnixTime {
        self.refused_from
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
    Ok(Verified { client, record: Arc::clone(record), signed: Arc::clone(signed), refused_from })
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
