//! What commands registered or changed: the newest one comes back whole, and is forgotten client by client.

use crate::scene::{NOW, Scene, client};
use hallpass_core::snapshot::ServerScope;
use hallpass_core::{ClientName, Event, Outcome};
use hallpass_store::{ClientRow, Placing};

fn placing(run: &str, name: &str, before: Option<ClientRow>) -> Placing {
    Placing { run: run.into(), client: ClientName::new(name).unwrap(), before, at: NOW }
}

#[tokio::test]
async fn the_newest_command_comes_back_as_it_was_noted() {
    let (scene, _) = Scene::with_clients(&["ann", "bob"]).await;
    assert_eq!(scene.store.newest_placings().await.unwrap(), []);
    let before = ClientRow {
        servers: ServerScope::Only([].into()),
        config: Some("/home/ann/mcp.json".into()),
        placement: Some("header".into()),
        ..client("ann")
    };
    let newest = [placing("two", "bob", None), placing("two", "ann", Some(before))];
    scene.store.note_placing(&placing("one", "ann", None)).await.unwrap();
    for placing in &newest {
        scene.store.note_placing(placing).await.unwrap();
    }
    assert_eq!(scene.another().await.newest_placings().await.unwrap(), newest);
    // Undone client by client; then the command before it is the newest.
    for placing in &newest {
        scene.store.forget_placing("two", &placing.client).await.unwrap();
    }
    assert_eq!(scene.store.newest_placings().await.unwrap(), [placing("one", "ann", None)]);
}

#[tokio::test]
async fn nothing_is_left_of_a_client_that_is_removed() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    scene.store.note_placing(&placing("one", "ann", None)).await.unwrap();
    let act = Event::new(NOW.seconds() * 1000, "remove", Outcome::Done);
    scene.store.remove_client("ann", NOW, "removed", &act).await.unwrap();
    assert_eq!(scene.store.newest_placings().await.unwrap(), []);
}
