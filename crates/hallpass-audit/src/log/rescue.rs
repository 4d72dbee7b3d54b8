//! What is done when syncing failed: the kernel may have dropped what was written, and says so only once.
//! So the file's end is cut off, never synced again, and the records are written to a new one.

use super::{DAY_MS, Pending, Recovery, Segment, Writing};
use crate::fault::Fault;
use crate::files;
use crate::medium::write_all;
use crate::segments::Place;
use std::fs;
use std::io;

impl Writing<'_> {
    pub(super) fn rescue(&mut self, error: io::Error) -> Result<(), Fault> {
        let pending = std::mem::take(&mut self.log.pending);
        let seq = pending.seq;
        self.log.trouble.spent = true;
        let Ok(segment) = self.moved(&pending) else {
            self.log.trouble.stale = true;
            return Err(Fault::Lost { seq, error });
        };
        self.log.segment = Some(segment);
        self.log.trouble.spent = false;
        self.recoveries.push(Recovery::SyncFailed { seq, error: error.to_string() });
        Ok(())
    }

    /// Cuts the records off the old file first: no record may stand in two.
    fn moved(&mut self, pending: &Pending) -> io::Result<Segment> {
        let first = self.log.segment.as_ref().map_or(0, |segment| segment.first);
        let place = Place { segment: first, offset: pending.offset };
        let end = pending.offset + pending.bytes.len() as u64;
        if fs::metadata(self.log.segment_path(first))?.len() > end {
            return Err(io::Error::other("another process appended behind them"));
        }
        self.log.trouble.cut = Some((place, end));
        self.cut_off()?;
        let path = self.log.segment_path(pending.seq);
        let beside = files::beside(&path);
        let written = files::open_to_write(&beside).and_then(|file| {
            file.set_len(0)?;
            write_all(&*self.log.medium, &file, &pending.bytes, 0)?;
            self.log.medium.sync(&file)?;
            fs::rename(&beside, &path)?;
            files::sync_folder_of(&path)?;
            let day = Some(self.now_ms.div_euclid(DAY_MS));
            Segment::of(pending.seq, file, pending.bytes.len() as u64, day)
        });
        if written.is_err() {
            let _ = fs::remove_file(beside);
        }
        written
    }

    fn cut_off(&mut self) -> io::Result<()> {
        let Some((place, end)) = self.log.trouble.cut else { return Ok(()) };
        let file = files::open_to_write(&self.log.segment_path(place.segment))?;
        // Where others appended behind it meanwhile, it is theirs.
        if file.metadata()?.len() == end {
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
