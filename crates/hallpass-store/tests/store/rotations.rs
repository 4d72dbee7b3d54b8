//! Two tokens of one client that both count for a while.

use crate::opening::{raw, run};
use crate::scene::{NOW, Scene, act, client, mint, placement};
use hallpass_core::Denial;
use hallpass_core::snapshot::TokenState;
use hallpass_store::{AgeingToken, Overlap, TokenRead};

const HALF_AN_HOUR: Overlap = Overlap { seconds: 1800, until_seen: false };
const UNTIL_SEEN: Overlap = Overlap { seconds: 1800, until_seen: true };

fn superseded(seconds: i64) -> TokenState {
    TokenState::Superseded { until: NOW.plus(seconds) }
}

#[tokio::test]
async fn both_count_until_the_overlap_ends() {
    let (scene, tokens) = Scene::with_clients(&["ann", "bob"]).await;
    let new = scene.mint_beside("ann", HALF_AN_HOUR).await;
    assert_eq!(
        scene.state(&tokens[0]).await,
        TokenState::Active,
        "nothing ends before the new one is placed"
    );
    scene.activate(&new, NOW).await;
    assert_eq!(scene.state(&tokens[0]).await, superseded(1800));
    assert_eq!(scene.state(&tokens[1]).await, TokenState::Active, "bob's is not touched");
    for seconds in [0, 1799] {
        let at = NOW.plus(seconds);
        assert_eq!(scene.judged_at(&tokens[0], at).await.as_deref(), Ok("ann"));
        assert_eq!(scene.judged_at(&new, at).await.as_deref(), Ok("ann"));
    }
    let at = NOW.plus(1800);
    assert_eq!(
        scene.judged_at(&tokens[0], at).await,
        Err(Denial::Replaced { at, client: client("ann").name })
    );
    assert_eq!(scene.judged_at(&new, at).await.as_deref(), Ok("ann"));
}

#[tokio::test]
async fn no_overlap_is_longer_than_the_life_of_the_old_token() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let new = scene.mint_beside("ann", Overlap { seconds: 86_400, until_seen: false }).await;
    scene.activate(&new, NOW).await;
    assert_eq!(scene.state(&tokens[0]).await, TokenState::Superseded { until: tokens[0].row.expires_at });
}

#[tokio::test]
async fn an_expired_token_ends_when_it_is_replaced() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let late = tokens[0].row.expires_at.plus(60);
    let new = mint(&scene.key, "ann", late);
    scene.store.add_successor(&new.row, HALF_AN_HOUR).await.unwrap();
    scene.activate(&new, late).await;
    assert_eq!(scene.state(&tokens[0]).await, TokenState::Superseded { until: late });
}

/// Whoever finds the pending row later goes on as it was meant, and the old token does not live longer for it.
#[tokio::test]
async fn the_overlap_is_kept_with_the_pending_row_and_counted_from_the_minting() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let new = scene.mint_beside("ann", UNTIL_SEEN).await;
    let after_a_crash = scene.another().await;
    let pending = after_a_crash.pending().await.unwrap();
    assert_eq!(pending.iter().map(|row| row.overlap).collect::<Vec<_>>(), [UNTIL_SEEN]);
    let act = act("rotate", "ann");
    assert!(after_a_crash.activate(new.jti(), NOW.plus(600), None, &act).await.unwrap());
    assert_eq!(scene.state(&tokens[0]).await, superseded(1800));
    assert!(scene.store.token(tokens[0].jti()).await.unwrap().unwrap().until_seen);
    let newest = scene.mint_beside("ann", HALF_AN_HOUR).await;
    let much_later = NOW.plus(2400);
    scene.activate(&newest, much_later).await;
    assert_eq!(scene.state(&new).await, TokenState::Superseded { until: much_later }, "never in the past");
}

#[tokio::test]
async fn a_second_rotation_leaves_the_end_of_the_first_and_none_ends_all() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let second = scene.mint_beside("ann", HALF_AN_HOUR).await;
    scene.activate(&second, NOW).await;
    let third = scene.mint_beside("ann", Overlap { seconds: 60, until_seen: true }).await;
    scene.activate(&third, NOW).await;
    assert_eq!(scene.state(&tokens[0]).await, superseded(1800));
    assert_eq!(scene.state(&second).await, superseded(60));
    let seen: Vec<bool> =
        scene.store.tokens_of("ann").await.unwrap().iter().map(|token| token.until_seen).collect();
    assert_eq!(seen.iter().filter(|seen| **seen).count(), 1, "only what was superseded until then");
    for token in [&tokens[0], &second, &third] {
        assert_eq!(scene.judged(token).await.as_deref(), Ok("ann"));
    }
    let last = scene.issue("ann").await;
    for token in [&tokens[0], &second, &third] {
        assert_eq!(scene.state(token).await, superseded(0));
        assert!(scene.judged(token).await.is_err(), "a fresh token without an overlap is the only one");
    }
    assert_eq!(scene.judged(&last).await.as_deref(), Ok("ann"));
}

