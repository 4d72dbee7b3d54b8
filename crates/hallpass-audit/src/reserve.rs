//! Space that is kept for security acts: a file of nothing that is given up when the disk is full.

use crate::files;
use rustix::fs::FallocateFlags;
use std::io;
use std::path::{Path, PathBuf};

const MOST: u64 = 8 << 20;
/// So little is soon gone.
const LITTLE: u64 = 512 << 10;

/// Space of a disk that is kept for what must still be written when the disk is full.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// The file `reserve` in that folder.
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.join("reserve") }
    }

    /// Whether the space is there.
    pub(crate) fn is_held(&self) -> bool {
        self.path.metadata().is_ok_and(|meta| meta.len() > 0)
    }

    /// Gives the space up.
    pub fn release(&self) -> io::Result<()> {
        files::open_to_write(&self.path)?.set_len(0)
    }

    /// Gives the space up if hardly any is left beside it.
    pub fn release_if_full(&self) -> io::Result<()> {
        let disk = rustix::fs::statvfs(self.path.parent().unwrap_or(&self.path))?;
        if self.is_held() && disk.f_bavail.saturating_mul(disk.f_frsize) < LITTLE {
            self.release()
        } else {
            Ok(())
        }
    }

    /// Takes the space if it is not held and as much again stays free.
    pub fn take(&self) -> io::Result<()> {
        if self.is_held() {
            return Ok(());
        }
        let file = files::open_to_write(&self.path)?;
        let disk = rustix::fs::fstatvfs(&file)?;
        let size = MOST.min(disk.f_blocks.saturating_mul(disk.f_frsize) / 8);
        if disk.f_bavail.saturating_mul(disk.f_frsize) < 2 * size {
            return Ok(());
        }
        let taken = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size);
        if taken.is_err() {
            // Not part of it: what is there is said to be all of it.
            file.set_len(0)?;
        }
        Ok(taken?)
    }
}
