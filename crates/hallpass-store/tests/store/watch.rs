//! What a watcher sees: changes of what is in force by whichever connection, and a file that is not the same any more.

use crate::house::{House, NOW, act};
use hallpass_store::{EventFilter, Store, StoreFault};
use std::time::{Duration, Instant};

#[tokio::test]
async fn another_connections_revocation_is_seen_once_and_events_are_not() {
    let house = House::new().await;
    house.register("one").await;
    house.issue("one", "t-1").await;
    let mut watch = house.store.watch().await.expect("a watch");
    assert!(!watch.changed().await.expect("the file"));
    let other = Store::open(&house.file()).await.expect("a second connection");
    other.add_events(&[act("call", "one")]).await.expect("added");
    assert!(!watch.changed().await.expect("the file"), "events do not count");
    other.revoke_client("one", NOW, "lost", &act("revoke", "one")).await.expect("revoked");
    assert!(watch.changed().await.expect("the file"));
    assert!(!watch.changed().await.expect("the file"), "once");
    house.register("two").await;
    assert!(watch.changed().await.expect("the file"), "by the same store too");
}

#[tokio::test]
async fn a_file_that_is_replaced_or_taken_away_is_told() {
    for replace in [true, false] {
        let house = House::new().await;
        let mut watch = house.store.watch().await.expect("a watch");
        if replace {
            let copy = house.file().with_extension("copy");
            std::fs::copy(house.file(), &copy).expect("a copy");
            std::fs::rename(&copy, house.file()).expect("a swap");
        } else {
            std::fs::remove_file(house.file()).expect("the file");
        }
        assert!(matches!(watch.changed().await, Err(StoreFault::Replaced)), "replaced: {replace}");
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is shown")]
async fn a_thousand_events_are_one_transaction() {
    let house = House::new().await;
    let events = vec![act("call", "one"); 1000];
    let start = Instant::now();
    house.store.add_events(&events).await.expect("added");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let filter = EventFilter { last: Some(10), client: Some("one".into()), ..EventFilter::default() };
    let newest = house.store.events(&filter).await.expect("read");
    assert_eq!(newest.len(), 10);
    assert!(newest.windows(2).all(|pair| pair[0].0 < pair[1].0), "oldest first");
    let after = EventFilter { after_id: Some(newest[7].0), ..EventFilter::default() };
    assert_eq!(house.store.events(&after).await.expect("read").len(), 2);
    let calls = house.store.last_calls().await.expect("read");
    assert_eq!(calls, [("one".to_owned(), NOW.seconds() * 1000)]);
}
