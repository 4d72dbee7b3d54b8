//! Project Wycheproof's vectors, read from the unchanged files: how many of which kind, and that each ends as it should.

use hallpass_core::jwks::{JwksFault, parse_set};
use hallpass_core::keys::{Algorithm, KeyFault, KeyId, KeySet, VerifyingKey};
use hallpass_core::signed::check_jws;
use hallpass_core::snapshot::TokenType;
use hallpass_core::{Bearer, Denial, encoding::decode_hex};
use serde_json::{Value, json};

/// Wrong in the file itself: 367 and 370 are marked invalid and are the valid 357 letter for letter; 372 and 373 are
/// marked valid and have a `?` in the middle.
const WRONG_IN_THE_FILE: [u64; 4] = [367, 370, 372, 373];

struct Vector {
    id: u64,
    valid: bool,
    group: Value,
    test: Value,
}

fn vectors(file: &str) -> Vec<Vector> {
    let path = format!("{}/tests/data/wycheproof/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let groups = file["testGroups"].as_array().unwrap();
    let all = groups
        .iter()
        .flat_map(|group| group["tests"].as_array().unwrap().iter().map(move |test| (group, test)));
    all.map(|(group, test)| Vector {
        id: test["tcId"].as_u64().unwrap(),
        valid: test["result"] == "valid",
        group: group.clone(),
        test: test.clone(),
    })
    .collect()
}

impl Vector {
    /// The key to verify with: the public half where there is one.
    fn jwk(&self) -> &Value {
        self.group.get("public").unwrap_or(&self.group["private"])
    }

    fn verify(&self, keys: &KeySet) -> Result<Vec<u8>, Denial> {
        let text = self.test["jws"].as_str().unwrap();
        check_jws(&Bearer::new(text)?, keys, TokenType::Jwt)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        decode_hex(self.test[name].as_str().unwrap()).unwrap()
    }
}

fn set_of(jwks: &Value) -> Result<KeySet, JwksFault> {
    parse_set(jwks.to_string().as_bytes()).map(KeySet::new)
}

fn is_ours(vector: &Vector) -> bool {
    let figure_35 = vector.test["comment"] == "Figure35";
    let groups = ["hs256", "es256", "base64", "SpecialCaseEs256", "ec_key_for_encryption"];
    figure_35 || groups.iter().any(|group| vector.group["comment"] == *group)
}

fn wrong(ids: &[u64]) {
    assert!(ids.is_empty(), "not as they should be: {ids:?}");
}

#[test]
fn signatures_of_the_three_algorithms_are_judged_as_the_vectors_say() {
    let ours: Vec<_> = vectors("json_web_signature_test").into_iter().filter(is_ours).collect();
    assert_eq!(ours.len(), 81);
    let (excluded, counted): (Vec<_>, Vec<_>) =
        ours.iter().partition(|vector| WRONG_IN_THE_FILE.contains(&vector.id));
    assert_eq!((excluded.len(), counted.len()), (4, 77));
    let accepts = |vector: &&&Vector| {
        set_of(&json!({ "keys": [vector.jwk()] })).is_ok_and(|keys| vector.verify(&keys).is_ok())
    };
    assert_eq!(counted.iter().filter(|vector| vector.valid).count(), 10);
    let unlike = counted.iter().filter(|vector| accepts(vector) != vector.valid).map(|vector| vector.id);
    wrong(&unlike.collect::<Vec<_>>());
    // Canonical text is accepted and other text refused, whatever the file says of these.
    let accepted: Vec<_> = excluded.iter().filter(|vector| accepts(vector)).map(|vector| vector.id).collect();
    assert_eq!(accepted, [367, 370]);
}

#[test]
fn signatures_of_other_algorithms_are_refused_the_valid_ones_too() {
    let others: Vec<_> =
        vectors("json_web_signature_test").into_iter().filter(|vector| !is_ours(vector)).collect();
    assert_eq!(others.len(), 320);
    assert_eq!(others.iter().filter(|vector| vector.valid).count(), 34);
    let mut unlike = Vec::new();
    for vector in &others {
        let loads = set_of(&json!({ "keys": [vector.jwk()] })).is_ok();
        // And with a key of ours under the name that the token gives.
        let kid = vector.jwk()["kid"].as_str().unwrap_or("none");
        let key = VerifyingKey::secret(KeyId::new(kid).unwrap(), &[7; 32]).unwrap();
        let verdict = vector.verify(&KeySet::new([key]).with_unnamed(kid));
        let unsupported = match verdict {
            Err(Denial::WrongAlgorithm) => true,
            // A token of ours has claims, and this does not get as far as its algorithm.
            Err(Denial::MalformedToken) if vector.test["comment"] == "emptyPayload" => true,
            Err(_) => !vector.valid,
            Ok(_) => false,
        };
        if loads || !unsupported {
            unlike.push(vector.id);
        }
    }
    wrong(&unlike);
}

#[test]
fn key_sets_are_loaded_as_the_vectors_say() {
    let vectors = vectors("json_web_key_test");
    assert_eq!(vectors.len(), 26);
    let of_ours = |vector: &Vector| {
        let keys = vector.jwk()["keys"].as_array().unwrap();
        keys.iter().all(|key| key["alg"].as_str().is_some_and(|alg| Algorithm::from_name(alg).is_some()))
    };
    let should = |vector: &&Vector| vector.valid && of_ours(vector);
    assert_eq!(vectors.iter().filter(should).count(), 2);
    let accepts = |vector: &Vector| set_of(vector.jwk()).is_ok_and(|keys| vector.verify(&keys).is_ok());
    let unlike: Vec<_> =
        vectors.iter().filter(|vector| accepts(vector) != should(vector)).map(|vector| vector.id).collect();
    wrong(&unlike);
}

#[test]
fn no_half_of_a_pair_that_signs_is_loaded() {
    for vector in vectors("json_web_key_test") {
        let private = &vector.group["private"];
        if private["keys"].as_array().unwrap().iter().any(|key| key.get("d").is_some()) {
            assert!(set_of(private).is_err(), "{}", vector.id);
        }
    }
}

#[test]
fn ed25519_and_es256_signatures_are_judged_as_the_vectors_say() {
    for (file, algorithm, count, valid) in [
        ("ed25519_test", Algorithm::EdDsa, 151, 88),
        ("ecdsa_secp256r1_sha256_p1363_test", Algorithm::Es256, 262, 173),
    ] {
        let vectors = vectors(file);
        assert_eq!((vectors.len(), vectors.iter().filter(|vector| vector.valid).count()), (count, valid));
        let accepts = |vector: &Vector| {
            let group = &vector.group["publicKey"];
            let public = group.get("uncompressed").or(group.get("pk")).and_then(Value::as_str).unwrap();
            let kid = KeyId::new("wycheproof").unwrap();
            let key = VerifyingKey::public(kid, algorithm, &decode_hex(public).unwrap()).unwrap();
            key.accepts(&vector.bytes("msg"), &vector.bytes("sig"))
        };
        let unlike = vectors.iter().filter(|vector| accepts(vector) != vector.valid).map(|vector| vector.id);
        wrong(&unlike.collect::<Vec<_>>());
    }
}

#[test]
fn macs_count_whole_and_under_secrets_that_are_long_enough() {
    let vectors = vectors("hmac_sha256_test");
    assert_eq!(vectors.len(), 174);
    let (mut accepted, mut too_short, mut unlike) = (0, 0, Vec::new());
    for vector in &vectors {
        let kid = KeyId::new("wycheproof").unwrap();
        let (secret, tag) = (vector.bytes("key"), vector.bytes("tag"));
        let verdict = VerifyingKey::secret(kid, &secret).map(|key| key.accepts(&vector.bytes("msg"), &tag));
        let should = match secret.len() {
            0..32 => Err(KeyFault::SecretTooShort),
            _ => Ok(vector.valid && tag.len() == 32),
        };
        accepted += usize::from(verdict == Ok(true));
        too_short += usize::from(verdict.is_err());
        if verdict != should {
            unlike.push(vector.id);
        }
    }
    wrong(&unlike);
    assert_eq!((accepted, too_short), (30, 6));
}
