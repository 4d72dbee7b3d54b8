//! What other processes appended since this one last looked. Reads only what is new.

use super::load::{Collected, MOST_IN_CHECKPOINT};
use super::{Log, Pending, Signed, Writing};
use crate::checkpoint::Checkpoint;
use crate::fault::Fault;
use crate::files;
use crate::segments::{Lines, Place};
use crate::verify::claims::{Claims, Source};
use crate::verify::walk::{Walked, walk};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt};

impl Writing<'_> {
    /// Makes what is in memory what is on the disk, after whatever happened since.
    pub(super) fn catch_up(&mut self) -> Result<(), Fault> {
        self.mend()?;
        if self.log.trouble.stale || self.log.is_replaced()? {
            return self.read_again();
        }
        let signed = self.log.newly_signed()?;
        let (before, from) = (self.log.size(), self.log.place());
        if self.log.has_grown()? {
            // While what it is part of is still at hand.
            self.sync()?;
        }
        let read = self.read_on(signed.as_ref());
        // Half of something new is in memory then.
        self.log.trouble.stale = read.is_err();
        read?;
        if self.log.size() != before {
            self.sync_what_others_wrote(before, from)?;
        }
        if let Some(signed) = signed {
            self.log.signed = signed;
        }
        Ok(())
    }

    fn read_again(&mut self) -> Result<(), Fault> {
        self.log.trouble.stale = true;
        let (known, synced) = (self.log.signed.text.clone(), self.log.synced);
        let recoveries = self.log.load(Some(&known), self.now_ms)?;
        self.recoveries.extend(recoveries);
        if self.log.size() < synced {
            self.log.synced = synced;
            let why = format!("{synced} records were written and {} are there", self.log.size());
            return Err(Fault::Damaged { seq: self.log.size(), why });
        }
        self.log.trouble.stale = false;
        Ok(())
    }

    /// What others left unsynced is synced before anything is built on it. If that fails it is written again to a new
    /// file, as one's own would be. `seq` and `from`: where it begins.
    fn sync_what_others_wrote(&mut self, seq: u64, from: Option<Place>) -> Result<(), Fault> {
        let Some(segment) = &self.log.segment else { return Ok(()) };
        let Err(error) = self.log.medium.sync(&segment.file) else {
            self.log.synced = self.log.size();
            return Ok(());
        };
        let from = from.filter(|place| place.segment == segment.first);
        let (seq, offset) = from.map_or((segment.first, 0), |place| (seq, place.offset));
        let mut bytes = vec![0; usize::try_from(segment.length - offset).unwrap_or_default()];
        if let Err(error) = segment.file.read_exact_at(&mut bytes, offset) {
            let path = self.log.segment_path(segment.first);
            (self.log.trouble.stale, self.log.trouble.spent) = (true, true);
            return Err(Fault::Io { doing: "read", path, error });
        }
        let path = self.log.segment_path(segment.first);
        // What cannot be moved stays where it is: its writer may have been told that it is there.
        let moved = self.move_to_new(&Pending { seq, offset, bytes }, &error);
        if moved.is_err() {
            self.log.trouble.cut = None;
        }
        moved.map_err(|_| Fault::Io { doing: "sync", path, error })
    }

    fn read_on(&mut self, signed: Option<&Signed>) -> Result<(), Fault> {
        let claims = signed.map(|signed| (signed.checkpoint, Source::Log));
        let mut claims = Claims::new(claims);
        let root = self.log.root();
        claims.reach(self.log.size(), || root);
        loop {
            if let Some(place) = self.log.grown()? {
                self.read_segment(place, &mut claims)?;
            }
            let next = self.log.size();
            let is_new = self.log.segment.as_ref().is_none_or(|segment| segment.first != next);
            if !is_new || !self.log.segment_path(next).exists() {
                break;
            }
            self.log.segment = Some(self.log.open_segment(Place { segment: next, offset: 0 })?);
        }
        let held = claims.held(|_| true).unwrap_or(0);
        if claims.first_broken().is_some() || held < claims.largest() {
            return Err(Fault::Conflict { size: claims.largest(), records: self.log.size() });
        }
        Ok(())
    }

    fn read_segment(&mut self, place: Place, claims: &mut Claims) -> Result<(), Fault> {
        let state = std::mem::take(&mut self.log.state);
        let mut tiles = Collected::default();
        let lines = Lines::from_place(&self.log.dir, place).map_err(self.log.unreadable())?;
        let Walked { state, place, broken, bytes_behind } =
            walk(lines, state, claims, &mut tiles).map_err(self.log.unreadable())?;
        self.log.state = state;
        self.log.state.tree.give_back(tiles.0);
        if let Some(broken) = broken {
            if !broken.is_last || broken.at < claims.largest() {
                return Err(Fault::Damaged { seq: broken.blame, why: broken.why.to_string() });
            }
            let torn = self.log.cut_aside(broken.at, broken.place, bytes_behind, self.now_ms)?;
            self.recoveries.push(torn);
        }
        if let Some(segment) = &mut self.log.segment {
            segment.length = place.offset;
        }
        Ok(())
    }
}

impl Log {
    /// The checkpoint on the disk, if it is another than this process knows of.
    fn newly_signed(&self) -> Result<Option<Signed>, Fault> {
        let path = self.path("checkpoint");
        let text = files::read_text(&path, MOST_IN_CHECKPOINT).map_err(Fault::io("read", &path))?;
        let text = text.unwrap_or_default();
        if text == self.signed.text {
            return Ok(None);
        }
        let checkpoint = Checkpoint::open(&text, &self.key.verifier()).map_err(Fault::Checkpoint)?;
        if checkpoint.size < self.size() {
            return Err(Fault::Conflict { size: self.signed.checkpoint.size, records: checkpoint.size });
        }
        Ok(Some(Signed { text, checkpoint }))
    }

    /// Whether another process appended.
    fn has_grown(&self) -> Result<bool, Fault> {
        Ok(self.grown()?.is_some() || self.segment_path(self.size()).exists())
    }

    /// Whether the end of the segment is not the one that this process wrote or read: another one could not sync it, cut
    /// it off and wrote it to a new file, or pruned it. What was synced has to be there still.
    fn is_replaced(&self) -> Result<bool, Fault> {
        let Some(segment) = &self.segment else { return Ok(false) };
        let path = self.segment_path(segment.first);
        let meta = match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
            meta => meta.map_err(Fault::io("look at", &path))?,
        };
        let is_cut = meta.ino() != segment.inode || meta.len() < segment.length;
        Ok(is_cut || self.half_rescued(self.size()).is_some())
    }

    fn place(&self) -> Option<Place> {
        self.segment.as_ref().map(|segment| Place { segment: segment.first, offset: segment.length })
    }

    /// Where to read on in the segment, if it got longer.
    fn grown(&self) -> Result<Option<Place>, Fault> {
        let Some(place) = self.place() else { return Ok(None) };
        let path = self.segment_path(place.segment);
        let meta = fs::metadata(&path).map_err(Fault::io("look at", &path))?;
        Ok(Some(place).filter(|place| meta.len() > place.offset))
    }
}
