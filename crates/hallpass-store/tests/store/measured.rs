//! Measurements, not checks: `cargo test --release -p hallpass-store -- --ignored --nocapture measured`.

use crate::scene::{NOW, Scene, act, call, client, mint};
use hallpass_core::Outcome;
use hallpass_core::claims::LIFETIME_MOST;
use hallpass_core::usage::{Call, Grouping, Usage};
use hallpass_store::{EventFilter, Kinds};
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
async fn a_million_events() {
    let (scene, _) = Scene::with_clients(&[]).await;
    let start_ms = NOW.seconds() * 1000;
    timed("1 M events in groups of 1000", async {
        for group in 0..1000 {
            let events: Vec<_> = (group * 1000..(group + 1) * 1000).map(|n| a_call(n, start_ms)).collect();
            crate::scene::log(&scene.store, &events).await.unwrap();
        }
    })
    .await;
    let ask = |filter: EventFilter| {
        let store = scene.store.clone();
        async move { store.events(&EventFilter { last: Some(100), ..filter }).await.unwrap().len() }
    };
    let all = EventFilter::default;
    for (what, filter) in [
        ("last 100", all()),
        ("of a client", EventFilter { client: Some("client-7".into()), ..all() }),
        ("of a client without calls", EventFilter { client: Some("eve".into()), ..all() }),
        ("refused", EventFilter { outcome: Some(Outcome::Refused), ..all() }),
        ("cut, there is none", EventFilter { outcome: Some(Outcome::Cut), ..all() }),
        ("acts, there is none", EventFilter { kinds: Kinds::Acts, ..all() }),
        ("of a tool", EventFilter { tool: Some("tool-3".into()), ..all() }),
        ("of a tool that nobody called", EventFilter { tool: Some("none".into()), ..all() }),
        ("of a server that nobody called", EventFilter { server: Some("none".into()), ..all() }),
        ("until the first hour's end", EventFilter { until_ms: Some(start_ms + 3_600_000), ..all() }),
        ("since the last hour", EventFilter { since_ms: Some(start_ms + 96_400_000), ..all() }),
    ] {
        timed(&format!("1 M, {what}"), ask(filter)).await;
    }
    for (what, filter) in [
        ("usage of all", all()),
        ("usage of an hour", EventFilter { since_ms: Some(start_ms + 96_400_000), ..all() }),
        ("usage of a client", EventFilter { client: Some("client-7".into()), ..all() }),
    ] {
        let by = Grouping { client: true, server: true, ..Grouping::default() };
        let usage = timed(&format!("1 M, {what}"), counted(&scene, filter, by)).await;
        let percentiles: Vec<_> = usage.rows().map(|(_, numbers)| numbers.percentiles_us([50, 95])).collect();
        println!("{} rows, {:?}", percentiles.len(), percentiles[0]);
    }
}

fn a_call(n: i64, start_ms: i64) -> hallpass_core::Event {
    hallpass_core::Event {
        client: Some(format!("client-{}", n * 7919 % 20)),
        server: Some(format!("server-{}", n % 5)),
        method: Some("tools/call".into()),
        tool: Some(format!("tool-{}", n % 50)),
        jti: Some(format!("01a2147d-36cc-7018-9324-{n:012}")),
        duration_us: Some(u64::try_from(n * 7919 % 50_000).unwrap()),
        bytes_in: Some(80),
        bytes_out: Some(400),
        status: Some(200),
        address: Some("127.0.0.1:53048".into()),
        request_id: Some(format!("74172873bf02-0-{n}")),
        ..call("x", start_ms + n * 100, if n % 50 == 0 { Outcome::Refused } else { Outcome::Ok })
    }
}

async fn counted(scene: &Scene, filter: EventFilter, by: Grouping) -> Usage {
    let mut usage = Usage::by(by);
    let filter = EventFilter { kinds: Kinds::Only("call".into()), ..filter };
    let mut pages = scene.store.records(&filter).await.unwrap();
    while let Some(page) = pages.next().await.unwrap() {
        for (_, record) in page.records() {
            usage.count(&serde_json::from_str::<Call<'_>>(record).unwrap());
        }
    }
    usage
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
