//! Measurements, not checks: `cargo test --release -p hallpass-store -- --ignored --nocapture measured`.

use crate::scene::{NOW, Scene, act, call, client, mint};
use hallpass_core::Outcome;
use hallpass_core::claims::LIFETIME_MOST;
use hallpass_store::EventFilter;
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "a stopwatch, on a measurement's own account")]
async fn timed<F: Future>(what: &str, work: F) -> F::Output {
    let start = Instant::now();
    let output = work.await;
    let took: Duration = start.elapsed();
    println!("{what}: {:.2} ms", took.as_secs_f64() * 1000.0);
    output
}

#[tokio::test]
#[ignore = "a measurement"]
async fn groups_of_events() {
    let (scene, _) = Scene::with_clients(&["ann", "bob"]).await;
    let group: Vec<_> = (0..1000)
        .map(|n| call(if n % 3 == 0 { "ann" } else { "bob" }, NOW.seconds() * 1000 + n, Outcome::Ok))
        .collect();
    for _ in 0..5 {
        timed("1000 events", crate::scene::log(&scene.store, &group)).await.unwrap();
    }
    timed("1 event", crate::scene::log(&scene.store, &group[..1])).await.unwrap();
    timed("200 groups of 1000", async {
        for _ in 0..200 {
            crate::scene::log(&scene.store, &group).await.unwrap();
        }
    })
    .await;
    let ask = |filter: EventFilter| {
        let store = scene.store.clone();
        async move { store.events(&filter).await.unwrap().len() }
    };
    timed("200 k: last 50", ask(EventFilter { last: Some(50), ..EventFilter::default() })).await;
    timed(
        "200 k: following, no news",
        ask(EventFilter { after_id: Some(300_000), ..EventFilter::default() }),
    )
    .await;
    timed(
        "200 k: last 50 of a client without calls",
        ask(EventFilter { client: Some("eve".into()), last: Some(50), ..EventFilter::default() }),
    )
    .await;
    timed(
        "200 k: since the last millisecond",
        ask(EventFilter { since_ms: Some(NOW.seconds() * 1000 + 1000), ..EventFilter::default() }),
    )
    .await;
}

#[tokio::test]
#[ignore = "a measurement"]
async fn a_large_registry() {
    let scene = Scene::new().await;
    for n in 0..100 {
        let name = format!("client-{n}");
        scene.store.put_client(&client(&name), None).await.unwrap();
        for _ in 0..20 {
            scene.store.add_pending(&mint(&scene.key, &name, NOW).row).await.unwrap();
        }
    }
    let seal = scene.seal();
    let mut watch = scene.store.watch(&seal, LIFETIME_MOST).await.unwrap();
    timed("open, 2000 tokens", scene.another()).await;
    for _ in 0..4 {
        timed("snapshot, 2000 tokens", scene.snapshot()).await;
    }
    watch.look(&seal, LIFETIME_MOST).await.unwrap();
    timed("a look without news", watch.look(&seal, LIFETIME_MOST)).await.unwrap();
    timed("revoke one", scene.store.revoke_client("client-1", NOW, "lost", &act("revoke", "client-1")))
        .await
        .unwrap();
    timed("a look with news", watch.look(&seal, LIFETIME_MOST)).await.unwrap();
}
