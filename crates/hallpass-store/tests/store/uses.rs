//! What was used when: rows that come back as they were put, and the two things that a first use sets off.

use crate::scene::{NOW, Scene, Token, act, call, mint, name};
use hallpass_core::Outcome;
use hallpass_core::sightings::Kept;
use hallpass_core::snapshot::TokenState;
use hallpass_core::uses::{LegacyCaller, LegacyUse, TokenUse, Warning, WarningKind};
use hallpass_store::{FirstUse, Overlap, UseRows};

/// Seconds.
const OVERLAP: i64 = 1800;
const NOW_MS: i64 = NOW.seconds() * 1000;

fn token_use(client: &str, jti: &str, last_ms: i64) -> TokenUse {
    TokenUse {
        jti: jti.into(),
        client: name(client),
        first_ms: NOW_MS,
        last_ms,
        calls: 7,
        server: Some("docs".into()),
        address: Some("127.0.0.1".into()),
        user_agent: Some("agent/1".into()),
        client_info: None,
    }
}

fn legacy_use(path_client: Option<&str>, address: Option<&str>) -> LegacyUse {
    LegacyUse {
        caller: LegacyCaller {
            path_client: path_client.map(name),
            address: address.map(Into::into),
            ..LegacyCaller::default()
        },
        first_ms: NOW_MS,
        last_ms: NOW_MS + 1,
        let_in_ms: Some(NOW_MS),
        calls: 3,
        refused: 1,
        called: [("docs/search".to_owned(), 2), ("*".to_owned(), 1)].into(),
    }
}

fn warning(jti: &str, kind: WarningKind, last_ms: i64) -> Warning {
    let client = (!jti.is_empty()).then(|| name("ann"));
    Warning {
        jti: jti.into(),
        kind,
        client,
        first_ms: NOW_MS,
        last_ms,
        told_ms: NOW_MS,
        times: 2,
        detail: "`a` and `b`".into(),
    }
}

/// A client with an older token that is replaced for a while and a newer one in force.
async fn rotated(until_seen: bool) -> (Scene, Token, Token) {
    let (scene, mut tokens) = Scene::with_clients(&["ann"]).await;
    let new = mint(&scene.key, "ann", NOW.plus(60));
    let overlap = Overlap { seconds: OVERLAP - 60, until_seen };
    scene.store.add_successor(&new.row, overlap).await.unwrap();
    scene.activate(&new, NOW).await;
    (scene, tokens.remove(0), new)
}

#[tokio::test]
async fn rows_come_back_as_they_were_put_last() {
    let (scene, _) = Scene::with_clients(&["ann", "bob"]).await;
    let tokens = [token_use("ann", "a1", NOW_MS + 1), token_use("bob", "b1", NOW_MS + 2)];
    let legacy = [legacy_use(None, None), legacy_use(Some("ann"), Some("10.0.0.1"))];
    let warnings = [
        warning("a1", WarningKind::TwoAddresses, NOW_MS + 5),
        warning("", WarningKind::UnknownToken, NOW_MS + 4),
    ];
    let rows = UseRows { tokens: &tokens, legacy: &legacy, warnings: &warnings, counted_until: Some(41) };
    scene.store.put_uses(rows).await.unwrap();
    let later =
        TokenUse { last_ms: NOW_MS + 9, calls: 8, client_info: Some("x/1".into()), ..tokens[0].clone() };
    let fewer = UseRows { tokens: std::slice::from_ref(&later), ..UseRows::default() };
    scene.store.put_uses(fewer).await.unwrap();

    let other = scene.another().await;
    assert_eq!(other.token_uses().await.unwrap(), [later, tokens[1].clone()]);
    assert_eq!(other.legacy_uses().await.unwrap(), legacy);
    assert_eq!(other.warnings(NOW_MS).await.unwrap(), warnings);
    assert_eq!(other.warnings(NOW_MS + 5).await.unwrap(), warnings[..1]);
    assert_eq!(other.uses_counted_until().await.unwrap(), Some(41));
}

#[tokio::test]
async fn many_rows_are_written_whole_and_do_not_move_the_revision() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let before = scene.revision().await;
    let tokens: Vec<_> = (0..1234).map(|n| token_use("ann", &format!("a{n:04}"), NOW_MS + n)).collect();
    scene.store.put_uses(UseRows { tokens: &tokens, ..UseRows::default() }).await.unwrap();
    assert_eq!(scene.store.token_uses().await.unwrap(), tokens);
    assert_eq!(scene.store.newest_token_uses().await.unwrap(), tokens[1233..]);
    assert_eq!(scene.store.uses_counted_until().await.unwrap(), None);
    scene.store.see_warnings(NOW_MS, &act("acknowledge", "ann")).await.unwrap();
    assert_eq!(scene.store.warnings_seen_until().await.unwrap(), NOW_MS);
    assert_eq!(scene.revision().await, before);
}

