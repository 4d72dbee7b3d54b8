//! The seal: what it closes, only the same key and purpose open.

use hallpass_core::keys::KeyId;
use hallpass_store::{SealFault, SealKey, SigningKey};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn seal(folder: &Path, name: &str) -> SealKey {
    SealKey::generate_file(&folder.join(name)).expect("a key file")
}

#[test]
fn what_was_sealed_opens_and_every_changed_bit_shows() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = seal(folder.path(), "a");
    let other = seal(folder.path(), "b");
    for plain in [&b""[..], b"their secret", &[7; 5000]] {
        let sealed = key.seal("undo", plain).expect("sealed");
        assert_eq!(key.open("undo", &sealed).expect("opened").as_slice(), plain);
        assert_ne!(sealed, key.seal("undo", plain).expect("sealed"), "no two alike");
        assert!(matches!(key.open("undone", &sealed), Err(SealFault::NotOpened)));
        assert!(matches!(other.open("undo", &sealed), Err(SealFault::NotOpened)));
    }
    let sealed = key.seal("undo", b"their secret").expect("sealed");
    assert!(!sealed.windows(6).any(|part| part == b"secret"));
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(key.open("undo", &changed), Err(SealFault::NotOpened)), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(matches!(key.open("undo", &sealed[..length]), Err(SealFault::NotOpened)), "{length} bytes");
    }
}

#[test]
fn a_key_file_is_private_and_read_back_and_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("seal.key");
    assert!(matches!(SealKey::load(&path), Err(SealFault::Missing)));
    let sealed = seal(folder.path(), "seal.key").seal("x", b"plain").expect("sealed");
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    assert_eq!(std::fs::metadata(&path).expect("it").permissions().mode() & 0o777, 0o600);
    SealKey::load(&path).expect("loaded").open("x", &sealed).expect("the same key");
    SealKey::generate_file(&path).expect_err("one is there");
    for open in [0o644, 0o640, 0o604, 0o620] {
        mode(open);
        assert!(matches!(SealKey::load(&path), Err(SealFault::OthersCanRead { mode }) if mode == open));
    }
    mode(0o600);
    for length in [0, 31, 33] {
        std::fs::OpenOptions::new().write(true).open(&path).expect("it").set_len(length).expect("cut");
        assert!(matches!(SealKey::load(&path), Err(SealFault::WrongSize)), "{length} bytes");
    }
}

#[test]
fn a_derived_key_depends_on_key_and_purpose() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (seal(folder.path(), "1"), seal(folder.path(), "2"));
    assert_eq!(one.derive("a"), SealKey::load(&folder.path().join("1")).expect("loaded").derive("a"));
    assert_ne!(one.derive("a"), one.derive("b"));
    assert_ne!(one.derive("a"), two.derive("a"));
}

#[test]
fn a_sealed_signing_key_opens_under_its_own_name_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let seal = seal(folder.path(), "seal.key");
    let name = |name| KeyId::new(name).expect("a key's name");
    let key = SigningKey::generate(name("hp-1")).expect("a key");
    let sealed = key.to_sealed(&seal).expect("sealed");
    let opened = SigningKey::from_sealed(name("hp-1"), &sealed, &seal).expect("opened");
    let public = |key: &SigningKey| key.verifying_key().expect("its public side").public_bytes().to_vec();
    assert_eq!(public(&opened), public(&key));
    assert!(matches!(SigningKey::from_sealed(name("hp-2"), &sealed, &seal), Err(SealFault::NotOpened)));
    assert_eq!(format!("{seal:?}"), "SealKey(..)");
    assert!(!format!("{key:?}").contains("pair"));
}
