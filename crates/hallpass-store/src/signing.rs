//! The private side of the authority: the only type that can sign.

use crate::seal::{SealFault, SealKey};
use aws_lc_rs::encoding::{AsBigEndian, AsDer, Curve25519SeedBin, EcPrivateKeyRfc5915Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use hallpass_core::encoding::base64url;
use hallpass_core::keys::{Algorithm, KeyId, VerifyingKey};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a new HS256 secret.
const SECRET_BYTES: usize = 64;

/// A key that signs.
pub struct SigningKey {
    kid: KeyId,
    algorithm: Algorithm,
    private: Private,
}

enum Private {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Secret(Zeroizing<Vec<u8>>),
}

impl SigningKey {
    /// A new key from the system's randomness.
    pub fn generate(kid: KeyId, algorithm: Algorithm) -> Result<Self, SealFault> {
        let private = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Private::P256),
            Algorithm::EdDsa | Algorithm::Ed25519 => Ed25519KeyPair::generate().map(Private::Ed25519),
            Algorithm::Hs256 => {
                let mut secret = Zeroizing::new(vec![0; SECRET_BYTES]);
                rand::fill(&mut secret).map(|()| Private::Secret(secret))
            }
        };
        Ok(Self { kid, algorithm, private: private.map_err(|_| failed("no key can be made"))? })
    }

    /// An HS256 key from a secret that exists already. The text is the key: 64 characters are 64 bytes.
    pub fn from_secret(kid: KeyId, secret: &[u8]) -> Result<Self, SealFault> {
        let key = Self {
            kid,
            algorithm: Algorithm::Hs256,
            private: Private::Secret(Zeroizing::new(secret.to_vec())),
        };
        key.verifying_key().map(|_| key)
    }

    /// Its name.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What verifies its signatures.
    pub fn verifying_key(&self) -> Result<VerifyingKey, SealFault> {
        let kid = self.kid.clone();
        let key = match &self.private {
            Private::P256(pair) => VerifyingKey::public(kid, self.algorithm, pair.public_key().as_ref()),
            Private::Ed25519(pair) => VerifyingKey::public(kid, self.algorithm, pair.public_key().as_ref()),
            Private::Secret(secret) => VerifyingKey::secret(kid, secret),
        };
        key.map_err(|fault| failed(&fault.to_string()))
    }

    /// The private key, sealed under its own name: it opens as no other key.
    pub fn to_sealed(&self, seal: &SealKey) -> Result<Vec<u8>, SealFault> {
        let unwritable = |_| failed("the key cannot be written");
        let private = match &self.private {
            // Not as PKCS#8: the library does not wipe what it writes that into.
            Private::P256(pair) => {
                let der: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().map_err(unwritable)?;
                Zeroizing::new(der.as_ref().to_vec())
            }
            Private::Ed25519(pair) => {
                let seed: Curve25519SeedBin<'_> =
                    pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(unwritable)?;
                Zeroizing::new(seed.as_ref().to_vec())
            }
            Private::Secret(secret) => secret.clone(),
        };
        seal.seal(&purpose(&self.kid, self.algorithm), &private)
    }

    /// Opens what [`SigningKey::to_sealed`] sealed.
    pub fn from_sealed(
        kid: KeyId,
        algorithm: Algorithm,
        sealed: &[u8],
        seal: &SealKey,
    ) -> Result<Self, SealFault> {
        let private = seal.open(&purpose(&kid, algorithm), sealed)?;
        let private = match algorithm {
            Algorithm::Es256 => {
                EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &private)
                    .map(Private::P256)
            }
            Algorithm::EdDsa | Algorithm::Ed25519 => {
                Ed25519KeyPair::from_seed_unchecked(&private).map(Private::Ed25519)
            }
            Algorithm::Hs256 => Ok(Private::Secret(private)),
        };
        Ok(Self { kid, algorithm, private: private.map_err(|_| SealFault::NotOpened)? })
    }

    /// `BASE64URL(signature)` over the signing input.
    pub fn sign(&self, signing_input: &str) -> Result<String, SealFault> {
        let input = signing_input.as_bytes();
        Ok(match &self.private {
            Private::P256(pair) => {
                let signature =
                    pair.sign(&SystemRandom::new(), input).map_err(|_| failed("the key cannot sign"))?;
                base64url(signature.as_ref())
            }
            Private::Ed25519(pair) => base64url(pair.sign(input).as_ref()),
            Private::Secret(secret) => {
                base64url(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input).as_ref())
            }
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn purpose(kid: &KeyId, algorithm: Algorithm) -> String {
    format!("{} signing key {kid}", algorithm.as_str())
}

fn failed(what: &str) -> SealFault {
    SealFault::Failed(what.into())
}
