//! `hallpass verify`: what a token is, which check refuses it, and what to do.

use crate::house::{House, SECRET, by_secret, former_token, get, now, part};
use serde_json::{Value, json};

async fn refused(house: &House, token: &str, arguments: &[&str], code: &str, hint: &str) {
    let outcome = house.verify(token, arguments).await;
    assert_eq!(outcome.code, Some(1), "{code}: {outcome:#?}");
    assert!(outcome.stderr.contains(&format!("({code})")), "{code}: {outcome:#?}");
    let said = outcome.stderr.lines().find(|line| line.starts_with("hint:")).unwrap_or_default();
    assert!(said.contains(hint), "{code}: {outcome:#?}");
    let outcome = house.verify(token, &[arguments, &["--json"]].concat()).await;
    let document: Value = serde_json::from_str(&outcome.stdout).expect("one document");
    assert_eq!((&document["passes"], &document["reason"]), (&json!(false), &json!(code)));
}

/// A token's claims with some of them changed; `null` takes one out.
fn with(claims: &Value, changes: &Value) -> Value {
    let mut claims = claims.clone();
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    claims
}

#[tokio::test]
async fn every_refusal_names_the_check_and_the_next_step() {
    let house = House::heir(&["claude"]).await;
    house.hallpass.must(&["apply", "--yes"]).await;
    let good = house.token("claude");
    let (kid, claims) = (house.active().await, part(&good, 1));
    let day = 86_400;
    let cases = [
        (json!({ "aud": "other" }), "wrong_audience", "another authority"),
        (json!({ "iss": "other" }), "wrong_issuer", "another authority"),
        (json!({ "exp": now() - day, "iat": now() - 2 * day }), "expired", "`hallpass issue claude`"),
        (json!({ "nbf": now() + day }), "not_yet_valid", "clock"),
        (json!({ "iat": now() + 3600 }), "issued_in_future", "clock"),
        (json!({ "exp": now() + 400 * day }), "lifetime_too_long", "366 days"),
        (json!({ "exp": null }), "claim_missing", "whole token"),
        (json!({ "exp": "soon" }), "claim_malformed", "whole token"),
        (json!({ "jti": "0199aaaa-0000-7000-8000-000000000000" }), "unknown_token", "the key has leaked"),
        (json!({ "exp": now() + day }), "other_token_of_known_id", "the key has leaked"),
    ];
    for (changes, code, hint) in &cases {
        refused(&house, &house.sign(&kid, &with(&claims, changes)).await, &[], code, hint).await;
    }
    let header = |more: Value| with(&json!({ "alg": "HS256", "typ": "JWT" }), &more);
    let forged = [
        (header(json!({ "kid": kid })), "wrong_algorithm", "changed or forged"),
        (header(json!({ "kid": kid, "alg": "ES256" })), "bad_signature", "changed or forged"),
        (header(json!({ "kid": "other" })), "unknown_key", "another authority"),
        (header(json!({ "typ": "at+jwt" })), "wrong_type", "changed or forged"),
        (header(json!({ "jku": "http://127.0.0.1:1/" })), "header_member", "changed or forged"),
    ];
    for (header, code, hint) in &forged {
        refused(&house, &by_secret(SECRET, header, &claims), &[], code, hint).await;
    }
    refused(&house, &former_token("claude", &json!({})), &[], "not_adopted", "`hallpass adopt FILE`").await;
    refused(&house, "abc", &[], "malformed_token", "whole token").await;
    refused(&house, &"a".repeat(9000), &[], "token_too_long", "whole token").await;
    house.hallpass.must(&["issue", "claude", "--yes"]).await;
    refused(&house, &good, &[], "replaced", "restart `claude`").await;
    let second = house.token("claude");
    house.hallpass.must(&["revoke", "claude", "--reason", "lost"]).await;
    refused(&house, &second, &[], "revoked", "`hallpass issue claude`").await;
}

