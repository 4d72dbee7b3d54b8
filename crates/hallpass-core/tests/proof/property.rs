//! The properties themselves, for proptest and for the fuzzer alike: what the strict reader accepts, a careless one
//! reads to the same. Makes up no input.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hallpass_core::bearer::TOKEN_MOST;
use hallpass_core::encoding::base64url;
use hallpass_core::judge::check_claims;
use hallpass_core::jwks::parse_set;
use hallpass_core::keys::{Algorithm, JtiRule, KeyId, KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{Authority, TokenType};
use hallpass_core::{Bearer, Denial, FirstFrame, OpFrame, Signed, TokenDigest, UnixTime, check_signature};
use serde_json::Value;

/// The secret that signs whatever it is given: without it, next to nothing would be accepted.
pub(crate) const SECRET: [u8; 32] = [0x5a; 32];
/// Its name in a header.
pub(crate) const KID: &str = "k";
/// The clock.
pub(crate) const NOW: i64 = 1_795_392_000;

fn careless() -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&URL_SAFE, config)
}

fn authority(token_type: TokenType, jti: JtiRule) -> Authority {
    let key = VerifyingKey::secret(KeyId::new(KID).unwrap(), &SECRET).unwrap().with_jti(jti);
    Authority {
        issuer: Issuer::new("i").unwrap(),
        audience: Audience::new("a").unwrap(),
        keys: KeySet::new([key]).with_unnamed(KID),
        token_type,
        lifetime_most: 366 * 86_400,
        leeway: 60,
    }
}

fn authorities() -> [Authority; 3] {
    [
        authority(TokenType::Jwt, JtiRule::Required),
        authority(TokenType::Jwt, JtiRule::AdoptedWithout),
        authority(TokenType::AccessToken, JtiRule::Required),
    ]
}

fn sign(input: &[u8]) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &SECRET);
    base64url(aws_lc_rs::hmac::sign(&key, input).as_ref())
}

/// `data` as a token of its own, as `HEADER LF CLAIMS` in JSON that is encoded and signed, and as the same in base64
/// that is signed as it stands. Returns whether one of them was accepted.
pub(crate) fn token(data: &[u8]) -> bool {
    let whole = check(data);
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return whole };
    let (header, claims) = (&data[..end], &data[end + 1..]);
    let encoded = check(&signed(base64url(header).as_bytes(), base64url(claims).as_bytes()));
    let as_it_stands = check(&signed(header, claims));
    same_by_both_ways(header, claims);
    whole || encoded || as_it_stands
}

/// What is spelt as it is minted is read by a short way. A blank in front changes nothing but that: the long way, which
/// then is taken, must come to the same end, refusals included.
fn same_by_both_ways(header: &[u8], claims: &[u8]) {
    if header.is_empty() || claims.is_empty() {
        return;
    }
    let blank = |json: &[u8]| base64url(&[b" ", json].concat());
    let short = signed(base64url(header).as_bytes(), base64url(claims).as_bytes());
    let long = signed(blank(header).as_bytes(), blank(claims).as_bytes());
    if long.len() > TOKEN_MOST {
        return;
    }
    for authority in authorities() {
        let end = |token| {
            read(token, &authority).map(|signed| format!("{} {:?}", signed.key().kid(), signed.claims()))
        };
        assert_eq!(end(&short), end(&long));
    }
}

fn signed(header: &[u8], claims: &[u8]) -> Vec<u8> {
    let input = [header, b".", claims].concat();
    let signature = sign(&input);
    [&input[..], b".", signature.as_bytes()].concat()
}

fn check(token: &[u8]) -> bool {
    let mut accepted = false;
    for authority in authorities() {
        if let Ok(signed) = read(token, &authority) {
            accepted = true;
            same_as_careless(token, &signed);
            in_time(&signed, &authority);
        }
    }
    accepted
}

fn read(token: &[u8], authority: &Authority) -> Result<Signed, Denial> {
    check_signature(&Bearer::from_bytes(token)?, authority)
}

fn part(token: &[u8], number: usize) -> Value {
    let part = token.split(|byte| *byte == b'.').nth(number).expect("three parts");
    let json = careless().decode(part).expect("base64 for a careless reader");
    serde_json::from_slice(&json).expect("JSON for a careless reader")
}

fn same_as_careless(token: &[u8], signed: &Signed) {
    assert!(token.len() <= 8192 && token.split(|byte| *byte == b'.').count() == 3);
    let (header, body, claims) = (part(token, 0), part(token, 1), signed.claims());
    assert_eq!(header["alg"], "HS256");
    assert!(header.get("kid").is_none_or(|kid| kid == KID));
    assert!(["crit", "b64", "jku", "jwk", "x5u", "x5c", "zip"].iter().all(|name| header.get(name).is_none()));
    let text = |name: &str| body.get(name).map(|value| value.as_str().expect("a text").to_owned());
    let number = |name: &str| body.get(name).map(|value| value.as_f64().expect("a number"));
    assert_eq!(text("iss").as_deref(), Some(claims.issuer()));
    assert_eq!(text("sub").as_deref(), Some(claims.subject()));
    assert_eq!(text("jti").as_deref(), claims.jti());
    assert_eq!(text("client_id").as_deref(), claims.client_id());
    let audience: Vec<Value> = match &body["aud"] {
        Value::Array(many) => many.clone(),
        one => vec![one.clone()],
    };
    assert_eq!(audience, claims.audience().map(Value::from).collect::<Vec<_>>());
    assert_eq!(number("exp").map(f64::floor), Some(seconds(claims.expires_at)));
    assert_eq!(number("iat").map(f64::floor), Some(seconds(claims.issued_at)));
    assert_eq!(number("nbf").map(f64::ceil), claims.not_before.map(seconds));
}

