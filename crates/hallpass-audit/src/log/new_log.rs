//! How a log begins: with a record that says what it is, and what came before it if that was closed.

use super::{Log, Opening, Recovery, Writing, ask};
use crate::fault::Fault;
use crate::files;
use crate::lock::Lock;
use crate::medium::Disk;
use crate::note::LogKey;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct First<'a> {
    at_ms: i64,
    kind: &'a str,
    outcome: &'a str,
    origin: &'a str,
    vkey: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    former: Option<&'a str>,
}

impl Log {
    /// Closes the log in `dir`, whatever state it is in: moves it aside and begins another, which names the old one's
    /// last checkpoint. Says where the old one is now.
    pub fn begin_new(
        dir: &Path,
        key: LogKey,
        how: Opening<'_>,
    ) -> Result<(Self, Vec<Recovery>, PathBuf), Fault> {
        let lock = Lock::of(dir).map_err(Fault::io("open", dir))?;
        ask(&lock, dir, how.patience)?;
        let former = how.last_signed.map(str::to_owned).or_else(|| Writing::stands(dir));
        let closed = closed_name(dir, how.now_ms);
        if closed.exists() {
            return Err(Fault::io("move the log to", &closed)(std::io::ErrorKind::AlreadyExists.into()));
        }
        let moved = fs::rename(dir, &closed).and_then(|()| files::sync_folder_of(dir));
        moved.map_err(Fault::io("move the log to", &closed))?;
        let how = Opening { last_signed: None, ..how };
        let (log, recoveries) = Self::open_after(former.as_deref(), Box::new(Disk), dir, key, how)?;
        Ok((log, recoveries, closed))
    }
}

fn closed_name(dir: &Path, now_ms: i64) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(format!("-closed-{}", now_ms.div_euclid(1000)));
    dir.with_file_name(name)
}

impl Writing<'_> {
    /// Writes the first record, if there is none yet.
    pub(super) fn begin_log(&mut self, former: Option<&str>) -> Result<(), Fault> {
        if self.log.size() > 0 {
            return Ok(());
        }
        let first = First {
            at_ms: self.now_ms,
            kind: "log",
            outcome: "done",
            origin: self.log.key.name(),
            vkey: self.log.key.verifier().to_string(),
            former,
        };
        let body = serde_json::to_string(&first).unwrap_or_default();
        self.append(&[body])?;
        self.checkpoint().map(drop)
    }
}
