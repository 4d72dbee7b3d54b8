//! Where a client's token lies: one place for each client.

use crate::scene::{NOW, Scene, placement};
use hallpass_store::{PlacementRow, TokenRead};

#[tokio::test]
async fn a_placement_comes_back_as_it_was_put_and_a_later_one_takes_its_place() {
    let (scene, _) = Scene::with_clients(&["ann", "bob"]).await;
    scene.store.put_placement(&placement("bob")).await.unwrap();
    scene.store.put_placement(&placement("ann")).await.unwrap();
    let moved = PlacementRow {
        read: TokenRead::Afresh,
        file: "/home/ann/other.json".into(),
        token_file: Some("/home/ann/token".into()),
        undo: Vec::new(),
        at: NOW.plus(60),
        ..placement("ann")
    };
    scene.store.put_placement(&moved).await.unwrap();
    let rows = scene.another().await.placements().await.unwrap();
    let names: Vec<_> = rows.iter().map(|row| row.client.as_str()).collect();
    assert_eq!(names, ["ann", "bob"]);
    assert_eq!((rows[0].read, &rows[0].file), (TokenRead::Afresh, &moved.file));
    assert_eq!((&rows[0].token_file, &rows[0].undo, rows[0].at), (&moved.token_file, &moved.undo, moved.at));
    assert_eq!(rows[1].undo, placement("bob").undo);
}

#[tokio::test]
async fn only_a_client_has_a_place() {
    let scene = Scene::new().await;
    assert!(scene.store.put_placement(&placement("nobody")).await.is_err());
    assert!(scene.store.placements().await.unwrap().is_empty());
}

#[tokio::test]
async fn debug_output_does_not_show_what_stood_there() {
    assert!(!format!("{:?}", placement("ann")).contains("undo"));
}
