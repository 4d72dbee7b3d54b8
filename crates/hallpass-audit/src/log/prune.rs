//! Takes old segments away. Their tiles and checkpoints stay, so that what is left can still be verified.

use super::Writing;
use crate::fault::Fault;
use crate::files;
use crate::reader::Reader;
use crate::record;
use std::fs;

impl Writing<'_> {
    /// Takes away the segments of which every record is before `before_seq`, and says which record is the first now.
    ///
    /// A record of kind `prune` with a member `before_seq` that covers them has to be appended first, or nothing is
    /// taken away: the verifier asks for it. It is signed before anything goes.
    pub fn prune(&mut self, before_seq: u64) -> Result<u64, Fault> {
        self.checkpoint()?;
        let firsts = self.log.segments()?;
        let due = firsts.iter().rposition(|first| *first <= before_seq).unwrap_or(0);
        let Some(stays) = firsts.get(due).copied().filter(|_| due > 0) else {
            return Ok(firsts.first().copied().unwrap_or(0));
        };
        self.check_said(stays)?;
        self.check_tiles()?;
        let folder = self.log.path("tile");
        self.log.tiles.sync_leaves(self.log.size()).map_err(Fault::io("sync", &folder))?;
        for first in &firsts[..due] {
            let path = self.log.segment_path(*first);
            fs::remove_file(&path).map_err(Fault::io("remove", &path))?;
        }
        let segments = self.log.segment_path(stays);
        files::sync_folder_of(&segments).map_err(Fault::io("sync", &segments))?;
        Ok(stays)
    }

    fn check_said(&self, stays: u64) -> Result<(), Fault> {
        let folder = self.log.path("segments");
        let mut reader = Reader::lines_from(&self.log.dir, stays).map_err(Fault::io("read", &folder))?;
        while let Some((_, line)) = reader.next_line().map_err(Fault::io("read", &folder))? {
            let members = record::members_of(line.as_bytes()).unwrap_or_default();
            if members.pruned_before.is_some_and(|before| before >= stays) {
                return Ok(());
            }
        }
        Err(Fault::Unsaid { before: stays })
    }

    /// The tiles alone have to give the signed root before what they stand for goes.
    fn check_tiles(&self) -> Result<(), Fault> {
        let size = self.log.size();
        let root = self.log.tiles.tree_of_leaves(size).map(|tree| tree.root());
        if root == Some(self.log.root()) {
            return Ok(());
        }
        let error = std::io::Error::other("the tiles do not give the signed root");
        Err(Fault::io("take segments away from", &self.log.dir)(error))
    }
}
