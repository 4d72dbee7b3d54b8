//! `tokens`: verifying one token, uncached and cached.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    ParsedPublicKey,
};
use hallpass_core::claims::Draft;
use hallpass_core::encoding::base64url;
use hallpass_core::keys::{Algorithm, KeyId, KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{Authority, Client, Snapshot, TokenRecord, TokenState, TokenType};
use hallpass_core::{Bearer, ClientName, Signed, Subject, TokenDigest, UnixTime, check_signature, judge};
use jsonwebtoken::{DecodingKey, Validation, decode};
use quick_cache::sync::Cache;
use serde::Deserialize;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const ROUNDS: usize = 501;
/// How long each measurement of a round lasts: so short that most are over before a busy machine gives the core away.
const SLICE: Duration = Duration::from_micros(250);
/// How often the clock is looked at.
const RUNS: u32 = 16;
const JTI: &str = "019358d0-7b00-7000-8000-000000000001";
const SECRET: &[u8; 64] = b"a105e6c8aa1ae3db744f7fe098a5fabe73eee9746c1de1e4a87ea56fe4c9ee5a";

/// Everything that one algorithm is measured with.
struct Case {
    name: &'static str,
    token: String,
    snapshot: Snapshot,
    now: UnixTime,
    cache: Cache<TokenDigest, Arc<Signed>>,
    theirs: (DecodingKey, Validation),
    raw: Box<dyn Fn() -> bool>,
}

/// Measures and prints; fails if a goal is missed.
pub fn run() -> ExitCode {
    let cases = [es256(), ed25519(), hs256("HS256", as_minted), hs256("HS256*", spelt_otherwise)];
    println!("one token verified, median of {ROUNDS} interleaved rounds, microseconds");
    println!(
        "{:8} {:>10} {:>10} {:>14} {:>10} {:>12} {:>14}",
        "", "uncached", "cached", "jsonwebtoken", "raw", "/ raw", "/ jsonwebtoken"
    );
    let mut met = true;
    for (case, [uncached, cached, theirs, raw]) in cases.iter().zip(measure(&cases)) {
        println!(
            "{:8} {uncached:10.3} {cached:10.3} {theirs:14.3} {raw:10.3} {:12.2} {:14.2}",
            case.name,
            uncached / raw,
            uncached / theirs
        );
        met &= cached <= 1.0 && (case.name != "HS256" || uncached <= 3.0 * raw);
    }
    println!("HS256*: the same claims, spelt as another library might spell them");
    println!(
        "goals: cached at most 1 us, HS256 uncached at most 3 times the raw HMAC: {}",
        if met { "met" } else { "missed" }
    );
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(cases: &[Case]) -> Vec<[f64; 4]> {
    let mut rounds = vec![vec![[0.0; 4]; ROUNDS]; cases.len()];
    for round in 0..ROUNDS {
        for (case, measured) in cases.iter().zip(&mut rounds) {
            measured[round] = [
                time(|| uncached(case)),
                time(|| cached(case)),
                time(|| decode::<Theirs>(&case.token, &case.theirs.0, &case.theirs.1).is_ok()),
                time(|| (case.raw)()),
            ];
        }
    }
    let median = |measured: &Vec<[f64; 4]>, column: usize| {
        let mut values: Vec<f64> = measured.iter().map(|row| row[column]).collect();
        values.sort_by(f64::total_cmp);
        values[ROUNDS / 2]
    };
    rounds.iter().map(|measured| std::array::from_fn(|column| median(measured, column))).collect()
}

/// Microseconds that one run of `work` takes.
fn time(work: impl Fn() -> bool) -> f64 {
    assert!(work(), "what is measured must succeed");
    let (began, mut runs) = (Instant::now(), 0_u32);
    while began.elapsed() < SLICE {
        for _ in 0..RUNS {
            black_box(work());
        }
        runs += RUNS;
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(runs)
}

fn uncached(case: &Case) -> bool {
    let bearer = Bearer::new(black_box(&case.token)).unwrap();
    let signed = check_signature(&bearer, case.snapshot.authority());
    signed.is_ok_and(|signed| judge(&Arc::new(signed), &case.snapshot, case.now).is_ok())
}

/// The gateway's path for a token that it has seen before: header, digest, look-up, judgement.
fn cached(case: &Case) -> bool {
    let header = black_box(&case.token);
    let bearer = Bearer::new(header).unwrap();
    let digest = bearer.digest();
    let signed = case.cache.get(&digest).or_else(|| {
        let signed = Arc::new(check_signature(&bearer, case.snapshot.authority()).ok()?);
        case.cache.insert(digest, Arc::clone(&signed));
        Some(signed)
    });
    signed.is_some_and(|signed| judge(&signed, &case.snapshot, case.now).is_ok())
}

#[derive(Deserialize)]
struct Theirs {
    #[expect(dead_code, reason = "read, as any user of the library would")]
    sub: String,
    #[expect(dead_code, reason = "read, as any user of the library would")]
    exp: i64,
}

fn es256() -> Case {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let public = pair.public_key().as_ref().to_vec();
    let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public).unwrap();
    let theirs =
        DecodingKey::from_ec_components(&base64url(&public[1..33]), &base64url(&public[33..])).unwrap();
    let key = VerifyingKey::public(kid(), Algorithm::Es256, &public).unwrap();
    let sign = |input: &[u8]| pair.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec();
    let theirs = (jsonwebtoken::Algorithm::ES256, theirs);
    case("ES256", key, theirs, as_minted, sign, move |input, signature| {
        parsed.verify_sig(input, signature).is_ok()
    })
}

fn ed25519() -> Case {
    let pair = Ed25519KeyPair::generate().unwrap();
    let public = pair.public_key().as_ref().to_vec();
    let parsed = ParsedPublicKey::new(&ED25519, &public).unwrap();
    let theirs = DecodingKey::from_ed_components(&base64url(&public)).unwrap();
    let key = VerifyingKey::public(kid(), Algorithm::EdDsa, &public).unwrap();
    let sign = |input: &[u8]| pair.sign(input).as_ref().to_vec();
    let theirs = (jsonwebtoken::Algorithm::EdDSA, theirs);
    case("EdDSA", key, theirs, as_minted, sign, move |input, signature| {
        parsed.verify_sig(input, signature).is_ok()
    })
}

fn hs256(name: &'static str, spell: fn(&Draft<'_>) -> String) -> Case {
    let raw = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let key = VerifyingKey::secret(kid(), SECRET).unwrap();
    let sign = |input: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), input).as_ref().to_vec();
    let theirs = (jsonwebtoken::Algorithm::HS256, DecodingKey::from_secret(SECRET));
    case(name, key, theirs, spell, sign, move |input, signature| hmac::verify(&raw, input, signature).is_ok())
}

