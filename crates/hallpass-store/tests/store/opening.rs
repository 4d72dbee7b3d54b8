//! A database that is missing, foreign, damaged, newer or open to others is refused, and never made anew.

use crate::scene::{Scene, act, call, mode};
use hallpass_core::Outcome;
use hallpass_store::{Store, StoreFault};
use sqlx::{ConnectOptions as _, SqliteConnection};
use std::fs::{File, Permissions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A connection that knows nothing of the store.
pub(crate) async fn raw(file: &Path) -> SqliteConnection {
    sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap()
}

pub(crate) async fn run(connection: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

/// A database with one client, closed.
async fn closed() -> Scene {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let records = [act("issue", "ann"), call("ann", 1, Outcome::Refused), call("ann", 2, Outcome::Ok)];
    crate::scene::log(&scene.store, &records).await.unwrap();
    scene.store.close().await;
    scene
}

pub(crate) fn private(file: &Path, content: &[u8]) {
    File::create(file).unwrap().write_all(content).unwrap();
    std::fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
}

async fn refused(file: &Path) -> StoreFault {
    Store::open(file).await.expect_err("it must be refused")
}

#[tokio::test]
async fn what_was_kept_is_there_after_the_store_was_opened_again() {
    let scene = closed().await;
    let store = scene.another().await;
    assert_eq!(store.clients().await.unwrap().len(), 1);
    assert_eq!(store.tokens().await.unwrap().len(), 1);
    assert_eq!(store.setting("issuer").await.unwrap().as_deref(), Some("hallpass"));
    assert_eq!(store.setting("none").await.unwrap(), None);
}

#[tokio::test]
async fn the_database_and_what_stands_beside_it_is_private() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    for name in ["hallpass.db", "hallpass.db-wal", "hallpass.db-shm"] {
        assert_eq!(mode(&scene.folder.path().join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_database_is_made_once() {
    let scene = closed().await;
    let before = std::fs::read(scene.file()).unwrap();
    assert!(matches!(Store::create(&scene.file()).await, Err(StoreFault::AlreadyThere)));
    assert_eq!(std::fs::read(scene.file()).unwrap(), before);
}

#[tokio::test]
async fn a_missing_database_is_not_made_by_opening() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hallpass.db");
    assert!(matches!(refused(&file).await, StoreFault::Missing));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn a_database_that_others_can_read_or_write_is_refused() {
    let scene = closed().await;
    for open in [0o640, 0o604, 0o620, 0o602, 0o666] {
        std::fs::set_permissions(scene.file(), Permissions::from_mode(open)).unwrap();
        assert!(matches!(refused(&scene.file()).await, StoreFault::OthersCanRead { mode } if mode == open));
    }
    std::fs::set_permissions(scene.file(), Permissions::from_mode(0o600)).unwrap();
    assert!(Store::open(&scene.file()).await.is_ok());
}

#[tokio::test]
async fn another_users_database_is_refused() {
    let scene = closed().await;
    // Only root can give a file away; whoever else runs the tests cannot set this scene.
    if std::os::unix::fs::chown(scene.file(), Some(65_534), None).is_ok() {
        assert!(matches!(refused(&scene.file()).await, StoreFault::OtherOwner));
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hallpass.db");
    for content in [b"".as_slice(), b"SQLite", b"SQLite format 3\0", &[0; 8192], &[b'x'; 5000]] {
        private(&file, content);
        let fault = refused(&file).await;
        assert!(matches!(fault, StoreFault::Damaged(_)), "{} bytes: {fault:?}", content.len());
        assert_eq!(std::fs::read(&file).unwrap(), content);
    }
    assert!(matches!(refused(folder.path()).await, StoreFault::Damaged(_)));
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hallpass.db");
    private(&file, b"");
    let mut connection = raw(&file).await;
    run(&mut connection, "CREATE TABLE client (name TEXT); PRAGMA user_version = 7;").await;
    sqlx::Connection::close(connection).await.unwrap();
    let before = std::fs::read(&file).unwrap();
    assert!(matches!(refused(&file).await, StoreFault::Damaged(_)));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_page_is_noticed_at_the_start() {
    let scene = closed().await;
    let whole = std::fs::metadata(scene.file()).unwrap().len();
    for page in 1..whole / 4096 {
        let mut bytes = std::fs::read(scene.file()).unwrap();
        let start = usize::try_from(page * 4096).unwrap();
        bytes[start..start + 4096].fill(0x55);
        let copy = scene.folder.path().join("copy.db");
        private(&copy, &bytes);
        match Store::open(&copy).await {
            Err(StoreFault::Damaged(_)) => {}
            // Only the events, and how many acts there were, may be read later, when they are asked for.
            Ok(store) => {
                // Each by the index that serves it.
                let all = hallpass_store::EventFilter::default;
                let filters = [
                    all(),
                    hallpass_store::EventFilter { client: Some("ann".into()), ..all() },
                    hallpass_store::EventFilter { since_ms: Some(0), until_ms: Some(i64::MAX), ..all() },
                    hallpass_store::EventFilter { outcome: Some(Outcome::Refused), ..all() },
                    hallpass_store::EventFilter { kinds: hallpass_store::Kinds::Acts, ..all() },
                ];
                let mut missed = true;
                for filter in &filters {
                    missed &= !matches!(store.events(filter).await, Err(StoreFault::Damaged(_)));
                }
                let numbers = [store.last_act_in_view().await, store.last_act().await];
                assert!(
                    !missed || numbers.iter().any(|number| matches!(number, Err(StoreFault::Damaged(_)))),
                    "page {page} is not missed"
                );
            }
            Err(other) => panic!("page {page}: {other:?}"),
        }
        for name in ["copy.db", "copy.db-wal", "copy.db-shm"] {
            let _ = std::fs::remove_file(scene.folder.path().join(name));
        }
    }
}

#[tokio::test]
async fn a_cut_file_is_noticed_at_the_start() {
    let scene = closed().await;
    let whole = std::fs::metadata(scene.file()).unwrap().len();
    File::options().write(true).open(scene.file()).unwrap().set_len(whole / 2).unwrap();
    assert!(matches!(refused(&scene.file()).await, StoreFault::Damaged(_)));
}

#[tokio::test]
async fn a_spoilt_header_is_noticed_at_the_start() {
    let scene = closed().await;
    let mut file = File::options().write(true).open(scene.file()).unwrap();
    file.seek(SeekFrom::Start(3)).unwrap();
    file.write_all(b"??").unwrap();
    assert!(matches!(refused(&scene.file()).await, StoreFault::Damaged(_)));
}

#[tokio::test]
async fn a_newer_versions_database_is_refused_and_left_alone() {
    let scene = closed().await;
    let mut connection = raw(&scene.file()).await;
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'from the future', TRUE, x'00', 1)";
    run(&mut connection, sql).await;
    sqlx::Connection::close(connection).await.unwrap();
    let before = std::fs::read(scene.file()).unwrap();
    assert!(matches!(refused(&scene.file()).await, StoreFault::Newer { found: 9999 }));
    assert_eq!(std::fs::read(scene.file()).unwrap(), before);
}

#[tokio::test]
async fn a_database_that_lost_its_tables_is_refused() {
    let scene = closed().await;
    let mut connection = raw(&scene.file()).await;
    run(&mut connection, "PRAGMA foreign_keys = OFF; DROP TABLE token;").await;
    sqlx::Connection::close(connection).await.unwrap();
    let fault = refused(&scene.file()).await;
    assert!(matches!(fault, StoreFault::Damaged(_)), "{fault:?}");
}

#[tokio::test]
async fn a_database_that_another_process_keeps_locked_says_so() {
    let scene = closed().await;
    let store = scene.another().await;
    let mut connection = raw(&scene.file()).await;
    run(&mut connection, "BEGIN IMMEDIATE").await;
    assert!(matches!(store.put_setting("issuer", "x").await, Err(StoreFault::Locked)));
    assert_eq!(store.setting("issuer").await.unwrap().as_deref(), Some("hallpass"), "reading goes on");
    run(&mut connection, "ROLLBACK").await;
    store.put_setting("issuer", "x").await.unwrap();
}

#[tokio::test]
async fn a_store_whose_file_was_replaced_takes_and_shows_nothing_more() {
    let (scene, tokens) = Scene::with_clients(&["ann"]).await;
    let (other, _) = Scene::with_clients(&[]).await;
    other.store.close().await;
    std::fs::rename(other.file(), scene.file()).unwrap();
    let act = crate::scene::act("revoke", "ann");
    let revoked = scene.store.revoke_token(tokens[0].jti(), crate::scene::NOW, "lost", &act).await;
    assert!(matches!(revoked, Err(StoreFault::Replaced)));
    assert!(matches!(crate::scene::log(&scene.store, &[act]).await, Err(StoreFault::Replaced)));
    assert!(matches!(scene.store.snapshot(&scene.seal(), 1).await, Err(StoreFault::Replaced)));
}
