//! Events: what is written is read back, filtered, in order.

use crate::scene::{Scene, act, call};
use hallpass_core::{Event, Outcome};
use hallpass_store::{EventFilter, Kinds};

const NONE: [i64; 0] = [];

/// Three clients' calls, a second apart, and one refusal without a client.
async fn some_calls() -> (Scene, Vec<Event>) {
    let (scene, _) = Scene::with_clients(&[]).await;
    let mut events = vec![
        call("ann", 1000, Outcome::Ok),
        call("bob", 2000, Outcome::Error),
        call("ann", 3000, Outcome::Refused),
        call("ann", 4000, Outcome::Ok),
    ];
    events[3].server = Some("files".into());
    events.push(Event { reason: Some("bad_signature".into()), ..Event::new(5000, "call", Outcome::Refused) });
    scene.store.add_events(&events).await.unwrap();
    (scene, events)
}

async fn times(scene: &Scene, filter: EventFilter) -> Vec<i64> {
    scene.store.events(&filter).await.unwrap().into_iter().map(|(_, event)| event.at_ms / 1000).collect()
}

#[tokio::test]
async fn events_come_back_whole_and_oldest_first() {
    let (scene, events) = some_calls().await;
    let (ids, read): (Vec<_>, Vec<_>) =
        scene.another().await.events(&EventFilter::default()).await.unwrap().into_iter().unzip();
    assert_eq!(read, events);
    assert!(ids.is_sorted_by(|a, b| a < b));
}

#[tokio::test]
async fn each_filter_narrows_and_all_together_too() {
    let (scene, _) = some_calls().await;
    let all = EventFilter::default;
    assert_eq!(times(&scene, EventFilter { client: Some("ann".into()), ..all() }).await, [1, 3, 4]);
    assert_eq!(times(&scene, EventFilter { client: Some("nobody".into()), ..all() }).await, NONE);
    assert_eq!(times(&scene, EventFilter { server: Some("files".into()), ..all() }).await, [4]);
    assert_eq!(times(&scene, EventFilter { outcome: Some(Outcome::Refused), ..all() }).await, [3, 5]);
    assert_eq!(times(&scene, EventFilter { since_ms: Some(3000), ..all() }).await, [3, 4, 5]);
    assert_eq!(times(&scene, EventFilter { last: Some(2), ..all() }).await, [4, 5]);
    assert_eq!(times(&scene, EventFilter { last: Some(0), ..all() }).await, NONE);
    let narrow = EventFilter {
        after_id: Some(1),
        client: Some("ann".into()),
        server: Some("docs".into()),
        tool: Some("echo".into()),
        outcome: Some(Outcome::Refused),
        kinds: Kinds::Only("call".into()),
        since_ms: Some(1000),
        until_ms: Some(3001),
        last: Some(5),
    };
    assert_eq!(times(&scene, narrow).await, [3]);
}

#[tokio::test]
async fn time_and_kind_narrow_it_though_clocks_jump() {
    let (scene, _) = some_calls().await;
    let all = EventFilter::default;
    // Written last, and older than all the rest.
    scene
        .store
        .add_events(&[Event { at_ms: 500, ..act("issue", "ann") }, call("ann", 600, Outcome::Ok)])
        .await
        .unwrap();
    assert_eq!(times(&scene, EventFilter { until_ms: Some(1001), ..all() }).await, [1, 0, 0]);
    assert_eq!(times(&scene, EventFilter { since_ms: Some(600), until_ms: Some(1000), ..all() }).await, [0]);
    assert_eq!(times(&scene, EventFilter { since_ms: Some(9000), ..all() }).await, NONE);
    assert_eq!(times(&scene, EventFilter { kinds: Kinds::Acts, ..all() }).await, [0]);
    assert_eq!(times(&scene, EventFilter { kinds: Kinds::Only("issue".into()), ..all() }).await, [0]);
    assert_eq!(times(&scene, EventFilter { kinds: Kinds::Only("revoke".into()), ..all() }).await, NONE);
    let calls = EventFilter { kinds: Kinds::Only("call".into()), client: Some("ann".into()), ..all() };
    assert_eq!(times(&scene, calls).await, [1, 3, 4, 0]);
    assert_eq!(
        times(&scene, EventFilter { tool: Some("echo".into()), last: Some(2), ..all() }).await,
        [4, 0]
    );
    assert_eq!(times(&scene, EventFilter { tool: Some("other".into()), ..all() }).await, NONE);
}

