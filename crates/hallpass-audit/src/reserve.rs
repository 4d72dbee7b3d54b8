//! Space that is kept for security acts: a file of nothing that is given up when the disk is full.

use crate::files;
use rustix::fs::FallocateFlags;
use std::io;
use std::path::{Path, PathBuf};

const MOST: u64 = 8 << 20;

#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    pub(crate) fn of(log: &Path) -> Self {
        Self { path: log.join("reserve") }
    }

    /// Whether the space is there.
    pub(crate) fn is_held(&self) -> bool {
        self.path.metadata().is_ok_and(|meta| meta.len() > 0)
    }

    /// Gives the space up.
    pub(crate) fn release(&self) -> io::Result<()> {
        files::open_to_write(&self.path)?.set_len(0)
    }

    /// Takes the space if it is not held and as much again stays free.
    pub(crate) fn take(&self) -> io::Result<()> {
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
