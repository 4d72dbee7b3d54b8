//! `/.well-known/jwks.json`: what is published, and what never is.

use crate::house::{House, get};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::timeout;

const PATH: &str = "/.well-known/jwks.json";

async fn keys(address: &str) -> Vec<Value> {
    let (head, body) = get(address, PATH, "").await;
    assert_eq!(head.status(), 200);
    let set: Value = serde_json::from_slice(&body).expect("JSON");
    set["keys"].as_array().expect("a list").clone()
}

/// Waits until the running gateway has seen a change of keys.
async fn until(address: &str, kids: &BTreeSet<String>) -> Vec<Value> {
    let published = async {
        loop {
            let keys = keys(address).await;
            let found: BTreeSet<String> =
                keys.iter().map(|key| key["kid"].as_str().expect("a kid").into()).collect();
            if found == *kids {
                return keys;
            }
        }
    };
    timeout(Duration::from_secs(20), published).await.expect("the set follows the keys")
}

#[tokio::test]
async fn next_active_and_verify_only_are_published_and_nothing_secret() {
    let house = House::heir(&["claude"]).await;
    house.hallpass.must(&["apply", "--yes"]).await;
    let serving = house.hallpass.serve().await;
    let first = house.active().await;
    house.hallpass.must(&["keys", "rotate", "--algorithm", "EdDSA", "--yes"]).await;
    house.hallpass.must(&["keys", "rotate", "--announce", "--algorithm", "Ed25519", "--yes"]).await;
    let second = house.active().await;
    let next = house.keys_in("next").await.remove(0);
    let published = until(serving.address(), &[first.clone(), second, next.clone()].into()).await;
    for key in &published {
        let members: BTreeSet<&str> =
            key.as_object().expect("an object").keys().map(String::as_str).collect();
        let public: BTreeSet<&str> = ["kty", "crv", "x", "y", "use", "alg", "kid"].into();
        assert!(members.is_subset(&public), "{key}");
        assert_eq!(key["use"], json!("sig"));
    }
    // A key that was revoked is gone.
    house.hallpass.must(&["keys", "revoke", &next, "--reason", "not wanted", "--yes"]).await;
    until(serving.address(), &[first, house.active().await].into()).await;
}

#[tokio::test]
async fn a_set_of_secrets_is_published_empty() {
    let house = House::new("[authority]\nalgorithm = \"HS256\"", &[]).await;
    house.hallpass.must(&["init"]).await;
    let serving = house.hallpass.serve().await;
    assert_eq!(keys(serving.address()).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_copy_is_renewed_cheaply() {
    let house = House::with_clients(&["claude"]).await;
    let serving = house.hallpass.serve().await;
    let (head, _) = get(serving.address(), PATH, "").await;
    assert_eq!(head.value("content-type"), Some("application/jwk-set+json"));
    assert_eq!(head.value("cache-control"), Some("public, max-age=300"));
    let etag = head.value("etag").expect("an ETag").to_owned();
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".into()] {
        let (head, body) = get(serving.address(), PATH, &format!("If-None-Match: {known}\r\n")).await;
        assert_eq!((head.status(), body.len()), (304, 0), "{known}");
        assert_eq!(head.value("etag"), Some(etag.as_str()));
    }
    let (head, _) = get(serving.address(), PATH, "If-None-Match: \"other\"\r\n").await;
    assert_eq!(head.status(), 200);
}
