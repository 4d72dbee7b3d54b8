//! From the `Authorization` header to a verified caller, by the snapshot in force. Caches signatures, never verdicts.

use arc_swap::ArcSwap;
use bytes::Bytes;
use hallpass_core::grace::SharedSecret;
use hallpass_core::{Bearer, Denial, Signed, Snapshot, TokenDigest, UnixTime, check_signature};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Signatures that are remembered: of more tokens in use than that, each call would check one anew, which takes longer than
/// all the rest. Takes memory as it fills. Attackers cannot fill it: only tokens that a key of ours signed get in.
const SIGNATURES_MOST: usize = 131_072;

/// A credential that was recognised. Whether it is good now is for the judge.
pub(crate) enum Shown {
    /// A token that a key of ours signed.
    Token(Arc<Signed>),
    /// The secret that clients shared before.
    Shared(SharedSecret),
}

/// One snapshot, and the signatures that its authority's keys were found to have made.
pub(crate) struct InForce {
    edition: u64,
    snapshot: Arc<Snapshot>,
    signatures: Arc<Cache<TokenDigest, Arc<Signed>>>,
    jwks: Arc<Jwks>,
}

/// The public keys as they are published.
pub(crate) struct Jwks {
    pub(crate) text: Bytes,
    pub(crate) etag: HeaderValue,
}

impl Jwks {
    fn of(snapshot: &Snapshot) -> Self {
        let text = snapshot.authority().keys.to_jwks().to_string();
        let etag = format!("\"{}\"", &TokenDigest::of(&text).to_hex()[..32]);
        let etag = HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"\""));
        Self { text: text.into(), etag }
    }
}

impl InForce {
    fn new(edition: u64, snapshot: Arc<Snapshot>) -> Self {
        let jwks = Arc::new(Jwks::of(&snapshot));
        Self { edition, snapshot, signatures: Arc::new(Cache::new(SIGNATURES_MOST)), jwks }
    }

    /// What was in force until now is replaced. Another issuer or other keys make the old signatures worthless.
    fn followed_by(&self, snapshot: Arc<Snapshot>) -> Self {
        let edition = self.edition + 1;
        if let (Some(grace), Some(before)) = (snapshot.grace(), self.snapshot.grace()) {
            grace.follow(before);
        }
        if same_authority(&self.snapshot, &snapshot) && same_secret(&self.snapshot, &snapshot) {
            let (signatures, jwks) = (Arc::clone(&self.signatures), Arc::clone(&self.jwks));
            Self { edition, snapshot, signatures, jwks }
        } else {
            Self::new(edition, snapshot)
        }
    }

    /// The snapshot itself.
    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The public keys as they are published.
    pub(crate) fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// Counts what was published.
    pub(crate) fn edition(&self) -> u64 {
        self.edition
    }

    /// What the request shows: a token that a key of ours signed, or the shared secret. What is neither is refused as
    /// the bad token that it is.
    pub(crate) fn shown(&self, headers: &HeaderMap) -> Result<Shown, Denial> {
        let shown = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
        let bearer = Bearer::from_authorization(shown)?;
        let digest = bearer.digest();
        if let Some(signed) = self.signatures.get(&digest) {
            return Ok(Shown::Token(signed));
        }
        if let Some(secret) = self.snapshot.grace().and_then(|grace| grace.recognise(&bearer)) {
            return Ok(Shown::Shared(secret));
        }
        self.check(digest, &bearer).map(Shown::Token)
    }

    /// A token that a key of ours signed, or nothing: where a token is shown, no secret is looked for.
    pub(crate) fn signed(&self, bearer: &Bearer<'_>) -> Result<Arc<Signed>, Denial> {
        let digest = bearer.digest();
        match self.signatures.get(&digest) {
            Some(signed) => Ok(signed),
            None => self.check(digest, bearer),
        }
    }

    fn check(&self, digest: TokenDigest, bearer: &Bearer<'_>) -> Result<Arc<Signed>, Denial> {
        let signed = Arc::new(check_signature(bearer, self.snapshot.authority())?);
        self.signatures.insert(digest, Arc::clone(&signed));
        Ok(signed)
    }
}

/// The shared secret of a former set-up can look like a token: what was checked as one before it became the secret must
/// not be taken for one any more.
fn same_secret(old: &Snapshot, new: &Snapshot) -> bool {
    let tag = |snapshot: &Snapshot| snapshot.grace().map(|grace| grace.terms().tag);
    tag(old) == tag(new)
}

fn same_authority(old: &Snapshot, new: &Snapshot) -> bool {
    let (old, new) = (old.authority(), new.authority());
    old.issuer == new.issuer && old.token_type == new.token_type && old.keys.is_same(&new.keys)
}

/// The snapshot in force, exchanged in one step.
pub(crate) struct Gate(ArcSwap<InForce>);

impl Gate {
    pub(crate) fn new(snapshot: Arc<Snapshot>) -> Self {
        Self(ArcSwap::from_pointee(InForce::new(0, snapshot)))
    }

    /// What is in force at this instant. Not to be held while waiting.
    pub(crate) fn in_force(&self) -> arc_swap::Guard<Arc<InForce>> {
        self.0.load()
    }

    /// Which edition is in force.
    pub(crate) fn edition(&self) -> u64 {
        self.0.load().edition
    }

    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) {
        self.0.rcu(move |current| current.followed_by(Arc::clone(&snapshot)));
    }
}

/// Whole seconds of a clock's milliseconds.
pub(crate) fn seconds_of(now_ms: i64) -> UnixTime {
    UnixTime::from_seconds(now_ms.div_euclid(1000))
}
