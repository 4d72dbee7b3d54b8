//! The grace period: until one stored instant, the secret that clients shared before counts too. Knows no clock: the
//! highest time seen is kept, so that a clock set back does not bring an ended period back.

use crate::bearer::Bearer;
use crate::policy::Policy;
use crate::snapshot::ServerScope;
use crate::time::UnixTime;
use aws_lc_rs::hmac;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Length of a [`SecretTag`], in bytes.
pub const TAG_BYTES: usize = 32;

/// What tells the shared secret from any other text: an HMAC-SHA256 under a key of the installation. Secrets that
/// people chose can be short: who has only the database cannot try them out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretTag([u8; TAG_BYTES]);

impl SecretTag {
    /// Reads what [`SecretTag::bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes for the store.
    pub fn bytes(&self) -> &[u8; TAG_BYTES] {
        &self.0
    }
}

impl fmt::Debug for SecretTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretTag(..)")
    }
}

/// The key under which shared secrets are told apart.
#[derive(Clone)]
pub struct TagKey(hmac::Key);

impl TagKey {
    /// A key of 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The tag of a secret.
    pub fn tag(&self, secret: &[u8]) -> SecretTag {
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(hmac::sign(&self.0, secret).as_ref());
        SecretTag(tag)
    }
}

impl fmt::Debug for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TagKey(..)")
    }
}

/// What an operator decided about the shared secret.
#[derive(Clone, Debug)]
pub struct GraceTerms {
    /// Which period: every start, extension and end counts it up.
    pub period: i64,
    /// The shared secret's tag.
    pub tag: SecretTag,
    /// The first instant at which the secret no longer counts.
    pub until: UnixTime,
    /// When a person ended it early, or it was noted as over.
    pub ended_at: Option<UnixTime>,
    /// The servers that may be called with it.
    pub servers: ServerScope,
    /// What may be called with it.
    pub policy: Option<Arc<Policy>>,
    /// On the path of a client that has used its own token, the secret no longer counts.
    pub strict_after_migration: bool,
}

/// A grace period, with the highest time that was seen during it.
#[derive(Debug)]
pub struct Grace {
    terms: GraceTerms,
    key: TagKey,
    seen: AtomicI64,
}

impl Grace {
    /// Puts it together. `seen` is the highest time noted so far.
    pub fn new(terms: GraceTerms, key: TagKey, seen: UnixTime) -> Self {
        Self { terms, key, seen: AtomicI64::new(seen.seconds()) }
    }

    /// What was decided.
    pub fn terms(&self) -> &GraceTerms {
        &self.terms
    }

    /// Takes over the highest time seen from what was in force before, if that is the same period.
    pub fn follow(&self, before: &Self) {
        if self.terms.period == before.terms.period {
            self.see(before.seen());
        }
    }

    /// The highest time seen.
    pub fn seen(&self) -> UnixTime {
        UnixTime::from_seconds(self.seen.load(Ordering::Relaxed))
    }

    /// Notes that it is `now`. Returns the highest time seen, which may be later.
    pub fn see(&self, now: UnixTime) -> UnixTime {
        let before = self.seen.fetch_max(now.seconds(), Ordering::Relaxed);
        UnixTime::from_seconds(before.max(now.seconds()))
    }

    /// Since when it is over, if it is over at `now` or was at any time seen before.
    pub fn over_since(&self, now: UnixTime) -> Option<UnixTime> {
        if let Some(ended_at) = self.terms.ended_at {
            return Some(ended_at);
        }
        (self.see(now) >= self.terms.until).then_some(self.terms.until)
    }

    /// Whether what was shown is the shared secret, in time that does not depend on where they differ.
    pub fn recognise(self: &Arc<Self>, shown: &Bearer<'_>) -> Option<SharedSecret> {
        self.recognise_text(shown.text())
    }

    /// The same of a text that did not come in a header: a former secret may hold what no header can.
    pub fn recognise_text(self: &Arc<Self>, shown: &str) -> Option<SharedSecret> {
        let is_it = hmac::verify(&self.key.0, shown.as_bytes(), &self.terms.tag.0).is_ok();
        is_it.then(|| SharedSecret(Arc::clone(self)))
    }
}

/// The proof that a caller showed the shared secret. Whether it still counts is for [`crate::judge_shared()`] to say.
#[derive(Clone, Debug)]
pub struct SharedSecret(Arc<Grace>);

impl SharedSecret {
    /// The same secret under the terms in force now. Only the judge may renew the proof.
    pub(crate) fn of(grace: &Arc<Grace>) -> Self {
        Self(Arc::clone(grace))
    }

    /// The period whose secret it is.
    pub fn grace(&self) -> &Grace {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Grace, GraceTerms, TagKey};
    use crate::bearer::Bearer;
    use crate::snapshot::ServerScope;
    use crate::time::UnixTime;
    use std::sync::Arc;

    const DAY: i64 = 86_400;

    fn grace(period: i64, ended_at: Option<i64>) -> Arc<Grace> {
        let key = TagKey::new(&[1; 32]);
        let terms = GraceTerms {
            period,
            tag: key.tag(b"shared-by-all"),
            until: UnixTime::from_seconds(14 * DAY),
            ended_at: ended_at.map(UnixTime::from_seconds),
            servers: ServerScope::All,
            policy: None,
            strict_after_migration: false,
        };
        Arc::new(Grace::new(terms, key, UnixTime::from_seconds(0)))
    }

    #[test]
    fn only_the_secret_itself_is_recognised() {
        let grace = grace(1, None);
        assert!(grace.recognise(&Bearer::new("shared-by-all").unwrap()).is_some());
        for other in ["shared-by-al", "shared-by-all2", "Shared-by-all", "x"] {
            assert!(grace.recognise(&Bearer::new(other).unwrap()).is_none(), "{other}");
            assert!(grace.recognise_text(other).is_none(), "{other}");
        }
        assert!(grace.recognise_text("shared-by-all").is_some());
        assert_eq!(format!("{:?}", grace.key), "TagKey(..)");
    }

    #[test]
    fn a_clock_set_back_does_not_bring_it_back() {
        let at = |day: i64| UnixTime::from_seconds(day * DAY);
        let grace = grace(1, None);
        assert_eq!(grace.over_since(at(13)), None);
        assert_eq!(grace.over_since(at(14)), Some(at(14)));
        assert_eq!(grace.over_since(at(3)), Some(at(14)));
    }

    #[test]
    fn the_highest_time_is_handed_on_within_one_period_only() {
        let at = |day: i64| UnixTime::from_seconds(day * DAY);
        let (first, same, extended) = (grace(1, None), grace(1, None), grace(2, None));
        first.see(at(20));
        same.follow(&first);
        extended.follow(&first);
        assert_eq!(same.over_since(at(3)), Some(at(14)));
        assert_eq!(extended.over_since(at(3)), None);
    }

    #[test]
    fn ended_is_ended_whatever_the_clock_says() {
        assert!(grace(1, Some(DAY)).over_since(UnixTime::from_seconds(0)).is_some());
    }
}
