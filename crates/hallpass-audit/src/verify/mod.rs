//! The offline verifier: the segments, the checkpoints, a public key and what was kept elsewhere in, a verdict out.
//! No database, no network, no clock, no private key; memory does not grow with the log.

pub(crate) mod claims;
mod locate;
mod report;
mod signed;
pub(crate) mod walk;

pub use report::{Note, Outcome, Report, VerifyFault};

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::note::VerifierKey;
use crate::record::Members;
use crate::segments::{self, Lines};
use crate::tiles::Tiles;
use crate::tree::{FullTile, WIDTH};
use claims::{Claims, Source};
use locate::Search;
use report::Found;
use signed::Signed;
use std::io;
use std::path::Path;
use walk::{State, Walked, Watch, walk};

/// A clock that goes back by less is no news.
const JITTER_MS: i64 = 2_000;

/// Verifies the log in `dir`. `pins`: checkpoints that were kept where the log's writer cannot change them.
pub fn verify(dir: &Path, key: &VerifierKey, pins: &[impl AsRef<str>]) -> Result<Report, VerifyFault> {
    let mut pinned = Vec::new();
    for (index, pin) in pins.iter().enumerate() {
        let pin = Checkpoint::open(pin.as_ref(), key);
        pinned.push(pin.map_err(|fault| VerifyFault::Pin { index, fault })?);
    }
    // What was signed before the records: a log that is being written to only gets longer meanwhile.
    let signed = Signed::read(dir, key).map_err(VerifyFault::Io)?;
    let firsts = segments::list(dir).map_err(VerifyFault::Io)?;
    if firsts.is_empty() && signed.is_absent {
        return Err(VerifyFault::NoLog);
    }
    let ours = signed.checkpoints.iter().map(|one| (*one, Source::Log));
    let claims = Claims::new(ours.chain(pinned.into_iter().map(|pin| (pin, Source::Pin))));
    Search { dir, tiles: Tiles::of(dir), firsts }.judge(&signed, claims).map_err(VerifyFault::Io)
}

impl Search<'_> {
    fn first(&self) -> u64 {
        self.firsts.first().copied().unwrap_or(0)
    }

    fn judge(&self, signed: &Signed, mut claims: Claims) -> io::Result<Report> {
        let mut seen = Seen { first: self.first(), ..Seen::new(&self.tiles) };
        let Some(state) = self.pruned(&mut claims) else {
            let why = format!("the records before {} are missing, and so are their hashes", self.first());
            return Ok(report::tampered(0, why, self.first()));
        };
        let lines = Lines::new(self.dir, self.firsts.clone());
        let walked = walk(lines, state, &mut claims, &mut seen)?;
        let faults = self.faults(signed, &claims, &walked, &seen)?;
        Ok(report::of(faults, &claims, &walked, seen.notes(&walked)))
    }

    /// The state before the first record that is there, from the hashes of those that were pruned.
    fn pruned(&self, claims: &mut Claims) -> Option<State> {
        let mut state = State::default();
        while state.tree.size() < self.first() {
            let left = self.first() - state.tree.size();
            let count = usize::try_from(left).map_or(WIDTH, |left| left.min(WIDTH));
            for leaf in self.tiles.leaves(state.tree.size() / WIDTH as u64, count)? {
                claims.reach(state.tree.size(), || state.tree.root());
                state.tree.append(leaf);
                state.last = leaf;
            }
            state.tree.take_full();
        }
        Some(state)
    }

    /// Everything that is wrong, as the first record that it concerns.
    fn faults(
        &self,
        signed: &Signed,
        claims: &Claims,
        walked: &Walked,
        seen: &Seen<'_>,
    ) -> io::Result<Vec<Found>> {
        let mut faults = Vec::new();
        let found = |seq, why| Found { seq, why, vouched: 0 };
        let size = walked.state.tree.size();
        let held = claims.held(|_| true).unwrap_or(0);
        let is_torn = walked.broken.is_some_and(|broken| broken.is_last && broken.at >= claims.largest());
        let is_broken = walked.broken.is_some() && !is_torn;
        if is_broken || claims.first_broken().is_some() || size < claims.largest() {
            faults.push(self.locate(claims, walked.broken.filter(|_| is_broken), size)?);
        }
        faults.extend(signed.fault.iter().map(|why| found(held, why.clone())));
        let replayed = "the newest checkpoint is older than one that was kept";
        faults.extend(signed.replayed.map(|size| found(size, replayed.to_owned())));
        let is_covered = seen.first == 0 || seen.covered.is_some_and(|seq| seq < held);
        if !is_covered {
            let first = seen.first;
            let why = format!(
                "the records before {first} are missing, and no signed record says that they were pruned"
            );
            faults.push(found(0, why));
        }
        Ok(faults)
    }
}

/// What is noticed in passing.
struct Seen<'a> {
    tiles: &'a Tiles,
    first: u64,
    /// The record that says that what is missing was pruned.
    covered: Option<u64>,
    bad_tiles: u64,
    at_ms: Option<i64>,
    jumps: u64,
    first_jump: u64,
}

impl<'a> Seen<'a> {
    fn new(tiles: &'a Tiles) -> Self {
        Self { tiles, first: 0, covered: None, bad_tiles: 0, at_ms: None, jumps: 0, first_jump: 0 }
    }

    fn notes(&self, walked: &Walked) -> Vec<Note> {
        let mut notes = Vec::new();
        if self.first > 0 {
            notes.push(Note::Pruned { before: self.first });
        }
        if walked.bytes_behind > 0 {
            notes.push(Note::Torn { bytes: walked.bytes_behind });
        }
        if self.bad_tiles > 0 {
            notes.push(Note::Tiles { count: self.bad_tiles });
        }
        if self.jumps > 0 {
            notes.push(Note::ClockBack { count: self.jumps, seq: self.first_jump });
        }
        notes
    }
}

impl Watch for Seen<'_> {
    fn tile(&mut self, tile: FullTile) -> io::Result<()> {
        let is_bad =
            self.tiles.full_or_bad(tile.level, tile.index).is_some_and(|hashes| hashes != tile.hashes);
        self.bad_tiles += u64::from(is_bad);
        Ok(())
    }

    fn record(&mut self, seq: u64, members: Members) {
        if members.pruned_before.is_some_and(|before| before >= self.first) {
            self.covered = self.covered.or(Some(seq));
        }
        let Some(at_ms) = members.at_ms else { return };
        if self.at_ms.is_some_and(|before| at_ms < before.saturating_sub(JITTER_MS)) {
            if self.jumps == 0 {
                self.first_jump = seq;
            }
            self.jumps += 1;
        }
        self.at_ms = Some(at_ms);
    }
}

/// The leaf of a line, for comparing with a tile.
fn leaf(line: &[u8]) -> Hash {
    Hash::of_leaf(line)
}
