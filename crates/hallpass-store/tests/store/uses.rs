//! What was used when: rows that come back as they were put, and the two things that a first use sets off.

use crate::scene::{NOW, Scene, Token, act, mint, name};
use hallpass_core::UnixTime;
use hallpass_core::snapshot::TokenState;
use hallpass_core::uses::{LegacyCaller, LegacyUse, TokenUse, Warning, WarningKind};
use hallpass_store::{FirstUse, UseRows};
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};

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

/// Makes a token one that is replaced and lives on, as a rotation leaves it.
async fn supersede(scene: &Scene, token: &Token, until: UnixTime, until_seen: bool) {
    let mut connection = SqliteConnectOptions::new().filename(scene.file()).connect().await.unwrap();
    let sql = "UPDATE token SET state = 'replaced', ended_at = $1, until_seen = $2 WHERE jti = $3";
    let query = sqlx::query(sql).bind(until.seconds()).bind(until_seen).bind(token.jti());
    assert_eq!(query.execute(&mut connection).await.unwrap().rows_affected(), 1);
}

/// A client with an older token that is replaced (until a day from now) and a newer one in force.
async fn rotated(until_seen: bool) -> (Scene, Token, Token) {
    let (scene, mut tokens) = Scene::with_clients(&["ann"]).await;
    let new = mint(&scene.key, "ann", NOW.plus(60));
    scene.store.add_pending(&new.row).await.unwrap();
    scene.store.activate(new.jti(), NOW, None, &act("rotate", "ann")).await.unwrap();
    let old = tokens.remove(0);
    supersede(&scene, &old, NOW.plus(86_400), until_seen).await;
    (scene, old, new)
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
    assert_eq!(scene.revision().await, before);
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
    let until = TokenState::Superseded { until: NOW.plus(86_400) };
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
