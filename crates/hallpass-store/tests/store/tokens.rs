//! The life of a token: pending, active, then replaced or revoked, and never back.

use crate::house::{House, NOW, act, client, placement};
use hallpass_core::snapshot::TokenState;
use hallpass_store::{EventFilter, StoreFault};

#[tokio::test]
async fn the_next_token_replaces_the_one_before() {
    let house = House::new().await;
    house.register("one").await;
    house.register("two").await;
    house.issue("two", "t-0").await;
    house.mint("one", "t-1").await;
    assert_eq!(house.state("t-1").await, TokenState::Pending);
    assert_eq!(house.store.pending().await.expect("the store").len(), 1);
    house.activate("one", "t-1").await;
    assert_eq!(house.state("t-1").await, TokenState::Active);
    house.mint("one", "t-2").await;
    assert_eq!(house.state("t-1").await, TokenState::Active, "until the new one is in its place");
    house.activate("one", "t-2").await;
    assert_eq!(house.state("t-1").await, TokenState::Replaced { at: NOW });
    assert_eq!(house.state("t-2").await, TokenState::Active);
    assert_eq!(house.state("t-0").await, TokenState::Active, "another client's");
    let newest_first = house.store.tokens_of("one").await.expect("the store");
    assert_eq!(newest_first.iter().map(|token| token.jti.as_str()).collect::<Vec<_>>(), ["t-2", "t-1"]);
}

#[tokio::test]
async fn activating_twice_changes_nothing_the_second_time() {
    let house = House::new().await;
    house.register("one").await;
    house.issue("one", "t-1").await;
    house.issue("one", "t-2").await;
    let events = house.store.events(&EventFilter::default()).await.expect("the log").len();
    house.activate("one", "t-1").await;
    assert_eq!(house.state("t-1").await, TokenState::Replaced { at: NOW });
    assert_eq!(house.state("t-2").await, TokenState::Active);
    assert_eq!(house.store.events(&EventFilter::default()).await.expect("the log").len(), events);
}

#[tokio::test]
async fn revoked_is_final() {
    let house = House::new().await;
    house.register("one").await;
    house.mint("one", "t-1").await;
    let revoked = TokenState::Revoked { at: NOW };
    // While it was on its way to its place.
    let count = house.store.revoke_client("one", NOW, "lost", &act("revoke", "one")).await.expect("revoked");
    assert_eq!((count, house.state("t-1").await), (1, revoked));
    house.activate("one", "t-1").await;
    assert_eq!(house.state("t-1").await, revoked);
    house.store.drop_pending("t-1").await.expect("nothing to drop");
    house.issue("one", "t-2").await;
    assert_eq!(house.state("t-1").await, revoked);
    let event = act("revoke", "one");
    assert!(house.store.revoke_token("t-2", NOW, "a", &event).await.expect("revoked"));
    assert!(!house.store.revoke_token("t-2", NOW.plus(9), "b", &event).await.expect("not again"));
    assert!(!house.store.revoke_token("no-such", NOW, "b", &event).await.expect("nothing"));
    let token = house.store.token("t-2").await.expect("the store").expect("it stays");
    assert_eq!((token.state, token.reason.as_deref()), (revoked, Some("a")));
    assert_eq!(house.store.revoke_client("one", NOW, "c", &event).await.expect("the store"), 0);
}

#[tokio::test]
async fn a_pending_token_that_is_dropped_was_never_there() {
    let house = House::new().await;
    house.register("one").await;
    house.issue("one", "t-1").await;
    house.mint("one", "t-2").await;
    house.store.drop_pending("t-2").await.expect("dropped");
    house.store.drop_pending("t-1").await.expect("it is not pending");
    assert!(house.store.token("t-2").await.expect("the store").is_none());
    assert_eq!(house.state("t-1").await, TokenState::Active);
}

#[tokio::test]
async fn a_token_that_is_handed_out_has_no_place() {
    let house = House::new().await;
    house.register("one").await;
    house.issue("one", "t-1").await;
    house.mint("one", "t-2").await;
    house.store.activate("t-2", NOW, None, &act("issue", "one")).await.expect("activated");
    let tokens = house.store.tokens_of("one").await.expect("the store");
    assert_eq!(tokens.iter().map(|token| token.placed).collect::<Vec<_>>(), [false, true]);
    assert!(
        house.store.placement("one").await.expect("the store").is_some(),
        "what stood there is not forgotten"
    );
}

#[tokio::test]
async fn the_name_of_a_removed_client_does_not_revive_its_tokens() {
    let house = House::new().await;
    house.register("one").await;
    let old = house.issue("one", "t-1").await;
    house.store.remove_client("one", NOW, "removed", &act("remove", "one")).await.expect("removed");
    assert!(house.store.placement("one").await.expect("the store").is_none());
    assert!(house.store.client("one").await.expect("the store").expect("its row stays").removed);
    house.register("one").await;
    assert_eq!(house.state("t-1").await, TokenState::Revoked { at: NOW });
    house.judge(&old).await.expect_err("still refused");
    let new = house.issue("one", "t-2").await;
    assert_eq!(house.judge(&new).await.expect("good"), "one");
    house.judge(&old).await.expect_err("still refused");
    let tokens = house.store.tokens_of("one").await.expect("the store");
    assert_eq!(tokens.iter().map(|token| token.former).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn a_subject_belongs_to_one_client_at_a_time() {
    let house = House::new().await;
    house.register("one").await;
    let mut two = client("two");
    two.subject = client("one").subject;
    let refused = house.store.put_client(&two, None).await.expect_err("taken");
    assert!(
        matches!(&refused, StoreFault::DuplicateSubject { subject } if subject == "one@here"),
        "{refused}"
    );
    assert!(house.store.client("two").await.expect("the store").is_none());
    house.store.remove_client("one", NOW, "removed", &act("remove", "one")).await.expect("removed");
    house.store.put_client(&two, None).await.expect("it is free now");
}

#[tokio::test]
async fn what_is_written_reads_back() {
    let house = House::new().await;
    let mut one = client("one");
    one.servers = hallpass_core::snapshot::ServerScope::Only(
        ["docs", "files"].map(|name| hallpass_core::ServerName::new(name).expect("a name")).into(),
    );
    house.store.put_client(&one, None).await.expect("registered");
    assert_eq!(house.store.client("one").await.expect("the store"), Some(one));
    house.store.put_placement(&placement("one")).await.expect("noted");
    let read = house.store.placement("one").await.expect("the store").expect("it");
    assert_eq!((read.kind, read.undo, read.at), (placement("one").kind, placement("one").undo, NOW));
    assert!(house.store.client("nobody").await.expect("the store").is_none());
}

#[tokio::test]
async fn no_debug_output_shows_a_secret() {
    let house = House::new().await;
    house.register("one").await;
    house.issue("one", "t-1").await;
    let key = &house.store.keys().await.expect("the keys")[0];
    let placed = house.store.placement("one").await.expect("the store").expect("it");
    let shown = format!("{:?} {key:?} {placed:?}", house.key);
    let sealed = format!("{:?}", key.sealed);
    assert!(!shown.contains(&sealed[1..30]) && !shown.contains("secret"), "{shown}");
    assert!(!shown.contains(&format!("{:?}", placed.undo)[1..]), "{shown}");
}
