//! Tiles as files, in the layout that C2SP describes. Derived: what they say counts once it gives a signed root.

use crate::files;
use crate::hash::Hash;
use crate::record::number;
use crate::tree::{FullTile, Tree, WIDTH, over};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Whether a tile has to be on the disk before what it replaces goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    /// Nothing else tells what it tells: records that it stands for were pruned.
    Synced,
    /// It can be made again.
    Unsynced,
}

/// The tiles of one log.
#[derive(Clone, Debug)]
pub(crate) struct Tiles {
    folder: PathBuf,
}

impl Tiles {
    pub(crate) fn of(log: &Path) -> Self {
        Self { folder: log.join("tile") }
    }

    /// A full tile, if it is there and as long as it has to be.
    pub(crate) fn full(&self, level: u32, index: u64) -> Option<Vec<Hash>> {
        read(&self.path(level, index), WIDTH)
    }

    /// A full tile as it stands there, whatever it says; none if there is no such file.
    pub(crate) fn full_or_bad(&self, level: u32, index: u64) -> Option<Vec<Hash>> {
        let path = self.path(level, index);
        if path.exists() { Some(read(&path, WIDTH).unwrap_or_default()) } else { None }
    }

    /// The first `count` leaves of a tile of leaves: from the full one, or from one that was not full yet.
    pub(crate) fn leaves(&self, index: u64, count: usize) -> Option<Vec<Hash>> {
        if count == 0 {
            return Some(Vec::new());
        }
        let mut hashes = self.full(0, index).or_else(|| self.partial(index, count))?;
        hashes.truncate(count);
        Some(hashes)
    }

    fn partial(&self, index: u64, count: usize) -> Option<Vec<Hash>> {
        let folder = self.partial_folder(index);
        let width = widths(&folder).into_iter().filter(|width| *width >= count).min()?;
        read(&folder.join(width.to_string()), width)
    }

    /// The same, or as many as there are: the folder may have been filled by anybody, so it is listed once.
    fn most_leaves(&self, index: u64, count: usize) -> Vec<Hash> {
        if let Some(mut hashes) = self.full(0, index) {
            hashes.truncate(count);
            return hashes;
        }
        let folder = self.partial_folder(index);
        let mut widths = widths(&folder);
        widths.sort_unstable();
        let wide = widths.partition_point(|width| *width < count);
        let best = widths.get(wide).into_iter().chain(widths[..wide].iter().rev());
        let mut found = best.filter_map(|width| read(&folder.join(width.to_string()), *width));
        let mut hashes = found.next().unwrap_or_default();
        hashes.truncate(count);
        hashes
    }

