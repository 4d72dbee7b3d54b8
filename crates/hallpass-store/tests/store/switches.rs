//! Clients disabled and enabled again.

use crate::scene::{NOW, Scene, act, client};
use hallpass_core::Denial;
use hallpass_core::snapshot::TokenState;
use hallpass_store::{ClientRow, Disabled, StoreFault};

#[tokio::test]
async fn a_disabled_clients_tokens_wait_until_it_is_enabled() {
    let (scene, tokens) = Scene::with_clients(&["ann", "bob"]).await;
    let (disable, enable) = (act("disable", "ann"), act("enable", "ann"));
    assert!(scene.store.disable_client("ann", NOW, "on leave", &disable).await.unwrap());
    assert_eq!(scene.judged(&tokens[0]).await, Err(Denial::ClientDisabled { client: client("ann").name }));
    assert_eq!(scene.judged(&tokens[1]).await.as_deref(), Ok("bob"));
    assert_eq!(scene.state(&tokens[0]).await, TokenState::Active);
    let since = Disabled { at: Some(NOW), reason: Some("on leave".into()) };
    assert!(!scene.store.disable_client("ann", NOW.plus(60), "again", &disable).await.unwrap());
    assert_eq!(scene.store.disabled("ann").await.unwrap(), Some(since), "the first time stays on record");
    assert_eq!(scene.store.disabled("bob").await.unwrap(), None);
    assert!(scene.store.enable_client("ann", &enable).await.unwrap());
    assert!(!scene.store.enable_client("ann", &enable).await.unwrap());
    assert_eq!(scene.judged(&tokens[0]).await.as_deref(), Ok("ann"));
    assert_eq!(scene.store.disabled("ann").await.unwrap(), None);
    assert_eq!(scene.acts().await, ["issue", "issue", "disable", "enable"]);
}

/// A plan is made, a person thinks about it, and meanwhile another disables the client.
#[tokio::test]
async fn a_registration_that_was_planned_before_does_not_enable() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let planned = ClientRow { entry: Some("other".into()), ..client("ann") };
    scene.store.disable_client("ann", NOW, "on leave", &act("disable", "ann")).await.unwrap();
    scene.store.put_client(&planned, None).await.unwrap();
    assert_eq!(
        scene.store.client("ann").await.unwrap(),
        Some(ClientRow { enabled: false, ..planned.clone() })
    );
    assert!(scene.judged(&tokens[0]).await.is_err());
    // Nor does one that was planned before it was enabled disable it again.
    scene.store.enable_client("ann", &act("enable", "ann")).await.unwrap();
    scene.store.put_client(&ClientRow { enabled: false, ..planned }, None).await.unwrap();
    assert_eq!(scene.judged(&tokens[0]).await.as_deref(), Ok("ann"));
}

#[tokio::test]
async fn a_client_of_a_name_that_is_used_again_is_enabled() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    scene.store.disable_client("ann", NOW, "on leave", &act("disable", "ann")).await.unwrap();
    scene.store.remove_client("ann", NOW, "left", &act("remove", "ann")).await.unwrap();
    let enabled = scene.store.enable_client("ann", &act("enable", "ann")).await;
    assert!(matches!(enabled, Err(StoreFault::UnknownClient { client }) if client == "ann"));
    scene.store.put_client(&client("ann"), None).await.unwrap();
    let token = scene.issue("ann").await;
    assert_eq!(scene.judged(&token).await.as_deref(), Ok("ann"));
    assert_eq!(scene.store.disabled("ann").await.unwrap(), None);
}

#[tokio::test]
async fn who_is_not_there_is_neither_disabled_nor_enabled() {
    let (scene, _) = Scene::with_clients(&[]).await;
    let act = act("disable", "nobody");
    let fault = scene.store.disable_client("nobody", NOW, "x", &act).await.unwrap_err();
    assert!(matches!(fault, StoreFault::UnknownClient { client } if client == "nobody"));
    assert_eq!(scene.acts().await, Vec::<String>::new());
}
