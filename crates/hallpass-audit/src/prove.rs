//! One record proven without the others: a C2SP tlog-proof that carries the record, made from a log, checked without it.

use crate::checkpoint::Checkpoint;
use crate::files;
use crate::hash::Hash;
use crate::log::MOST_IN_CHECKPOINT;
use crate::note::{NoteFault, VerifierKey};
use crate::proof::{consistency, inclusion, root_from};
use crate::reader::Reader;
use crate::record::{self, number};
use crate::tiles::Tiles;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::{self, Write};
use std::io;
use std::path::Path;

const TITLE: &str = "c2sp.org/tlog-proof@v1";

/// A tree has no more levels.
const MOST_HASHES: usize = 64;

/// Why there is no proof, or why it proves nothing.
#[derive(Debug)]
pub enum ProofFault {
    /// No checkpoint covers the record yet.
    NotSigned {
        /// Up to which record one does.
        until: u64,
    },
    /// The record is not in the log any more, or not in it at all.
    NoRecord,
    /// The log's hashes do not lead to its signed root.
    Tiles,
    /// It has not the form of a proof.
    Form,
    /// Its checkpoint is not one of this log.
    Checkpoint(NoteFault),
    /// The record is not the one that the checkpoint covers at that place.
    NotIncluded,
    /// The log could not be read.
    Io(io::Error),
}

impl fmt::Display for ProofFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSigned { until } => write!(f, "only the records before {until} are signed yet"),
            Self::NoRecord => f.write_str("the record is not in the log"),
            Self::Tiles => f.write_str("the log's hashes do not lead to its signed root"),
            Self::Form => f.write_str("this is not a proof"),
            Self::Checkpoint(fault) => write!(f, "the checkpoint {fault}"),
            Self::NotIncluded => f.write_str("the record is not the one that was signed"),
            Self::Io(error) => write!(f, "the audit log cannot be read: {error}"),
        }
    }
}

impl std::error::Error for ProofFault {}

/// What a proof proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The record's number.
    pub seq: u64,
    /// The record, as it stands in the log.
    pub record: String,
    /// The checkpoint that covers it.
    pub checkpoint: Checkpoint,
}

/// Makes a proof of record `seq`, against the newest checkpoint of the log in `dir`.
pub fn prove(dir: &Path, key: &VerifierKey, seq: u64) -> Result<String, ProofFault> {
    // Between reading the checkpoint and the hashes somebody may have signed a newer one, whose tiles are others.
    for _ in 0..2 {
        match prove_once(dir, key, seq) {
            Err(ProofFault::Tiles) => (),
            proof => return proof,
        }
    }
    prove_once(dir, key, seq)
}

fn prove_once(dir: &Path, key: &VerifierKey, seq: u64) -> Result<String, ProofFault> {
    let note = files::read_text(&dir.join("checkpoint"), MOST_IN_CHECKPOINT).map_err(ProofFault::Io)?;
    let note = note.unwrap_or_default();
    let checkpoint = Checkpoint::open(&note, key).map_err(ProofFault::Checkpoint)?;
    if seq >= checkpoint.size {
        return Err(ProofFault::NotSigned { until: checkpoint.size });
    }
    let mut reader = Reader::lines_from(dir, seq).map_err(ProofFault::Io)?;
    let found = reader.next_line().map_err(ProofFault::Io)?;
    let (_, record) = found.filter(|(found, _)| *found == seq).ok_or(ProofFault::NoRecord)?;
    let tiles = Tiles::of(dir);
    let path = inclusion(seq, checkpoint.size, &|height, index| tiles.subtree(height, index));
    let path = path.ok_or(ProofFault::Tiles)?;
    let root = root_from(Hash::of_leaf(record.as_bytes()), seq, checkpoint.size, &path);
    // Better none than one that does not hold.
    if root == Some(checkpoint.root) {
        Ok(text_of(seq, record, &path, &note))
    } else {
        Err(ProofFault::Tiles)
    }
}

fn text_of(seq: u64, record: &str, path: &[Hash], note: &str) -> String {
    let mut text = format!("{TITLE}\nextra {}\nindex {seq}\n", STANDARD.encode(record));
    for hash in path {
        let _ = writeln!(text, "{hash}");
    }
    text + "\n" + note
}

/// Checks a proof with the log's public key and nothing else. `record`: the one that it should be of, if it is not to be
/// taken from the proof.
pub fn check(proof: &str, record: Option<&str>, key: &VerifierKey) -> Result<Proven, ProofFault> {
    let (head, note) = proof.split_once("\n\n").ok_or(ProofFault::Form)?;
    let mut lines = head.lines().peekable();
    if lines.next() != Some(TITLE) {
        return Err(ProofFault::Form);
    }
    let extra = lines.next_if(|line| line.starts_with("extra "));
    let seq = lines.next().and_then(|line| number(line.strip_prefix("index ")?.as_bytes()));
    let seq = seq.ok_or(ProofFault::Form)?;
    let path: Option<Vec<Hash>> = lines.take(MOST_HASHES + 1).map(Hash::from_base64).collect();
    let path = path.ok_or(ProofFault::Form)?;
    let record = match record {
        Some(record) => record.to_owned(),
        None => carried(extra.unwrap_or_default()).ok_or(ProofFault::Form)?,
    };
    let checkpoint = Checkpoint::open(note, key).map_err(ProofFault::Checkpoint)?;
    let root = root_from(Hash::of_leaf(record.as_bytes()), seq, checkpoint.size, &path);
    let is_there = record::head(record.as_bytes()).is_ok_and(|head| head.seq == seq);
    if root == Some(checkpoint.root) && is_there {
        Ok(Proven { seq, record, checkpoint })
    } else {
        Err(ProofFault::NotIncluded)
    }
}

fn carried(extra: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(extra.strip_prefix("extra ")?).ok()?).ok()
}

/// The hashes that show that the log's first `old` records are the beginning of its first `new`; check them with
/// [`crate::proof::is_consistent`]. None where the log's hashes are not all there.
pub fn prove_consistency(dir: &Path, old: u64, new: u64) -> Option<Vec<Hash>> {
    let tiles = Tiles::of(dir);
    consistency(old, new, &|height, index| tiles.subtree(height, index))
}

/// The first `width` hashes of a tile, for readers of tlog-tiles: those that are not full are made on demand.
pub fn tile(dir: &Path, level: u32, index: u64, width: usize) -> Option<Vec<Hash>> {
    (1..=256).contains(&width).then(|| Tiles::of(dir).hashes(level, index, width)).flatten()
}
