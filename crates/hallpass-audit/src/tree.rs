//! The tree while it grows: its frontier, and the tiles that get full. Reads and writes no file.

use crate::frontier::Frontier;
use crate::hash::Hash;

/// How many hashes a full tile holds, and by how many levels of the tree one tile stands above another: 2 to the 8th.
pub(crate) const WIDTH: usize = 256;
const HEIGHT: u32 = 8;

/// A tile that is full and never changes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FullTile {
    pub(crate) level: u32,
    pub(crate) index: u64,
    pub(crate) hashes: Vec<Hash>,
}

/// A frontier that also collects tiles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    frontier: Frontier,
    /// What stands in the tile of each level that is not full yet.
    open: Vec<Vec<Hash>>,
    full: Vec<FullTile>,
}

impl Tree {
    /// That of `size` leaves, from the tile of each level that is not full yet.
    pub(crate) fn from_open_tiles(size: u64, open: Vec<Vec<Hash>>) -> Option<Self> {
        let mut peaks = Vec::new();
        for hashes in open.iter().rev() {
            peaks.extend(peaks_of(hashes));
        }
        Some(Self { frontier: Frontier::from_peaks(size, peaks)?, open, full: Vec::new() })
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The leaves of the last tile of leaves, if it is not full.
    pub(crate) fn open_leaves(&self) -> &[Hash] {
        self.open.first().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn append(&mut self, leaf: Hash) {
        let Self { frontier, open, full } = self;
        let size = frontier.size() + 1;
        frontier.append_and_tell(leaf, |height, hash| {
            if height % HEIGHT != 0 {
                return;
            }
            let level = height / HEIGHT;
            let at = level as usize;
            if open.len() <= at {
                open.push(Vec::new());
            }
            open[at].push(hash);
            if open[at].len() == WIDTH {
                let index = (size >> (HEIGHT * (level + 1))) - 1;
                full.push(FullTile { level, index, hashes: std::mem::take(&mut open[at]) });
            }
        });
    }

    /// The tiles that got full since this was asked last.
    pub(crate) fn take_full(&mut self) -> Vec<FullTile> {
        std::mem::take(&mut self.full)
    }

    /// Those that could not be written: for the next time.
    pub(crate) fn give_back(&mut self, tiles: Vec<FullTile>) {
        let newer = std::mem::replace(&mut self.full, tiles);
        self.full.extend(newer);
    }
}

/// The full subtrees over neighbours of one height, largest first.
fn peaks_of(hashes: &[Hash]) -> Vec<Hash> {
    let mut rest = hashes;
    let mut peaks = Vec::new();
    while !rest.is_empty() {
        let (first, others) = rest.split_at(1 << rest.len().ilog2());
        peaks.push(over(first));
        rest = others;
    }
    peaks
}

/// The root over a power of two of neighbours.
pub(crate) fn over(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Hash::of_empty_tree(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            Hash::of_node(&over(left), &over(right))
        }
    }
}
