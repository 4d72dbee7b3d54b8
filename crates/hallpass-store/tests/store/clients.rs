//! Clients: registered, changed, removed, and the name used again.

use crate::scene::{NOW, Scene, act, client, placement};
use hallpass_core::snapshot::{ServerScope, TokenState};
use hallpass_core::{Denial, ServerName};
use hallpass_store::{ClientRow, StoreFault};

#[tokio::test]
async fn a_client_comes_back_as_it_was_put() {
    let scene = Scene::new().await;
    let servers = ["docs", "files"].map(|name| ServerName::new(name).unwrap());
    let bob = ClientRow {
        enabled: false,
        from_roster: true,
        servers: ServerScope::Only(servers.into()),
        config: None,
        entry: None,
        env: Some("TOKEN".into()),
        ..client("bob")
    };
    let nothing = ClientRow { servers: ServerScope::Only([].into()), ..client("eve") };
    for row in [&bob, &client("ann"), &nothing] {
        scene.store.put_client(row, None).await.unwrap();
    }
    assert_eq!(scene.another().await.clients().await.unwrap(), [client("ann"), bob.clone(), nothing]);
    let changed = ClientRow { entry: Some("files".into()), ..bob };
    scene.store.put_client(&changed, Some(&act("change", "bob"))).await.unwrap();
    assert_eq!(scene.store.client("bob").await.unwrap(), Some(changed));
    assert_eq!(scene.store.client("nobody").await.unwrap(), None);
    assert_eq!(scene.acts().await, ["change"]);
}

#[tokio::test]
async fn a_subject_is_one_clients() {
    let (scene, _) = Scene::with_clients(&["ann", "bob"]).await;
    let thief = ClientRow { subject: client("ann").subject, ..client("bob") };
    let fault = scene.store.put_client(&thief, Some(&act("change", "bob"))).await.unwrap_err();
    assert_eq!(fault.to_string(), "the client `ann` has the subject `ann@example` already");
    assert!(matches!(fault, StoreFault::DuplicateSubject { other, .. } if other == "ann"));
    assert_eq!(scene.store.client("bob").await.unwrap(), Some(client("bob")));
    assert_eq!(scene.acts().await, ["issue", "issue"]);
}

#[tokio::test]
async fn a_removed_client_leaves_its_name_and_subject_free() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    scene.store.remove_client("ann", NOW, "left", &act("remove", "ann")).await.unwrap();
    let heir = ClientRow { subject: client("ann").subject, ..client("bob") };
    scene.store.put_client(&heir, None).await.unwrap();
    let again = scene.store.put_client(&client("ann"), None).await;
    assert!(matches!(again, Err(StoreFault::DuplicateSubject { other, .. }) if other == "bob"));
}

#[tokio::test]
async fn removing_revokes_for_good_and_forgets_the_placement() {
    let (scene, tokens) = Scene::with_clients(&["ann", "bob"]).await;
    let pending = scene.mint("ann").await;
    scene.store.put_placement(&placement("ann")).await.unwrap();
    scene.store.remove_client("ann", NOW, "left", &act("remove", "ann")).await.unwrap();
    for token in [&tokens[0], &pending] {
        assert_eq!(scene.state(token).await, TokenState::Revoked { at: NOW });
        assert_eq!(scene.judged(token).await, Err(Denial::Revoked { at: NOW, client: client("ann").name }));
    }
    assert_eq!(scene.judged(&tokens[1]).await.as_deref(), Ok("bob"));
    assert!(scene.store.placement("ann").await.unwrap().is_none());
    assert!(scene.store.client("ann").await.unwrap().unwrap().removed);
    assert_eq!(scene.acts().await.last().unwrap(), "remove");
}

#[tokio::test]
async fn a_name_that_is_used_again_does_not_revive_the_old_tokens() {
    let (scene, old) = Scene::with_clients(&["ann"]).await;
    let replaced = &old[0];
    let last = scene.issue("ann").await;
    let pending = scene.mint("ann").await;
    scene.store.remove_client("ann", NOW, "left", &act("remove", "ann")).await.unwrap();
    // Even by a caller that hands in what it read before.
    scene.store.put_client(&ClientRow { removed: true, ..client("ann") }, None).await.unwrap();
    assert!(!scene.store.client("ann").await.unwrap().unwrap().removed);
    let new = scene.issue("ann").await;
    assert_eq!(scene.judged(&new).await.as_deref(), Ok("ann"));
    for token in [replaced, &last, &pending] {
        scene.store.activate(token.jti(), NOW, None, &act("issue", "ann")).await.unwrap();
        assert!(scene.judged(token).await.is_err());
    }
    assert_eq!(scene.judged(&new).await.as_deref(), Ok("ann"), "and the new one is not touched");
}

#[tokio::test]
async fn a_client_that_is_not_there_is_not_removed_and_gets_no_token() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let act = act("remove", "ann");
    scene.store.remove_client("ann", NOW, "left", &act).await.unwrap();
    for name in ["ann", "nobody"] {
        let fault = scene.store.remove_client(name, NOW, "left", &act).await.unwrap_err();
        assert!(matches!(fault, StoreFault::UnknownClient { client } if client == name));
    }
    let token = crate::scene::mint(&scene.key, "ann", NOW);
    assert!(matches!(scene.store.add_pending(&token.row).await, Err(StoreFault::UnknownClient { .. })));
    assert_eq!(scene.store.tokens().await.unwrap().len(), tokens.len());
    assert_eq!(scene.acts().await, ["issue", "remove"]);
}
