//! The keys whose signatures count (RFC 7517). The key decides the algorithm, never the token. Holds no private key of
//! an asymmetric pair; an HS256 secret can verify only by being the secret that signs.

use crate::digest::Fingerprint;
use crate::encoding::base64url;
use crate::minted::minted_header;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The longest `kid`, in characters.
pub const KID_MOST: usize = 128;

/// A key's name in a token's header: at most 128 visible ASCII characters, `hp-...` for ours. A map key and nothing
/// else: never a path, a query or a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Takes a key id, `None` if it is empty, too long or holds anything but visible ASCII.
    pub fn new(text: &str) -> Option<Self> {
        Self::fits(text).then(|| Self(text.into()))
    }

    pub(crate) fn fits(text: &str) -> bool {
        (1..=KID_MOST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
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

/// The signature algorithms that a key can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
    /// Ed25519 under its older name (RFC 8037).
    EdDsa,
    /// Ed25519 under its full name (RFC 9864).
    Ed25519,
    /// HMAC with SHA-256 (RFC 7518 section 3.2): who can verify can sign.
    Hs256,
}

impl Algorithm {
    /// Every algorithm there is.
    pub const ALL: [Self; 4] = [Self::Es256, Self::EdDsa, Self::Ed25519, Self::Hs256];

    /// The exact, case-sensitive `alg` text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::Hs256 => "HS256",
        }
    }

    /// Reads what [`Algorithm::as_str`] wrote.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// Why a key was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// Not a public key of its algorithm: not on the curve, or of the wrong size.
    NotAKey,
    /// An HS256 secret of less than 32 bytes (RFC 7518 section 3.2).
    SecretTooShort,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAKey => "not a public key of its algorithm",
            Self::SecretTooShort => "an HS256 secret needs at least 32 bytes",
        })
    }
}

impl std::error::Error for KeyFault {}

/// What the tokens of a key must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JtiRule {
    /// Every one has a `jti`.
    Required,
    /// The former set-up signed with it and knew no `jti`: a token without one counts only if it was adopted.
    AdoptedWithout,
}

/// A key that checks signatures of one algorithm.
pub struct VerifyingKey {
    kid: KeyId,
    algorithm: Algorithm,
    jti: JtiRule,
    material: Material,
}

enum Material {
    Public { bytes: Vec<u8>, parsed: ParsedPublicKey },
    Secret { fingerprint: Fingerprint, key: Box<hmac::Key> },
}

impl VerifyingKey {
    /// A key of an asymmetric algorithm. `public`: for ES256 the uncompressed point (65 bytes, `04 || x || y`), for
    /// Ed25519 the 32 bytes of RFC 8032.
    pub fn public(kid: KeyId, algorithm: Algorithm, public: &[u8]) -> Result<Self, KeyFault> {
        let parsed = match algorithm {
            Algorithm::Es256 if public.len() == 65 && public[0] == 4 => {
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
            }
            Algorithm::EdDsa | Algorithm::Ed25519 if public.len() == 32 => {
                ParsedPublicKey::new(&ED25519, public)
            }
            Algorithm::Es256 | Algorithm::EdDsa | Algorithm::Ed25519 | Algorithm::Hs256 => {
                return Err(KeyFault::NotAKey);
            }
        };
        let parsed = parsed.map_err(|_| KeyFault::NotAKey)?;
        let material = Material::Public { bytes: public.to_vec(), parsed };
        Ok(Self { kid, algorithm, jti: JtiRule::Required, material })
    }

