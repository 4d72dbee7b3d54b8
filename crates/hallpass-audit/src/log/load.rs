//! What is on the disk becomes what is in memory: verified from the last checkpoint on, a torn end cut aside.

use super::{DAY_MS, Log, Pending, Recovery, Segment, Signed};
use crate::checkpoint::Checkpoint;
use crate::fault::Fault;
use crate::files;
use crate::hash::Hash;
use crate::note::NoteFault;
use crate::record::{self, Members};
use crate::segments::{self, Lines, Next, Place};
use crate::tiles::Tiles;
use crate::tree::{FullTile, Tree, WIDTH};
use crate::verify::claims::{Claims, Source};
use crate::verify::walk::{State, Walked, Watch, walk};
use crate::verify::{Outcome, verify};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

/// The most bytes of a file with one checkpoint.
pub(crate) const MOST_IN_CHECKPOINT: u64 = 64 << 10;

impl Log {
    /// Reads the log anew. `last_signed`: a checkpoint that it has to keep to, beside its own.
    pub(super) fn load(&mut self, last_signed: Option<&str>, now_ms: i64) -> Result<Vec<Recovery>, Fault> {
        let firsts = self.segments()?;
        let newest = self.newest(firsts.is_empty())?;
        let key = self.key.verifier();
        let known =
            last_signed.map(|note| Checkpoint::open(note, &key)).transpose().map_err(Fault::Checkpoint)?;
        let claims = Claims::new([newest].into_iter().chain(known).map(|one| (one, Source::Log)));
        let lowest = known.map_or(newest.size, |known| known.size.min(newest.size));
        if let Some(known) = known.filter(|known| firsts.first().is_some_and(|first| known.size < *first)) {
            self.check_pruned(known)?;
        }
        let walked = match self.quick(&firsts, lowest, claims.afresh())? {
            Some(walked) => walked,
            None => self.thorough(&firsts, claims, known)?,
        };
        let size = walked.state.tree.size();
        if let Some(rescued) = self.half_rescued(size) {
            let path = self.segment_path(size);
            let named = fs::rename(rescued, &path).and_then(|()| files::sync_folder_of(&path));
            named.map_err(Fault::io("put rescued records into", &path))?;
            return self.load(last_signed, now_ms);
        }
        self.adopt(walked, now_ms)
    }

    /// A checkpoint within what was pruned: the tiles have to give its root.
    fn check_pruned(&self, known: Checkpoint) -> Result<(), Fault> {
        let gives = |tree: Option<Tree>| tree.is_some_and(|tree| tree.root() == known.root);
        // A tile of a higher level that is wrong is no fault.
        if gives(self.tiles.tree(known.size)) || gives(self.tiles.tree_of_leaves(known.size)) {
            return Ok(());
        }
        Err(Fault::Conflict { size: known.size, records: known.size })
    }

    pub(super) fn segments(&self) -> Result<Vec<u64>, Fault> {
        segments::list(&self.dir).map_err(Fault::io("list", &self.path("segments")))
    }

    /// The newest checkpoint on the disk. A new log begins with one of nothing, so that one without is not new.
    fn newest(&mut self, is_empty: bool) -> Result<Checkpoint, Fault> {
        let path = self.path("checkpoint");
        let text = files::read_text(&path, MOST_IN_CHECKPOINT).map_err(Fault::io("read", &path))?;
        let text = match text {
            Some(text) => text,
            None if is_empty => self.sign_nothing()?,
            None => return Err(Fault::Checkpoint(NoteFault::NotSigned)),
        };
        let checkpoint = Checkpoint::open(&text, &self.key.verifier()).map_err(Fault::Checkpoint)?;
        self.signed = Signed { text, checkpoint };
        Ok(checkpoint)
    }

    /// From the segment on in which the checkpoint ends, if the tiles tell what was before. None: look at everything.
    fn quick(&self, firsts: &[u64], size: u64, mut claims: Claims) -> Result<Option<Walked>, Fault> {
        let due = firsts.iter().rposition(|first| *first < size.max(1)).unwrap_or(0);
        let Some(state) =
            firsts.get(due).map_or_else(|| Some(State::default()), |first| before(&self.tiles, *first))
        else {
            return Ok(None);
        };
        let mut tiles = Collected::default();
        let lines = Lines::new(&self.dir, firsts[due..].to_vec());
        let mut walked = walk(lines, state, &mut claims, &mut tiles).map_err(self.unreadable())?;
        walked.state.tree.give_back(tiles.0);
        Ok(Some(walked).filter(|walked| is_good(walked, &claims)))
    }

