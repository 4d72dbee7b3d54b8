//! From a shown token to a permit: what is accepted, and by which name everything else is refused.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use hallpass_core::authorize::{Call, authorize};
use hallpass_core::claims::{Draft, LEEWAY};
use hallpass_core::encoding::base64url;
use hallpass_core::keys::{Algorithm, KeyId, KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{Authority, Client, ServerScope, Snapshot, TokenRecord, TokenState, TokenType};
use hallpass_core::{
    Ask, Bearer, ClientName, Denial, ServerName, Subject, TokenDigest, UnixTime, Verified, check_signature,
    judge,
};
use std::sync::Arc;

const NOW: UnixTime = UnixTime::from_seconds(1_795_392_000);
const JTI: &str = "019358d0-7b00-7000-8000-000000000001";
const LIFETIME: i64 = 3600;

struct World {
    pair: EcdsaKeyPair,
    kid: KeyId,
    issuer: Issuer,
    audience: Audience,
}

impl World {
    fn new() -> Self {
        Self {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            kid: KeyId::new("hp-test-1").unwrap(),
            issuer: Issuer::new("issuer").unwrap(),
            audience: Audience::new("audience").unwrap(),
        }
    }

    fn sign(&self, signing_input: &str) -> String {
        let signature = self.pair.sign(&SystemRandom::new(), signing_input.as_bytes()).unwrap();
        format!("{signing_input}.{}", base64url(signature.as_ref()))
    }

    fn minted(&self) -> String {
        let (subject, client) = (Subject::new("ann@host.local").unwrap(), ClientName::new("ann").unwrap());
        let draft = Draft {
            kid: &self.kid,
            algorithm: Algorithm::Es256,
            issuer: &self.issuer,
            audience: &self.audience,
            subject: &subject,
            client: &client,
            issued_at: NOW,
            lifetime: LIFETIME,
            jti: JTI,
        };
        self.sign(&draft.signing_input())
    }

    /// A token of any header and claims, signed by our key.
    fn forged(&self, header: &str, claims: &str) -> String {
        self.sign(&format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes())))
    }

    fn with_claims(&self, claims: &str) -> String {
        self.forged(r#"{"kid":"hp-test-1","alg":"ES256","typ":"JWT"}"#, claims)
    }

    fn snapshot(&self, token: &str, state: TokenState) -> Snapshot {
        let key = VerifyingKey::public(self.kid.clone(), Algorithm::Es256, self.pair.public_key().as_ref())
            .unwrap();
        let authority = Authority {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            keys: KeySet::new([key]),
            token_type: TokenType::Jwt,
            lifetime_most: 366 * 86_400,
            leeway: LEEWAY,
        };
        let only = ServerScope::Only([ServerName::new("docs").unwrap()].into());
        let client = |name: &str, enabled| {
            let subject = Subject::new(&format!("{name}@host.local")).unwrap();
            let client = Client::new(ClientName::new(name).unwrap(), subject);
            Client { enabled, servers: only.clone(), ..client }
        };
        let record = TokenRecord {
            jti: JTI.into(),
            client: ClientName::new("ann").unwrap(),
            digest: TokenDigest::of(token),
            state,
            adopted: false,
        };
        Snapshot::new(1, authority, [client("ann", true), client("bob", true)], [record])
    }

    /// The verdict on a token that is registered and active.
    fn verdict(&self, token: &str, now: UnixTime) -> Result<Verified, Denial> {
        verdict_in(&self.snapshot(token, TokenState::Active), token, now)
    }
}

fn verdict_in(snapshot: &Snapshot, token: &str, now: UnixTime) -> Result<Verified, Denial> {
    let authority = snapshot.authority();
    let signed = check_signature(&Bearer::new(token)?, authority)?;
    judge(&Arc::new(signed), snapshot, now)
}

