//! What must stay secret at rest and in words.

use crate::house::{House, SECRET, SHARED};
use hallpass_core::keys::{Algorithm, KeyId};
use hallpass_store::{SealKey, SigningKey};
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn a_key_file_that_others_can_read_is_refused_by_every_command() {
    let house = House::with_clients(&["claude"]).await;
    let file = house.hallpass.home().join("seal.key");
    for mode in [0o644, 0o640, 0o604, 0o660] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("a mode");
        for arguments in
            [&["keys", "list"][..], &["issue", "claude", "--yes"], &["serve", "--listen", "127.0.0.1:0"]]
        {
            let outcome = house.hallpass.run(arguments).await;
            assert_eq!(outcome.code, Some(1), "{mode:o} {arguments:?}: {outcome:#?}");
            assert!(outcome.stderr.contains("open to others"), "{mode:o}: {outcome:#?}");
            assert!(outcome.stderr.contains("chmod 600"), "{mode:o}: {outcome:#?}");
        }
    }
}

/// What was sealed with it would be lost once the right one is back.
#[tokio::test]
async fn nothing_is_sealed_with_the_key_file_of_another_home() {
    let house = House::heir(&["claude"]).await;
    let other = House::with_clients(&[]).await;
    let (file, good) = (house.hallpass.home().join("seal.key"), house.hallpass.user().join("good"));
    std::fs::copy(&file, &good).expect("a copy");
    std::fs::copy(other.hallpass.home().join("seal.key"), &file).expect("a copy");
    let kid = house.active().await;
    let keys = house.hallpass.must(&["keys", "list", "--json"]).await;
    for arguments in [
        &["keys", "rotate", "--yes"][..],
        &["keys", "rotate", "--announce", "--yes"],
        &["keys", "revoke", &kid, "--reason", "leaked", "--yes"],
        &["issue", "claude", "--yes"],
        &["init", "--from-env", "env.docker"],
    ] {
        let outcome = house.hallpass.run(arguments).await;
        assert_eq!(outcome.code, Some(1), "{arguments:?}: {outcome:#?}");
        assert!(outcome.stderr.contains("the signing key cannot be opened"), "{arguments:?}: {outcome:#?}");
        assert!(outcome.stderr.contains("restore both from the same backup"), "{arguments:?}: {outcome:#?}");
    }
    assert_eq!(house.hallpass.must(&["keys", "list", "--json"]).await, keys);
    std::fs::copy(&good, &file).expect("a copy");
    house.hallpass.must(&["keys", "rotate", "--yes"]).await;
}

#[tokio::test]
async fn the_database_shows_no_secret() {
    let house = House::heir(&["claude"]).await;
    house.hallpass.must(&["apply", "--yes"]).await;
    let token = house.token("claude");
    let signature = token.rsplit('.').next().expect("a signature");
    for entry in std::fs::read_dir(house.hallpass.home()).expect("the home") {
        let path = entry.expect("an entry").path();
        if !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path).expect("a file");
        for secret in [SECRET, SHARED, signature] {
            let hex = hallpass_core::encoding::hex(secret.as_bytes());
            for needle in [secret.as_bytes(), hex.as_bytes()] {
                let found = bytes.windows(needle.len()).any(|window| window == needle);
                assert!(!found, "a secret in {}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn a_sealed_key_opens_under_its_own_name_only() {
    let house = House::with_clients(&[]).await;
    let seal = SealKey::load(&house.hallpass.home().join("seal.key")).expect("the seal");
    let row = house.store().await.keys().await.expect("keys").remove(0);
    let open = |kid: &str, algorithm| {
        SigningKey::from_sealed(KeyId::new(kid).expect("a name"), algorithm, &row.sealed, &seal)
    };
    assert!(open(&row.kid, Algorithm::Es256).is_ok());
    assert!(open("hp-other-1", Algorithm::Es256).is_err());
    assert!(open(&row.kid, Algorithm::Hs256).is_err());
}

#[test]
fn debug_shows_names_only() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(KeyId::new("hp-x-1").expect("a name"), algorithm).expect("a key");
        let verifying = key.verifying_key().expect("its other half");
        for shown in [format!("{key:?}"), format!("{verifying:?}")] {
            assert!(shown.contains("hp-x-1") && shown.ends_with(".. }"), "{shown}");
            assert!(shown.len() < 120, "{shown}");
        }
    }
    let key =
        SigningKey::from_secret(KeyId::new("hp-x-1").expect("a name"), SECRET.as_bytes()).expect("a key");
    let verifying = key.verifying_key().expect("its other half");
    assert!(!format!("{key:?}{verifying:?}").contains(&SECRET[..8]));
}