#[tokio::test]
async fn pages_and_single_rows_come_to_the_same() {
    let (scene, _) = Scene::with_clients(&[]).await;
    let outcomes = [Outcome::Ok, Outcome::Refused, Outcome::Error];
    let events: Vec<Event> = (0..20_000)
        .map(|n| {
            call(if n % 7 == 0 { "ann" } else { "bob" }, n * 10, outcomes[usize::try_from(n % 3).unwrap()])
        })
        .collect();
    scene.store.add_events(&events).await.unwrap();
    let all = EventFilter::default;
    for filter in [
        all(),
        EventFilter { client: Some("ann".into()), ..all() },
        EventFilter { since_ms: Some(100_000), until_ms: Some(180_000), ..all() },
        EventFilter { outcome: Some(Outcome::Refused), after_id: Some(12_345), ..all() },
        EventFilter { client: Some("nobody".into()), ..all() },
    ] {
        let whole = scene.store.events(&filter).await.unwrap();
        let mut pages = scene.store.records(&filter).await.unwrap();
        let mut read: Vec<(i64, Event)> = Vec::new();
        while let Some(page) = pages.next().await.unwrap() {
            read.extend(
                page.records().map(|(id, record)| (id, serde_json::from_str::<Event>(record).unwrap())),
            );
        }
        assert!(read == whole, "{filter:?}: {} and {}", read.len(), whole.len());
        let oldest = scene.store.oldest_events(&filter, 10).await.unwrap();
        assert_eq!(oldest, whole[..whole.len().min(10)], "{filter:?}");
        let before = scene.store.row_before_the_last(&EventFilter { last: Some(10), ..filter.clone() }).await;
        let after = EventFilter { after_id: Some(before.unwrap()), ..filter.clone() };
        let newest = scene.store.oldest_events(&after, 100).await.unwrap();
        assert_eq!(newest, whole[whole.len().saturating_sub(10)..], "{filter:?}");
    }
}

#[tokio::test]
async fn a_follower_gets_each_event_once() {
    let (scene, _) = some_calls().await;
    let seen = scene.store.events(&EventFilter::default()).await.unwrap().last().unwrap().0;
    let news = || EventFilter { after_id: Some(seen), ..EventFilter::default() };
    assert_eq!(times(&scene, news()).await, NONE);
    scene.another().await.add_events(&[call("bob", 6000, Outcome::Ok)]).await.unwrap();
    assert_eq!(times(&scene, news()).await, [6]);
}

#[tokio::test]
async fn a_group_of_any_size_is_written_whole_and_in_order() {
    let scene = Scene::new().await;
    let mut expect = Vec::new();
    for size in [0, 1, 49, 50, 51, 1000, 1001] {
        let group: Vec<_> = (0..size).map(|n| call("ann", n * 1000, Outcome::Ok)).collect();
        scene.store.add_events(&group).await.unwrap();
        expect.extend(0..size);
    }
    assert_eq!(times(&scene, EventFilter::default()).await, expect);
}

#[tokio::test]
async fn odd_words_from_outside_come_back_as_they_were() {
    let scene = Scene::new().await;
    let event = Event {
        tool: Some("'; DROP TABLE token; --\n\u{1b}\u{202e}\0".into()),
        ..call("ann", 0, Outcome::Ok)
    };
    scene.store.add_events(std::slice::from_ref(&event)).await.unwrap();
    assert_eq!(scene.store.events(&EventFilter::default()).await.unwrap()[0].1, event);
}
