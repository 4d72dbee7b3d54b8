//! Events: what is written is read back, filtered, in order.

use crate::scene::{NOW, Scene, act, call};
use hallpass_core::{Event, Outcome};
use hallpass_store::{ActLog, Added, Done, EventFilter, Kinds, Store, StoreFault};
use std::sync::{Arc, Mutex};

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
    crate::scene::log(&scene.store, &events).await.unwrap();
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
        tool: Some("search".into()),
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
    crate::scene::log(
        &scene.store,
        &[Event { at_ms: 500, ..act("issue", "ann") }, call("ann", 600, Outcome::Ok)],
    )
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
        times(&scene, EventFilter { tool: Some("search".into()), last: Some(2), ..all() }).await,
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
    crate::scene::log(&scene.store, &events).await.unwrap();
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
    crate::scene::log(&scene.another().await, &[call("bob", 6000, Outcome::Ok)]).await.unwrap();
    assert_eq!(times(&scene, news()).await, [6]);
}

#[tokio::test]
async fn a_group_of_any_size_is_written_whole_and_in_order() {
    let scene = Scene::new().await;
    let mut expect = Vec::new();
    for size in [0, 1, 49, 50, 51, 1000, 1001] {
        let group: Vec<_> = (0..size).map(|n| call("ann", n * 1000, Outcome::Ok)).collect();
        crate::scene::log(&scene.store, &group).await.unwrap();
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
    crate::scene::log(&scene.store, std::slice::from_ref(&event)).await.unwrap();
    assert_eq!(scene.store.events(&EventFilter::default()).await.unwrap()[0].1, event);
}

#[tokio::test]
async fn an_act_waits_until_the_log_has_it_and_is_then_in_the_view() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    scene.issue("ann").await;
    let waiting = scene.store.waiting_acts(0, 10).await.unwrap();
    let (number, act) = waiting.last().unwrap().clone();
    assert_eq!((number, &*act.kind), (scene.store.last_act().await.unwrap(), "issue"));
    assert_eq!(scene.store.next_logged().await.unwrap(), 0, "nothing is in the view that the log has not");

    let logged = Event { act: Some(number), ..act };
    let records = [Event::new(0, "log", Outcome::Done), logged];
    let added = scene.store.add_logged(0, &records, Some("a checkpoint")).await;
    assert_eq!(added.unwrap(), Added::Until(1));
    assert_eq!(scene.store.waiting_acts(0, 10).await.unwrap(), []);
    assert_eq!(scene.store.last_act_in_view().await.unwrap(), number);
    assert_eq!(scene.store.signed_checkpoint().await.unwrap().as_deref(), Some("a checkpoint"));
    assert_eq!(
        scene.store.events(&EventFilter::default()).await.unwrap(),
        (0..).zip(records).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn the_view_has_no_holes_and_takes_nothing_twice() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let calls: Vec<Event> = (0..120).map(|second| call("ann", second * 1000, Outcome::Ok)).collect();
    assert_eq!(scene.store.add_logged(5, &calls[5..], None).await.unwrap(), Added::Missing { from: 0 });
    assert_eq!(scene.store.add_logged(0, &calls[..70], None).await.unwrap(), Added::Until(69));
    assert_eq!(scene.store.add_logged(60, &calls[60..], None).await.unwrap(), Added::Until(119));
    assert_eq!(scene.store.add_logged(3, &calls[3..9], None).await.unwrap(), Added::Until(119));
    let read: Vec<Event> = scene
        .store
        .events(&EventFilter::default())
        .await
        .unwrap()
        .into_iter()
        .map(|(_, event)| event)
        .collect();
    assert_eq!(read, calls);
}

#[tokio::test]
async fn an_act_that_was_never_written_here_shows_an_older_copy() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let act = Event { act: Some(1000), ..Event::new(0, "revoke", Outcome::Done) };
    let added = scene.store.add_logged(0, &[act], None).await;
    assert!(matches!(added, Err(StoreFault::BehindLog)));
    assert_eq!(scene.store.next_logged().await.unwrap(), 0);
}

#[tokio::test]
async fn a_change_is_acknowledged_after_the_log_was_told() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Told { store: scene.store.clone(), kinds: Arc::clone(&told), trouble: None };
    scene.store.tell_acts_to(Box::new(log));
    scene.issue("ann").await;
    assert_eq!(
        told.lock().unwrap().last().map(String::as_str),
        Some("issue"),
        "what it tells of is in force by then"
    );
}

#[tokio::test]
async fn nothing_is_granted_that_cannot_be_recorded_and_a_client_is_cut_off_all_the_same() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let trouble = Some("the disk is full".to_owned());
    let log = Told { store: scene.store.clone(), kinds: Arc::default(), trouble };
    scene.store.tell_acts_to(Box::new(log));
    let before = scene.revision().await;
    let act = || Event::new(0, "act", Outcome::Done);
    let denied = [
        scene.store.put_client(&crate::scene::client("bob"), Some(&act())).await.err(),
        scene.store.add_pending(&tokens[0].row).await.err(),
        scene.store.enable_client("ann", &act()).await.err(),
    ];
    for fault in denied {
        assert!(matches!(fault, Some(StoreFault::NotRecorded(why)) if why == "the disk is full"));
    }
    assert_eq!(scene.revision().await, before);
    assert_eq!(scene.store.revoke_client("ann", NOW, "lost", &act()).await.unwrap(), 1);
    let by = Some("a test".to_owned());
    assert_eq!(scene.store.waiting_acts(0, 100).await.unwrap().last().unwrap().1, Event { by, ..act() });
}

/// A log that notes what it is told.
struct Told {
    store: Store,
    kinds: Arc<Mutex<Vec<String>>>,
    trouble: Option<String>,
}

impl ActLog for Told {
    fn ready(&self) -> Done<Result<(), String>> {
        let trouble = self.trouble.clone();
        Box::pin(async move { trouble.map_or(Ok(()), Err) })
    }

    fn actor(&self) -> String {
        "a test".into()
    }

    fn take(&self) -> Done<()> {
        let (store, kinds) = (self.store.clone(), Arc::clone(&self.kinds));
        Box::pin(async move {
            let waiting = store.waiting_acts(0, 10).await.unwrap();
            kinds.lock().unwrap().extend(waiting.into_iter().map(|(_, act)| act.kind.into_owned()));
        })
    }
}
