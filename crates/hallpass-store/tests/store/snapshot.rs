//! The snapshot: what is in force at one revision, as the core judges it.

use crate::scene::{NOW, Scene, Token, act, client, key_row, mint, placement};
use hallpass_core::claims::LIFETIME_MOST;
use hallpass_core::keys::{Algorithm, KeyId};
use hallpass_core::{Denial, Outcome};
use hallpass_store::{ClientRow, GatewayRow, KeyState, SealKey, SigningKey, Store, StoreFault};

#[tokio::test]
async fn the_core_judges_by_it() {
    let (scene, tokens) = Scene::with_clients(&["ann", "bob", "eve"]).await;
    scene.store.revoke_client("bob", NOW, "lost", &act("revoke", "bob")).await.unwrap();
    scene.store.remove_client("eve", NOW, "left", &act("remove", "eve")).await.unwrap();
    let revoked = |name: &str| Err(Denial::Revoked { at: NOW, client: client(name).name });
    assert_eq!(scene.judged(&tokens[0]).await, Ok("ann".into()));
    assert_eq!(scene.judged(&tokens[1]).await, revoked("bob"));
    assert_eq!(scene.judged(&tokens[2]).await, revoked("eve"), "a removed client's token is told by name");
    let stranger = mint(&scene.key, "ann", NOW);
    assert_eq!(scene.judged(&stranger).await, Err(Denial::UnknownToken), "signed by us, and never issued");
}

#[tokio::test]
async fn another_token_under_a_known_handle_is_not_taken() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let (input, _) = tokens[0].text.rsplit_once('.').unwrap();
    let twin = format!("{input}.{}", scene.key.sign(input).unwrap());
    let twin = Token { text: twin, row: tokens[0].row.clone() };
    assert_eq!(scene.judged(&twin).await, Err(Denial::OtherTokenOfKnownId));
    assert_eq!(scene.judged(&tokens[0]).await.as_deref(), Ok("ann"));
}

#[tokio::test]
async fn a_client_whose_subject_changed_needs_a_new_token() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let changed = ClientRow { subject: client("bob").subject, ..client("ann") };
    scene.store.put_client(&changed, None).await.unwrap();
    assert_eq!(scene.judged(&tokens[0]).await, Err(Denial::OtherSubject { client: client("ann").name }));
}

#[tokio::test]
async fn every_change_of_what_is_in_force_moves_the_revision_and_nothing_else_does() {
    let (scene, _) = Scene::with_clients(&["ann", "bob"]).await;
    let store = &scene.store;
    let mut before = scene.revision().await;
    let mut moved = async || {
        let now = scene.revision().await;
        std::mem::replace(&mut before, now) != now
    };
    let (first, second) = (scene.mint("ann").await, scene.mint("ann").await);
    assert!(moved().await, "add_pending");
    store.activate(first.jti(), NOW, None, &act("issue", "ann")).await.unwrap();
    assert!(moved().await, "activate");
    store.drop_pending(second.jti()).await.unwrap();
    assert!(moved().await, "drop_pending");
    store.revoke_token(first.jti(), NOW, "lost", &act("revoke", "ann")).await.unwrap();
    assert!(moved().await, "revoke_token");
    store.revoke_client("bob", NOW, "lost", &act("revoke", "bob")).await.unwrap();
    assert!(moved().await, "revoke_client");
    store.put_client(&ClientRow { entry: None, ..client("ann") }, None).await.unwrap();
    assert!(moved().await, "put_client");
    store.disable_client("ann", NOW, "away", &act("disable", "ann")).await.unwrap();
    assert!(moved().await, "disable_client");
    store.enable_client("ann", &act("enable", "ann")).await.unwrap();
    assert!(moved().await, "enable_client");
    store.remove_client("bob", NOW, "left", &act("remove", "bob")).await.unwrap();
    assert!(moved().await, "remove_client");
    store.put_setting("audience", "other").await.unwrap();
    assert!(moved().await, "put_setting");
    let seal = SealKey::load(&scene.folder.path().join("seal.key")).unwrap();
    let key = SigningKey::generate(KeyId::new("hp-2").unwrap(), Algorithm::Es256).unwrap();
    store.add_key(&key_row(&key, &seal, KeyState::VerifyOnly), None).await.unwrap();
    assert!(moved().await, "add_key");

    crate::scene::log(store, &[crate::scene::call("ann", 0, Outcome::Ok)]).await.unwrap();
    store.put_placement(&placement("ann")).await.unwrap();
    store.setting("issuer").await.unwrap();
    store.tell_end(first.jti(), NOW, &act("warning", "ann")).await.unwrap();
    let row = GatewayRow { node: "local".into(), pid: 1, revision: 1, at_ms: 0 };
    store.put_gateway(&row).await.unwrap();
    store.drop_gateway("local", 1).await.unwrap();
    assert!(!moved().await, "events, placements, the gateway's row and reading");
}

#[tokio::test]
async fn a_change_that_fails_moves_nothing() {
    let (scene, tokens) = Scene::with_clients(&["ann", "bob"]).await;
    let before = scene.revision().await;
    let thief = ClientRow { subject: client("ann").subject, ..client("bob") };
    scene.store.put_client(&thief, Some(&act("change", "bob"))).await.unwrap_err();
    scene.store.add_pending(&tokens[0].row).await.unwrap_err();
    assert_eq!(scene.revision().await, before);
}

#[tokio::test]
async fn dead_tokens_of_long_ago_are_left_out_and_live_ones_never() {
    let (scene, _) = Scene::with_clients(&["ann", "bob"]).await;
    let old = NOW.plus(-3 * 86_400);
    let mut gone = Vec::new();
    for client in ["ann", "bob"] {
        let token = mint(&scene.key, client, old);
        scene.store.add_pending(&token.row).await.unwrap();
        gone.push(token);
    }
    scene.store.revoke_token(gone[0].jti(), old, "lost", &act("revoke", "ann")).await.unwrap();
    let snapshot = scene.snapshot().await;
    assert!(snapshot.token(gone[0].jti()).is_none());
    assert!(snapshot.token(gone[1].jti()).is_some(), "pending, so it stays, expired as it is");
    assert!(matches!(scene.judged(&gone[0]).await, Err(Denial::Expired { .. })));
}

#[tokio::test]
async fn without_an_authority_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(&folder.path().join("hallpass.db")).await.unwrap();
    let seal = SealKey::generate_file(&folder.path().join("seal.key")).unwrap();
    assert!(matches!(store.snapshot(&seal, LIFETIME_MOST).await, Err(StoreFault::Damaged(_))));
    store.put_setting("issuer", "hallpass").await.unwrap();
    store.put_setting("audience", "mcp").await.unwrap();
    assert!(matches!(store.snapshot(&seal, LIFETIME_MOST).await, Err(StoreFault::Damaged(_))), "no key");
}