#[tokio::test]
async fn a_good_token_is_told_with_its_owner() {
    let house = House::with_clients(&["claude"]).await;
    let outcome = house.verify(&house.token("claude"), &["--json"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    let document: Value = serde_json::from_str(&outcome.stdout).expect("one document");
    assert_eq!((&document["passes"], &document["client"]), (&json!(true), &json!("claude")));
    assert_eq!(document["claims"]["client_id"], json!("claude"));
    let file = house.hallpass.home().join("tokens/claude");
    house.hallpass.must(&["verify", file.to_str().expect("UTF-8")]).await;
    let empty = house.hallpass.run(&["verify"]).await;
    assert_eq!(empty.code, Some(1));
    assert!(empty.stderr.contains("there is no token"), "{empty:#?}");
}

#[tokio::test]
async fn a_token_of_a_key_that_was_revoked_says_whose_it_was() {
    let house = House::with_clients(&["claude"]).await;
    let stolen = house.token("claude");
    house.hallpass.must(&["keys", "revoke", &house.active().await, "--reason", "leaked", "--yes"]).await;
    refused(&house, &stolen, &[], "unknown_key", "`hallpass issue claude`").await;
}

#[tokio::test]
async fn offline_with_a_jwk_set() {
    let house = House::with_clients(&["claude"]).await;
    let serving = house.hallpass.serve().await;
    let (_, set) = get(serving.address(), "/.well-known/jwks.json", "").await;
    house.hallpass.write("jwks.json", &String::from_utf8(set).expect("UTF-8"));
    serving.kill().await;
    let good = house.token("claude");
    let kid = house.active().await;
    // Nothing of the home is needed.
    std::fs::rename(house.hallpass.home(), house.hallpass.user().join("away")).expect("a move");
    let strict = ["--jwks", "jwks.json", "--issuer", "hallpass.local", "--audience", "mcp-gateway"];
    let outcome = house.verify(&good, &strict).await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(
        outcome.stdout.contains("whether it was revoked, only the home that issued it knows\n"),
        "{outcome:#?}"
    );
    let loose = house.verify(&good, &["--jwks", "jwks.json"]).await;
    assert!(loose.stdout.contains("`iss` and `aud` were not checked"), "{loose:#?}");
    let wrong = ["--jwks", "jwks.json", "--audience", "other"];
    refused(&house, &good, &wrong, "wrong_audience", "another service").await;
    let wrong = ["--jwks", "jwks.json", "--issuer", "other"];
    refused(&house, &good, &wrong, "wrong_issuer", "another service").await;
    let forged = by_secret(SECRET, &json!({ "alg": "ES256", "kid": kid, "typ": "JWT" }), &part(&good, 1));
    refused(&house, &forged, &["--jwks", "jwks.json"], "bad_signature", "fetch the JWK Set anew").await;
    house.hallpass.write("no.json", "{\"keys\":[]}");
    let empty = house.verify(&good, &["--jwks", "no.json"]).await;
    assert_eq!(empty.code, Some(1));
    assert!(empty.stderr.contains("`no.json` is refused: it holds no key"), "{empty:#?}");
}

#[tokio::test]
async fn offline_with_a_secret() {
    let house = House::new("", &[]).await;
    let token = former_token("claude", &json!({}));
    let here =
        ["--secret-env", "FORMER_SECRET", "--issuer", "exai-mcp-server", "--audience", "exai-mcp-client"];
    let outcome = house.verify(&token, &here).await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    let other = by_secret(&SECRET.replace('0', "1"), &json!({ "alg": "HS256" }), &part(&token, 1));
    refused(&house, &other, &here, "bad_signature", "the right secret").await;
    // The secret in the place of its variable's name is not repeated.
    for typed in ["NOT_SET", SECRET, ""] {
        let unset = house.verify(&token, &["--secret-env", typed]).await;
        assert_eq!(unset.code, Some(1));
        assert!(
            unset.stderr.starts_with("error: the variable that `--secret-env` names is empty or not set\nhint: it takes the variable's name"),
            "{unset:#?}"
        );
        assert!(!unset.stderr.contains(&SECRET[..12]) && unset.stdout.is_empty(), "{unset:#?}");
    }
    for (option, words) in [
        ("--issuer", "error: `--issuer`: it is empty\n"),
        ("--audience", "error: `--audience`: it is empty\n"),
    ] {
        let outcome = house.verify(&token, &["--secret-env", "FORMER_SECRET", option, ""]).await;
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), words));
    }
    let useless = house.verify(&token, &["--issuer", "exai-mcp-server"]).await;
    assert_eq!(useless.code, Some(64), "{useless:#?}");
}

/// Whatever stands in the token, the answer is a verdict and a document.
#[tokio::test]
async fn an_issuer_or_an_audience_that_is_no_name_is_a_refusal_offline_too() {
    let house = House::new("", &[]).await;
    let keys = ["--secret-env", "FORMER_SECRET"];
    for (changes, code) in [
        (json!({ "iss": "" }), "wrong_issuer"),
        (json!({ "iss": "a b" }), "wrong_issuer"),
        (json!({ "iss": "\u{1b}[31mred" }), "wrong_issuer"),
        (json!({ "iss": null }), "claim_missing"),
        (json!({ "iss": 5 }), "claim_malformed"),
        (json!({ "aud": "" }), "wrong_audience"),
        (json!({ "aud": [] }), "wrong_audience"),
        (json!({ "aud": ["a b"] }), "wrong_audience"),
        (json!({ "aud": [5] }), "claim_malformed"),
    ] {
        let token = former_token("claude", &json!({}));
        let token = by_secret(SECRET, &part(&token, 0), &with(&part(&token, 1), &changes));
        refused(&house, &token, &keys, code, "").await;
    }
}
