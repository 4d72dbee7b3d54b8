//! What is sealed opens with the same key and for the same purpose, and not otherwise.

use crate::scene::mode;
use hallpass_core::Bearer;
use hallpass_core::check_signature;
use hallpass_core::keys::{Algorithm, KeyId, KeySet};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{Authority, TokenType};
use hallpass_store::{SealFault, SealKey, SigningKey};
use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use tempfile::TempDir;

fn key_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seal.key");
    (folder, file)
}

fn seal_key() -> SealKey {
    let (_folder, file) = key_file();
    SealKey::generate_file(&file).unwrap()
}

#[test]
fn what_is_sealed_opens_after_the_key_was_read_again() {
    let (_folder, file) = key_file();
    let made = SealKey::generate_file(&file).unwrap();
    let read = SealKey::load(&file).unwrap();
    for plain in [b"".as_slice(), b"x", &[7; 5000]] {
        assert_eq!(*read.open("undo", &made.seal("undo", plain).unwrap()).unwrap(), plain);
    }
    assert_eq!(made.derive("session ids"), read.derive("session ids"));
}

#[test]
fn the_key_file_is_private_whole_and_made_once() {
    let (folder, file) = key_file();
    SealKey::generate_file(&file).unwrap();
    assert_eq!(mode(&file), 0o600);
    let before = std::fs::read(&file).unwrap();
    assert_eq!(before.len(), 32);
    assert!(SealKey::generate_file(&file).is_err());
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let names: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["seal.key"]);
}

#[test]
fn half_a_key_of_an_interrupted_start_is_not_in_the_way() {
    let (folder, file) = key_file();
    File::create(folder.path().join("seal.new")).unwrap().write_all(b"half").unwrap();
    SealKey::generate_file(&file).unwrap();
    assert!(SealKey::load(&file).is_ok());
}

#[test]
fn a_key_file_that_is_not_as_it_was_made_is_refused() {
    let (_folder, file) = key_file();
    assert!(matches!(SealKey::load(&file), Err(SealFault::Missing)));
    SealKey::generate_file(&file).unwrap();
    for open in [0o640, 0o604, 0o620, 0o602] {
        std::fs::set_permissions(&file, Permissions::from_mode(open)).unwrap();
        assert!(matches!(SealKey::load(&file), Err(SealFault::OthersCanRead { mode }) if mode == open));
    }
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    File::options().append(true).open(&file).unwrap().write_all(b"!").unwrap();
    assert!(matches!(SealKey::load(&file), Err(SealFault::WrongSize)));
    File::options().write(true).open(&file).unwrap().set_len(31).unwrap();
    assert!(matches!(SealKey::load(&file), Err(SealFault::WrongSize)));
    // A pipe that nobody writes to is not waited for.
    std::fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&file).status().unwrap();
    assert!(made.success());
    assert!(matches!(SealKey::load(&file), Err(SealFault::WrongSize)));
}

#[test]
fn nothing_opens_for_another_purpose_or_with_another_key() {
    let (one, other) = (seal_key(), seal_key());
    let sealed = one.seal("undo", b"secret").unwrap();
    assert!(matches!(one.open("token", &sealed), Err(SealFault::NotOpened)));
    assert!(matches!(one.open("", &sealed), Err(SealFault::NotOpened)));
    assert!(matches!(other.open("undo", &sealed), Err(SealFault::NotOpened)));
    assert_ne!(one.derive("a"), one.derive("b"));
    assert_ne!(one.derive("a"), other.derive("a"));
}

#[test]
fn every_changed_bit_and_every_cut_shows() {
    let key = seal_key();
    let sealed = key.seal("undo", b"secret").unwrap();
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
fn the_same_text_is_sealed_differently_each_time() {
    let key = seal_key();
    let (one, two) = (key.seal("undo", b"secret").unwrap(), key.seal("undo", b"secret").unwrap());
    assert_ne!(one, two);
    assert_ne!(one[..12], two[..12]);
    assert!(!one.windows(6).any(|window| window == b"secret"));
}

#[test]
fn a_signing_key_comes_back_from_its_seal_and_signs_what_its_public_side_takes() {
    let seal = seal_key();
    let kid = KeyId::new("hp-1").unwrap();
    let made = SigningKey::generate(kid.clone(), Algorithm::Es256).unwrap();
    let sealed = made.to_sealed(&seal).unwrap();
    let back = SigningKey::from_sealed(kid, Algorithm::Es256, &sealed, &seal).unwrap();
    assert_eq!(back.verifying_key().unwrap().public_bytes(), made.verifying_key().unwrap().public_bytes());
    let token = crate::scene::mint(&back, "ann", crate::scene::NOW);
    let authority = Authority {
        issuer: Issuer::new("hallpass").unwrap(),
        audience: Audience::new("mcp").unwrap(),
        keys: KeySet::new([made.verifying_key().unwrap()]),
        token_type: TokenType::Jwt,
        lifetime_most: 1,
        leeway: 0,
    };
    assert!(check_signature(&Bearer::new(&token.text).unwrap(), &authority).is_ok());
}

#[test]
fn a_sealed_key_opens_under_its_own_name_only() {
    let seal = seal_key();
    let made = SigningKey::generate(KeyId::new("hp-1").unwrap(), Algorithm::Es256).unwrap();
    let sealed = made.to_sealed(&seal).unwrap();
    let other_name = KeyId::new("hp-2").unwrap();
    assert!(matches!(
        SigningKey::from_sealed(other_name, Algorithm::Es256, &sealed, &seal),
        Err(SealFault::NotOpened)
    ));
    let kid = KeyId::new("hp-1").unwrap();
    assert!(matches!(
        SigningKey::from_sealed(kid, Algorithm::Es256, &sealed, &seal_key()),
        Err(SealFault::NotOpened)
    ));
}

#[test]
fn debug_output_shows_no_secret() {
    let (_folder, file) = key_file();
    let seal = SealKey::generate_file(&file).unwrap();
    assert_eq!(format!("{seal:?}"), "SealKey(..)");
    let key = SigningKey::generate(KeyId::new("hp-1").unwrap(), Algorithm::Es256).unwrap();
    assert_eq!(format!("{key:?}"), r#"SigningKey { kid: KeyId("hp-1"), algorithm: Es256, .. }"#);
}
