//! Loads JWK Sets (RFC 7517, RFC 7518, RFC 8037) strictly: what two libraries could take differently is refused.

use crate::encoding::decode_base64url;
use crate::keys::{Algorithm, KeyFault, KeyId, VerifyingKey};
use crate::strict_json::Json;
use std::collections::HashSet;
use std::fmt;
use zeroize::Zeroizing;

/// The largest set that is read, in bytes.
const SET_MOST: usize = 64 << 10;
/// Nesting allowed in a set.
const DEPTH_MOST: usize = 8;

/// Why a set was refused. Says nothing of a key's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksFault {
    /// Larger than 64 KiB.
    TooLarge,
    /// Not strict JSON, or not an object with a list `keys`.
    NotASet,
    /// No key in it.
    Empty,
    /// Two keys with one `kid`.
    DuplicateKid,
    /// Secrets beside public keys: who publishes one must not publish the other.
    Mixed,
    /// One key is refused.
    Key {
        /// Its place in the list, from 0.
        position: usize,
        /// Why.
        why: JwkFault,
    },
}

/// Why one key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwkFault {
    /// Not an object.
    NotAnObject,
    /// A member is missing or of the wrong type.
    Member(&'static str),
    /// `alg` names an algorithm that is not served.
    Algorithm,
    /// `kty` or `crv` is not that of its `alg`.
    Mismatch(&'static str),
    /// `use` or `key_ops` says that it is not for signatures.
    NotForSignatures,
    /// The private half of a key pair.
    Private,
    /// The key itself.
    Key(KeyFault),
}

impl fmt::Display for JwksFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "it is larger than {SET_MOST} bytes"),
            Self::NotASet => {
                f.write_str("it is not a JWK Set: an object with a list `keys`, each member once")
            }
            Self::Empty => f.write_str("it holds no key"),
            Self::DuplicateKid => f.write_str("two keys have the same `kid`"),
            Self::Mixed => f.write_str("it mixes secrets with public keys"),
            Self::Key { position, why } => write!(f, "key {position}: {why}"),
        }
    }
}

impl fmt::Display for JwkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("not an object"),
            Self::Member(name) => write!(f, "`{name}` is missing or malformed"),
            Self::Algorithm => f.write_str("`alg` is none of ES256, EdDSA, Ed25519, HS256"),
            Self::Mismatch(name) => write!(f, "`{name}` does not belong to its `alg`"),
            Self::NotForSignatures => f.write_str("it is not for signatures"),
            Self::Private => f.write_str("it holds the private half"),
            Self::Key(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for JwksFault {}
impl std::error::Error for JwkFault {}

/// The keys of a JWK Set.
pub fn parse_set(bytes: &[u8]) -> Result<Vec<VerifyingKey>, JwksFault> {
    if bytes.len() > SET_MOST {
        return Err(JwksFault::TooLarge);
    }
    let set = Json::parse(bytes, DEPTH_MOST).map_err(|_| JwksFault::NotASet)?;
    let Some(Json::List(list)) = set.get("keys") else { return Err(JwksFault::NotASet) };
    let mut keys = Vec::new();
    let mut names = HashSet::new();
    for (position, jwk) in list.iter().enumerate() {
        let key = parse_key(jwk).map_err(|why| JwksFault::Key { position, why })?;
        if !names.insert(key.kid().clone()) {
            return Err(JwksFault::DuplicateKid);
        }
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(JwksFault::Empty);
    }
    let secrets = keys.iter().filter(|key| key.algorithm() == Algorithm::Hs256).count();
    if secrets != 0 && secrets != keys.len() {
        return Err(JwksFault::Mixed);
    }
    Ok(keys)
}

/// One key. `alg` and `kid` have to be there: nothing is guessed.
pub fn parse_key(jwk: &Json) -> Result<VerifyingKey, JwkFault> {
    let Json::Object(_) = jwk else { return Err(JwkFault::NotAnObject) };
    let kid = KeyId::new(text(jwk, "kid")?).ok_or(JwkFault::Member("kid"))?;
    let algorithm = Algorithm::from_name(text(jwk, "alg")?).ok_or(JwkFault::Algorithm)?;
    check_use(jwk)?;
    let expected = match algorithm {
        Algorithm::Es256 => ("EC", Some("P-256")),
        Algorithm::EdDsa | Algorithm::Ed25519 => ("OKP", Some("Ed25519")),
        Algorithm::Hs256 => ("oct", None),
    };
    if text(jwk, "kty")? != expected.0 {
        return Err(JwkFault::Mismatch("kty"));
    }
    let Some(curve) = expected.1 else {
        let secret = Zeroizing::new(bytes(jwk, "k")?);
        return VerifyingKey::secret(kid, &secret).map_err(JwkFault::Key);
    };
    if text(jwk, "crv")? != curve {
        return Err(JwkFault::Mismatch("crv"));
    }
    if jwk.get("d").is_some() {
        return Err(JwkFault::Private);
    }
    let public = match algorithm {
        Algorithm::Es256 => [vec![4], bytes(jwk, "x")?, bytes(jwk, "y")?].concat(),
        Algorithm::EdDsa | Algorithm::Ed25519 | Algorithm::Hs256 => bytes(jwk, "x")?,
    };
    VerifyingKey::public(kid, algorithm, &public).map_err(JwkFault::Key)
}

fn check_use(jwk: &Json) -> Result<(), JwkFault> {
    match jwk.get("use") {
        None => {}
        Some(Json::Text(purpose)) if purpose == "sig" => {}
        Some(_) => return Err(JwkFault::NotForSignatures),
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Json::List(operations)) if operations.contains(&Json::Text("verify".into())) => Ok(()),
        Some(_) => Err(JwkFault::NotForSignatures),
    }
}

fn text<'a>(jwk: &'a Json, name: &'static str) -> Result<&'a str, JwkFault> {
    match jwk.get(name) {
        Some(Json::Text(text)) => Ok(text),
        Some(_) | None => Err(JwkFault::Member(name)),
    }
}

fn bytes(jwk: &Json, name: &'static str) -> Result<Vec<u8>, JwkFault> {
    decode_base64url(text(jwk, name)?.as_bytes()).ok_or(JwkFault::Member(name))
}
