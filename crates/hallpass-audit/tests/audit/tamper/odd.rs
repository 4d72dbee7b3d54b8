//! Files, numbers and names that an honest writer never makes, on which two verifiers might differ.

use super::case::Case;
use crate::stage::{ORIGIN, vkey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use signed_note::{Note, StandardSigner};
use std::fs;
use std::os::unix::fs::symlink;

pub(super) fn link(case: &Case, name: &str) {
    fs::rename(case.path(name), case.path("aside")).unwrap();
    symlink(case.path("aside"), case.path(name)).unwrap();
}

pub(super) fn pipe(case: &Case, name: &str) {
    case.remove(name);
    mknodat(CWD, case.path(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

pub(super) fn folder(case: &Case, name: &str) {
    case.remove(name);
    fs::create_dir(case.path(name)).unwrap();
}

pub(super) fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

/// A newest checkpoint that the log's key signed, whatever it says.
pub(super) fn sign_text(case: &Case, size: &str, root: &str) {
    let verifier = vkey().to_string();
    let id = verifier.split('+').nth(1).unwrap();
    let seed = STANDARD.encode([&[1][..], &[7; 32]].concat());
    let signer = StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{id}+{seed}")).unwrap();
    let mut note = Note::new(format!("{ORIGIN}\n{size}\n{root}\n").as_bytes(), &[]).unwrap();
    note.add_sigs(&[&signer]).unwrap();
    fs::write(case.path("checkpoint"), note.to_bytes()).unwrap();
}

/// An unsigned record that says that what is before `number` was pruned.
pub(super) fn prune_said(case: &Case, number: &str) {
    case.replace(690, "\"call\"", &format!("\"prune\",\"before_seq\":{number}"));
    case.chain();
}

/// The first tile is not full: 100 leaves under this name.
pub(super) fn partial_tile(case: &Case, name: &str) {
    if case.path("tile").exists() {
        let bytes = fs::read(case.path("tile/0/000")).unwrap();
        case.remove("tile/0/000");
        fs::create_dir(case.path("tile/0/000.p")).unwrap();
        fs::write(case.path("tile/0/000.p").join(name), &bytes[..3200]).unwrap();
    }
}

pub(super) fn link_tile(case: &Case) {
    if case.path("tile").exists() {
        link(case, "tile/0/000");
    }
}
