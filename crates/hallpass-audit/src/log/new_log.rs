//! How a log begins: with a record that says what it is, and what came before it if that was closed.

use super::{Log, Opening, Recovery, Writing, check_node, locked};
use crate::fault::Fault;
use crate::files;
use crate::lock::Lock;
use crate::medium::Disk;
use crate::note::LogKey;
use serde::Serialize;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
        check_node(how.node)?;
        // Until the new one stands: who waits for it is told then that the log was closed.
        let _old = locked(dir, how.patience)?;
        let former = how.last_signed.map(str::to_owned).or_else(|| Writing::stands(dir));
        let closed = closed_name(dir, how.now_ms);
        if closed.exists() {
            return Err(Fault::io("move the log to", &closed)(ErrorKind::AlreadyExists.into()));
        }
        let lock = put_new(dir, &closed, how.patience)?;
        let how = Opening { last_signed: None, ..how };
        let (log, recoveries) = Self::open_held(former.as_deref(), lock, Box::new(Disk), dir, key, how)?;
        Ok((log, recoveries, closed))
    }
}

/// Puts an empty folder in the place of the log, which is called `closed` afterwards. The folder is locked before anybody
/// can find it there: whoever comes in between would begin a log that does not name the former.
fn put_new(dir: &Path, closed: &Path, patience: Duration) -> Result<Lock, Fault> {
    let moving = || Fault::io("move the log to", closed);
    files::make_folders(closed).map_err(Fault::io("make", closed))?;
    let lock = locked(closed, patience)?;
    let exchanged = files::exchange(dir, closed);
    if exchanged.is_err() {
        lock.remove().and_then(|()| fs::remove_dir(closed)).map_err(moving())?;
    }
    let lock = match exchanged {
        Ok(()) => lock.moved_to(dir),
        Err(error) if is_for_lack_of_it(&error) => {
            fs::rename(dir, closed).map_err(moving())?;
            files::make_folders(dir).map_err(Fault::io("make", dir))?;
            locked(dir, patience)?
        }
        Err(error) => return Err(moving()(error)),
    };
    files::sync_folder_of(dir).map_err(moving())?;
    Ok(lock)
}

/// Some disks cannot let two folders change places.
fn is_for_lack_of_it(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported)
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
        // What is synced in a folder is lost with it if the folder was not.
        let (dir, segments) = (&self.log.dir, self.log.path("segments"));
        let synced = files::sync_folder_of(dir).and_then(|()| files::sync_folder_of(&segments));
        synced.map_err(Fault::io("sync", dir))?;
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
