//! From a shown token to one that a key of ours signed: true for ever, so it may be cached. Knows no time and no registry.

use crate::bearer::Bearer;
use crate::claims::{Claims, Header};
use crate::denial::Denial;
use crate::digest::TokenDigest;
use crate::encoding::decode_base64url;
use crate::keys::VerifyingKey;
use crate::snapshot::Authority;
use crate::strict_json::{Json, JsonFault};
use std::sync::Arc;

/// Nesting allowed in a header or in claims.
const DEPTH_MOST: usize = 64;

/// A token that one of our keys signed, with its claims. Whether it is good now is for [`crate::judge()`] to say.
#[derive(Debug)]
pub struct Signed {
    key: Arc<VerifyingKey>,
    digest: TokenDigest,
    claims: Claims,
}

impl Signed {
    /// The key that signed it.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// SHA-256 of the token's text.
    pub fn digest(&self) -> TokenDigest {
        self.digest
    }

    /// What it says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// Checks form, key, algorithm, signature and issuer, in this order.
pub fn check_signature(bearer: &Bearer<'_>, authority: &Authority) -> Result<Signed, Denial> {
    let token = bearer.text();
    let (header_part, claims_part, signature_part) = three_parts(token)?;
    let header = Header::read(&object(&bytes(header_part)?)?, authority.token_type)?;
    let signature = decode_base64url(signature_part.as_bytes()).ok_or(Denial::MalformedToken)?;
    let key = match &header.kid {
        Some(kid) => authority.keys.get(kid.as_str()),
        None => authority.keys.unnamed(),
    };
    let Some(key) = key else { return Err(Denial::UnknownKey) };
    // The key's algorithm decides; the header must agree with it to the letter.
    if header.alg != key.algorithm().as_str() {
        return Err(Denial::WrongAlgorithm);
    }
    let signing_input = &token[..header_part.len() + 1 + claims_part.len()];
    if !key.accepts(signing_input.as_bytes(), &signature) {
        return Err(Denial::BadSignature);
    }
    let claims = Claims::read(&object(&bytes(claims_part)?)?, authority.token_type, key.jti_rule())?;
    if claims.issuer != authority.issuer.as_str() {
        return Err(Denial::WrongIssuer);
    }
    Ok(Signed { key: Arc::clone(key), digest: bearer.digest(), claims })
}

fn three_parts(token: &str) -> Result<(&str, &str, &str), Denial> {
    let mut parts = token.splitn(4, '.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(claims), Some(signature), None)
            if !header.is_empty() && !claims.is_empty() && !signature.is_empty() =>
        {
            Ok((header, claims, signature))
        }
        _ => Err(Denial::MalformedToken),
    }
}

fn bytes(part: &str) -> Result<Vec<u8>, Denial> {
    decode_base64url(part.as_bytes()).ok_or(Denial::MalformedToken)
}

fn object(bytes: &[u8]) -> Result<Json<'_>, Denial> {
    match Json::parse(bytes, DEPTH_MOST) {
        Ok(object @ Json::Object(_)) => Ok(object),
        Ok(_) | Err(JsonFault::NotUtf8 | JsonFault::TooDeep | JsonFault::NotStrict) => {
            Err(Denial::MalformedToken)
        }
    }
}
