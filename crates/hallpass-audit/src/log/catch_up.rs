//! What other processes appended since this one last looked. Reads only what is new.

use super::load::{Collected, MOST_IN_CHECKPOINT};
use super::{Log, Signed, Writing};
use crate::checkpoint::Checkpoint;
use crate::fault::Fault;
use crate::files;
use crate::segments::{Lines, Place};
use crate::verify::claims::{Claims, Source};
use crate::verify::walk::{Walked, walk};
use std::fs;
use std::os::unix::fs::MetadataExt;

impl Writing<'_> {
    /// Makes what is in memory what is on the disk, after whatever happened since.
    pub(super) fn catch_up(&mut self) -> Result<(), Fault> {
        self.mend()?;
        if self.log.trouble.stale {
            let known = self.log.signed.text.clone();
            let recoveries = self.log.load(Some(&known), self.now_ms)?;
            self.recoveries.extend(recoveries);
            self.log.trouble.stale = false;
            return Ok(());
        }
        let signed = self.log.newly_signed()?;
        let before = self.log.size();
        if self.log.has_grown()? {
            // While what it is part of is still at hand.
            self.sync()?;
        }
        let read = self.read_on(signed.as_ref());
        // Half of something new is in memory then.
        self.log.trouble.stale = read.is_err();
        read?;
        if self.log.size() != before {
            self.log.sync_what_others_wrote()?;
        }
        if let Some(signed) = signed {
            self.log.signed = signed;
        }
        Ok(())
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
    fn has_grown(&mut self) -> Result<bool, Fault> {
        Ok(self.grown()?.is_some() || self.segment_path(self.size()).exists())
    }

    /// Where to read on in the segment, if it got longer.
    fn grown(&mut self) -> Result<Option<Place>, Fault> {
        let Some(segment) = &self.segment else { return Ok(None) };
        let path = crate::segments::path(&self.dir, segment.first);
        let meta = fs::metadata(&path).map_err(Fault::io("look at", &path))?;
        let place = Place { segment: segment.first, offset: segment.length };
        if meta.ino() != segment.inode && segment.length == 0 {
            // Another process found that it could not be synced and put a new one in its place.
            self.segment = Some(self.open_segment(place)?);
        } else if meta.ino() != segment.inode || meta.len() < segment.length {
            return Err(self.judged(Some(self.signed.checkpoint)));
        }
        Ok(Some(place).filter(|place| meta.len() > place.offset))
    }

    fn sync_what_others_wrote(&mut self) -> Result<(), Fault> {
        let Some(segment) = &self.segment else { return Ok(()) };
        let first = segment.first;
        let synced = self.medium.sync(&segment.file).map_err(self.unsynced(first));
        if synced.is_err() {
            self.trouble.stale = true;
            self.trouble.spent = true;
        }
        synced
    }
}
