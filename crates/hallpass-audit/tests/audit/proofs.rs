//! Proofs, tiles and checkpoints, held against a naive tree and against libraries that are not ours.

use crate::stage::{Stage, append, key, sign, vkey};
use hallpass_audit::proof::{consistency, inclusion, is_consistent, root_from};
use hallpass_audit::{Checkpoint, Frontier, Hash, LogKey, ProofFault, check, prove};
use proptest::prelude::*;
use signed_note::{Note, StandardVerifier, VerifierList};
use std::fs;
use tlog_tiles::{Checkpoint as TheirCheckpoint, Error, Tile, TileHashReader, TileReader};

fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of_empty_tree(),
        [leaf] => *leaf,
        more => {
            let (left, right) = more.split_at(1 << (more.len() - 1).ilog2());
            Hash::of_node(&naive_root(left), &naive_root(right))
        }
    }
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|number| Hash::of_leaf(&number.to_be_bytes())).collect()
}

fn subtree(leaves: &[Hash]) -> impl Fn(u32, u64) -> Option<Hash> {
    move |height, index| {
        let (width, index) = (1_usize << height, usize::try_from(index).unwrap());
        leaves.get(index * width..(index + 1) * width).map(naive_root)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn proofs_hold_for_what_is_so_and_for_nothing_else(size in 1_usize..600, at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let (seq, old) = (at.index(size), 1 + other.index(size));
        let mut tree = Frontier::default();
        for leaf in &leaves {
            tree.append(*leaf);
        }
        let (root, older) = (naive_root(&leaves), naive_root(&leaves[..old]));
        prop_assert_eq!(tree.root(), root);

        let path = inclusion(seq as u64, size as u64, &subtree(&leaves)).unwrap();
        let leads = |seq: usize, size: usize, path: &[Hash]| root_from(leaves[seq], seq as u64, size as u64, path) == Some(root);
        prop_assert!(leads(seq, size, &path));
        prop_assert!(size == 1 || !leads((seq + 1) % size, size, &path));
        let longer = [&path[..], &[Hash::ZERO]].concat();
        prop_assert!(!leads(seq, size, &longer));

        let proof = consistency(old as u64, size as u64, &subtree(&leaves)).unwrap();
        let (from, to) = ((old as u64, older), (size as u64, root));
        prop_assert!(is_consistent(from, to, &proof));
        prop_assert!(!is_consistent((from.0, Hash::ZERO), to, &proof));
        prop_assert!(!is_consistent(from, (to.0, Hash::ZERO), &proof));
        for changed in [&path, &proof].into_iter().filter(|proof| !proof.is_empty()) {
            let mut changed = changed.clone();
            let at = flip.index(changed.len());
            changed[at].0[0] ^= 1;
            prop_assert!(!leads(seq, size, &changed));
            prop_assert!(!is_consistent(from, to, &changed));
        }
    }
}

/// The folder of a log as their tile reader wants it.
struct Folder<'a>(&'a Stage);

impl TileReader for Folder<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| {
            // Their paths name the height, which the layout for files leaves out.
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            let width = tile.width() as usize * 32;
            let bytes = fs::read(self.0.path(&path)).unwrap_or_else(|_| self.made(tile));
            bytes[..width].to_vec()
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

impl Folder<'_> {
    /// A tile above the leaves that is not full: made on demand.
    fn made(&self, tile: &Tile) -> Vec<u8> {
        let (level, index) = (u32::from(tile.level()), tile.level_index());
        let hashes = hallpass_audit::tile(&self.0.dir, level, index, tile.width() as usize).unwrap();
        hashes.iter().flat_map(|hash| hash.0).collect()
    }
}

#[test]
fn other_libraries_accept_our_checkpoints_tiles_and_proofs() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 66_000);
    let note = sign(&mut log);

    let verifier = StandardVerifier::new(&vkey().to_string()).unwrap();
    let opened = Note::from_bytes(note.as_bytes()).unwrap();
    let (known, _) = opened.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!(known.len(), 1);
    let checkpoint = TheirCheckpoint::from_bytes(opened.text()).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), ("hallpass.local/test/main", 66_001));

    let folder = Folder(&stage);
    let reader = TileHashReader::new(checkpoint.size(), *checkpoint.hash(), &folder);
    for seq in [0, 1, 255, 256, 65_535, 65_536, 66_000] {
        let proven = check(&prove(&stage.dir, &vkey(), seq).unwrap(), None, &vkey()).unwrap();
        let leaf = tlog_tiles::record_hash(proven.record.as_bytes());
        let theirs = tlog_tiles::prove_record(checkpoint.size(), seq, &reader).unwrap();
        tlog_tiles::check_record(&theirs, checkpoint.size(), *checkpoint.hash(), seq, leaf).unwrap();
        let text = prove(&stage.dir, &vkey(), seq).unwrap();
        let hashes: Vec<_> =
            text.lines().skip(3).take_while(|line| !line.is_empty()).map(str::to_owned).collect();
        assert_eq!(hashes, theirs.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
}

#[test]
fn a_proof_proves_one_record_and_no_other() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 700);
    sign(&mut log);
    append(&mut log, 1);
    let proof = prove(&stage.dir, &vkey(), 300).unwrap();
    assert!(proof.starts_with("c2sp.org/tlog-proof@v1\nextra "), "{proof}");
    let proven = check(&proof, None, &vkey()).unwrap();
    assert_eq!((proven.seq, proven.checkpoint.size), (300, 701));
    assert!(check(&proof, Some(&proven.record), &vkey()).is_ok());
    let other = LogKey::from_seed("hallpass.local/test/main", &[9; 32]).unwrap().verifier();
    assert!(matches!(check(&proof, None, &other), Err(ProofFault::Checkpoint(_))));
    let lie = proven.record.replace("echo", "none");
    assert!(matches!(check(&proof, Some(&lie), &vkey()), Err(ProofFault::NotIncluded)));
    for at in 0..proof.len() {
        let mut bytes = proof.clone().into_bytes();
        bytes[at] ^= 1;
        let checked = String::from_utf8(bytes).ok().and_then(|text| check(&text, None, &vkey()).ok());
        assert_eq!(checked, None, "byte {at}");
    }
    assert!(matches!(prove(&stage.dir, &vkey(), 701), Err(ProofFault::NotSigned { until: 701 })));
}

#[test]
fn two_checkpoints_of_a_log_are_shown_to_be_of_one_history() {
    let stage = Stage::new();
    let mut log = stage.opened();
    append(&mut log, 300);
    let old = Checkpoint::open(&sign(&mut log), &key().verifier()).unwrap();
    append(&mut log, 400);
    let new = Checkpoint::open(&sign(&mut log), &key().verifier()).unwrap();
    let proof = hallpass_audit::prove_consistency(&stage.dir, old.size, new.size).unwrap();
    assert!(is_consistent((old.size, old.root), (new.size, new.root), &proof));
    assert!(!is_consistent((old.size, new.root), (new.size, new.root), &proof));
}
