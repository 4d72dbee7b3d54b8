//! The running gateway's row.

use crate::scene::Scene;
use hallpass_store::GatewayRow;

fn row(pid: u32, revision: i64) -> GatewayRow {
    GatewayRow { node: "local".into(), pid, revision, at_ms: 1_795_392_000_123 }
}

#[tokio::test]
async fn the_newest_word_of_a_gateway_counts_and_only_itself_takes_it_back() {
    let scene = Scene::new().await;
    assert_eq!(scene.store.gateway("local").await.unwrap(), None);
    for said in [row(7, 1), row(7, 2), row(8, 1)] {
        scene.store.put_gateway(&said).await.unwrap();
        assert_eq!(scene.another().await.gateway("local").await.unwrap(), Some(said));
    }
    scene.store.drop_gateway("local", 7).await.unwrap();
    assert_eq!(scene.store.gateway("local").await.unwrap(), Some(row(8, 1)), "that one was before it");
    assert_eq!(scene.store.gateway("other").await.unwrap(), None);
    scene.store.drop_gateway("local", 8).await.unwrap();
    assert_eq!(scene.store.gateway("local").await.unwrap(), None);
}

#[tokio::test]
async fn the_revision_is_the_snapshots() {
    let scene = Scene::new().await;
    assert_eq!(scene.store.revision().await.unwrap(), scene.revision().await);
}