fn claims(changes: &[(&str, Option<&str>)]) -> String {
    let mut claims = vec![
        ("sub", "\"ann@host.local\"".to_owned()),
        ("iss", "\"issuer\"".to_owned()),
        ("aud", "\"audience\"".to_owned()),
        ("iat", NOW.seconds().to_string()),
        ("exp", NOW.plus(LIFETIME).seconds().to_string()),
        ("jti", format!("\"{JTI}\"")),
        ("client_id", "\"ann\"".to_owned()),
    ];
    for (name, value) in changes {
        claims.retain(|(known, _)| known != name);
        claims.extend(value.map(|value| (*name, value.to_owned())));
    }
    let members: Vec<String> = claims.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn a_minted_token_is_good_until_its_end_and_a_minute() {
    let world = World::new();
    let token = world.minted();
    assert!(token.starts_with("eyJraWQiOiJocC"), "every token of ours starts alike");
    assert_eq!(world.verdict(&token, NOW).unwrap().client().unwrap().name.as_str(), "ann");
    assert!(world.verdict(&token, NOW.plus(-LEEWAY)).is_ok());
    assert_eq!(world.verdict(&token, NOW.plus(-LEEWAY - 1)).unwrap_err(), Denial::IssuedInFuture);
    let end = NOW.plus(LIFETIME + LEEWAY);
    assert!(world.verdict(&token, end.plus(-1)).is_ok());
    assert!(matches!(world.verdict(&token, end), Err(Denial::Expired { .. })));
}

#[test]
fn what_no_key_of_ours_signed_is_refused() {
    let world = World::new();
    let good = world.minted();
    let parts: Vec<&str> = good.split('.').collect();
    let header = |header: &str| format!("{}.{}.{}", base64url(header.as_bytes()), parts[1], parts[2]);
    let zero = base64url(&[0; 64]);
    for (token, expect) in [
        (World::new().minted(), Denial::BadSignature),
        (format!("{}.{}.{zero}", parts[0], parts[1]), Denial::BadSignature),
        (format!("{}.{}", parts[0], parts[1]), Denial::MalformedToken),
        (format!("{good}."), Denial::MalformedToken),
        (format!("{good}.{}", parts[2]), Denial::MalformedToken),
        (format!("{good}="), Denial::MalformedToken),
        (format!("..{}", parts[2]), Denial::MalformedToken),
        (header(r#"{"alg":"ES256","typ":"JWT"}"#), Denial::UnknownKey),
        (header(r#"{"kid":"../../etc/passwd","alg":"ES256"}"#), Denial::UnknownKey),
        (header(r#"{"kid":"hp-test-1","alg":"none"}"#), Denial::WrongAlgorithm),
        (header(r#"{"kid":"hp-test-1","alg":"es256"}"#), Denial::WrongAlgorithm),
        (header(r#"{"kid":"hp-test-1","alg":"HS256"}"#), Denial::WrongAlgorithm),
        (header(r#"{"kid":"hp-test-1","alg":"ES256","alg":"none"}"#), Denial::MalformedToken),
        (header(r#"{"kid":"hp-test-1","alg":"ES256","typ":"at+jwt"}"#), Denial::WrongType),
    ] {
        assert_eq!(world.verdict(&token, NOW).unwrap_err(), expect, "{token}");
    }
}

#[test]
fn headers_that_ask_for_more_are_refused_though_signed_by_us() {
    let world = World::new();
    for member in ["crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc", "epk"] {
        let header = format!(r#"{{"kid":"hp-test-1","alg":"ES256","{member}":["x"]}}"#);
        let token = world.forged(&header, &claims(&[]));
        assert_eq!(world.verdict(&token, NOW).unwrap_err(), Denial::HeaderMember { member });
    }
}

#[test]
fn claims_must_say_what_they_have_to_say() {
    let world = World::new();
    let beyond = (NOW.seconds() + 367 * 86_400).to_string();
    let malformed = |claim| Denial::ClaimMalformed { claim };
    let value = |claim| Denial::ClaimValue { claim };
    for (change, expect) in [
        (("iss", Some("\"other\"")), Denial::WrongIssuer),
        (("iss", Some("[\"issuer\"]")), malformed("iss")),
        (("aud", Some("\"other\"")), Denial::WrongAudience),
        (("aud", Some("[]")), Denial::WrongAudience),
        (("aud", Some("[\"audience\",1]")), malformed("aud")),
        (("aud", Some("{}")), malformed("aud")),
        (("exp", Some("\"1795395600\"")), malformed("exp")),
        (("exp", Some("-1")), value("exp")),
        (("exp", Some(beyond.as_str())), Denial::LifetimeTooLong),
        (("exp", Some("null")), malformed("exp")),
        (("nbf", Some("true")), malformed("nbf")),
        (("nbf", Some("1795392061")), Denial::NotYetValid),
        (("nbf", Some("1795392060.5")), Denial::NotYetValid),
        (
            ("sub", Some("\"bob@host.local\"")),
            Denial::OtherSubject { client: ClientName::new("ann").unwrap() },
        ),
        (("client_id", Some("\"bob\"")), Denial::OtherSubject { client: ClientName::new("ann").unwrap() }),
        (("jti", Some("\"x\\ny\"")), value("jti")),
        (("jti", Some("\"unknown\"")), Denial::UnknownToken),
    ] {
        let token = world.with_claims(&claims(&[change]));
        assert_eq!(world.verdict(&token, NOW).unwrap_err(), expect, "{change:?}");
    }
    for claim in ["iss", "aud", "sub", "exp", "iat", "jti"] {
        let token = world.with_claims(&claims(&[(claim, None)]));
        assert_eq!(world.verdict(&token, NOW).unwrap_err(), Denial::ClaimMissing { claim });
    }
    assert!(
        world.verdict(&world.with_claims(&claims(&[("aud", Some("[\"x\",\"audience\"]"))])), NOW).is_ok()
    );
}

#[test]
fn the_registry_has_the_last_word() {
    let world = World::new();
    let (token, ann) = (world.minted(), ClientName::new("ann").unwrap());
    let verdict = |state| verdict_in(&world.snapshot(&token, state), &token, NOW).map(drop);
    assert_eq!(verdict(TokenState::Pending), Ok(()));
    assert_eq!(verdict(TokenState::Superseded { until: NOW.plus(1) }), Ok(()));
    assert_eq!(
        verdict(TokenState::Revoked { at: NOW }),
        Err(Denial::Revoked { at: NOW, client: ann.clone() })
    );
    assert_eq!(
        verdict(TokenState::Superseded { until: NOW }),
        Err(Denial::Replaced { at: NOW, client: ann })
    );
    // Signed by the same key, under a `jti` that is known: a leaked secret mints nothing that passes.
    let other = world.with_claims(&claims(&[]));
    let snapshot = world.snapshot(&token, TokenState::Active);
    assert_eq!(verdict_in(&snapshot, &other, NOW).unwrap_err(), Denial::OtherTokenOfKnownId);
}

#[test]
fn a_permit_is_for_one_server_and_the_callers_own_path() {
    let world = World::new();
    let verified = world.verdict(&world.minted(), NOW).unwrap();
    let (docs, files) = (ServerName::new("docs").unwrap(), ServerName::new("files").unwrap());
    let permit =
        |server, path_client| authorize(&verified, &Call { server, path_client, ask: Ask::Protocol });
    assert_eq!(permit(&docs, None).unwrap().server(), &docs);
    assert!(permit(&docs, Some("ann")).is_ok());
    assert!(matches!(permit(&docs, Some("bob")), Err(Denial::OtherClientsPath { .. })));
    assert!(matches!(permit(&files, None), Err(Denial::ServerNotAllowed { .. })));
}

#[test]
fn nothing_of_a_token_is_ever_printed() {
    let token = World::new().minted();
    let bearer = Bearer::new(&token).unwrap();
    assert_eq!(format!("{bearer:?} {:?}", bearer.digest()), "Bearer(..) TokenDigest(..)");
}