#[tokio::test]
async fn what_is_kept_about_a_token_comes_with_the_live_ones_of_its_client() {
    let (scene, old, new) = rotated(false).await;
    let ended = scene.mint("ann").await;
    scene.store.revoke_token(ended.jti(), NOW, "lost", &act("revoke", "ann")).await.unwrap();
    scene.store.put_client(&crate::scene::client("bob"), None).await.unwrap();
    let bob = scene.issue("bob").await;
    let all = [&old, &new, &ended, &bob];
    let tokens = all.map(|token| token_use(token.row.client.as_str(), token.jti(), NOW_MS));
    let warnings = all.map(|token| warning(token.jti(), WarningKind::AfterSilence, NOW_MS));
    let unknown = warning("", WarningKind::UnknownToken, NOW_MS);
    let rows = UseRows { tokens: &tokens, warnings: &warnings, ..UseRows::default() };
    scene.store.put_uses(rows).await.unwrap();
    let rows = UseRows { warnings: std::slice::from_ref(&unknown), ..UseRows::default() };
    scene.store.put_uses(rows).await.unwrap();

    let kept = async |token: &Token, now| {
        let Kept { tokens, mut warnings } = scene.store.kept_uses(&[token.jti()], now).await.unwrap();
        let mut handles: Vec<_> = tokens.into_iter().map(|row| row.jti).collect();
        handles.sort();
        warnings.sort_by(|a, b| a.jti.cmp(&b.jti));
        assert_eq!(warnings.into_iter().map(|row| row.jti).collect::<Vec<_>>(), handles);
        handles
    };
    let sorted = |tokens: &[&Token]| {
        let mut handles: Vec<_> = tokens.iter().map(|token| token.jti().to_owned()).collect();
        handles.sort();
        handles
    };
    assert_eq!(kept(&new, NOW).await, sorted(&[&old, &new]));
    assert_eq!(kept(&ended, NOW).await, sorted(&[&old, &new, &ended]), "what was asked for in any case");
    assert_eq!(kept(&new, NOW.plus(OVERLAP)).await, sorted(&[&new]), "the overlap is over");
    let live = scene.store.live_token_uses(NOW).await.unwrap();
    let mut live: Vec<_> = live.into_iter().map(|row| row.jti).collect();
    live.sort();
    assert_eq!(live, sorted(&[&old, &new, &bob]));
    assert_eq!(scene.store.warnings_about_nobody().await.unwrap(), [unknown]);
    assert!(scene.store.kept_uses(&["none"], NOW).await.unwrap().tokens.is_empty());
}

#[tokio::test]
async fn the_current_tokens_are_the_live_ones_and_each_clients_newest() {
    let (scene, old, new) = rotated(false).await;
    scene.store.put_client(&crate::scene::client("bob"), None).await.unwrap();
    let (first, second) = (scene.issue("bob").await, scene.issue("bob").await);
    scene.store.revoke_client("bob", NOW, "lost", &act("revoke", "bob")).await.unwrap();
    scene.store.put_client(&crate::scene::client("eve"), None).await.unwrap();
    let gone = scene.issue("eve").await;
    scene.store.remove_client("eve", NOW, "left", &act("remove", "eve")).await.unwrap();
    let current = scene.store.current_tokens(NOW).await.unwrap();
    let has = |token: &Token| current.iter().any(|row| row.jti == token.jti());
    assert_eq!([&old, &new, &gone].map(has), [true, true, false]);
    // Both were minted in the same second: the newest is the one that was noted last.
    assert_eq!([&first, &second].map(has), [false, true]);
    let later = scene.store.current_tokens(NOW.plus(OVERLAP)).await.unwrap();
    assert_eq!(later.len(), 2, "the overlap is over");
}

#[tokio::test]
async fn events_are_read_on_from_where_they_were_counted() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let before = scene.store.newest_event().await.unwrap();
    let calls: Vec<_> = (0..120).map(|n| call("ann", n, Outcome::Ok)).collect();
    let last = crate::scene::log(&scene.store, &calls).await.unwrap();
    assert_eq!((last, scene.store.newest_event().await.unwrap()), (before + 120, last));
    let page = scene.store.events_after(before, 100).await.unwrap();
    assert_eq!((page.len(), page[0].0, &page[99].1), (100, before + 1, &calls[99]));
    let rest = scene.store.events_after(page[99].0, 100).await.unwrap();
    assert_eq!(rest.into_iter().map(|(_, event)| event).collect::<Vec<_>>(), calls[100..]);
    assert_eq!(scene.store.events_after(last, 100).await.unwrap(), []);
}