    fn thorough(&self, firsts: &[u64], claims: Claims, known: Option<Checkpoint>) -> Result<Walked, Fault> {
        // First without writing a tile: the old ones are evidence if something is wrong.
        let seen = self.pass(firsts, &mut claims.afresh(), &mut Unwatched)?;
        let mut claims = claims;
        let Some(_) = seen else { return Err(self.judged(known)) };
        let kept_from = firsts.first().copied().unwrap_or(0);
        let walked = self.pass(firsts, &mut claims, &mut Written(&self.tiles, kept_from))?;
        walked.ok_or_else(|| self.judged(known))
    }

    fn pass(
        &self,
        firsts: &[u64],
        claims: &mut Claims,
        watch: &mut dyn Watch,
    ) -> Result<Option<Walked>, Fault> {
        let first = firsts.first().copied().unwrap_or(0);
        let Some(mut state) = before_by_leaves(&self.tiles, first) else { return Ok(None) };
        for tile in state.tree.take_full() {
            watch.tile(tile).map_err(self.unreadable())?;
        }
        let lines = Lines::new(&self.dir, firsts.to_vec());
        let walked = walk(lines, state, claims, watch).map_err(self.unreadable())?;
        Ok(Some(walked).filter(|walked| is_good(walked, claims)))
    }

    /// What the verifier says is wrong.
    pub(super) fn judged(&self, known: Option<Checkpoint>) -> Fault {
        let pins: Vec<String> = known.iter().map(|known| known.sign(&self.key)).collect();
        let report = match verify(&self.dir, &self.key.verifier(), &pins) {
            Ok(report) => report,
            Err(fault) => return Fault::Damaged { seq: 0, why: fault.to_string() },
        };
        match (report.outcome, known) {
            (Outcome::Tampered { .. }, Some(known)) if report.pin_is_why => {
                Fault::Conflict { size: known.size, records: report.records }
            }
            (Outcome::Tampered { seq, why }, _) => Fault::Damaged { seq, why },
            (Outcome::Whole { size, .. }, _) => {
                Fault::Damaged { seq: size, why: "it changes while it is read".into() }
            }
        }
    }

    fn adopt(&mut self, walked: Walked, now_ms: i64) -> Result<Vec<Recovery>, Fault> {
        let Walked { state, place, broken, bytes_behind } = walked;
        let mut recoveries = Vec::new();
        self.state = state;
        if let Some(broken) = broken {
            recoveries.push(self.cut_aside(broken.at, broken.place, bytes_behind, now_ms)?);
        }
        // An end that was torn at the beginning of a segment leaves it empty.
        let place = broken.map_or(place, |broken| broken.place);
        self.segment = None;
        self.pending = Pending::default();
        if !self.segments()?.is_empty() {
            let segment = self.open_segment(place)?;
            if !self.trouble.spent {
                // Others may have died between writing and syncing.
                self.medium.sync(&segment.file).map_err(self.unsynced(place.segment))?;
                self.synced = self.state.tree.size();
            }
            self.segment = Some(segment);
        }
        Ok(recoveries)
    }

    pub(super) fn open_segment(&self, place: Place) -> Result<Segment, Fault> {
        let path = self.segment_path(place.segment);
        let open = || {
            let file = files::open_to_write(&path)?;
            let day = first_day(&self.dir, place.segment)?;
            Segment::of(place.segment, file, place.offset, day)
        };
        open().map_err(Fault::io("open", &path))
    }

    /// Puts what stands at `place` into a file of its own and cuts it off.
    pub(super) fn cut_aside(
        &self,
        seq: u64,
        place: Place,
        bytes: u64,
        now_ms: i64,
    ) -> Result<Recovery, Fault> {
        let path = self.segment_path(place.segment);
        let aside = self.path("torn").join(format!("{seq:020}-{now_ms}"));
        let cut = || {
            let file = files::open_to_write(&path)?;
            files::replace(&aside, &tail_of(&file, place.offset, bytes)?)?;
            self.medium.cut(&file, place.offset)?;
            self.medium.sync(&file)
        };
        cut().map_err(Fault::io("cut the torn end off", &path))?;
        Ok(Recovery::Torn { seq, bytes, file: aside })
    }

