//! Who may append: one process at a time. The lock is the system's, so that it ends with the process.

use crate::files;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
    /// Whose turn is next: who waits holds this, and a process that writes without pause has to wait behind it.
    turn: File,
}

/// What became of asking for the lock.
pub(crate) enum Asked {
    Held,
    /// Another process has it.
    Busy {
        holder: Option<u32>,
    },
    /// This is the lock of a log that was moved away.
    Moved,
}

impl Lock {
    pub(crate) fn of(log: &Path) -> io::Result<Self> {
        let path = log.join("lock");
        let turn = files::open_to_write(&log.join("turn"))?;
        Ok(Self { file: files::open_to_write(&path)?, path, turn })
    }

    /// Takes its files away: nobody else has opened them.
    pub(crate) fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)?;
        std::fs::remove_file(self.path.with_file_name("turn"))
    }

    /// The same lock once its folder has that name.
    pub(crate) fn moved_to(self, log: &Path) -> Self {
        Self { path: log.join("lock"), ..self }
    }

    /// Asks for as long as `patience`.
    pub(crate) fn ask(&self, patience: Duration) -> io::Result<Asked> {
        // Tries are counted, so that no clock is asked.
        let mut tries = patience.as_millis() / PAUSE.as_millis();
        let mut asked = Ok(false);
        if try_for(&self.turn, &mut tries)? {
            asked = try_for(&self.file, &mut tries);
            let _ = rustix::fs::flock(&self.turn, FlockOperation::Unlock);
        }
        if asked? { self.held() } else { Ok(Asked::Busy { holder: self.holder() }) }
    }

    /// Whether another process waits. Asked by whoever holds the lock.
    pub(crate) fn is_wanted(&self) -> bool {
        if rustix::fs::flock(&self.turn, FlockOperation::NonBlockingLockExclusive).is_err() {
            return true;
        }
        let _ = rustix::fs::flock(&self.turn, FlockOperation::Unlock);
        false
    }

    fn held(&self) -> io::Result<Asked> {
        let named = match std::fs::metadata(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.release();
                return Err(error);
            }
            named => named.ok(),
        };
        let ours = self.file.metadata()?;
        if named.is_none_or(|named| (named.dev(), named.ino()) != (ours.dev(), ours.ino())) {
            self.release();
            return Ok(Asked::Moved);
        }
        // For whoever waits. A full disk does not matter for it.
        let _ = self.file.write_all_at(format!("{:>10}\n", std::process::id()).as_bytes(), 0);
        Ok(Asked::Held)
    }

    fn holder(&self) -> Option<u32> {
        let mut text = [0; 10];
        self.file.read_exact_at(&mut text, 0).ok()?;
        std::str::from_utf8(&text).ok()?.trim().parse().ok()
    }

    pub(crate) fn release(&self) {
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

fn try_for(file: &File, tries: &mut u128) -> io::Result<bool> {
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::INTR) => (),
            Err(Errno::WOULDBLOCK) if *tries == 0 => return Ok(false),
            Err(Errno::WOULDBLOCK) => {
                *tries -= 1;
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
