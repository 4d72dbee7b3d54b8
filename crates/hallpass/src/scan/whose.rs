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
    for token in readings(token) {
        if let Some(row) = store.token_of_digest(&TokenDigest::of(token)).await.doing("the tokens")? {
            return Ok(Some(Whose::Known(row)));
        }
    }
    let authority = snapshot.authority();
    let is_signed = |token| Bearer::new(token).and_then(|bearer| check_signature(&bearer, authority)).is_ok();
    if readings(token).any(is_signed) {
        return Ok(Some(Whose::Signed));
    }
    let claims = part(token, 1);
    let is_claimed = claims.is_some_and(|claims| claims["iss"] == authority.issuer.as_str());
    Ok(is_claimed.then_some(Whose::Claimed))
}

/// How long signatures are that the keys of a home make: of HMAC with SHA-256, of ECDSA on P-256 and of Ed25519.
const SIGNATURES: [usize; 2] = [43, 86];

/// What the token may be: all of it, or less where letters stand right behind it that a token may have too, as in
/// `_TOKEN_` of a document.
fn readings(token: &str) -> impl Iterator<Item = &str> {
    let start = token.rfind('.').map_or(0, |dot| dot + 1);
    let cut = SIGNATURES.into_iter().map(move |length| start + length).filter(|end| *end < token.len());
    std::iter::once(token).chain(cut.map(|end| &token[..end]))
}
