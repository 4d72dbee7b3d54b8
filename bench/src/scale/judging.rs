//! What the judgement alone costs, out of any gateway: a look-up of the token and one of the client.

use super::{LARGE, SMALL, Size, client_name, median};
use aws_lc_rs::hmac;
use hallpass_core::claims::Draft;
use hallpass_core::encoding::base64url;
use hallpass_core::keys::{Algorithm, KeyId, KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{Authority, Client, TokenRecord, TokenState, TokenType};
use hallpass_core::{
    Bearer, ClientName, Signed, Snapshot, Subject, TokenDigest, UnixTime, check_signature, judge,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const SECRET: &[u8; 32] = b"a secret of the measurement only";
const NOW: i64 = 1_800_000_000;
const ROUNDS: usize = 11;
const JUDGEMENTS: usize = 200_000;

/// Prints nanoseconds a judgement: of the same three clients, and of all in turn.
pub fn print() {
    let (small, few) = registry(SMALL);
    let (large, all) = registry(LARGE);
    let cases = [
        ("3 clients", &small, &few[..]),
        ("3 of 10,000 clients", &large, &all[..3]),
        ("all clients, all tokens", &large, &all[..]),
    ];
    let mut rounds = [(); 3].map(|()| Vec::new());
    for _ in 0..ROUNDS {
        for ((_, snapshot, tokens), taken) in cases.iter().zip(&mut rounds) {
            taken.push(time(snapshot, tokens));
        }
    }
    println!("\n{:28} {:>12} {:>10}", "the judgement alone", "ns", "ratio");
    let base = median(rounds[0].iter().copied());
    for ((name, ..), taken) in cases.iter().zip(&rounds) {
        let taken = median(taken.iter().copied());
        println!("{name:28} {taken:12.0} {:10.2}", taken / base);
    }
}

fn time(snapshot: &Snapshot, tokens: &[Arc<Signed>]) -> f64 {
    let begun = Instant::now();
    // Not one after the other: neighbours would be found in the processor's cache.
    let mut at = 0;
    for _ in 0..JUDGEMENTS {
        at = (at + 7919) % tokens.len();
        assert!(judge(black_box(&tokens[at]), snapshot, UnixTime::from_seconds(NOW)).is_ok());
    }
    begun.elapsed().as_secs_f64() * 1e9 / JUDGEMENTS as f64
}

/// What is in force, and the live tokens.
fn registry(size: Size) -> (Snapshot, Vec<Arc<Signed>>) {
    let kid = KeyId::new("hp-bench-1").unwrap();
    let authority = Authority {
        issuer: Issuer::new("hallpass.local").unwrap(),
        audience: Audience::new("mcp-gateway").unwrap(),
        keys: KeySet::new([VerifyingKey::secret(kid.clone(), SECRET).unwrap()]),
        token_type: TokenType::Jwt,
        lifetime_most: 366 * 86_400,
        leeway: 60,
    };
    let names: Vec<ClientName> =
        (0..size.clients).map(|number| ClientName::new(&client_name(number)).unwrap()).collect();
    let live = names.iter().flat_map(|name| (0..size.tokens_each).map(move |_| name));
    let mut records = Vec::new();
    let mut shown = Vec::new();
    for (number, name) in live.enumerate() {
        let jti = jti(number);
        let text = mint(&authority, &kid, name, &jti);
        let signed = check_signature(&Bearer::new(&text).unwrap(), &authority).unwrap();
        records.push(record(&jti, name, signed.digest(), TokenState::Active));
        shown.push(Arc::new(signed));
    }
    let revoked = TokenState::Revoked { at: UnixTime::from_seconds(NOW) };
    records.extend(names.iter().cycle().take(usize::try_from(size.revoked).unwrap()).enumerate().map(
        |(number, name)| {
            let jti = jti(shown.len() + number);
            record(&jti, name, TokenDigest::of(&jti), revoked)
        },
    ));
    let clients = names.iter().map(|name| Client::new(name.clone(), subject(name)));
    (Snapshot::new(1, authority, clients, records), shown)
}

fn record(jti: &str, client: &ClientName, digest: TokenDigest, state: TokenState) -> TokenRecord {
    TokenRecord { jti: jti.into(), client: client.clone(), digest, state, adopted: false }
}

/// As random as a UUIDv7's end is.
fn jti(number: usize) -> String {
    let digest = TokenDigest::of(&number.to_string()).to_hex();
    format!("01a20b07-8086-7{}-a{}-{}", &digest[..3], &digest[3..6], &digest[6..18])
}

fn subject(client: &ClientName) -> Subject {
    Subject::new(&format!("{client}@bench.local")).unwrap()
}

fn mint(authority: &Authority, kid: &KeyId, client: &ClientName, jti: &str) -> String {
    let draft = Draft {
        kid,
        algorithm: Algorithm::Hs256,
        issuer: &authority.issuer,
        audience: &authority.audience,
        subject: &subject(client),
        client,
        issued_at: UnixTime::from_seconds(NOW),
        lifetime: 90 * 86_400,
        jti,
    };
    let input = draft.signing_input();
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), input.as_bytes());
    format!("{input}.{}", base64url(signature.as_ref()))
}