fn in_time(signed: &Signed, authority: &Authority) {
    if check_claims(signed, authority, UnixTime::from_seconds(NOW)).is_err() {
        return;
    }
    let claims = signed.claims();
    assert!(claims.audience().any(|one| one == "a") && claims.issuer() == "i");
    assert!(claims.expires_at.seconds() + 60 > NOW && claims.issued_at.seconds() <= NOW + 60);
    assert!(claims.not_before.is_none_or(|not_before| not_before.seconds() <= NOW + 60));
    let lifetime = claims.expires_at.seconds() - claims.issued_at.seconds();
    assert!((1..=366 * 86_400).contains(&lifetime));
}

#[expect(clippy::cast_precision_loss, reason = "dates in range are exact")]
fn seconds(time: UnixTime) -> f64 {
    time.seconds() as f64
}

/// `data` as a JWK Set. What is loaded is what a careless reader finds, and what is published of it loads again.
pub(crate) fn jwks(data: &[u8]) -> bool {
    let Ok(keys) = parse_set(data) else { return false };
    let careless: Value = serde_json::from_slice(data).expect("JSON for a careless reader");
    let list = careless["keys"].as_array().expect("a list of keys");
    assert!(!keys.is_empty() && keys.len() == list.len());
    keys.iter().zip(list).for_each(|(key, jwk)| same_key(key, jwk));
    let set = KeySet::new(keys);
    let published = set.to_jwks();
    let jwks = published["keys"].as_array().expect("a list of keys");
    assert!(jwks.iter().all(|jwk| jwk.get("k").is_none() && jwk.get("d").is_none()));
    let published = published.to_string();
    if set.iter().any(|key| key.algorithm() != Algorithm::Hs256) {
        assert!(KeySet::new(parse_set(published.as_bytes()).expect("what is published loads")).is_same(&set));
    }
    true
}

fn same_key(key: &VerifyingKey, jwk: &Value) {
    let bytes = |name: &str| careless().decode(jwk[name].as_str().expect("a text")).expect("base64");
    assert_eq!(jwk["kid"], key.kid().as_str());
    assert_eq!(jwk["alg"], key.algorithm().as_str());
    match key.algorithm() {
        Algorithm::Es256 => {
            assert!(["x", "y"].iter().all(|name| bytes(name).len() == 32));
            assert_eq!(key.public_bytes(), Some([vec![4], bytes("x"), bytes("y")].concat().as_slice()));
        }
        Algorithm::EdDsa | Algorithm::Ed25519 => assert_eq!(key.public_bytes(), Some(bytes("x").as_slice())),
        Algorithm::Hs256 => {
            let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &bytes("k"));
            assert!(key.accepts(b"message", aws_lc_rs::hmac::sign(&secret, b"message").as_ref()));
        }
    }
}

/// `data` as the values of the `Authorization` headers of one request, each ended by LF.
pub(crate) fn authorization(data: &[u8]) -> bool {
    let values: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let Ok(bearer) = Bearer::from_authorization(values.iter().copied()) else { return false };
    let [value] = values.as_slice() else { panic!("more than one header was accepted") };
    let careless = String::from_utf8_lossy(value);
    let mut words = careless.split_whitespace();
    assert!(words.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer")));
    let token = words.next().expect("a token");
    assert!(words.next().is_none() && (1..=8192).contains(&token.len()));
    assert!(TokenDigest::of(token).matches(&bearer.digest()));
    true
}

/// `data` as a WebSocket's first frame, and as a later one of the hello dialect: what is taken for a credential, a tool or
/// an id is that for a careless reader too. One that reads nothing is asked nothing.
pub(crate) fn first_frame(data: &[u8]) -> bool {
    let careless: Option<Value> = serde_json::from_slice(data).ok();
    let first = FirstFrame::read(data);
    let later = OpFrame::parse(data);
    let Some(careless) = careless else { return first.is_ok() || later.is_ok() };
    let text = |name: &str| careless[name].as_str();
    match &first {
        Ok(FirstFrame::Hello(hello)) => {
            assert_eq!(text("op"), Some("hello"));
            assert!(careless.get("jsonrpc").is_none());
            assert_eq!(hello.jwt.as_deref(), text("jwt").filter(|jwt| !jwt.is_empty()));
            assert_eq!(hello.token.as_deref(), text("token").filter(|token| !token.is_empty()));
        }
        Ok(FirstFrame::JsonRpc { id, is_initialize }) => {
            assert!(careless.get("jsonrpc").is_some() && text("op") != Some("hello"));
            assert_eq!(id.map(|id| serde_json::from_str::<Value>(id).unwrap()).as_ref(), careless.get("id"));
            assert_eq!(*is_initialize, text("method") == Some("initialize"));
        }
        Err(_) => {}
    }
    if let Ok(frame) = &later {
        assert_eq!(Some(&*frame.op), text("op"));
        assert_eq!(frame.name.as_deref(), text("name"));
        let id = frame.request_id.map(|id| serde_json::from_str::<Value>(id).unwrap());
        assert_eq!(id.as_ref(), careless.get("request_id").filter(|id| !id.is_null()));
    }
    first.is_ok() || later.is_ok()
}
