//! The private side of the authority: the only type that can sign.

use crate::seal::{SealFault, SealKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use hallpass_core::encoding::base64url;
use hallpass_core::keys::{Algorithm, KeyId, VerifyingKey};
use std::fmt;

/// An ES256 signing key.
pub struct SigningKey {
    kid: KeyId,
    pair: EcdsaKeyPair,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// A new key from the system's randomness.
    pub fn generate(kid: KeyId) -> Result<Self, SealFault> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| failed("no key can be made"))?;
        Self::from_pair(kid, pair)
    }

    fn from_pair(kid: KeyId, pair: EcdsaKeyPair) -> Result<Self, SealFault> {
        let verifying = VerifyingKey::public(kid.clone(), Algorithm::Es256, pair.public_key().as_ref())
            .map_err(|_| SealFault::NotOpened)?;
        Ok(Self { kid, pair, verifying })
    }

    /// Its name.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// Its public side.
    pub fn verifying_key(&self) -> Result<VerifyingKey, SealFault> {
        VerifyingKey::public(self.kid.clone(), Algorithm::Es256, self.pair.public_key().as_ref())
            .map_err(|_| SealFault::NotOpened)
    }

    /// The private key (PKCS#8), sealed under its own name: it opens as no other key.
    pub fn to_sealed(&self, seal: &SealKey) -> Result<Vec<u8>, SealFault> {
        let document = self.pair.to_pkcs8v1().map_err(|_| failed("the key cannot be written"))?;
        seal.seal(&purpose(&self.kid), document.as_ref())
    }

    /// Opens what [`SigningKey::to_sealed`] sealed.
    pub fn from_sealed(kid: KeyId, sealed: &[u8], seal: &SealKey) -> Result<Self, SealFault> {
        let document = seal.open(&purpose(&kid), sealed)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &document)
            .map_err(|_| SealFault::NotOpened)?;
        Self::from_pair(kid, pair)
    }

    /// `BASE64URL(signature)` over the signing input, `R || S`.
    pub fn sign(&self, signing_input: &str) -> Result<String, SealFault> {
        let signature = self.pair.sign(&SystemRandom::new(), signing_input.as_bytes());
        Ok(base64url(signature.map_err(|_| failed("the key cannot sign"))?.as_ref()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

fn purpose(kid: &KeyId) -> String {
    format!("signing key {kid}")
}

fn failed(what: &str) -> SealFault {
    SealFault::Failed(what.into())
}
