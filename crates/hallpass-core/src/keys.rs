//! The public side of the authority's keys (RFC 7517). Holds no private key and cannot sign.

use crate::encoding::{base64url, decode_base64url};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A key's name in a token's header: `hp-...`, at most 128 visible ASCII characters. A map key and nothing else:
/// never a path, a query or a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Takes a key id, `None` if it is empty, too long or holds anything but visible ASCII.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.into()))
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The signature algorithms that a key can have. The key decides, never the token's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
}

impl Algorithm {
    /// The exact, case-sensitive `alg` text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
        }
    }
}

/// Why a public key was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// Not a point of the curve, or of the wrong size.
    NotAKey,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a public key of its algorithm")
    }
}

impl std::error::Error for KeyFault {}

/// A public key that checks signatures of one algorithm.
pub struct VerifyingKey {
    kid: KeyId,
    algorithm: Algorithm,
    public: Vec<u8>,
    parsed: ParsedPublicKey,
}

impl VerifyingKey {
    /// An ES256 key from its uncompressed point (65 bytes: `04 || x || y`).
    pub fn es256(kid: KeyId, point: &[u8]) -> Result<Self, KeyFault> {
        if point.len() != 65 || point[0] != 4 {
            return Err(KeyFault::NotAKey);
        }
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| KeyFault::NotAKey)?;
        Ok(Self { kid, algorithm: Algorithm::Es256, public: point.to_vec(), parsed })
    }

    /// An ES256 key from the `x` and `y` of its JWK.
    pub fn es256_from_coordinates(kid: KeyId, x: &str, y: &str) -> Result<Self, KeyFault> {
        let x = decode_base64url(x.as_bytes()).ok_or(KeyFault::NotAKey)?;
        let y = decode_base64url(y.as_bytes()).ok_or(KeyFault::NotAKey)?;
        Self::es256(kid, &[&[4], x.as_slice(), y.as_slice()].concat())
    }

    /// The key's name.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The one algorithm that this key verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key as it is kept: for ES256 the uncompressed point, 65 bytes.
    pub fn public_bytes(&self) -> &[u8] {
        &self.public
    }

    /// The public JWK (RFC 7517): nothing private in it.
    pub fn to_jwk(&self) -> serde_json::Value {
        let Algorithm::Es256 = self.algorithm;
        serde_json::json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": self.algorithm.as_str(), "kid": self.kid.as_str(),
            "x": base64url(&self.public[1..33]), "y": base64url(&self.public[33..65]),
        })
    }

    pub(crate) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// The keys whose signatures count, by `kid`.
#[derive(Clone, Debug, Default)]
pub struct KeySet(HashMap<KeyId, Arc<VerifyingKey>>);

impl KeySet {
    /// A set of these keys. A later key replaces an earlier one of the same name.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self(keys.into_iter().map(|key| (key.kid.clone(), Arc::new(key))).collect())
    }

    /// The key of that name.
    pub fn get(&self, kid: &str) -> Option<&Arc<VerifyingKey>> {
        self.0.get(kid)
    }

    /// All keys, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.0.values().map(AsRef::as_ref)
    }

    /// Whether there is no key at all: then nothing can be verified.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
