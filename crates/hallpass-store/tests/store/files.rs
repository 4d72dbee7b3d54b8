//! Which files are opened. A missing, foreign, damaged, open or newer one is refused, and left as it was.

use crate::house::House;
use hallpass_store::{Store, StoreFault};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[expect(clippy::disallowed_methods, reason = "a test's own files need no atomic write")]
fn overwrite(file: &Path, bytes: impl AsRef<[u8]>) {
    fs::write(file, bytes).expect("a file");
}

fn mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("a mode");
}

async fn refused(file: &Path) -> StoreFault {
    let before = fs::read(file).ok();
    let fault = Store::open(file).await.expect_err("refused");
    assert_eq!(fs::read(file).ok(), before, "left as it was: {fault}");
    fault
}

#[tokio::test]
async fn a_new_store_is_private_and_never_made_over_another() {
    let house = House::new().await;
    let folder = house.file();
    let folder = folder.parent().expect("a folder");
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        assert_eq!(entry.metadata().expect("it").permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
    assert!(matches!(Store::create(&house.file()).await, Err(StoreFault::AlreadyThere)));
    assert!(Store::open(&house.file()).await.is_ok());
}

#[tokio::test]
async fn a_missing_one_is_not_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hallpass.db");
    assert!(matches!(refused(&file).await, StoreFault::Missing));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[tokio::test]
async fn one_that_others_can_read_is_refused() {
    let house = House::new().await;
    house.store.close().await;
    for open in [0o644, 0o640, 0o660, 0o602] {
        mode(&house.file(), open);
        assert!(matches!(refused(&house.file()).await, StoreFault::OthersCanRead { mode } if mode == open));
    }
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_refused() {
    let house = House::new().await;
    house.store.close().await;
    let good = fs::read(house.file()).expect("the file");
    let damaged = [
        Vec::new(),
        b"text".to_vec(),
        good[..100].to_vec(),
        [&good[..4096], &b"nonsense".repeat(4096)].concat(),
    ];
    for bytes in damaged {
        overwrite(&house.file(), bytes);
        let fault = refused(&house.file()).await;
        assert!(matches!(fault, StoreFault::Damaged(_)), "{fault:?}");
    }
    // Another program's database: the same format, another application.
    let mut foreign = good.clone();
    foreign[68..72].copy_from_slice(&[0; 4]);
    overwrite(&house.file(), foreign);
    let fault = refused(&house.file()).await;
    assert!(fault.to_string().contains("another program"), "{fault}");
    overwrite(&house.file(), good);
    assert!(Store::open(&house.file()).await.is_ok());
}

#[tokio::test]
async fn one_of_a_newer_version_is_refused() {
    let house = House::new().await;
    house.store.close().await;
    let pool =
        sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(house.file()))
            .await
            .expect("a connection");
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (20990101000000, 'later', TRUE, x'00', 1)";
    sqlx::query(sql).execute(&pool).await.expect("a later migration");
    pool.close().await;
    let fault = refused(&house.file()).await;
    assert!(matches!(fault, StoreFault::Newer { found: 20_990_101_000_000 }), "{fault:?}");
}
