//! Checkpoints: what is synced gets signed, the newest replaced, older ones kept. Writes the tiles that got full.

use super::load::MOST_IN_CHECKPOINT;
use super::{Signed, Writing};
use crate::checkpoint::Checkpoint;
use crate::fault::Fault;
use crate::files;
use crate::tree::WIDTH;

/// The most bytes of the file with all that are kept: more than ten years of one an hour. A verifier holds it in memory.
pub(crate) const MOST_IN_KEPT: u64 = 32 << 20;

impl Writing<'_> {
    /// Syncs, signs what there is, and puts it in place of the newest checkpoint. Returns the signed text.
    pub fn checkpoint(&mut self) -> Result<&str, Fault> {
        self.sync()?;
        self.write_tiles();
        let checkpoint = Checkpoint { size: self.log.size(), root: self.log.root() };
        if checkpoint != self.log.signed.checkpoint {
            let text = checkpoint.sign(&self.log.key);
            let path = self.log.path("checkpoint");
            files::replace(&path, text.as_bytes()).map_err(Fault::io("write", &path))?;
            self.log.signed = Signed { text, checkpoint };
        }
        // Given up when the disk was full, and there may be space again.
        let _ = self.log.reserve.take();
        Ok(&self.log.signed.text)
    }

    /// The same, and keeps it for good in `checkpoints`.
    pub fn keep_checkpoint(&mut self) -> Result<&str, Fault> {
        self.checkpoint()?;
        let path = self.log.path("checkpoints");
        let text = &self.log.signed.text;
        let keep = || {
            let kept = files::read_text(&path, MOST_IN_KEPT)?.unwrap_or_default();
            // One more than fits would leave none that can be read.
            let is_full = (kept.len() + text.len()) as u64 > MOST_IN_KEPT;
            if is_full || kept.ends_with(text) {
                return Ok(());
            }
            files::replace(&path, (kept + text).as_bytes())
        };
        keep().map_err(Fault::io("write", &path))?;
        Ok(text)
    }

    /// Tiles are derived, so that one that cannot be written is no fault: it is tried again at the next checkpoint.
    fn write_tiles(&mut self) {
        let mut full = self.log.state.tree.take_full();
        let open = self.log.size() / WIDTH as u64;
        let lowest = full.iter().filter(|tile| tile.level == 0).map(|tile| tile.index).min().unwrap_or(open);
        let kept_from = self.kept_from(lowest * WIDTH as u64);
        let (tiles, tree) = (&self.log.tiles, &mut self.log.state.tree);
        full.retain(|tile| tiles.write_full(tile, kept_from).is_err());
        tree.give_back(full);
        let _ = tiles.write_partial(open, tree.open_leaves(), kept_from);
    }

    /// The first record that was not pruned, if a record from `seq` on can have been: the segment that is written to
    /// stays, so that as a rule no folder is listed.
    fn kept_from(&self, seq: u64) -> u64 {
        let current = self.log.segment.as_ref().map_or(0, |segment| segment.first);
        if seq >= current {
            return 0;
        }
        self.log.segments().map_or(current, |firsts| firsts.first().copied().unwrap_or(0))
    }

    /// Gives up the space that was kept, so that a security act can be recorded on a full disk.
    pub fn release_reserve(&mut self) -> Result<(), Fault> {
        let path = self.log.path("reserve");
        self.log.reserve.release().map_err(Fault::io("give up", &path))
    }

    /// The newest checkpoint as it stands in the folder's file, whatever it says.
    pub(super) fn stands(dir: &std::path::Path) -> Option<String> {
        files::read_text(&dir.join("checkpoint"), MOST_IN_CHECKPOINT).ok().flatten()
    }
}
