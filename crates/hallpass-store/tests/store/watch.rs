//! The watch sees what others change, and goes on with another file of the database's name only if that is the same
//! database.

use crate::crash::Child;
use crate::scene::{NOW, Scene, act, call, placement};
use hallpass_core::claims::LIFETIME_MOST;
use hallpass_core::snapshot::TokenState;
use hallpass_core::{Outcome, Snapshot};
use hallpass_store::{Store, StoreFault, Watch};
use std::path::Path;
use std::sync::Arc;

/// A watch, and one look of it.
struct Looking {
    scene: Scene,
    watch: Watch,
}

impl Looking {
    async fn at(scene: Scene) -> Self {
        let mut watch = scene.store.watch(&scene.seal(), LIFETIME_MOST).await.unwrap();
        assert!(watch.look(&scene.seal(), LIFETIME_MOST).await.unwrap().is_none());
        Self { scene, watch }
    }

    async fn look(&mut self) -> Result<Option<Arc<Snapshot>>, StoreFault> {
        self.watch.look(&self.scene.seal(), LIFETIME_MOST).await
    }

    async fn sees_news(&mut self) -> bool {
        self.look().await.unwrap().is_some()
    }
}

async fn revoke(store: &Store, client: &str) {
    assert_ne!(store.revoke_client(client, NOW, "lost", &act("revoke", client)).await.unwrap(), 0);
}

#[tokio::test]
async fn another_processs_revoke_is_seen() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let mut looking = Looking::at(scene).await;
    let mut child = Child::start("revoke", &looking.scene.file());
    child.wait_for_end();
    let snapshot = looking.look().await.unwrap().expect("news");
    assert!(matches!(snapshot.token(tokens[0].jti()).unwrap().state, TokenState::Revoked { .. }));
    assert_eq!(snapshot.revision(), looking.scene.revision().await);
    assert!(!looking.sees_news().await);
}

#[tokio::test]
async fn another_connections_revoke_is_seen_and_its_events_are_not() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let other = scene.another().await;
    let mut looking = Looking::at(scene).await;
    for store in [looking.scene.store.clone(), other.clone()] {
        crate::scene::log(&store, &[call("ann", 0, Outcome::Ok)]).await.unwrap();
        store.put_placement(&placement("ann")).await.unwrap();
        assert!(!looking.sees_news().await);
    }
    revoke(&other, "ann").await;
    assert!(looking.sees_news().await);
}

#[tokio::test]
async fn this_stores_own_changes_are_seen_too() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let mut looking = Looking::at(scene).await;
    revoke(&looking.scene.store, "ann").await;
    assert!(looking.sees_news().await);
}

#[tokio::test]
async fn a_change_that_could_not_be_read_is_told_later() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let mut looking = Looking::at(scene).await;
    revoke(&looking.scene.store, "ann").await;
    let file = looking.scene.file();
    let aside = looking.scene.folder.path().join("aside.db");
    std::fs::rename(&file, &aside).unwrap();
    assert!(matches!(looking.look().await, Err(StoreFault::Missing)));
    std::fs::rename(&aside, &file).unwrap();
    let snapshot = looking.look().await.unwrap().expect("news");
    assert!(matches!(snapshot.token(tokens[0].jti()).unwrap().state, TokenState::Revoked { .. }));
}

#[tokio::test]
async fn a_change_between_the_start_and_the_first_look_is_not_missed() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let mut watch = scene.store.watch(&scene.seal(), LIFETIME_MOST).await.unwrap();
    revoke(&scene.store, "ann").await;
    assert!(watch.look(&scene.seal(), LIFETIME_MOST).await.unwrap().is_some());
}

