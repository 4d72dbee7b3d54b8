//! From a shown token to one that a key of ours signed: true for ever, so it may be cached. Knows no time and no registry.

use crate::bearer::Bearer;
use crate::claims::{Claims, Header};
use crate::denial::Denial;
use crate::digest::TokenDigest;
use crate::encoding::decode_base64url_into;
use crate::keys::{KeySet, VerifyingKey};
use crate::minted::read_minted;
use crate::snapshot::{Authority, TokenType};
use crate::strict_json::{Json, JsonFault};
use memchr::memchr_iter;
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
    let (key, payload) = check_parts(bearer, &authority.keys, authority.token_type)?;
    let payload = String::from_utf8(payload).map_err(|_| Denial::MalformedToken)?;
    let claims = match read_minted(payload) {
        Ok(claims) => claims,
        Err(other) => Claims::read(&object(other.as_bytes())?, authority.token_type, key.jti_rule())?,
    };
    if claims.issuer() != authority.issuer.as_str() {
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
    let [header_part, payload_part, signature_part] = parts(token)?;
    // One room for both: the signature has done its work when the payload is decoded.
    let mut room = Vec::with_capacity(payload_part.len());
    decode(signature_part, &mut room)?;
    let key = key_named_by(header_part, keys, token_type)?;
    let signing_input = &token[..header_part.len() + 1 + payload_part.len()];
    if !key.accepts(signing_input.as_bytes(), &room) {
        return Err(Denial::BadSignature);
    }
    decode(payload_part, &mut room)?;
    Ok((key, room))
}

fn parts(token: &str) -> Result<[&str; PARTS], Denial> {
    let mut dots = memchr_iter(b'.', token.as_bytes());
    let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
        return Err(Denial::MalformedToken);
    };
    let parts = [&token[..first], &token[first + 1..second], &token[second + 1..]];
    if parts.iter().any(|part| part.is_empty()) { Err(Denial::MalformedToken) } else { Ok(parts) }
}

fn decode(part: &str, room: &mut Vec<u8>) -> Result<(), Denial> {
    if decode_base64url_into(part.as_bytes(), room) { Ok(()) } else { Err(Denial::MalformedToken) }
}

/// The key that the header asks for, if the header may stand there.
fn key_named_by<'k>(
    header_part: &str,
    keys: &'k KeySet,
    token_type: TokenType,
) -> Result<&'k Arc<VerifyingKey>, Denial> {
    // The header of what is minted here, letter for letter: it would be read to the same key.
    if let (TokenType::Jwt, Some(key)) = (token_type, keys.by_header(header_part)) {
        return Ok(key);
    }
    let mut room = Vec::new();
    decode(header_part, &mut room)?;
    let header = Header::read(&object(&room)?, token_type)?;
    let key = match &header.kid {
        Some(kid) => keys.get(kid.as_str()),
        None => keys.unnamed(),
    };
    let Some(key) = key else { return Err(Denial::UnknownKey) };
    // The key's algorithm decides; the header must agree with it to the letter.
    if header.alg != key.algorithm().as_str() {
        return Err(Denial::WrongAlgorithm);
    }
    Ok(key)
}

fn object(bytes: &[u8]) -> Result<Json<'_>, Denial> {
    match Json::parse(bytes, DEPTH_MOST) {
        Ok(object @ Json::Object(_)) => Ok(object),
        Ok(_) | Err(JsonFault::NotUtf8 | JsonFault::TooDeep | JsonFault::NotStrict) => {
            Err(Denial::MalformedToken)
        }
    }
}