fn as_minted(draft: &Draft<'_>) -> String {
    draft.signing_input()
}

/// Neither the header nor the claims are what is minted here letter for letter.
fn spelt_otherwise(draft: &Draft<'_>) -> String {
    let header = format!(r#"{{"alg":"{}","typ":"JWT","kid":"{}"}}"#, draft.algorithm.as_str(), draft.kid);
    let claims = format!(
        r#"{{"iss":"{}","sub":"{}","aud":"{}","exp":{},"iat":{},"jti":"{}","client_id":"{}"}}"#,
        draft.issuer,
        draft.subject,
        draft.audience,
        draft.expires_at().seconds(),
        draft.issued_at.seconds(),
        draft.jti,
        draft.client
    );
    format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()))
}

fn kid() -> KeyId {
    KeyId::new("hp-bench-1").unwrap()
}

fn case(
    name: &'static str,
    key: VerifyingKey,
    (their_algorithm, their_key): (jsonwebtoken::Algorithm, DecodingKey),
    spell: fn(&Draft<'_>) -> String,
    sign: impl Fn(&[u8]) -> Vec<u8>,
    verify: impl Fn(&[u8], &[u8]) -> bool + 'static,
) -> Case {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now = UnixTime::from_seconds(i64::try_from(seconds).unwrap());
    let (issuer, audience) =
        (Issuer::new("exai-mcp-server").unwrap(), Audience::new("exai-mcp-client").unwrap());
    let (client, subject) =
        (ClientName::new("vscode1").unwrap(), Subject::new("vscode1@exai-mcp.local").unwrap());
    let kid = kid();
    let draft = Draft {
        kid: &kid,
        algorithm: key.algorithm(),
        issuer: &issuer,
        audience: &audience,
        subject: &subject,
        client: &client,
        issued_at: now,
        lifetime: 90 * 86_400,
        jti: JTI,
    };
    let input = spell(&draft);
    let signature = sign(input.as_bytes());
    let token = format!("{input}.{}", base64url(&signature));
    let mut validation = Validation::new(their_algorithm);
    validation.set_issuer(&["exai-mcp-server"]);
    validation.set_audience(&["exai-mcp-client"]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let record = TokenRecord {
        jti: JTI.into(),
        client: client.clone(),
        digest: TokenDigest::of(&token),
        state: TokenState::Active,
        adopted: false,
    };
    let authority = Authority {
        issuer: issuer.clone(),
        audience: audience.clone(),
        keys: KeySet::new([key]),
        token_type: TokenType::Jwt,
        lifetime_most: 366 * 86_400,
        leeway: 60,
    };
    let client = Client::new(client.clone(), subject.clone());
    Case {
        name,
        snapshot: Snapshot::new(1, authority, [client], [record]),
        now,
        cache: Cache::new(16_384),
        theirs: (their_key, validation),
        raw: Box::new(move || verify(black_box(input.as_bytes()), black_box(&signature))),
        token,
    }
}
