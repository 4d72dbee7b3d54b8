//! A log in a folder of its own, and what the tests do to it.

use hallpass_audit::{Log, LogKey, Opening, Recovery, VerifierKey};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const ORIGIN: &str = "hallpass.local/test/main";
pub(crate) const NOW: i64 = 1_795_651_200_000;
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn key() -> LogKey {
    LogKey::from_seed(ORIGIN, &[7; 32]).unwrap()
}

pub(crate) fn vkey() -> VerifierKey {
    key().verifier()
}

pub(crate) fn opening<'a>() -> Opening<'a> {
    Opening { node: "main", now_ms: NOW, last_signed: None, patience: PATIENCE }
}

pub(crate) fn call(number: usize) -> String {
    format!(r#"{{"at_ms":{},"kind":"call","outcome":"ok","client":"c{}","tool":"echo"}}"#, NOW, number % 7)
}

pub(crate) fn calls(count: usize) -> Vec<String> {
    (0..count).map(call).collect()
}

pub(crate) struct Stage {
    _temp: TempDir,
    pub(crate) dir: PathBuf,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("audit");
        Self { _temp: temp, dir }
    }

    pub(crate) fn open(&self) -> (Log, Vec<Recovery>) {
        Log::open(&self.dir, key(), opening()).unwrap()
    }

    pub(crate) fn opened(&self) -> Log {
        let (log, recoveries) = self.open();
        assert_eq!(recoveries, []);
        log
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        files_in(&self.dir.join("segments"))
    }

    /// The only segment, or the newest.
    pub(crate) fn segment(&self) -> PathBuf {
        self.segments().pop().unwrap()
    }
}

pub(crate) fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Appends so many calls and syncs them.
pub(crate) fn append(log: &mut Log, count: usize) {
    let mut writing = log.begin(NOW, PATIENCE).unwrap();
    writing.append(&calls(count)).unwrap();
    writing.sync().unwrap();
}

pub(crate) fn sign(log: &mut Log) -> String {
    log.begin(NOW, PATIENCE).unwrap().checkpoint().unwrap().to_owned()
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
