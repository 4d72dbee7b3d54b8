//! What is done when syncing failed: the kernel may have dropped what was written, and says so only once.
//! So the file's end is cut off, never synced again, and the records are written to a new one.

use super::{DAY_MS, Log, Pending, Recovery, Segment, Writing};
use crate::fault::Fault;
use crate::files;
use crate::medium::write_all;
use crate::segments::Place;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

impl Writing<'_> {
    /// One's own records, which nobody was told of yet.
    pub(super) fn rescue(&mut self, error: io::Error) -> Result<(), Fault> {
        let pending = std::mem::take(&mut self.log.pending);
        let seq = pending.seq;
        if self.move_to_new(&pending, &error).is_ok() {
            return Ok(());
        }
        // Nothing may be built on what the disk may not have. Tried again at the next start if it fails.
        self.log.trouble.cut = self.log.trouble.cut.or(Some(self.ends_of(&pending)));
        let _ = self.cut_off();
        Err(Fault::Lost { seq, error })
    }

    /// The records are in a new segment afterwards, or the log has to be read again.
    pub(super) fn move_to_new(&mut self, pending: &Pending, error: &io::Error) -> io::Result<()> {
        self.log.trouble.spent = true;
        let moved = self.moved(pending);
        self.log.trouble.stale = moved.is_err();
        self.log.segment = Some(moved?);
        self.log.synced = self.log.size();
        self.log.trouble.spent = false;
        self.recoveries.push(Recovery::SyncFailed { seq: pending.seq, error: error.to_string() });
        Ok(())
    }

    /// Where they begin in the old segment, and where they end.
    fn ends_of(&self, pending: &Pending) -> (Place, u64) {
        let segment = self.log.segment.as_ref().map_or(0, |segment| segment.first);
        (Place { segment, offset: pending.offset }, pending.offset + pending.bytes.len() as u64)
    }

    /// They are in the new file before they are cut off the old one, and that takes its name last: a crash in between
    /// leaves it to be found ([`Log::half_rescued`]), and no record stands in two segments.
    fn moved(&mut self, pending: &Pending) -> io::Result<Segment> {
        let (place, end) = self.ends_of(pending);
        if self.is_followed(place, end)? {
            return Err(io::Error::other("another process appended behind them"));
        }
        let path = self.log.segment_path(pending.seq);
        let beside = files::beside(&path);
        let written = self.written(&beside, &pending.bytes).and_then(|file| {
            self.log.trouble.cut = Some((place, end));
            self.cut_off()?;
            Ok(file)
        });
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        let file = written?;
        fs::rename(&beside, &path)?;
        files::sync_folder_of(&path)?;
        let day = Some(self.now_ms.div_euclid(DAY_MS));
        Segment::of(pending.seq, file, pending.bytes.len() as u64, day)
    }

    fn written(&self, path: &Path, bytes: &[u8]) -> io::Result<File> {
        let file = files::open_to_write(path)?;
        file.set_len(0)?;
        write_all(&*self.log.medium, &file, bytes, 0)?;
        self.log.medium.sync(&file)?;
        files::sync_folder_of(path)?;
        Ok(file)
    }

    /// Whether another process appended behind them, to the same file or to the next: it synced them by then, or wrote
    /// them again, and they are not ours to cut off.
    fn is_followed(&self, place: Place, end: u64) -> io::Result<bool> {
        let next = self.log.size();
        let is_in_next = next != place.segment && self.log.segment_path(next).exists();
        Ok(is_in_next || fs::metadata(self.log.segment_path(place.segment))?.len() > end)
    }

    fn cut_off(&mut self) -> io::Result<()> {
        let Some((place, end)) = self.log.trouble.cut else { return Ok(()) };
        let path = self.log.segment_path(place.segment);
        // Pruned by another process, which synced or rewrote it before. Opening it to write would make it again.
        if !path.try_exists()? {
            self.log.trouble.cut = None;
            return Ok(());
        }
        let file = files::open_to_write(&path)?;
        if !self.is_followed(place, end)? && file.metadata()?.len() == end {
            self.log.medium.cut(&file, place.offset)?;
        }
        self.log.trouble.cut = None;
        Ok(())
    }

    /// Cuts off what could not be cut off when it should have been.
    pub(super) fn mend(&mut self) -> Result<(), Fault> {
        let Some((place, _)) = self.log.trouble.cut else { return Ok(()) };
        let path = self.log.segment_path(place.segment);
        self.cut_off().map_err(Fault::io("cut the end off", &path))
    }
}

impl Log {
    /// A file of records that were rescued by a process that died before it could give it its name.
    pub(super) fn half_rescued(&self, size: u64) -> Option<PathBuf> {
        let beside = files::beside(&self.segment_path(size));
        fs::metadata(&beside).is_ok_and(|meta| meta.len() > 0).then_some(beside)
    }
}
