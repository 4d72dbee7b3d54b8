//! Appending, while no other process does: groups of records, each group one write, synced when asked.

use super::{DAY_MS, Log, MOST_IN_SEGMENT, Pending, Recovery, Segment};
use crate::fault::Fault;
use crate::files;
use crate::hash::Hash;
use crate::medium::write_all;
use crate::record;
use std::fs;
use std::ops::Range;

/// The log, held for oneself. Dropping it lets others in, who sync what they find that is not synced yet.
#[derive(Debug)]
pub struct Writing<'a> {
    pub(super) log: &'a mut Log,
    pub(super) now_ms: i64,
    pub(super) recoveries: Vec<Recovery>,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.log.is_kept {
            self.log.lock.release();
        }
    }
}

impl<'a> Writing<'a> {
    pub(super) fn held(log: &'a mut Log, now_ms: i64) -> Self {
        log.is_kept = false;
        Self { log, now_ms, recoveries: Vec::new() }
    }

    /// What a crash or the disk did meanwhile. To be recorded.
    pub fn take_recoveries(&mut self) -> Vec<Recovery> {
        std::mem::take(&mut self.recoveries)
    }

    /// Ends writing without letting others in, for more that comes at once. Whoever does this must soon write again, or
    /// [`Log::let_go`]: the next [`Log::begin`] lets others in if they wait, and nothing else does.
    pub fn keep(self) {
        self.log.is_kept = true;
    }

    /// How many records there are.
    pub fn size(&self) -> u64 {
        self.log.size()
    }

    /// The first record of each segment, oldest first.
    pub fn segments(&self) -> Result<Vec<u64>, Fault> {
        self.log.segments()
    }

    /// Appends events, each a JSON object, as one write, and says which records they are. Not synced yet.
    /// If it fails nothing of them is in the log.
    pub fn append(&mut self, bodies: &[impl AsRef<str>]) -> Result<Range<u64>, Fault> {
        self.check_usable()?;
        let group = self.sealed(bodies)?;
        let from = self.log.size();
        if group.leaves.is_empty() {
            return Ok(from..from);
        }
        if self.wants_new_segment(group.bytes.len() as u64) {
            self.append_to_new_segment(&group)?;
        } else {
            self.append_to_segment(&group)?;
        }
        for leaf in group.leaves {
            self.log.state.tree.append(leaf);
            self.log.state.last = leaf;
        }
        Ok(from..self.log.size())
    }

    /// What is in memory may not be signed or appended to when it is not what is in the file.
    fn check_usable(&self) -> Result<(), Fault> {
        if self.log.trouble.stale { Err(Fault::Stale) } else { Ok(()) }
    }

    fn sealed(&self, bodies: &[impl AsRef<str>]) -> Result<Group, Fault> {
        let mut group = Group { bytes: Vec::new(), leaves: Vec::with_capacity(bodies.len()) };
        let mut prev = self.log.state.last;
        for (seq, body) in (self.log.size()..).zip(bodies) {
            let line = record::seal(seq, &prev, &self.log.node, body.as_ref()).map_err(Fault::Record)?;
            prev = Hash::of_leaf(line.as_bytes());
            group.leaves.push(prev);
            group.bytes.extend_from_slice(line.as_bytes());
            group.bytes.push(b'\n');
        }
        Ok(group)
    }

    fn today(&self) -> i64 {
        self.now_ms.div_euclid(DAY_MS)
    }

    fn wants_new_segment(&self, bytes: u64) -> bool {
        let Some(segment) = &self.log.segment else { return true };
        let is_over = segment.length + bytes > MOST_IN_SEGMENT
            // A clock that was put back makes no new day.
            || segment.day.is_some_and(|day| day < self.today());
        self.log.trouble.spent || (segment.length > 0 && is_over)
    }

    fn append_to_segment(&mut self, group: &Group) -> Result<(), Fault> {
        let seq = self.log.size();
        let Log { segment: Some(segment), medium, pending, trouble, .. } = &mut *self.log else {
            return Ok(());
        };
        if let Err(error) = write_all(&**medium, &segment.file, &group.bytes, segment.length) {
            // What was written of it is in the way of the next.
            if medium.cut(&segment.file, segment.length).is_err() {
                // A torn end like any other for whoever comes next.
                trouble.stale = true;
            }
            let path = self.log.segment_path(self.log.segment.as_ref().map_or(0, |segment| segment.first));
            return Err(Fault::Io { doing: "write to", path, error });
        }
        if pending.bytes.is_empty() {
            (pending.seq, pending.offset) = (seq, segment.length);
        }
        pending.bytes.extend_from_slice(&group.bytes);
        segment.length += group.bytes.len() as u64;
        segment.day = segment.day.or(Some(self.now_ms.div_euclid(DAY_MS)));
        Ok(())
    }

    /// The old one is finished first: synced, signed, its checkpoint kept.
    fn append_to_new_segment(&mut self, group: &Group) -> Result<(), Fault> {
        self.sync()?;
        if !self.log.trouble.spent && self.log.segment.is_some() {
            self.keep_checkpoint()?;
        }
        let new = self.log.new_segment(self.today())?;
        let former = self.log.segment.replace(new);
        let appended = self.append_to_segment(group);
        match appended {
            Ok(()) => self.log.trouble.spent = false,
            Err(_) => self.back_to(former),
        }
        appended
    }

    fn back_to(&mut self, former: Option<Segment>) {
        let empty = std::mem::replace(&mut self.log.segment, former);
        if let Some(empty) = empty.filter(|empty| !self.log.holds(empty.first)) {
            let _ = fs::remove_file(self.log.segment_path(empty.first));
        }
    }

    /// Returns once everything that was appended is on the disk.
    ///
    /// If the disk refuses, the records are written again to a new file. If that fails too nobody may count on them
    /// ([`Fault::Lost`]), and the log cannot be written to before the next [`Log::begin`].
    pub fn sync(&mut self) -> Result<(), Fault> {
        self.check_usable()?;
        if self.log.pending.bytes.is_empty() {
            return Ok(());
        }
        let Log { segment: Some(segment), medium, .. } = &*self.log else { return Ok(()) };
        match medium.sync(&segment.file) {
            Ok(()) => {
                self.log.pending = Pending::default();
                self.log.synced = self.log.size();
                Ok(())
            }
            Err(error) => self.rescue(error),
        }
    }
}

struct Group {
    bytes: Vec<u8>,
    leaves: Vec<Hash>,
}

impl Log {
    /// Takes the place of an empty one of that name, if there is one.
    fn new_segment(&self, today: i64) -> Result<Segment, Fault> {
        let first = self.size();
        let path = self.segment_path(first);
        let make = || {
            let beside = files::beside(&path);
            let file = files::open_to_write(&beside)?;
            file.set_len(0)?;
            fs::rename(&beside, &path)?;
            files::sync_folder_of(&path)?;
            Segment::of(first, file, 0, Some(today))
        };
        make().map_err(Fault::io("make", &path))
    }

    fn holds(&self, first: u64) -> bool {
        self.segment.as_ref().is_some_and(|segment| segment.first == first)
    }
}
