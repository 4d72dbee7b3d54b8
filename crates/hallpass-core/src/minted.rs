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
    #[expect(clippy::needless_bitwise_bool, reason = "without branches many characters are compared at once")]
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

#[cfg(test)]
mod tests {
    use super::{Draft, minted_header, read_minted};
    use crate::claims::{Claims, Header};
    use crate::encoding::decode_base64url;
    use crate::keys::{Algorithm, JtiRule, KeyId, KeySet, VerifyingKey};
    use crate::name::{Audience, ClientName, Issuer, Subject};
    use crate::snapshot::TokenType;
    use crate::strict_json::Json;
    use crate::time::UnixTime;
    use proptest::prelude::*;
    use proptest::sample::select;

    const MINTED: &str = r#"{"sub":"a b","iss":"i","aud":"a","iat":1795392000,"exp":1795395600,"jti":"x-1","client_id":"ann"}"#;

    fn decoded(part: &str) -> String {
        String::from_utf8(decode_base64url(part.as_bytes()).unwrap()).unwrap()
    }

    /// The claims by the long way, whichever rules there are.
    fn by_the_long_way(json: &str) -> Vec<String> {
        let object = Json::parse(json.as_bytes(), 64).unwrap();
        let mut all = Vec::new();
        for token_type in [TokenType::Jwt, TokenType::AccessToken] {
            for rule in [JtiRule::Required, JtiRule::AdoptedWithout] {
                all.push(format!("{:?}", Claims::read(&object, token_type, rule).unwrap()));
            }
        }
        all
    }

    #[test]
    fn what_is_spelt_in_another_way_is_left_to_the_long_way() {
        assert_eq!(vec![format!("{:?}", read_minted(MINTED.into()).unwrap()); 4], by_the_long_way(MINTED));
        for (spelt, otherwise) in [
            ("{", " {"),
            ("{", "{ "),
            ("}", "} "),
            ("}", ""),
            ("}", "}}"),
            ("}", ",\"x\":1}"),
            ("}", ",\"sub\":\"a b\"}"),
            ("\"a b\"", "\"a\\u0020b\""),
            ("\"a b\"", "\"a\tb\""),
            ("\"a b\"", "\"a\u{202e}b\""),
            ("\"a b\"", "\"\""),
            ("\"a\"", "[\"a\"]"),
            ("\"x-1\"", "\"x/1\""),
            ("\"x-1\"", "\"\""),
            ("\"ann\"", "\"\u{e9}\""),
            ("1795392000", "01795392000"),
            ("1795392000", "179539200000"),
            ("1795392000", "1795392000.0"),
            ("1795392000", "1795392e3"),
            ("1795392000", "-1795392000"),
            ("1795392000", "\"1795392000\""),
            ("1795392000", "0"),
            ("1795392000", ""),
            ("\"iat\":1795392000,\"exp\":1795395600", "\"exp\":1795395600,\"iat\":1795392000"),
            (",\"client_id\":\"ann\"", ""),
        ] {
            let otherwise = MINTED.replacen(spelt, otherwise, 1);
            assert_eq!(read_minted(otherwise.clone()).unwrap_err(), otherwise);
        }
    }

    #[test]
    fn a_header_leads_to_the_key_that_has_the_name_last() {
        let key = |kid, secret: u8| VerifyingKey::secret(KeyId::new(kid).unwrap(), &[secret; 32]).unwrap();
        let keys = KeySet::new([key("k", 1), key("other", 2), key("k", 3)]);
        let header = minted_header(&KeyId::new("k").unwrap(), Algorithm::Hs256);
        assert!(keys.by_header(&header).unwrap().is_same(&key("k", 3)));
        assert!(keys.by_header(&header[1..]).is_none() && keys.by_header("").is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_short_way_comes_to_the_end_of_the_long_way(
            (kid, algorithm) in ("[!-~]{1,20}", select(Algorithm::ALL.to_vec())),
            (issuer, audience, subject) in ("[!#-&(-;=?-\\[\\]-_a-~]{1,20}", "[a-z./:]{1,20}", "\\PC{1,20}"),
            (client, jti) in ("[a-z0-9][a-z0-9-]{0,20}", "[!-.0-\\[\\]-~]{1,40}"),
            (issued_at, lifetime) in (1..9_999_999_999_i64, 1..=366 * 86_400_i64)
        ) {
            let subject = Subject::new(&subject);
            prop_assume!(subject.is_ok());
            let draft = Draft {
                kid: &KeyId::new(&kid).unwrap(),
                algorithm,
                issuer: &Issuer::new(&issuer).unwrap(),
                audience: &Audience::new(&audience).unwrap(),
                subject: &subject.unwrap(),
                client: &ClientName::new(&client).unwrap(),
                issued_at: UnixTime::from_seconds(issued_at),
                lifetime,
                jti: &jti,
            };
            let input = draft.signing_input();
            let (header, claims) = input.split_once('.').unwrap();

            prop_assert_eq!(header, minted_header(draft.kid, algorithm));
            let header = decoded(header);
            let header = Header::read(&Json::parse(header.as_bytes(), 64).unwrap(), TokenType::Jwt).unwrap();
            prop_assert_eq!((header.kid.as_ref(), header.alg.as_str()), (Some(draft.kid), algorithm.as_str()));

            let claims = decoded(claims);
            let has_escape = claims.contains('\\');
            match read_minted(claims.clone()) {
                Ok(read) => prop_assert_eq!(vec![format!("{read:?}"); 4], by_the_long_way(&claims)),
                Err(_) => prop_assert!(has_escape, "{}", claims),
            }
        }
    }
}
