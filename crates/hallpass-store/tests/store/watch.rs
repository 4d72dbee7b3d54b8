//! The watch sees what others change, and that the file was taken away.

use crate::crash::Child;
use crate::scene::{NOW, Scene, act, call, placement};
use hallpass_core::Outcome;
use hallpass_store::StoreFault;

#[tokio::test]
async fn another_processs_revoke_is_seen() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let mut watch = scene.store.watch().await.unwrap();
    let shown = scene.revision().await;
    assert!(!watch.changed(shown).await.unwrap());
    let mut child = Child::start("revoke", &scene.file());
    child.wait_for_end();
    assert!(watch.changed(shown).await.unwrap());
    assert!(scene.judged(&tokens[0]).await.is_err());
    assert!(!watch.changed(scene.revision().await).await.unwrap());
}

#[tokio::test]
async fn another_connections_revoke_is_seen_and_its_events_are_not() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let other = scene.another().await;
    let mut watch = scene.store.watch().await.unwrap();
    let shown = scene.revision().await;
    for store in [&scene.store, &other] {
        store.add_events(&[call("ann", 0, Outcome::Ok)]).await.unwrap();
        store.put_placement(&placement("ann")).await.unwrap();
        assert!(!watch.changed(shown).await.unwrap());
    }
    other.revoke_client("ann", NOW, "lost", &act("revoke", "ann")).await.unwrap();
    assert!(watch.changed(shown).await.unwrap());
}

#[tokio::test]
async fn this_stores_own_changes_are_seen_too() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let mut watch = scene.store.watch().await.unwrap();
    let shown = scene.revision().await;
    scene.store.revoke_client("ann", NOW, "lost", &act("revoke", "ann")).await.unwrap();
    assert!(watch.changed(shown).await.unwrap());
}

#[tokio::test]
async fn a_change_that_was_not_taken_in_is_told_again() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let mut watch = scene.store.watch().await.unwrap();
    let shown = scene.revision().await;
    scene.store.revoke_client("ann", NOW, "lost", &act("revoke", "ann")).await.unwrap();
    assert!(watch.changed(shown).await.unwrap());
    assert!(watch.changed(shown).await.unwrap());
    assert!(!watch.changed(scene.revision().await).await.unwrap());
}

#[tokio::test]
async fn a_change_before_the_watch_is_not_missed() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let shown = scene.revision().await;
    scene.store.revoke_client("ann", NOW, "lost", &act("revoke", "ann")).await.unwrap();
    assert!(scene.store.watch().await.unwrap().changed(shown).await.unwrap());
}

#[tokio::test]
async fn a_file_that_was_taken_away_is_noticed() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let mut watch = scene.store.watch().await.unwrap();
    let shown = scene.revision().await;
    let aside = scene.folder.path().join("aside.db");
    std::fs::rename(scene.file(), &aside).unwrap();
    assert!(matches!(watch.changed(shown).await, Err(StoreFault::Replaced)));
    std::fs::rename(&aside, scene.file()).unwrap();
    assert!(!watch.changed(shown).await.unwrap(), "it is the same file again");
}

#[tokio::test]
async fn a_file_that_was_replaced_is_noticed_also_by_a_watch_that_starts_then() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let (other, _) = Scene::with_clients(&["ann"]).await;
    other.store.close().await;
    let mut watch = scene.store.watch().await.unwrap();
    let shown = scene.revision().await;
    std::fs::rename(other.file(), scene.file()).unwrap();
    assert!(matches!(watch.changed(shown).await, Err(StoreFault::Replaced)));
    assert!(matches!(scene.store.watch().await, Err(StoreFault::Replaced)));
}
