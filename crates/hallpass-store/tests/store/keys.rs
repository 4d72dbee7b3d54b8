//! Signing keys: the public side open, the private side sealed.

use crate::scene::{Scene, key_row, mint};
use hallpass_core::Denial;
use hallpass_core::keys::{Algorithm, KeyId};
use hallpass_store::{KeyState, SealKey, SigningKey};

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
    for (kid, state, counts) in [("hp-2", KeyState::VerifyOnly, true), ("hp-3", KeyState::Retired, false)] {
        let key = add(&scene, kid, state).await;
        let token = mint(&key, "ann", crate::scene::NOW);
        scene.store.add_pending(&token.row).await.unwrap();
        let expect = if counts { Ok("ann".to_owned()) } else { Err(Denial::UnknownKey) };
        assert_eq!(scene.judged(&token).await, expect, "{kid}");
    }
    let states: Vec<_> = scene.store.keys().await.unwrap().into_iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Active, KeyState::VerifyOnly, KeyState::Retired]);
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
