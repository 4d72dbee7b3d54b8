//! From a shown token to one that a key of ours signed: true for ever, so it may be cached. Knows no time and no registry.

use crate::bearer::Bearer;
use crate::claims::{Claims, Header};
use crate::denial::Denial;
use crate::digest::TokenDigest;
use crate::encoding::decode_base64url;
use crate::keys::{KeySet, VerifyingKey};
use crate::snapshot::{Authority, TokenType};
use crate::strict_json::{Json, JsonFault};
use std::sync::Arc;

/// Nesting allowed in a header or in claims.
pub const DEPTH_MOST: usize = 64;
/// Header, claims, signature (RFC 7515 section 3.1).
pub const PARTS: usize = 3;

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
    let (key, claims) = check_parts(bearer, &authority.keys, authority.token_type)?;
    let claims = Claims::read(&object(&claims)?, authority.token_type, key.jti_rule())?;
    if claims.issuer != authority.issuer.as_str() {
        return Err(Denial::WrongIssuer);
    }
    Ok(Signed { key: Arc::clone(key), digest: bearer.digest(), claims })
}

/// The payload of a JWS that one of `keys` signed: the step of [`check_signature`] that knows no claims. Lets nobody in.
pub fn check_jws(bearer: &Bearer<'_>, keys: &KeySet, token_type: TokenType) -> Result<Vec<u8>, Denial> {
    check_parts(bearer, keys, token_type).map(|(_, payload)| payload)
}

fn check_parts<'k>(
    bearer: &Bearer<'_>,
    keys: &'k KeySet,
    token_type: TokenType,
) -> Result<(&'k Arc<VerifyingKey>, Vec<u8>), Denial> {
    let token = bearer.text();
    let (header_part, payload_part, signature_part) = three_parts(token)?;
    let header = Header::read(&object(&decode(header_part)?)?, token_type)?;
    let signature = decode(signature_part)?;
    let key = match &header.kid {
        Some(kid) => keys.get(kid.as_str()),
        None => keys.unnamed(),
    };
    let Some(key) = key else { return Err(Denial::UnknownKey) };
    // The key's algorithm decides; the header must agree with it to the letter.
    if header.alg != key.algorithm().as_str() {
        return Err(Denial::WrongAlgorithm);
    }
    let signing_input = &token[..header_part.len() + 1 + payload_part.len()];
    if !key.accepts(signing_input.as_bytes(), &signature) {
        return Err(Denial::BadSignature);
    }
    Ok((key, decode(payload_part)?))
}

fn three_parts(token: &str) -> Result<(&str, &str, &str), Denial> {
    let mut parts = token.splitn(PARTS + 1, '.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(claims), Some(signature), None)
            if !header.is_empty() && !claims.is_empty() && !signature.is_empty() =>
        {
            Ok((header, claims, signature))
        }
        _ => Err(Denial::MalformedToken),
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Denial> {
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