/// The client reads its file as soon as it is there.
#[tokio::test]
async fn a_new_token_that_was_used_before_it_was_noted_ends_the_old_one_at_once() {
    for (overlap, expect) in [(UNTIL_SEEN, superseded(5)), (HALF_AN_HOUR, superseded(1800))] {
        let (scene, tokens) = Scene::with_clients(&["ann"]).await;
        let new = scene.mint_beside("ann", overlap).await;
        let mut connection = raw(&scene.file()).await;
        let sql = "INSERT INTO token_use (jti, client, first_ms, last_ms, calls)
            SELECT jti, client, 0, 0, 1 FROM token WHERE state = 'pending'";
        run(&mut connection, sql).await;
        scene.activate(&new, NOW.plus(5)).await;
        assert_eq!(scene.state(&tokens[0]).await, expect);
    }
}

#[tokio::test]
async fn revoking_a_client_ends_its_superseded_tokens_too() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let new = scene.mint_beside("ann", HALF_AN_HOUR).await;
    scene.activate(&new, NOW).await;
    let at = NOW.plus(60);
    assert_eq!(scene.store.revoke_client("ann", at, "lost", &act("revoke", "ann")).await.unwrap(), 2);
    for token in [&tokens[0], &new] {
        assert_eq!(scene.state(token).await, TokenState::Revoked { at });
    }
}

/// A clock that runs ahead has ended the overlap already; then somebody sets it right.
#[tokio::test]
async fn a_superseded_token_stays_revoked_when_the_clock_is_put_right() {
    let ahead = NOW.plus(7 * 86_400);
    for by_client in [true, false] {
        let (scene, tokens) = Scene::with_clients(&["ann"]).await;
        let new = scene.mint_beside("ann", HALF_AN_HOUR).await;
        scene.activate(&new, NOW).await;
        assert_eq!(scene.judged(&tokens[0]).await.as_deref(), Ok("ann"));
        let act = act("revoke", "ann");
        if by_client {
            assert_eq!(scene.store.revoke_client("ann", ahead, "lost", &act).await.unwrap(), 1);
        } else {
            assert!(scene.store.revoke_token(tokens[0].jti(), ahead, "lost", &act).await.unwrap());
        }
        assert_eq!(scene.state(&tokens[0]).await, TokenState::Revoked { at: ahead });
        assert!(scene.judged(&tokens[0]).await.is_err());
    }
}

#[tokio::test]
async fn one_superseded_token_is_revoked_alone() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let new = scene.mint_beside("ann", HALF_AN_HOUR).await;
    scene.activate(&new, NOW).await;
    assert!(scene.store.revoke_token(tokens[0].jti(), NOW, "lost", &act("revoke", "ann")).await.unwrap());
    assert_eq!(scene.state(&tokens[0]).await, TokenState::Revoked { at: NOW });
    assert_eq!(scene.judged(&new).await.as_deref(), Ok("ann"));
}

#[tokio::test]
async fn tokens_past_the_half_of_their_lives_are_found_with_their_places() {
    let (scene, tokens) = Scene::with_clients(&["ann", "bob", "eve", "gus"]).await;
    let half = NOW.plus(1800);
    assert_eq!(scene.store.ageing_tokens(half.plus(-1)).await.unwrap(), []);
    assert_eq!(scene.store.next_ageing(half.plus(-1)).await.unwrap(), Some(half));
    assert_eq!(scene.store.next_ageing(half).await.unwrap(), None);
    // Placed, printed, disabled, revoked.
    let placed = scene.mint("ann").await;
    scene.store.activate(placed.jti(), NOW, Some(&placement("ann")), &act("issue", "ann")).await.unwrap();
    scene.store.put_placement(&placement("bob")).await.unwrap();
    scene.store.disable_client("eve", NOW, "away", &act("disable", "eve")).await.unwrap();
    scene.store.revoke_client("gus", NOW, "lost", &act("revoke", "gus")).await.unwrap();
    let mut found = scene.store.ageing_tokens(half).await.unwrap();
    found.sort_by(|one, other| one.client.cmp(&other.client));
    let ageing = |jti: &str, name, placed| AgeingToken {
        jti: jti.into(),
        client: client(name).name,
        issued_at: NOW,
        expires_at: NOW.plus(3600),
        placed,
        end_told: false,
    };
    let expect =
        [ageing(placed.jti(), "ann", Some(TokenRead::AtStart)), ageing(tokens[1].jti(), "bob", None)];
    assert_eq!(found, expect);
    assert_eq!(scene.store.ageing_tokens(NOW.plus(3600)).await.unwrap(), [], "they have expired");
}

#[tokio::test]
async fn the_log_is_told_once_of_each_tokens_end() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let warning = act("warning", "ann");
    assert!(scene.store.tell_end(tokens[0].jti(), NOW, &warning).await.unwrap());
    assert!(!scene.another().await.tell_end(tokens[0].jti(), NOW, &warning).await.unwrap());
    assert!(!scene.store.tell_end("none", NOW, &warning).await.unwrap());
    assert_eq!(scene.acts().await, ["issue", "warning"]);
    assert!(scene.store.ageing_tokens(NOW.plus(1800)).await.unwrap()[0].end_told);
}
