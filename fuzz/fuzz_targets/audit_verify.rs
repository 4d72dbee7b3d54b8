//! The files of an audit log after whatever edits: what the verifier vouches for is what was written.
//! The property is the one that the tests hold against generated edits.
#![no_main]

#[path = "../../crates/hallpass-audit/tests/audit/property.rs"]
mod property;

use property::Sample;
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));
static SAMPLE: LazyLock<Sample> = LazyLock::new(|| Sample::new(&FOLDER.path().join("sample")));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    property::tampered(&SAMPLE, &FOLDER.path().join("copy"), data);
});