    pub(super) fn unreadable(&self) -> impl FnOnce(io::Error) -> Fault + '_ {
        |error| Fault::Io { doing: "read the segments in", path: self.path("segments"), error }
    }

    pub(super) fn unsynced(&self, first: u64) -> impl FnOnce(io::Error) -> Fault + '_ {
        move |error| Fault::Io { doing: "sync", path: self.segment_path(first), error }
    }
}

/// Whether nothing is wrong but a torn end that nobody signed.
pub(super) fn is_good(walked: &Walked, claims: &Claims) -> bool {
    let torn = walked.broken.is_none_or(|broken| broken.is_last && broken.at >= claims.largest());
    torn && claims.first_broken().is_none() && walked.state.tree.size() >= claims.largest()
}

/// The state before record `first`, from the tiles.
fn before(tiles: &Tiles, first: u64) -> Option<State> {
    Some(State { tree: tiles.tree(first)?, last: last_leaf(tiles, first)?, node: None })
}

/// The same from the tiles of leaves alone: whatever became of those above.
fn before_by_leaves(tiles: &Tiles, first: u64) -> Option<State> {
    Some(State { tree: tiles.tree_of_leaves(first)?, last: last_leaf(tiles, first)?, node: None })
}

fn last_leaf(tiles: &Tiles, first: u64) -> Option<Hash> {
    let Some(last) = first.checked_sub(1) else { return Some(Hash::ZERO) };
    let leaves = tiles.leaves(last / WIDTH as u64, usize::try_from(last % WIDTH as u64 + 1).ok()?)?;
    leaves.last().copied()
}

/// The most of a torn end that is kept.
const MOST_TORN: u64 = 64 << 20;

fn tail_of(file: &File, offset: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut tail = vec![0; usize::try_from(bytes.min(MOST_TORN)).unwrap_or_default()];
    file.read_exact_at(&mut tail, offset)?;
    Ok(tail)
}

fn first_day(dir: &std::path::Path, first: u64) -> io::Result<Option<i64>> {
    let mut lines = Lines::from_place(dir, Place { segment: first, offset: 0 })?;
    if !matches!(lines.next()?, Next::Line { whole: true }) {
        return Ok(None);
    }
    let members = record::members_of(lines.line()).unwrap_or_default();
    Ok(members.at_ms.map(|at_ms| at_ms.div_euclid(DAY_MS)))
}

/// Keeps the tiles for the next checkpoint.
#[derive(Default)]
pub(super) struct Collected(pub(super) Vec<FullTile>);

impl Watch for Collected {
    fn tile(&mut self, tile: FullTile) -> io::Result<()> {
        self.0.push(tile);
        Ok(())
    }

    fn record(&mut self, _seq: u64, _members: Members) {}
}

struct Unwatched;

impl Watch for Unwatched {
    fn tile(&mut self, _tile: FullTile) -> io::Result<()> {
        Ok(())
    }

    fn record(&mut self, _seq: u64, _members: Members) {}
}

/// Writes the tiles; beside them the first record that was not pruned.
struct Written<'a>(&'a Tiles, u64);

impl Watch for Written<'_> {
    fn tile(&mut self, tile: FullTile) -> io::Result<()> {
        self.0.write_full(&tile, self.1)
    }

    fn record(&mut self, _seq: u64, _members: Members) {}
}

impl Log {
    /// The first checkpoint of a log that has nothing in it yet, and the key beside it.
    fn sign_nothing(&self) -> Result<String, Fault> {
        let text = Checkpoint { size: 0, root: Hash::of_empty_tree() }.sign(&self.key);
        for (name, content) in [("vkey", format!("{}\n", self.key.verifier())), ("checkpoint", text.clone())]
        {
            let path = self.path(name);
            files::replace(&path, content.as_bytes()).map_err(Fault::io("write", &path))?;
        }
        Ok(text)
    }
}
