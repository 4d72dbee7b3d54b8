//! A token's way: pending, active, then replaced or revoked. Revoked is final.

use crate::scene::{NOW, Scene, Token, act, placement};
use hallpass_core::snapshot::TokenState;
use hallpass_store::TokenRow;

/// What [`hallpass_store::Store::activate`] says to a token that is not pending.
async fn activate_too_late(scene: &Scene, token: &Token) {
    let client = token.row.client.as_str();
    let act = act("issue", client);
    assert!(!scene.store.activate(token.jti(), NOW, None, &act).await.unwrap(), "{}", token.jti());
}

fn handles(tokens: &[TokenRow]) -> Vec<&str> {
    tokens.iter().map(|token| token.jti.as_str()).collect()
}

#[tokio::test]
async fn a_token_comes_back_as_it_was_noted() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let token = scene.mint("ann").await;
    let row = scene.another().await.token(token.jti()).await.unwrap().unwrap();
    assert_eq!((&row.jti, &row.client, &row.kid), (&token.row.jti, &token.row.client, &token.row.kid));
    assert_eq!((row.issued_at, row.expires_at), (token.row.issued_at, token.row.expires_at));
    assert!(row.digest.matches(&token.row.digest));
    assert_eq!((row.state, row.reason), (TokenState::Pending, None));
    assert!(scene.store.token("none").await.unwrap().is_none());
}

#[tokio::test]
async fn activating_replaces_every_other_live_token_of_that_client_alone() {
    let (scene, tokens) = Scene::with_clients(&["ann", "bob"]).await;
    let (abandoned, new) = (scene.mint("ann").await, scene.mint("ann").await);
    scene.store.activate(new.jti(), NOW, Some(&placement("ann")), &act("issue", "ann")).await.unwrap();
    assert_eq!(scene.state(&new).await, TokenState::Active);
    for token in [&tokens[0], &abandoned] {
        assert_ne!(scene.state(token).await, TokenState::Active);
        assert!(scene.judged(token).await.is_err());
    }
    assert_eq!(scene.state(&tokens[1]).await, TokenState::Active);
    assert_eq!(scene.store.placement("ann").await.unwrap().unwrap().file, placement("ann").file);
    assert_eq!(scene.acts().await, ["issue", "issue", "issue"]);
}

#[tokio::test]
async fn a_pending_token_counts_already() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let token = scene.mint("ann").await;
    assert_eq!(scene.judged(&token).await.as_deref(), Ok("ann"));
    assert_eq!(handles(&scene.store.pending().await.unwrap()), [token.jti()]);
}

#[tokio::test]
async fn a_dropped_pending_token_was_never_there() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let token = scene.mint("ann").await;
    scene.store.drop_pending(token.jti()).await.unwrap();
    assert!(scene.store.token(token.jti()).await.unwrap().is_none());
    assert!(scene.store.pending().await.unwrap().is_empty());
    activate_too_late(&scene, &token).await;
    assert_eq!(scene.state(&tokens[0]).await, TokenState::Active, "what is not there replaces nothing");
}

#[tokio::test]
async fn nothing_brings_a_revoked_token_back() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let (pending, other) = (scene.mint("ann").await, scene.mint("ann").await);
    assert_eq!(scene.store.revoke_client("ann", NOW, "lost", &act("revoke", "ann")).await.unwrap(), 3);
    for token in [&pending, &other] {
        activate_too_late(&scene, token).await;
        scene.store.drop_pending(token.jti()).await.unwrap();
        let late = NOW.plus(60);
        assert!(!scene.store.revoke_token(token.jti(), late, "again", &act("revoke", "ann")).await.unwrap());
        let row = scene.store.token(token.jti()).await.unwrap().unwrap();
        assert_eq!((row.state, row.reason.as_deref()), (TokenState::Revoked { at: NOW }, Some("lost")));
        assert!(scene.judged(token).await.is_err());
    }
    let new = scene.issue("ann").await;
    assert_eq!(scene.state(&pending).await, TokenState::Revoked { at: NOW }, "replacing does not soften it");
    assert_eq!(scene.judged(&new).await.as_deref(), Ok("ann"));
}

#[tokio::test]
async fn a_replaced_token_does_not_come_back() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let new = scene.issue("ann").await;
    let ended = scene.state(&tokens[0]).await;
    activate_too_late(&scene, &tokens[0]).await;
    scene.store.drop_pending(tokens[0].jti()).await.unwrap();
    assert_eq!(scene.state(&tokens[0]).await, ended);
    assert_eq!(scene.state(&new).await, TokenState::Active);
}

#[tokio::test]
async fn revoking_one_token_or_one_client_touches_no_other() {
    let (scene, tokens) = Scene::with_clients(&["ann", "bob", "eve"]).await;
    assert!(scene.store.revoke_token(tokens[0].jti(), NOW, "lost", &act("revoke", "ann")).await.unwrap());
    assert_eq!(scene.store.revoke_client("bob", NOW, "lost", &act("revoke", "bob")).await.unwrap(), 1);
    let states = [&tokens[0], &tokens[1], &tokens[2]].map(|token| scene.judged(token));
    let [ann, bob, eve] = states;
    assert!(ann.await.is_err());
    assert!(bob.await.is_err());
    assert_eq!(eve.await.as_deref(), Ok("eve"));
}

#[tokio::test]
async fn what_changes_nothing_is_no_act() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let act = act("revoke", "ann");
    assert_eq!(scene.store.revoke_client("nobody", NOW, "lost", &act).await.unwrap(), 0);
    assert!(!scene.store.revoke_token("none", NOW, "lost", &act).await.unwrap());
    assert!(scene.store.revoke_token(tokens[0].jti(), NOW, "lost", &act).await.unwrap());
    assert!(!scene.store.revoke_token(tokens[0].jti(), NOW, "lost", &act).await.unwrap());
    assert_eq!(scene.acts().await, ["issue", "revoke"]);
}

#[tokio::test]
async fn a_handle_and_a_digest_are_one_tokens() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    assert!(scene.store.add_pending(&tokens[0].row).await.is_err());
    let mut twin = crate::scene::mint(&scene.key, "ann", NOW).row;
    twin.digest = tokens[0].row.digest;
    assert!(scene.store.add_pending(&twin).await.is_err());
    assert_eq!(scene.store.tokens().await.unwrap().len(), 1);
}

/// A clock that was set back between two of them changes nothing: else the one that a person revoked last would not be
/// looked at first, and its client would be given another.
#[tokio::test]
async fn tokens_are_listed_newest_first_whatever_the_clock_said() {
    let (scene, _) = Scene::with_clients(&["ann", "bob"]).await;
    let mut expect = Vec::new();
    for minutes in [3, 1, 2] {
        let mut token = crate::scene::mint(&scene.key, "ann", NOW.plus(minutes * 60)).row;
        token.jti = format!("{minutes}-{}", token.jti);
        scene.store.add_pending(&token).await.unwrap();
        expect.insert(0, token.jti);
    }
    assert_eq!(handles(&scene.store.tokens_of("ann").await.unwrap())[..3], expect);
    assert_eq!(handles(&scene.store.tokens().await.unwrap())[..3], expect);
    assert_eq!(handles(&scene.store.pending().await.unwrap()), expect);
    assert_eq!(scene.store.tokens_of("bob").await.unwrap().len(), 1);
}