#[tokio::test]
async fn a_file_that_was_taken_away_is_noticed_and_so_is_its_coming_back() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let mut looking = Looking::at(scene).await;
    let aside = looking.scene.folder.path().join("aside.db");
    std::fs::rename(looking.scene.file(), &aside).unwrap();
    assert!(matches!(looking.look().await, Err(StoreFault::Missing)));
    std::fs::rename(&aside, looking.scene.file()).unwrap();
    assert!(!looking.sees_news().await, "it is the same file again");
    revoke(&looking.scene.store, "ann").await;
    assert!(looking.sees_news().await);
}

/// A copy of the database as it is now, made as a backup is: whole.
async fn copy(store: &Store, scene: &Scene, name: &str) -> std::path::PathBuf {
    // What was committed is in the file itself only once nobody has it open.
    store.close().await;
    let copy = scene.folder.path().join(name);
    std::fs::copy(scene.file(), &copy).unwrap();
    copy
}

#[tokio::test]
async fn a_copy_of_the_database_itself_takes_its_place() {
    let (mut scene, tokens) = Scene::with_clients(&["ann", "bob"]).await;
    let backup = copy(&scene.store.clone(), &scene, "copy.db").await;
    scene.store = scene.another().await;
    let mut looking = Looking::at(scene).await;
    std::fs::rename(&backup, looking.scene.file()).unwrap();
    assert!(!looking.sees_news().await, "nothing is different in it");
    // This process's other connections go on with it, too.
    revoke(&looking.scene.store, "ann").await;
    assert!(looking.sees_news().await);
    looking.scene.another().await.revoke_client("bob", NOW, "lost", &act("revoke", "bob")).await.unwrap();
    let snapshot = looking.look().await.unwrap().expect("news");
    for token in &tokens {
        assert!(matches!(snapshot.token(token.jti()).unwrap().state, TokenState::Revoked { .. }));
    }
    crate::scene::log(&looking.scene.store, &[call("ann", 0, Outcome::Ok)]).await.unwrap();
}

#[tokio::test]
async fn a_copy_that_went_further_takes_its_place_with_what_is_different() {
    let (mut scene, tokens) = Scene::with_clients(&["ann"]).await;
    let backup = copy(&scene.store.clone(), &scene, "copy.db").await;
    scene.store = scene.another().await;
    let mut looking = Looking::at(scene).await;
    let elsewhere = Store::open(&backup).await.unwrap();
    revoke(&elsewhere, "ann").await;
    elsewhere.close().await;
    std::fs::rename(&backup, looking.scene.file()).unwrap();
    let snapshot = looking.look().await.unwrap().expect("news");
    assert!(matches!(snapshot.token(tokens[0].jti()).unwrap().state, TokenState::Revoked { .. }));
}

