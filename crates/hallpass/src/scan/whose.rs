//! Whose a token is, by its SHA-256, else by who signed it. Says nothing about where it lies.

use crate::fault::{Doing, Result};
use crate::unverified::part;
use hallpass_core::{Bearer, Snapshot, TokenDigest, check_signature};
use hallpass_store::{Store, TokenRow};

/// A token that has to do with this home.
#[derive(Clone, Debug)]
pub enum Whose {
    /// One that was issued here, or taken over.
    Known(TokenRow),
    /// A key of ours signed it and nobody here knows it.
    Signed,
    /// It says that we issued it, and no key of ours signed it.
    Claimed,
}

/// `None`: it is somebody else's.
pub async fn whose(store: &Store, snapshot: &Snapshot, token: &str) -> Result<Option<Whose>> {
    if let Some(row) = store.token_of_digest(&TokenDigest::of(token)).await.doing("the tokens")? {
        return Ok(Some(Whose::Known(row)));
    }
    let authority = snapshot.authority();
    if Bearer::new(token).and_then(|bearer| check_signature(&bearer, authority)).is_ok() {
        return Ok(Some(Whose::Signed));
    }
    let claims = part(token, 1);
    let is_claimed = claims.is_some_and(|claims| claims["iss"] == authority.issuer.as_str());
    Ok(is_claimed.then_some(Whose::Claimed))
}
