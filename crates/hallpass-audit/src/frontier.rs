//! The tree's right edge: enough to append and to tell the root, whatever the size. Keeps no leaf.

use crate::hash::Hash;

/// The roots of the full subtrees that a tree of `size` leaves consists of, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// That of a tree of which the full subtrees are known; there is one for each bit of `size`.
    pub(crate) fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf.
    pub fn append(&mut self, leaf: Hash) {
        self.append_and_tell(leaf, |_, _| ());
    }

    /// Appends one leaf and tells each full subtree that this completes: its height and its root, the leaf first.
    pub(crate) fn append_and_tell(&mut self, leaf: Hash, mut tell: impl FnMut(u32, Hash)) {
        let mut hash = leaf;
        tell(0, hash);
        for height in 1..=self.size.trailing_ones() {
            // One peak for each trailing one of the size, so there is one.
            let Some(left) = self.peaks.pop() else { break };
            hash = Hash::of_node(&left, &hash);
            tell(height, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return Hash::of_empty_tree() };
        peaks.fold(*last, |right, left| Hash::of_node(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::Frontier;
    use crate::hash::Hash;

    /// The leaves that the tests of Certificate Transparency use, and their roots by size.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn the_roots_are_those_of_certificate_transparency() {
        let mut tree = Frontier::default();
        assert_eq!(tree.root().0[..4], [0xe3, 0xb0, 0xc4, 0x42], "the hash of nothing");
        for (leaf, root) in LEAVES.iter().zip(ROOTS) {
            tree.append(Hash::of_leaf(&bytes(leaf)));
            assert_eq!(tree.root().0[..], bytes(root), "{}", tree.size());
        }
    }
}