    /// The leaves from record 0 on, up to `size` or to the first that no tile tells.
    pub(crate) fn told(&self, size: u64) -> impl Iterator<Item = Hash> + '_ {
        let mut next = Some(0);
        let tiles = std::iter::from_fn(move || {
            let from = next.filter(|from| *from < size)?;
            let count = usize::try_from(size - from).map_or(WIDTH, |left| left.min(WIDTH));
            let leaves = self.most_leaves(from / WIDTH as u64, count);
            next = (leaves.len() == count).then_some(from + count as u64);
            Some(leaves)
        });
        tiles.flatten()
    }

    /// The first `count` hashes of a tile of any level, made from the tiles below if it is not full.
    pub(crate) fn hashes(&self, level: u32, index: u64, count: usize) -> Option<Vec<Hash>> {
        if level == 0 {
            return self.leaves(index, count);
        }
        if let Some(mut full) = self.full(level, index) {
            full.truncate(count);
            return Some(full);
        }
        let first = index * WIDTH as u64;
        let below = first..first + count as u64;
        below.map(|index| self.hashes(level - 1, index, WIDTH).map(|hashes| over(&hashes))).collect()
    }

    /// The root over the `index`th 2-to-the-`height` leaves.
    pub(crate) fn subtree(&self, height: u32, index: u64) -> Option<Hash> {
        let (level, width) = (height / 8, 1_usize << (height % 8));
        let first = index.checked_mul(width as u64)?;
        let (tile, at) = (first / WIDTH as u64, usize::try_from(first % WIDTH as u64).ok()?);
        Some(over(&self.hashes(level, tile, at + width)?[at..]))
    }

    /// The tree over the first `size` leaves.
    pub(crate) fn tree(&self, size: u64) -> Option<Tree> {
        let width = WIDTH as u64;
        let mut open = vec![self.leaves(size / width, usize::try_from(size % width).ok()?)?];
        let (mut level, mut count) = (0, size / width);
        while count > 0 {
            let first = count - count % width;
            let below =
                (first..count).map(|index| self.hashes(level, index, WIDTH).map(|hashes| over(&hashes)));
            open.push(below.collect::<Option<_>>()?);
            level += 1;
            count /= width;
        }
        Tree::from_open_tiles(size, open)
    }

    /// The same from the leaves alone, which proves that they are all there. The tiles of all levels that get full are in
    /// it, to be taken.
    pub(crate) fn tree_of_leaves(&self, size: u64) -> Option<Tree> {
        let mut tree = Tree::default();
        let mut above = Vec::new();
        while tree.size() < size {
            let count = usize::try_from(size - tree.size()).map_or(WIDTH, |left| left.min(WIDTH));
            for leaf in self.leaves(tree.size() / WIDTH as u64, count)? {
                tree.append(leaf);
            }
            above.extend(tree.take_full().into_iter().filter(|tile| tile.level > 0));
        }
        tree.give_back(above);
        Some(tree)
    }

    /// Writes what is not there yet. `kept_from`: the first record that was not pruned.
    pub(crate) fn write_full(&self, tile: &FullTile, kept_from: u64) -> io::Result<()> {
        let path = self.path(tile.level, tile.index);
        let care = care(tile.level, tile.index, kept_from);
        if read(&path, WIDTH).as_ref() != Some(&tile.hashes) {
            self.write(&path, &tile.hashes, care)?;
        } else if care == Care::Synced {
            self.sync(&path)?;
        }
        if tile.level == 0 {
            self.drop_partials(tile.index, 0);
        }
        Ok(())
    }

    /// Writes the leaves of the tile that is not full yet, in place of those written before.
    pub(crate) fn write_partial(&self, index: u64, leaves: &[Hash], kept_from: u64) -> io::Result<()> {
        if leaves.is_empty() {
            return Ok(());
        }
        let path = self.partial_folder(index).join(leaves.len().to_string());
        self.write(&path, leaves, care(0, index, kept_from))?;
        self.drop_partials(index, leaves.len());
        Ok(())
    }

    fn write(&self, path: &Path, hashes: &[Hash], care: Care) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            files::make_folders(folder)?;
        }
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        match care {
            Care::Unsynced => files::replace_unsynced(path, &bytes),
            Care::Synced => {
                files::replace(path, &bytes)?;
                files::sync_parents(path, &self.folder)
            }
        }
    }

    /// Takes the narrower ones away. One that stays does no harm.
    fn drop_partials(&self, index: u64, keep: usize) {
        let folder = self.partial_folder(index);
        for width in widths(&folder).into_iter().filter(|width| *width != keep) {
            let _ = fs::remove_file(folder.join(width.to_string()));
        }
        if keep == 0 {
            let _ = fs::remove_dir(folder);
        }
    }

    /// Sees to it that the leaves before `size` are on the disk and not only on their way there.
    pub(crate) fn sync_leaves(&self, size: u64) -> io::Result<()> {
        let width = WIDTH as u64;
        for index in 0..=size / width {
            let full = self.path(0, index);
            let path = if full.exists() { full } else { self.partial_folder(index) };
            if path.exists() {
                self.sync(&path)?;
            }
        }
        Ok(())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        files::sync_all_in(path)?;
        files::sync_parents(path, &self.folder)
    }

    fn path(&self, level: u32, index: u64) -> PathBuf {
        self.folder.join(level.to_string()).join(digits(index))
    }

    fn partial_folder(&self, index: u64) -> PathBuf {
        self.folder.join("0").join(format!("{}.p", digits(index)))
    }
}

/// `1234067` is `x001/x234/067`.
fn digits(index: u64) -> String {
    let mut text = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    text
}

fn widths(folder: &Path) -> Vec<usize> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let numbers = names.filter_map(|name| usize::try_from(number(name.as_bytes())?).ok());
    numbers.filter(|width| (1..WIDTH).contains(width)).collect()
}

