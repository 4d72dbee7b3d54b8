//! SHA-256 of what must not be kept or compared itself: tokens and secrets. The store keeps a token's digest instead of
//! the token, and it is the key of the cache of verified signatures.

use crate::encoding::{decode_hex, hex};
use aws_lc_rs::{constant_time, digest};
use std::fmt;

/// SHA-256 over the token's characters, as they were shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of a token's text.
    pub fn of(token: &str) -> Self {
        Self(sha256(token.as_bytes()))
    }

    /// Reads what [`TokenDigest::to_hex`] wrote.
    pub fn from_hex(text: &str) -> Option<Self> {
        decode_hex(text)?.try_into().ok().map(Self)
    }

    /// 64 hexadecimal characters.
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }

    /// Whether both are the same, in time that does not depend on where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

/// SHA-256 over a secret: tells whether two are the same without keeping either.
#[derive(Clone, Copy)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of these bytes.
    pub fn of(secret: &[u8]) -> Self {
        Self(sha256(secret))
    }

    /// Whether both are of the same secret, in time that does not depend on where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    digest
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}
