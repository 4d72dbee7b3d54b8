//! Loads JWK Sets (RFC 7517, RFC 7518, RFC 8037) strictly: what two libraries could take differently is refused.

use crate::encoding::decode_base64url;
use crate::keys::{Algorithm, KeyFault, KeyId, VerifyingKey};
use crate::strict_json::Json;
use std::collections::HashSet;
use std::fmt;
use zeroize::Zeroizing;

/// The largest set that is read, in bytes.
pub const SET_MOST: usize = 64 << 10;
/// Nesting allowed in a set.
const DEPTH_MOST: usize = 8;
/// Bytes of a coordinate of P-256.
const COORDINATE: usize = 32;

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
        Algorithm::Es256 => [vec![4], coordinate(jwk, "x")?, coordinate(jwk, "y")?].concat(),
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
        Some(Json::List(operations)) if are_of_signatures(operations) => Ok(()),
        Some(_) => Err(JwkFault::NotForSignatures),
    }
}

/// `verify`, or `verify` and `sign`, each once (RFC 7517 section 4.3): a key with another use beside is one that two
/// programs use for two things.
fn are_of_signatures(operations: &[Json]) -> bool {
    let count = |name: &str| operations.iter().filter(|one| **one == Json::Text(name.into())).count();
    count("verify") == 1 && count("sign") <= 1 && operations.len() == 1 + count("sign")
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

/// A coordinate has the length of its curve's (RFC 7518 section 6.2.1.2): a byte that is missing in one must not be made
/// up by the other.
fn coordinate(jwk: &Json, name: &'static str) -> Result<Vec<u8>, JwkFault> {
    let bytes = bytes(jwk, name)?;
    if bytes.len() == COORDINATE { Ok(bytes) } else { Err(JwkFault::Member(name)) }
}

#[cfg(test)]
mod tests {
    use super::{JwkFault, JwksFault, parse_set};
    use crate::encoding::{base64url, decode_base64url};
    use crate::keys::KeyFault;
    use serde_json::{Value, json};

    /// A P-256 key (RFC 7517 appendix A.1), an Ed25519 key (RFC 8037 appendix A.2) and a secret.
    fn es256() -> Value {
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "e",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM" })
    }

    fn ed25519() -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "o",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
    }

    fn hs256() -> Value {
        json!({ "kty": "oct", "alg": "HS256", "kid": "s", "k": base64url(&[7; 32]) })
    }

    fn load(keys: &[Value]) -> Result<usize, JwksFault> {
        parse_set(json!({ "keys": keys }).to_string().as_bytes()).map(|keys| keys.len())
    }

    /// The fault of one key with these members changed; `null` takes one out.
    fn fault(mut jwk: Value, changes: &Value) -> Option<JwkFault> {
        for (name, value) in changes.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        match load(&[jwk]) {
            Ok(_) => None,
            Err(JwksFault::Key { position: 0, why }) => Some(why),
            Err(other) => panic!("{changes}: {other}"),
        }
    }

    #[test]
    fn good_keys_load() {
        assert_eq!(load(&[es256(), ed25519()]), Ok(2));
        assert_eq!(load(&[hs256()]), Ok(1));
        for more in [
            json!({ "use": "sig" }),
            json!({ "key_ops": ["verify"] }),
            json!({ "use": "sig", "key_ops": ["sign", "verify"] }),
            json!({ "x5t": "anything", "more": [1] }),
        ] {
            assert_eq!(fault(es256(), &more), None, "{more}");
        }
    }

    #[test]
    fn what_two_libraries_could_take_differently_is_refused() {
        for (changes, expect) in [
            (json!({ "kid": null }), JwkFault::Member("kid")),
            (json!({ "kid": 1 }), JwkFault::Member("kid")),
            (json!({ "kid": "a b" }), JwkFault::Member("kid")),
            (json!({ "alg": null }), JwkFault::Member("alg")),
            (json!({ "alg": "es256" }), JwkFault::Algorithm),
            (json!({ "alg": "none" }), JwkFault::Algorithm),
            (json!({ "alg": "HS256" }), JwkFault::Mismatch("kty")),
            (json!({ "alg": "EdDSA" }), JwkFault::Mismatch("kty")),
            (json!({ "crv": "P-384" }), JwkFault::Mismatch("crv")),
            (json!({ "crv": null }), JwkFault::Member("crv")),
            (json!({ "use": "enc" }), JwkFault::NotForSignatures),
            (json!({ "use": null, "key_ops": [] }), JwkFault::NotForSignatures),
            (json!({ "key_ops": "verify" }), JwkFault::NotForSignatures),
            (json!({ "key_ops": ["sign"] }), JwkFault::NotForSignatures),
            (json!({ "key_ops": ["verify", "verify"] }), JwkFault::NotForSignatures),
            (json!({ "key_ops": ["verify", "sign", "sign"] }), JwkFault::NotForSignatures),
            (json!({ "key_ops": ["verify", "encrypt"] }), JwkFault::NotForSignatures),
            (json!({ "key_ops": ["verify", 1] }), JwkFault::NotForSignatures),
            (json!({ "d": "AA" }), JwkFault::Private),
            (json!({ "x": null }), JwkFault::Member("x")),
            (json!({ "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM=" }), JwkFault::Member("y")),
            (json!({ "y": base64url(&[1; 32]) }), JwkFault::Key(KeyFault::NotAKey)),
        ] {
            assert_eq!(fault(es256(), &changes), Some(expect), "{changes}");
        }
        assert_eq!(
            fault(ed25519(), &json!({ "x": base64url(&[1; 31]) })),
            Some(JwkFault::Key(KeyFault::NotAKey))
        );
        assert_eq!(
            fault(hs256(), &json!({ "k": base64url(&[1; 31]) })),
            Some(JwkFault::Key(KeyFault::SecretTooShort))
        );
    }

    #[test]
    fn a_coordinate_of_another_length_is_refused_even_if_the_other_makes_it_up() {
        let key = es256();
        let point =
            ["x", "y"].map(|name| decode_base64url(key[name].as_str().unwrap().as_bytes()).unwrap()).concat();
        for at in [0, 1, 31, 33, 63, 64] {
            let (x, y) = point.split_at(at);
            let fault = fault(es256(), &json!({ "x": base64url(x), "y": base64url(y) }));
            assert_eq!(fault, Some(JwkFault::Member("x")), "{at} bytes of 64");
        }
    }

    #[test]
    fn a_set_is_one_list_of_keys_of_one_kind() {
        assert_eq!(load(&[]), Err(JwksFault::Empty));
        assert_eq!(load(&[es256(), es256()]), Err(JwksFault::DuplicateKid));
        assert_eq!(load(&[es256(), hs256()]), Err(JwksFault::Mixed));
        assert_eq!(load(&[json!(1)]), Err(JwksFault::Key { position: 0, why: JwkFault::NotAnObject }));
        for text in
            ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[],\"keys\":[]}", "{\"keys\":[[[[[[[[[]]]]]]]]]}"]
        {
            assert_eq!(parse_set(text.as_bytes()).err(), Some(JwksFault::NotASet), "{text}");
        }
        assert_eq!(parse_set(&vec![b' '; (64 << 10) + 1]).err(), Some(JwksFault::TooLarge));
    }
}
