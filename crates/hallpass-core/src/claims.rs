//! Header and claims of a shown token, read strictly. Signs and verifies nothing.

use crate::denial::Denial;
use crate::keys::{JtiRule, KeyId};
pub use crate::minted::Draft;
use crate::name::check_subject;
use crate::snapshot::TokenType;
use crate::strict_json::Json;
use crate::time::UnixTime;
use std::fmt;

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
#[derive(Clone)]
pub struct Claims {
    /// All texts, in one allocation: every token that is seen for the first time makes one.
    pub(crate) texts: String,
    pub(crate) issuer: Span,
    pub(crate) subject: Span,
    pub(crate) audience: Spans,
    pub(crate) jti: Option<Span>,
    pub(crate) client_id: Option<Span>,
    /// `exp`, whole seconds (a fraction is cut off, so that a token never lives longer than it says).
    pub expires_at: UnixTime,
    /// `iat`, whole seconds.
    pub issued_at: UnixTime,
    /// `nbf`, whole seconds (rounded up).
    pub not_before: Option<UnixTime>,
}

impl Claims {
    /// `iss`
    pub fn issuer(&self) -> &str {
        self.issuer.of(&self.texts)
    }

    /// `sub`
    pub fn subject(&self) -> &str {
        self.subject.of(&self.texts)
    }

    /// `aud`: one or more.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        let spans = match &self.audience {
            Spans::One(span) => std::slice::from_ref(span),
            Spans::Several(spans) => spans,
        };
        spans.iter().map(|span| span.of(&self.texts))
    }

    /// `jti`; only tokens of a former set-up have none.
    pub fn jti(&self) -> Option<&str> {
        self.jti.map(|jti| jti.of(&self.texts))
    }

    /// `client_id`: the client's name in tokens of ours.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.map(|client_id| client_id.of(&self.texts))
    }

    pub(crate) fn read(claims: &Json, token_type: TokenType, jti: JtiRule) -> Result<Self, Denial> {
        let mut texts = String::new();
        let issuer = add(text(claims, "iss", |_| true)?, &mut texts)?;
        let subject = add(text(claims, "sub", |sub| check_subject(sub).is_ok())?, &mut texts)?;
        let audience =
            audience(claims)?.into_iter().map(|one| add(one, &mut texts)).collect::<Result<_, _>>();
        let audience = Spans::Several(audience?);
        let expires_at = required(claims, "exp", f64::floor)?;
        let issued_at = required(claims, "iat", f64::floor)?;
        let not_before = date(claims, "nbf", f64::ceil)?;
        let jti = match jti {
            JtiRule::Required => Some(text(claims, "jti", is_id)?),
            JtiRule::AdoptedWithout => optional(claims, "jti", is_id)?,
        };
        let client_id = match token_type {
            TokenType::Jwt => optional(claims, "client_id", is_id)?,
            TokenType::AccessToken => Some(text(claims, "client_id", is_id)?),
        };
        let jti = jti.map(|jti| add(jti, &mut texts)).transpose()?;
        let client_id = client_id.map(|client_id| add(client_id, &mut texts)).transpose()?;
        Ok(Self { texts, issuer, subject, audience, jti, client_id, expires_at, issued_at, not_before })
    }
}

#[expect(clippy::missing_fields_in_debug, reason = "the texts are shown one by one")]
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("issuer", &self.issuer())
            .field("subject", &self.subject())
            .field("audience", &self.audience().collect::<Vec<_>>())
            .field("jti", &self.jti())
            .field("client_id", &self.client_id())
            .field("expires_at", &self.expires_at)
            .field("issued_at", &self.issued_at)
            .field("not_before", &self.not_before)
            .finish()
    }
}

/// Where one text stands among others.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    from: u16,
    to: u16,
}

impl Span {
    /// `None` if it is so far back that no token is long enough.
    pub(crate) fn new(from: usize, to: usize) -> Option<Self> {
        Some(Self { from: u16::try_from(from).ok()?, to: u16::try_from(to).ok()? })
    }

    pub(crate) fn of(self, texts: &str) -> &str {
        &texts[usize::from(self.from)..usize::from(self.to)]
    }
}

/// One text or several: nearly every token has one audience.
#[derive(Clone)]
pub(crate) enum Spans {
    One(Span),
    Several(Vec<Span>),
}

fn add(text: &str, texts: &mut String) -> Result<Span, Denial> {
    let from = texts.len();
    texts.push_str(text);
    Span::new(from, texts.len()).ok_or(Denial::TokenTooLong)
}

fn optional<'a>(
    claims: &'a Json,
    claim: &'static str,
    fits: fn(&str) -> bool,
) -> Result<Option<&'a str>, Denial> {
    claims.get(claim).map(|_| text(claims, claim, fits)).transpose()
}

fn text<'a>(claims: &'a Json, claim: &'static str, fits: fn(&str) -> bool) -> Result<&'a str, Denial> {
    match claims.get(claim) {
        None => Err(Denial::ClaimMissing { claim }),
        Some(Json::Text(text)) if fits(text) => Ok(text),
        Some(Json::Text(_)) => Err(Denial::ClaimValue { claim }),
        Some(_) => Err(Denial::ClaimMalformed { claim }),
    }
}

/// Ids are short visible ASCII: nothing that could forge a log line or stand for another id.
#[expect(clippy::needless_bitwise_bool, reason = "without branches many characters are compared at once")]
pub(crate) fn is_id(text: &str) -> bool {
    (1..=ID_MOST).contains(&text.len())
        && text
            .bytes()
            .fold(true, |all, byte| all & byte.is_ascii_graphic() & (byte != b'/') & (byte != b'\\'))
}

/// More audiences than this is no token of ours.
pub const AUDIENCES_MOST: usize = 16;

fn audience<'a>(claims: &'a Json) -> Result<Vec<&'a str>, Denial> {
    match claims.get("aud") {
        None => Err(Denial::ClaimMissing { claim: "aud" }),
        Some(Json::Text(one)) => Ok(vec![one]),
        Some(Json::List(many)) if many.len() > AUDIENCES_MOST => Err(Denial::ClaimValue { claim: "aud" }),
        Some(Json::List(many)) => many
            .iter()
            .map(|entry| match entry {
                Json::Text(text) => Ok(&**text),
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