#[tokio::test]
async fn an_older_copy_is_refused_also_when_it_has_caught_up() {
    let (mut scene, tokens) = Scene::with_clients(&["ann", "bob"]).await;
    let backup = copy(&scene.store.clone(), &scene, "copy.db").await;
    scene.store = scene.another().await;
    revoke(&scene.store, "ann").await;
    let shown = scene.revision().await;
    let mut looking = Looking::at(scene).await;
    let aside = looking.scene.folder.path().join("aside.db");
    std::fs::rename(looking.scene.file(), &aside).unwrap();
    let elsewhere = Store::open(&backup).await.unwrap();
    std::fs::rename(&backup, looking.scene.file()).unwrap();
    elsewhere.close().await;
    let found = |looked: Result<Option<Arc<Snapshot>>, StoreFault>| match looked {
        Err(StoreFault::SetBack { shown: was, found }) if was == shown => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(found(looking.look().await), shown - 1);
    // The connections that this process already had must not write into it either.
    let act = act("revoke", "bob");
    let refused = looking.scene.store.revoke_client("bob", NOW, "lost", &act).await;
    assert!(matches!(refused, Err(StoreFault::Replaced)));
    for revision in [shown, shown + 1] {
        let command = looking.scene.another().await;
        command.put_setting("something", "else").await.unwrap();
        command.close().await;
        assert_eq!(found(looking.look().await), revision);
    }
    assert!(matches!(
        looking.watch.snapshot().token(tokens[0].jti()).unwrap().state,
        TokenState::Revoked { .. }
    ));
    std::fs::rename(&aside, looking.scene.file()).unwrap();
    assert!(!looking.sees_news().await, "the right one is back");
    revoke(&looking.scene.store, "bob").await;
    assert!(looking.sees_news().await);
}

#[tokio::test]
async fn a_copy_of_before_that_was_changed_in_another_way_is_refused_at_the_same_revision() {
    let (mut scene, _) = Scene::with_clients(&["ann"]).await;
    let backup = copy(&scene.store.clone(), &scene, "copy.db").await;
    scene.store = scene.another().await;
    revoke(&scene.store, "ann").await;
    let mut looking = Looking::at(scene).await;
    let elsewhere = Store::open(&backup).await.unwrap();
    elsewhere.put_setting("something", "else").await.unwrap();
    elsewhere.close().await;
    std::fs::rename(&backup, looking.scene.file()).unwrap();
    assert!(matches!(looking.look().await, Err(StoreFault::SetBack { shown, found }) if shown == found));
}

async fn refused(content: impl AsyncFnOnce(&Path)) -> StoreFault {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let mut looking = Looking::at(scene).await;
    let other = looking.scene.folder.path().join("other.db");
    content(&other).await;
    let aside = looking.scene.folder.path().join("aside.db");
    std::fs::rename(looking.scene.file(), &aside).unwrap();
    std::fs::rename(&other, looking.scene.file()).unwrap();
    let before = std::fs::read(looking.scene.file()).unwrap();
    let fault = looking.look().await.expect_err("it must be refused");
    assert_eq!(std::fs::read(looking.scene.file()).unwrap(), before, "it was written to");
    std::fs::rename(&aside, looking.scene.file()).unwrap();
    assert!(!looking.sees_news().await, "the right one is back");
    fault
}

#[tokio::test]
async fn what_is_not_this_database_does_not_take_its_place() {
    let foreign = refused(async |file| {
        let (other, _) = Scene::with_clients(&["ann"]).await;
        other.store.put_setting("installation", "another").await.unwrap();
        other.store.close().await;
        std::fs::rename(other.file(), file).unwrap();
    });
    assert!(matches!(foreign.await, StoreFault::Foreign));
    let empty = refused(async |file| crate::opening::private(file, b""));
    assert!(matches!(empty.await, StoreFault::Damaged(_)));
    let text = refused(async |file| crate::opening::private(file, &[b'x'; 5000]));
    assert!(matches!(text.await, StoreFault::Damaged(_)));
    let programs = refused(async |file| {
        crate::opening::private(file, b"");
        let mut connection = crate::opening::raw(file).await;
        crate::opening::run(&mut connection, "CREATE TABLE client (name TEXT)").await;
        sqlx::Connection::close(connection).await.unwrap();
    });
    assert!(matches!(programs.await, StoreFault::Damaged(_)));
    let newer = refused(async |file| {
        let (other, _) = Scene::with_clients(&["ann"]).await;
        let mut connection = crate::opening::raw(&other.file()).await;
        let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (9999, 'from the future', TRUE, x'00', 1)";
        crate::opening::run(&mut connection, sql).await;
        other.store.close().await;
        sqlx::Connection::close(connection).await.unwrap();
        std::fs::rename(other.file(), file).unwrap();
    });
    assert!(matches!(newer.await, StoreFault::Newer { found: 9999 }));
}

#[tokio::test]
async fn a_file_that_was_replaced_is_noticed_also_by_a_watch_that_starts_then() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let (other, _) = Scene::with_clients(&["ann"]).await;
    other.store.close().await;
    std::fs::rename(other.file(), scene.file()).unwrap();
    let watch = scene.store.watch(&scene.seal(), LIFETIME_MOST).await;
    assert!(matches!(watch, Err(StoreFault::Replaced)));
}