fn read(path: &Path, width: usize) -> Option<Vec<Hash>> {
    let bytes = files::read_small(path, WIDTH as u64 * 32).ok()?;
    (bytes.len() == width * 32).then(|| bytes.chunks_exact(32).filter_map(Hash::from_slice).collect())
}

/// Those of higher levels follow from the leaves.
fn care(level: u32, index: u64, kept_from: u64) -> Care {
    let holds_pruned = level == 0 && index.saturating_mul(WIDTH as u64) < kept_from;
    if holds_pruned { Care::Synced } else { Care::Unsynced }
}

#[cfg(test)]
mod tests {
    use super::{Care, Tiles, care, digits};
    use crate::files;
    use crate::hash::Hash;
    use crate::tree::{FullTile, Tree};

    #[test]
    fn a_tile_is_found_where_the_layout_says() {
        for (index, path) in [(0, "000"), (999, "999"), (1000, "x001/000"), (1_234_067, "x001/x234/067")] {
            assert_eq!(digits(index), path);
        }
    }

    #[test]
    fn a_tree_comes_back_from_its_tiles_at_every_size() {
        let folder = tempfile::tempdir().unwrap();
        let tiles = Tiles::of(folder.path());
        let mut tree = Tree::default();
        let mut states = vec![tree.clone()];
        for leaf in 0..70_000_u32 {
            tree.append(Hash::of_leaf(&leaf.to_be_bytes()));
            for tile in tree.take_full() {
                tiles.write_full(&tile, 0).unwrap();
            }
            states.push(tree.clone());
        }
        tiles.write_partial(70_000 / 256, tree.open_leaves(), 0).unwrap();
        for size in [0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 69_999, 70_000] {
            let read = tiles.tree(size as u64).unwrap();
            assert_eq!((read.root(), read.size()), (states[size].root(), size as u64));
            assert_eq!(read.open_leaves(), states[size].open_leaves());
        }
        assert!(tiles.tree(70_001).is_none());
        std::fs::remove_dir_all(folder.path().join("tile/1")).unwrap();
        assert_eq!(tiles.tree(70_000).unwrap().root(), states[70_000].root(), "from the leaves below");
    }

    #[test]
    fn the_leaves_are_told_up_to_the_first_that_is_in_no_tile() {
        let folder = tempfile::tempdir().unwrap();
        let tiles = Tiles::of(folder.path());
        let leaves: Vec<_> = (0..256_u32).map(|leaf| Hash::of_leaf(&leaf.to_be_bytes())).collect();
        let full = FullTile { level: 0, index: 0, hashes: leaves.clone() };
        tiles.write_full(&full, 0).unwrap();
        tiles.write_partial(1, &leaves[..7], 0).unwrap();
        tiles.write_full(&FullTile { index: 2, ..full }, 0).unwrap();
        let told = [&leaves[..], &leaves[..7]].concat();
        for (size, count) in
            [(0, 0), (5, 5), (256, 256), (260, 260), (263, 263), (1000, 263), (u64::MAX, 263)]
        {
            assert_eq!(tiles.told(size).collect::<Vec<_>>(), told[..count], "{size}");
        }
        // The narrowest that is wide enough, else the widest that is as long as it has to be.
        let partial = folder.path().join("tile/0/001.p");
        for (width, bytes) in [("9", 9 * 32), ("200", 5), ("07", 7 * 32), ("+8", 8 * 32)] {
            let file = files::open_to_write(&partial.join(width)).unwrap();
            file.set_len(bytes).unwrap();
        }
        assert_eq!(tiles.told(1000).count(), 256 + 9);
        assert_eq!(tiles.told(260).collect::<Vec<_>>(), told[..260]);
        std::fs::remove_file(partial.join("9")).unwrap();
        assert_eq!(tiles.told(1000).collect::<Vec<_>>(), told);
    }

    #[test]
    fn a_tile_is_synced_where_it_alone_tells_of_pruned_records() {
        for (level, index, kept_from, expect) in [
            (0, 0, 0, Care::Unsynced),
            (0, 0, 1, Care::Synced),
            (0, 3, 768, Care::Unsynced),
            (0, 3, 769, Care::Synced),
            (1, 0, 769, Care::Unsynced),
        ] {
            assert_eq!(care(level, index, kept_from), expect, "{level} {index} {kept_from}");
        }
    }
}
