//! Inclusion and consistency proofs as RFC 6962 defines them: made from hashes of full subtrees, checked without.
//! Reads no file.

use crate::hash::Hash;

/// The root over the `index`th 2-to-the-`height` leaves, if it is known.
pub type Subtrees<'a> = &'a dyn Fn(u32, u64) -> Option<Hash>;

/// Proves that leaf `seq` is in the tree of `size` leaves: the neighbours on the way up.
pub fn inclusion(seq: u64, size: u64, of: Subtrees<'_>) -> Option<Vec<Hash>> {
    let mut path = Vec::new();
    if seq >= size {
        return None;
    }
    path_to(seq, 0, size, of, &mut path)?;
    Some(path)
}

fn path_to(seq: u64, from: u64, to: u64, of: Subtrees<'_>, path: &mut Vec<Hash>) -> Option<()> {
    if to - from == 1 {
        return Some(());
    }
    let middle = from + left_of(to - from);
    if seq < middle {
        path_to(seq, from, middle, of, path)?;
        path.push(root_of(middle, to, of)?);
    } else {
        path_to(seq, middle, to, of, path)?;
        path.push(root_of(from, middle, of)?);
    }
    Some(())
}

/// Proves that the tree of `old` leaves is the beginning of that of `new`.
pub fn consistency(old: u64, new: u64, of: Subtrees<'_>) -> Option<Vec<Hash>> {
    let mut proof = Vec::new();
    if old == 0 || old == new {
        return (old <= new).then_some(proof);
    }
    if old > new {
        return None;
    }
    beginning(old, 0, new, true, of, &mut proof)?;
    Some(proof)
}

fn beginning(
    old: u64,
    from: u64,
    to: u64,
    is_whole: bool,
    of: Subtrees<'_>,
    proof: &mut Vec<Hash>,
) -> Option<()> {
    if old == to {
        if !is_whole {
            proof.push(root_of(from, to, of)?);
        }
        return Some(());
    }
    let middle = from + left_of(to - from);
    if old <= middle {
        beginning(old, from, middle, is_whole, of, proof)?;
        proof.push(root_of(middle, to, of)?);
    } else {
        beginning(old, middle, to, false, of, proof)?;
        proof.push(root_of(from, middle, of)?);
    }
    Some(())
}

/// The largest power of two below `count`, which is at least 2.
fn left_of(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

fn root_of(from: u64, to: u64, of: Subtrees<'_>) -> Option<Hash> {
    let count = to - from;
    if count.is_power_of_two() {
        return of(count.ilog2(), from / count);
    }
    let middle = from + left_of(count);
    Some(Hash::of_node(&root_of(from, middle, of)?, &root_of(middle, to, of)?))
}

/// The root that a proof of inclusion leads to; none if it is not one for this place and size.
pub fn root_from(leaf: Hash, seq: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    let (mut at, mut last) = (seq, size.checked_sub(1).filter(|last| seq <= *last)?);
    let mut root = leaf;
    for other in path {
        if last == 0 {
            return None;
        }
        if at % 2 == 1 || at == last {
            root = Hash::of_node(other, &root);
            while at % 2 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            root = Hash::of_node(&root, other);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some(root)
}

/// Whether the proof shows that the older tree is the beginning of the newer.
pub fn is_consistent(old: (u64, Hash), new: (u64, Hash), proof: &[Hash]) -> bool {
    if old.0 == new.0 {
        return proof.is_empty() && old.1 == new.1;
    }
    if old.0 == 0 {
        return proof.is_empty() && old.1 == Hash::of_empty_tree();
    }
    old.0 < new.0 && run(old, new, proof).is_some_and(|roots| roots == (old.1, new.1))
}

fn run(old: (u64, Hash), new: (u64, Hash), proof: &[Hash]) -> Option<(Hash, Hash)> {
    let (mut at, mut last) = (old.0 - 1, new.0 - 1);
    let shift = at.trailing_ones();
    (at, last) = (at >> shift, last >> shift);
    // The older tree is one full subtree then, and its root is known.
    let (first, rest) = if at == 0 { (&old.1, proof) } else { proof.split_first()? };
    let (mut older, mut newer) = (*first, *first);
    for other in rest {
        if last == 0 {
            return None;
        }
        if at % 2 == 1 || at == last {
            (older, newer) = (Hash::of_node(other, &older), Hash::of_node(other, &newer));
            while at % 2 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            newer = Hash::of_node(&newer, other);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some((older, newer))
}
