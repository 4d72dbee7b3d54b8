//! Events: what is written is read back, filtered, in order.

use crate::scene::{Scene, call};
use hallpass_core::{Event, Outcome};
use hallpass_store::EventFilter;

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
        outcome: Some(Outcome::Refused),
        since_ms: Some(1000),
        last: Some(5),
    };
    assert_eq!(times(&scene, narrow).await, [3]);
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
