//! How a token is spelt when it is minted, and the short way back. A token that was spelt in any other way, and every
//! refusal, is left to the long way ([`Claims::read`]): the short way must come to the same end or to none.

use crate::claims::{Claims, Span, Spans, is_id};
use crate::encoding::base64url;
use crate::keys::{Algorithm, KeyId};
use crate::name::{Audience, ClientName, Issuer, Subject, check_subject};
use crate::time::UnixTime;
use memchr::memchr;

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
    /// `BASE64URL(header) . BASE64URL(claims)`: what gets signed.
    pub fn signing_input(&self) -> String {
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
        format!("{}.{}", minted_header(self.kid, self.algorithm), base64url(claims.as_bytes()))
    }

    /// `exp`
    pub fn expires_at(&self) -> UnixTime {
        self.issued_at.plus(self.lifetime)
    }
}

/// `BASE64URL(header)` of what a key signs here. `kid` stands first and starts with `hp-`, so that every token of ours
/// starts with the same letters and a search finds it.
pub(crate) fn minted_header(kid: &KeyId, algorithm: Algorithm) -> String {
    let kid = serde_json::Value::from(kid.as_str());
    base64url(format!(r#"{{"kid":{kid},"alg":"{}","typ":"JWT"}}"#, algorithm.as_str()).as_bytes())
}

/// The claims, if they are spelt as [`Draft`] spells them, without an escape, and hold what claims may hold; otherwise
/// the text as it came.
pub(crate) fn read_minted(json: String) -> Result<Claims, String> {
    match Spelling::read(&json) {
        Some(read) => Ok(read.of(json)),
        None => Err(json),
    }
}

/// What stands where in the claims of a minted token.
struct Spelling {
    subject: Span,
    issuer: Span,
    audience: Span,
    issued_at: UnixTime,
    expires_at: UnixTime,
    jti: Span,
    client_id: Span,
}

impl Spelling {
    fn read(json: &str) -> Option<Self> {
        // Then a quote can be nothing but the end of a text. No branches: many characters are compared at once.
        if !json.bytes().fold(true, |plain, byte| plain & (byte >= b' ') & (byte != b'\\')) {
            return None;
        }
        let mut rest = Rest { json, at: 0 };
        let read = Self {
            subject: rest.text(br#"{"sub":""#)?,
            issuer: rest.text(br#"","iss":""#)?,
            audience: rest.text(br#"","aud":""#)?,
            issued_at: rest.seconds(br#"","iat":"#)?,
            expires_at: rest.seconds(br#","exp":"#)?,
            jti: rest.text(br#","jti":""#)?,
            client_id: rest.text(br#"","client_id":""#)?,
        };
        rest.skip(br#""}"#)?;
        let fits = rest.at == json.len()
            && check_subject(read.subject.of(json)).is_ok()
            && is_id(read.jti.of(json))
            && is_id(read.client_id.of(json));
        fits.then_some(read)
    }

    fn of(self, json: String) -> Claims {
        Claims {
            texts: json,
            issuer: self.issuer,
            subject: self.subject,
            audience: Spans::One(self.audience),
            expires_at: self.expires_at,
            issued_at: self.issued_at,
            not_before: None,
            jti: Some(self.jti),
            client_id: Some(self.client_id),
        }
    }
}

/// What is not read yet.
struct Rest<'a> {
    json: &'a str,
    at: usize,
}

impl Rest<'_> {
    fn bytes(&self) -> &[u8] {
        &self.json.as_bytes()[self.at..]
    }

    fn skip<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        (self.bytes().first_chunk()? == expected).then(|| self.at += N)
    }

    /// The text between what stands before it and its closing quote.
    fn text<const N: usize>(&mut self, before: &[u8; N]) -> Option<Span> {
        self.skip(before)?;
        let from = self.at;
        self.at += memchr(b'"', self.bytes())?;
        Span::new(from, self.at)
    }

    /// Up to eleven digits: always in range, and exact however numbers are read.
    fn seconds<const N: usize>(&mut self, before: &[u8; N]) -> Option<UnixTime> {
        self.skip(before)?;
        let (mut seconds, from) = (0, self.at);
        while let Some(digit @ b'0'..=b'9') = self.bytes().first() {
            seconds = seconds * 10 + i64::from(digit - b'0');
            self.at += 1;
            if self.at - from > 11 {
                return None;
            }
        }
        (seconds > 0 && self.json.as_bytes()[from] != b'0').then_some(UnixTime::from_seconds(seconds))
    }
}