#[tokio::test]
async fn a_first_use_says_that_the_client_has_moved_and_only_the_first_does() {
    let (scene, tokens) = Scene::with_clients(&["ann", "bob"]).await;
    let before = scene.revision().await;
    let note = async |client, jti, at| scene.store.note_first_use(client, jti, at).await.unwrap();
    assert!(note("ann", tokens[0].jti(), NOW).await);
    let snapshot = scene.snapshot().await;
    assert!(snapshot.client("ann").unwrap().has_moved);
    assert!(!snapshot.client("bob").unwrap().has_moved);
    assert_eq!(snapshot.revision(), before + 1);
    assert!(!note("ann", tokens[0].jti(), NOW.plus(9)).await);
    assert!(!note("bob", tokens[0].jti(), NOW).await, "another's token");
    assert!(!note("bob", "none", NOW).await);
    let marks = scene.store.token_uses().await.unwrap();
    let marks: Vec<_> = marks.iter().map(|row| (row.jti.as_str(), row.calls, row.first_ms)).collect();
    assert_eq!(marks, [(tokens[0].jti(), 0, NOW_MS)], "calls are counted with the log");
    assert_eq!(scene.revision().await, before + 1);
}

#[tokio::test]
async fn a_token_of_an_earlier_client_of_that_name_moves_nobody() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    scene.store.remove_client("ann", NOW, "left", &act("remove", "ann")).await.unwrap();
    assert!(!scene.store.note_first_use("ann", tokens[0].jti(), NOW).await.unwrap());
    scene.store.put_client(&crate::scene::client("ann"), None).await.unwrap();
    assert!(!scene.store.note_first_use("ann", tokens[0].jti(), NOW).await.unwrap());
    let new = scene.issue("ann").await;
    assert!(scene.store.note_first_use("ann", new.jti(), NOW).await.unwrap());
}

#[tokio::test]
async fn the_first_use_of_a_new_token_ends_the_one_that_was_to_live_until_then() {
    let (scene, old, new) = rotated(true).await;
    let first = NOW.plus(100);
    assert_eq!(scene.judged(&old).await.as_deref(), Ok("ann"));
    assert!(scene.store.note_first_use("ann", new.jti(), first).await.unwrap());
    assert_eq!(scene.state(&old).await, TokenState::Superseded { until: first });
    assert_eq!(scene.state(&new).await, TokenState::Active);
    assert_eq!(scene.acts().await, ["issue", "rotate", "end-replaced"]);
    let before = scene.revision().await;
    assert!(!scene.store.note_first_use("ann", new.jti(), first.plus(5)).await.unwrap());
    assert_eq!(scene.revision().await, before);
}

#[tokio::test]
async fn a_first_use_ends_nothing_that_was_not_to_live_until_then() {
    let (scene, old, new) = rotated(false).await;
    let until = TokenState::Superseded { until: NOW.plus(OVERLAP) };
    scene.store.note_first_use("ann", new.jti(), NOW.plus(100)).await.unwrap();
    assert_eq!(scene.state(&old).await, until, "its overlap is by the clock");

    let (scene, old, new) = rotated(true).await;
    scene.store.note_first_use("ann", old.jti(), NOW.plus(100)).await.unwrap();
    assert_eq!(scene.state(&old).await, until, "the use of the replaced token is not that of its successor");
    scene.store.revoke_token(new.jti(), NOW, "lost", &act("revoke", "ann")).await.unwrap();
    scene.store.note_first_use("ann", new.jti(), NOW.plus(101)).await.unwrap();
    assert_eq!(scene.state(&old).await, until, "nor is that of a revoked one");
    assert_eq!(scene.state(&new).await, TokenState::Revoked { at: NOW });
}

#[tokio::test]
async fn first_uses_of_several_clients_are_one_change() {
    let (scene, tokens) = Scene::with_clients(&["ann", "bob", "eve"]).await;
    let before = scene.revision().await;
    let uses: Vec<_> = [("ann", 0), ("bob", 1), ("ann", 0)]
        .map(|(client, n)| FirstUse { client, jti: tokens[n].jti(), at: NOW })
        .into();
    assert!(scene.store.note_first_uses(&uses).await.unwrap());
    let snapshot = scene.snapshot().await;
    let moved = ["ann", "bob", "eve"].map(|name| snapshot.client(name).unwrap().has_moved);
    assert_eq!((moved, snapshot.revision()), ([true, true, false], before + 1));
}