    /// An HS256 key. The secret is taken as it is: a text of 64 characters is a key of 64 bytes.
    pub fn secret(kid: KeyId, secret: &[u8]) -> Result<Self, KeyFault> {
        if secret.len() < 32 {
            return Err(KeyFault::SecretTooShort);
        }
        let key = Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret));
        let material = Material::Secret { fingerprint: Fingerprint::of(secret), key };
        Ok(Self { kid, algorithm: Algorithm::Hs256, jti: JtiRule::Required, material })
    }

    /// The same key with another rule for its tokens' `jti`.
    #[must_use]
    pub fn with_jti(self, jti: JtiRule) -> Self {
        Self { jti, ..self }
    }

    /// The key's name.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The one algorithm that this key verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What its tokens must have.
    pub fn jti_rule(&self) -> JtiRule {
        self.jti
    }

    /// The public key as it is kept; a secret has none.
    pub fn public_bytes(&self) -> Option<&[u8]> {
        match &self.material {
            Material::Public { bytes, .. } => Some(bytes),
            Material::Secret { .. } => None,
        }
    }

    /// Whether both verify the same signatures under the same name.
    pub fn is_same(&self, other: &Self) -> bool {
        // Nearly always it is the very same.
        if std::ptr::eq(self, other) {
            return true;
        }
        self.kid == other.kid
            && self.algorithm == other.algorithm
            && self.jti == other.jti
            && self.has_same_material(other)
    }

    /// Whether whoever can sign for one can sign for the other: one key under two names.
    pub fn has_same_material(&self, other: &Self) -> bool {
        match (&self.material, &other.material) {
            (Material::Public { bytes: one, .. }, Material::Public { bytes: two, .. }) => one == two,
            (Material::Secret { fingerprint: one, .. }, Material::Secret { fingerprint: two, .. }) => {
                one.matches(two)
            }
            (Material::Public { .. }, Material::Secret { .. })
            | (Material::Secret { .. }, Material::Public { .. }) => false,
        }
    }

    /// The public JWK (RFC 7517), nothing private in it. A secret has none.
    pub fn to_jwk(&self) -> Option<serde_json::Value> {
        let public = self.public_bytes()?;
        let mut jwk =
            serde_json::json!({ "use": "sig", "alg": self.algorithm.as_str(), "kid": self.kid.as_str() });
        let members = match self.algorithm {
            Algorithm::Es256 => vec![
                ("kty", "EC".to_owned()),
                ("crv", "P-256".to_owned()),
                ("x", base64url(&public[1..33])),
                ("y", base64url(&public[33..65])),
            ],
            Algorithm::EdDsa | Algorithm::Ed25519 => {
                vec![("kty", "OKP".to_owned()), ("crv", "Ed25519".to_owned()), ("x", base64url(public))]
            }
            Algorithm::Hs256 => return None,
        };
        for (name, value) in members {
            jwk[name] = value.into();
        }
        Some(jwk)
    }

    /// Whether this key made the signature. Knows neither tokens nor callers: it lets nobody in.
    pub fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Public { parsed, .. } => parsed.verify_sig(message, signature).is_ok(),
            Material::Secret { key, .. } => hmac::verify(key, message, signature).is_ok(),
        }
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
pub struct KeySet {
    keys: BTreeMap<KeyId, Arc<VerifyingKey>>,
    /// The same keys by the header of the tokens that are minted with them.
    by_header: BTreeMap<String, Arc<VerifyingKey>>,
    unnamed: Option<Arc<VerifyingKey>>,
}

impl KeySet {
    /// A set of these keys. A later key replaces an earlier one of the same name.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        let keys: BTreeMap<_, _> = keys.into_iter().map(|key| (key.kid.clone(), Arc::new(key))).collect();
        let header = |key: &Arc<VerifyingKey>| (minted_header(&key.kid, key.algorithm), Arc::clone(key));
        Self { by_header: keys.values().map(header).collect(), keys, unnamed: None }
    }

    /// The same set, and the key that tokens without a `kid` are checked with.
    #[must_use]
    pub fn with_unnamed(mut self, kid: &str) -> Self {
        self.unnamed = self.keys.get(kid).cloned();
        self
    }

    /// The key of that name.
    pub fn get(&self, kid: &str) -> Option<&Arc<VerifyingKey>> {
        self.keys.get(kid)
    }

    /// The key whose minted tokens start with this header: what reading the header would lead to, without reading it.
    pub(crate) fn by_header(&self, header: &str) -> Option<&Arc<VerifyingKey>> {
        self.by_header.get(header)
    }

    /// The key for a token that names none.
    pub fn unnamed(&self) -> Option<&Arc<VerifyingKey>> {
        self.unnamed.as_ref()
    }

    /// All keys, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.values().map(AsRef::as_ref)
    }

    /// Whether there is no key at all: then nothing can be verified.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether both verify the same signatures.
    pub fn is_same(&self, other: &Self) -> bool {
        let unnamed = |set: &Self| set.unnamed.as_ref().map(|key| key.kid.clone());
        self.keys.len() == other.keys.len()
            && unnamed(self) == unnamed(other)
            && self.keys.iter().all(|(kid, key)| other.keys.get(kid).is_some_and(|other| key.is_same(other)))
    }

    /// The JWK Set (RFC 7517 section 5) of the public keys, by `kid`: what a verifier that is not Hallpass loads.
    pub fn to_jwks(&self) -> serde_json::Value {
        let mut keys: Vec<&VerifyingKey> = self.iter().collect();
        keys.sort_by(|one, two| one.kid.cmp(&two.kid));
        serde_json::json!({ "keys": keys.into_iter().filter_map(VerifyingKey::to_jwk).collect::<Vec<_>>() })
    }
}
