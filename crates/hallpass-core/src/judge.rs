//! From a signed token to a caller who is good here and now. Never cached: a revocation cannot be skipped.

use crate::claims::LEEWAY;
use crate::denial::Denial;
use crate::name::ClientName;
use crate::signed::Signed;
use crate::snapshot::{Client, Snapshot, TokenState};
use crate::time::UnixTime;
use std::sync::Arc;

/// A caller whose token was good at one instant.
#[derive(Clone, Debug)]
pub struct Verified {
    client: Arc<Client>,
    signed: Arc<Signed>,
}

impl Verified {
    /// Who it is.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The token's public handle.
    pub fn jti(&self) -> &str {
        &self.signed.claims().jti
    }

    /// The token that was shown.
    pub fn signed(&self) -> &Arc<Signed> {
        &self.signed
    }

    /// The first instant at which the token is no longer accepted.
    pub fn refused_from(&self) -> UnixTime {
        self.signed.claims().expires_at.plus(LEEWAY)
    }
}

/// Checks key, audience, times, registry and client, in this order.
pub fn judge(signed: &Arc<Signed>, snapshot: &Snapshot, now: UnixTime) -> Result<Verified, Denial> {
    let authority = snapshot.authority();
    // The signature was checked at some earlier time, perhaps by a key that has since been withdrawn.
    if authority.keys.get(signed.kid().as_str()).is_none() {
        return Err(Denial::UnknownKey);
    }
    let claims = signed.claims();
    if !claims.audience.iter().any(|audience| audience == authority.audience.as_str()) {
        return Err(Denial::WrongAudience);
    }
    check_times(signed, authority.lifetime_most, now)?;
    let client = check_registry(signed, snapshot)?;
    Ok(Verified { client, signed: Arc::clone(signed) })
}

fn check_times(signed: &Signed, lifetime_most: i64, now: UnixTime) -> Result<(), Denial> {
    let claims = signed.claims();
    let client = || ClientName::new(claims.client_id.as_deref().unwrap_or_default()).ok();
    if now >= claims.expires_at.plus(LEEWAY) {
        return Err(Denial::Expired { at: claims.expires_at, client: client() });
    }
    if claims.not_before.is_some_and(|not_before| not_before > now.plus(LEEWAY)) {
        return Err(Denial::NotYetValid);
    }
    if claims.issued_at > now.plus(LEEWAY) {
        return Err(Denial::IssuedInFuture);
    }
    let lifetime = claims.expires_at.since(claims.issued_at);
    if lifetime <= 0 || lifetime > lifetime_most {
        return Err(Denial::LifetimeTooLong);
    }
    Ok(())
}

fn check_registry(signed: &Signed, snapshot: &Snapshot) -> Result<Arc<Client>, Denial> {
    let claims = signed.claims();
    let Some(record) = snapshot.token(&claims.jti) else { return Err(Denial::UnknownToken) };
    // A leaked signing secret must not be able to use a known `jti` for a token that we never minted.
    if !record.digest.matches(&signed.digest()) {
        return Err(Denial::OtherTokenOfKnownId);
    }
    let Some(client) = snapshot.client(record.client.as_str()) else { return Err(Denial::UnknownToken) };
    let says_so = claims.client_id.as_deref() == Some(client.name.as_str())
        && claims.subject == client.subject.as_str();
    match record.state {
        TokenState::Revoked { at } => Err(Denial::Revoked { at, client: client.name.clone() }),
        TokenState::Replaced { at } => Err(Denial::Replaced { at, client: client.name.clone() }),
        TokenState::Pending | TokenState::Active if !says_so => {
            Err(Denial::OtherSubject { client: client.name.clone() })
        }
        TokenState::Pending | TokenState::Active if !client.enabled => {
            Err(Denial::ClientDisabled { client: client.name.clone() })
        }
        TokenState::Pending | TokenState::Active => Ok(Arc::clone(client)),
    }
}
