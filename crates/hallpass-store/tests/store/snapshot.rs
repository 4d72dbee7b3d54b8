//! What the gateway makes of the store: each token judged by the core.

use crate::house::{House, NOW, act, client};
use hallpass_core::Denial;
use hallpass_core::claims::LIFETIME_MOST;

#[tokio::test]
async fn each_state_has_its_verdict() {
    let house = House::new().await;
    house.register("one").await;
    let first = house.mint("one", "t-1").await;
    assert_eq!(
        house.judge(&first).await.expect("pending passes: its client may read it before it is noted"),
        "one"
    );
    house.activate("one", "t-1").await;
    assert_eq!(house.judge(&first).await.expect("active"), "one");
    let second = house.issue("one", "t-2").await;
    assert!(matches!(house.judge(&first).await, Err(Denial::Replaced { .. })));
    house.store.revoke_client("one", NOW, "lost", &act("revoke", "one")).await.expect("revoked");
    assert!(matches!(house.judge(&second).await, Err(Denial::Revoked { .. })));
    let third = house.mint("one", "t-3").await;
    house.store.drop_pending("t-3").await.expect("dropped");
    assert!(matches!(house.judge(&third).await, Err(Denial::UnknownToken)));
}

#[tokio::test]
async fn a_disabled_client_and_one_with_another_subject_are_refused() {
    let house = House::new().await;
    house.register("one").await;
    let token = house.issue("one", "t-1").await;
    let mut row = client("one");
    row.enabled = false;
    house.store.put_client(&row, None).await.expect("changed");
    assert!(matches!(house.judge(&token).await, Err(Denial::ClientDisabled { .. })));
    row.enabled = true;
    row.subject = client("other").subject;
    house.store.put_client(&row, None).await.expect("changed");
    assert!(matches!(house.judge(&token).await, Err(Denial::OtherSubject { .. })));
    house.register("one").await;
    assert_eq!(house.judge(&token).await.expect("as it was"), "one");
}

#[tokio::test]
async fn the_revision_moves_with_what_is_in_force_and_not_with_events() {
    let house = House::new().await;
    let revision = async || house.store.snapshot(LIFETIME_MOST).await.expect("a snapshot").revision();
    let before = revision().await;
    house.store.add_events(&[act("call", "one")]).await.expect("added");
    assert_eq!(revision().await, before);
    house.register("one").await;
    assert!(revision().await > before);
}

#[tokio::test]
async fn a_store_without_an_authority_gives_no_snapshot() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = hallpass_store::Store::create(&folder.path().join("x.db")).await.expect("a store");
    store.snapshot(LIFETIME_MOST).await.expect_err("issuer, audience and key are missing");
}
