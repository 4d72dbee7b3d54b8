//! Header and claims of our tokens: written when one is minted, read when one is shown. Signs and verifies nothing.

use crate::denial::Denial;
use crate::encoding::base64url;
use crate::keys::{Algorithm, JtiRule, KeyId};
use crate::name::{Audience, ClientName, Issuer, Subject, check_subject};
use crate::snapshot::TokenType;
use crate::strict_json::Json;
use crate::time::UnixTime;

/// The longest life that a token may have, in seconds (366 days).
pub const LIFETIME_MOST: i64 = 366 * 86_400;
/// How far clocks may differ, in seconds.
pub const LEEWAY: i64 = 60;
/// The longest `jti` and `client_id`, in characters.
pub const ID_MOST: usize = 128;

/// The header of a shown token (RFC 7515 section 4).
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) kid: Option<KeyId>,
    pub(crate) alg: String,
}

/// Members that change how a token would have to be processed, or that name a key to trust: refused, never followed.
const REFUSED_MEMBERS: [&str; 9] = ["crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc", "epk"];

impl Header {
    pub(crate) fn read(header: &Json, token_type: TokenType) -> Result<Self, Denial> {
        if let Some(member) = REFUSED_MEMBERS.into_iter().find(|member| header.get(member).is_some()) {
            return Err(Denial::HeaderMember { member });
        }
        let Some(Json::Text(alg)) = header.get("alg") else { return Err(Denial::WrongAlgorithm) };
        check_type(header.get("typ"), token_type)?;
        let kid = match header.get("kid") {
            None => None,
            Some(Json::Text(kid)) => Some(KeyId::new(kid).ok_or(Denial::UnknownKey)?),
            Some(_) => return Err(Denial::UnknownKey),
        };
        Ok(Self { kid, alg: alg.clone().into_owned() })
    }
}

/// Media types: letters' case does not matter, and `application/` may stand in front (RFC 7515 section 4.1.9).
fn check_type(typ: Option<&Json>, token_type: TokenType) -> Result<(), Denial> {
    let is = |typ: &str, wanted: &str| {
        let short = typ
            .get(..12)
            .filter(|start| start.eq_ignore_ascii_case("application/"))
            .map_or(typ, |_| &typ[12..]);
        short.eq_ignore_ascii_case(wanted)
    };
    match (typ, token_type) {
        (None, TokenType::Jwt) => Ok(()),
        (Some(Json::Text(typ)), TokenType::Jwt) if is(typ, "JWT") => Ok(()),
        (Some(Json::Text(typ)), TokenType::AccessToken) if is(typ, "at+jwt") => Ok(()),
        (None | Some(_), TokenType::Jwt | TokenType::AccessToken) => Err(Denial::WrongType),
    }
}

/// The claims of a token whose signature was checked (RFC 7519 section 4.1, RFC 9068 for `client_id`).
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `aud`: one or more.
    pub audience: Vec<String>,
    /// `exp`, whole seconds (a fraction is cut off, so that a token never lives longer than it says).
    pub expires_at: UnixTime,
    /// `iat`, whole seconds.
    pub issued_at: UnixTime,
    /// `nbf`, whole seconds (rounded up).
    pub not_before: Option<UnixTime>,
    /// `jti`; only tokens of a former set-up have none.
    pub jti: Option<String>,
    /// `client_id`: the client's name in tokens of ours.
    pub client_id: Option<String>,
}

impl Claims {
    pub(crate) fn read(claims: &Json, token_type: TokenType, jti: JtiRule) -> Result<Self, Denial> {
        Ok(Self {
            issuer: text(claims, "iss", |_| true)?,
            subject: text(claims, "sub", |sub| check_subject(sub).is_ok())?,
            audience: audience(claims)?,
            expires_at: required(claims, "exp", f64::floor)?,
            issued_at: required(claims, "iat", f64::floor)?,
            not_before: date(claims, "nbf", f64::ceil)?,
            jti: match jti {
                JtiRule::Required => Some(text(claims, "jti", is_id)?),
                JtiRule::AdoptedWithout => optional(claims, "jti", is_id)?,
            },
            client_id: match token_type {
                TokenType::Jwt => optional(claims, "client_id", is_id)?,
                TokenType::AccessToken => Some(text(claims, "client_id", is_id)?),
            },
        })
    }
}

