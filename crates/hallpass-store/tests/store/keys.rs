//! Signing keys: the public side open, the private side sealed.

use crate::scene::{Scene, act, key_row, mint};
use hallpass_core::Denial;
use hallpass_core::keys::{Algorithm, KeyId};
use hallpass_store::{KeyState, SealKey, SigningKey, StoreFault};

async fn add(scene: &Scene, kid: &str, state: KeyState) -> SigningKey {
    let seal = SealKey::load(&scene.folder.path().join("seal.key")).unwrap();
    let key = SigningKey::generate(KeyId::new(kid).unwrap(), Algorithm::Es256).unwrap();
    scene.store.add_key(&key_row(&key, &seal, state), None).await.unwrap();
    key
}

#[tokio::test]
async fn a_kept_key_signs_again() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let seal = SealKey::load(&scene.folder.path().join("seal.key")).unwrap();
    let rows = scene.another().await.keys().await.unwrap();
    let [row] = rows.as_slice() else { panic!("one key") };
    assert_eq!((row.kid.as_str(), row.algorithm, row.state), ("hp-1", Algorithm::Es256, KeyState::Active));
    let key =
        SigningKey::from_sealed(KeyId::new(&row.kid).unwrap(), Algorithm::Es256, &row.sealed, &seal).unwrap();
    let token = mint(&key, "ann", crate::scene::NOW);
    scene.store.add_pending(&token.row).await.unwrap();
    assert_eq!(scene.judged(&token).await.as_deref(), Ok("ann"));
}

#[tokio::test]
async fn a_key_verifies_until_it_is_retired() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let key = add(&scene, "hp-2", KeyState::VerifyOnly).await;
    let token = mint(&key, "ann", crate::scene::NOW);
    scene.store.add_pending(&token.row).await.unwrap();
    assert_eq!(scene.judged(&token).await.as_deref(), Ok("ann"));
    stop(&scene, &["hp-2"]).await;
    assert_eq!(scene.judged(&token).await, Err(Denial::UnknownKey));
    let states: Vec<_> = scene.store.keys().await.unwrap().into_iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Active, KeyState::Retired]);
}

/// Sealed keys are written in one form and read in two: homes that are there have the other.
#[tokio::test]
async fn a_key_that_was_kept_as_pkcs8_opens_too() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    let scene = Scene::new().await;
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let sealed = scene.seal().seal("ES256 signing key hp-9", pair.to_pkcs8v1().unwrap().as_ref()).unwrap();
    let kid = || KeyId::new("hp-9").unwrap();
    let opened = SigningKey::from_sealed(kid(), Algorithm::Es256, &sealed, &scene.seal()).unwrap();
    let again = opened.to_sealed(&scene.seal()).unwrap();
    let again = SigningKey::from_sealed(kid(), Algorithm::Es256, &again, &scene.seal()).unwrap();
    for key in [opened, again] {
        let public = key.verifying_key().unwrap();
        assert_eq!(public.public_bytes(), Some(pair.public_key().as_ref()));
    }
}

async fn stop(scene: &Scene, kids: &[&str]) -> u64 {
    let stops: Vec<_> = kids.iter().map(|kid| (*kid, act("revoke-key", kid))).collect();
    scene.store.revoke_keys(&stops, crate::scene::NOW, "leaked").await.unwrap()
}

#[tokio::test]
async fn keys_are_stopped_together_in_one_step() {
    let (scene, _) = Scene::with_clients(&["ann", "bob", "eve"]).await;
    for (kid, client) in [("hp-2", "ann"), ("hp-3", "bob")] {
        let key = add(&scene, kid, KeyState::VerifyOnly).await;
        scene.store.add_pending(&mint(&key, client, crate::scene::NOW).row).await.unwrap();
    }
    let before = scene.revision().await;
    assert_eq!(stop(&scene, &["hp-2", "hp-3"]).await, 2);
    assert_eq!(scene.revision().await, before + 1);
    let retired = scene.store.keys().await.unwrap().into_iter().filter(|key| key.state == KeyState::Retired);
    assert_eq!(retired.map(|key| key.kid).collect::<Vec<_>>(), ["hp-2", "hp-3"]);
    assert_eq!(scene.acts().await.iter().filter(|kind| *kind == "revoke-key").count(), 2);
}

/// A command that opened the key before it was stopped goes on to mint.
#[tokio::test]
async fn what_a_stopped_key_signed_afterwards_is_not_put_in_force() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let key = add(&scene, "hp-2", KeyState::VerifyOnly).await;
    stop(&scene, &["hp-2"]).await;
    let late = mint(&key, "ann", crate::scene::NOW);
    let stopped = |outcome| matches!(outcome, Err(StoreFault::KeyStopped { kid }) if kid == "hp-2");
    assert!(stopped(scene.store.add_pending(&late.row).await));
    assert!(stopped(scene.store.adopt(&late.row, crate::scene::NOW, &act("adopt", "ann")).await.map(|_| ())));
    assert_eq!(scene.store.tokens_of("ann").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_name_is_one_keys() {
    let scene = Scene::new().await;
    let seal = SealKey::load(&scene.folder.path().join("seal.key")).unwrap();
    let other = SigningKey::generate(KeyId::new("hp-1").unwrap(), Algorithm::Es256).unwrap();
    assert!(scene.store.add_key(&key_row(&other, &seal, KeyState::Active), None).await.is_err());
    assert_eq!(scene.store.keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn neither_the_files_nor_debug_output_show_a_private_key_or_a_token() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let shown = format!("{:?} {:?}", scene.store.keys().await.unwrap(), scene.store.tokens().await.unwrap());
    assert!(!shown.contains(&tokens[0].row.digest.to_hex()), "{shown}");
    assert!(!shown.contains("sealed"), "{shown}");
    let mut bytes = std::fs::read(scene.file()).unwrap();
    bytes.extend(std::fs::read(scene.folder.path().join("hallpass.db-wal")).unwrap());
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains(tokens[0].jti()));
    for part in tokens[0].text.split('.') {
        assert!(!text.contains(part));
    }
}