fn optional(claims: &Json, claim: &'static str, fits: fn(&str) -> bool) -> Result<Option<String>, Denial> {
    claims.get(claim).map(|_| text(claims, claim, fits)).transpose()
}

fn text(claims: &Json, claim: &'static str, fits: fn(&str) -> bool) -> Result<String, Denial> {
    match claims.get(claim) {
        None => Err(Denial::ClaimMissing { claim }),
        Some(Json::Text(text)) if fits(text) => Ok(text.clone().into_owned()),
        Some(Json::Text(_)) => Err(Denial::ClaimValue { claim }),
        Some(_) => Err(Denial::ClaimMalformed { claim }),
    }
}

/// Ids are short visible ASCII: nothing that could forge a log line or stand for another id.
fn is_id(text: &str) -> bool {
    (1..=ID_MOST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/\\".contains(&byte))
}

/// More audiences than this is no token of ours.
pub const AUDIENCES_MOST: usize = 16;

fn audience(claims: &Json) -> Result<Vec<String>, Denial> {
    match claims.get("aud") {
        None => Err(Denial::ClaimMissing { claim: "aud" }),
        Some(Json::Text(one)) => Ok(vec![one.clone().into_owned()]),
        Some(Json::List(many)) if many.len() > AUDIENCES_MOST => Err(Denial::ClaimValue { claim: "aud" }),
        Some(Json::List(many)) => many
            .iter()
            .map(|entry| match entry {
                Json::Text(text) => Ok(text.clone().into_owned()),
                _ => Err(Denial::ClaimMalformed { claim: "aud" }),
            })
            .collect(),
        Some(_) => Err(Denial::ClaimMalformed { claim: "aud" }),
    }
}

fn required(claims: &Json, claim: &'static str, round: fn(f64) -> f64) -> Result<UnixTime, Denial> {
    date(claims, claim, round)?.ok_or(Denial::ClaimMissing { claim })
}

/// Absent is not malformed: a date that cannot be read is a refusal, never "no date".
fn date(claims: &Json, claim: &'static str, round: fn(f64) -> f64) -> Result<Option<UnixTime>, Denial> {
    match claims.get(claim) {
        None => Ok(None),
        Some(Json::Number(number)) if (0.0..=253_402_300_799.0).contains(number) =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "the range was just checked")]
            Ok(Some(UnixTime::from_seconds(round(*number) as i64)))
        }
        Some(Json::Number(_)) => Err(Denial::ClaimValue { claim }),
        Some(_) => Err(Denial::ClaimMalformed { claim }),
    }
}

/// What a new token shall say.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// The key that will sign.
    pub kid: &'a KeyId,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// `iss`
    pub issuer: &'a Issuer,
    /// `aud`
    pub audience: &'a Audience,
    /// `sub`
    pub subject: &'a Subject,
    /// `client_id`
    pub client: &'a ClientName,
    /// `iat`
    pub issued_at: UnixTime,
    /// `exp` is `iat` plus this many seconds.
    pub lifetime: i64,
    /// `jti`: a UUIDv7 in its usual spelling.
    pub jti: &'a str,
}

impl Draft<'_> {
    /// `BASE64URL(header) . BASE64URL(claims)`: what gets signed. `kid` stands first and starts with `hp-`, so
    /// that every token of ours starts with the same letters and a search finds it.
    pub fn signing_input(&self) -> String {
        let header = format!(
            r#"{{"kid":{},"alg":"{}","typ":"JWT"}}"#,
            serde_json::Value::from(self.kid.as_str()),
            self.algorithm.as_str()
        );
        let claims = format!(
            r#"{{"sub":{},"iss":{},"aud":{},"iat":{},"exp":{},"jti":{},"client_id":{}}}"#,
            serde_json::Value::from(self.subject.as_str()),
            serde_json::Value::from(self.issuer.as_str()),
            serde_json::Value::from(self.audience.as_str()),
            self.issued_at.seconds(),
            self.expires_at().seconds(),
            serde_json::Value::from(self.jti),
            serde_json::Value::from(self.client.as_str()),
        );
        format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()))
    }

    /// `exp`
    pub fn expires_at(&self) -> UnixTime {
        self.issued_at.plus(self.lifetime)
    }
}
