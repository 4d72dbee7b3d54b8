//! One pass over the lines: each follows from the one before, and the roots are those that were signed.
//! Stops at the first line that does not follow. Writes nothing.

use super::claims::Claims;
use crate::hash::Hash;
use crate::record::{self, Head, Members, RecordFault};
use crate::segments::{Lines, Next, Place};
use crate::tree::{FullTile, Tree};
use std::fmt;
use std::io;

/// Why a line does not follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// A segment begins with another record than is due.
    Segment(u64),
    /// No newline ends it.
    Unfinished,
    /// It is no record.
    Record(RecordFault),
    /// It has another number than is due.
    Seq(u64),
    /// It does not carry the hash of the record before.
    Prev,
    /// Another node wrote it.
    Node,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(first) => write!(f, "a segment begins with record {first} here"),
            Self::Unfinished => f.write_str("the line has no end"),
            Self::Record(fault) => write!(f, "the line {fault}"),
            Self::Seq(seq) => write!(f, "record {seq} stands in its place"),
            Self::Prev => f.write_str("the record and the one before do not fit together"),
            Self::Node => f.write_str("another node is named"),
        }
    }
}

/// The first line that does not follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken {
    /// Which record was due.
    pub(crate) at: u64,
    pub(crate) why: Break,
    /// Which record is the wrong one if nothing vouches for the one before: this or that.
    pub(crate) blame: u64,
    /// Where the line begins.
    pub(crate) place: Place,
    /// Whether it is in the last segment and nothing behind it is a record: what a crash leaves.
    pub(crate) is_last: bool,
}

/// Where a pass begins, and later where it is.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) tree: Tree,
    /// The hash of the record before.
    pub(crate) last: Hash,
    /// Who writes.
    pub(crate) node: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        Self { tree: Tree::default(), last: Hash::ZERO, node: None }
    }
}

/// Who wants to see what passes.
pub(crate) trait Watch {
    /// A tile got full.
    fn tile(&mut self, tile: FullTile) -> io::Result<()>;
    /// A record follows.
    fn record(&mut self, seq: u64, members: Members);
}

pub(crate) struct Walked {
    pub(crate) state: State,
    /// Where the last good line ends.
    pub(crate) place: Place,
    pub(crate) broken: Option<Broken>,
    /// The length of what stands from the broken line to the end, if that is what a crash leaves.
    pub(crate) bytes_behind: u64,
}

pub(crate) fn walk(
    mut lines: Lines,
    state: State,
    claims: &mut Claims,
    watch: &mut dyn Watch,
) -> io::Result<Walked> {
    let mut pass = Pass { state, before: Hash::ZERO, place: lines.place() };
    claims.reach(pass.state.tree.size(), || pass.state.tree.root());
    loop {
        let why = match lines.next()? {
            Next::End => None,
            Next::Segment(first) if first == pass.state.tree.size() => {
                pass.place = lines.place();
                continue;
            }
            Next::Segment(first) => Some(Break::Segment(first)),
            Next::Line { whole } => match pass.follow(lines.line(), whole) {
                Ok(members) => {
                    pass.place = lines.place();
                    pass.tell(members, claims, watch)?;
                    continue;
                }
                Err(why) => Some(why),
            },
        };
        let Pass { state, place, before } = pass;
        let Some(why) = why else { return Ok(Walked { state, place, broken: None, bytes_behind: 0 }) };
        let (broken, bytes_behind) = look_behind(&mut lines, &state, before, why)?;
        return Ok(Walked { state, place, broken: Some(broken), bytes_behind });
    }
}

struct Pass {
    state: State,
    /// What the record before said of the one before it.
    before: Hash,
    place: Place,
}

impl Pass {
    fn follow(&mut self, line: &[u8], whole: bool) -> Result<Members, Break> {
        let Self { state, before, .. } = self;
        if !whole {
            return Err(Break::Unfinished);
        }
        let head = record::head(line).map_err(Break::Record)?;
        let members = record::members_of(line).map_err(Break::Record)?;
        if head.seq != state.tree.size() {
            return Err(Break::Seq(head.seq));
        }
        if head.prev != state.last {
            return Err(Break::Prev);
        }
        match &state.node {
            None => state.node = Some(head.node.to_owned()),
            Some(node) if node != head.node => return Err(Break::Node),
            Some(_) => (),
        }
        *before = head.prev;
        state.last = Hash::of_leaf(line);
        state.tree.append(state.last);
        Ok(members)
    }

    fn tell(&mut self, members: Members, claims: &mut Claims, watch: &mut dyn Watch) -> io::Result<()> {
        let tree = &mut self.state.tree;
        for tile in tree.take_full() {
            watch.tile(tile)?;
        }
        claims.reach(tree.size(), || tree.root());
        watch.record(tree.size() - 1, members);
        Ok(())
    }
}

fn look_behind(lines: &mut Lines, state: &State, before: Hash, why: Break) -> io::Result<(Broken, u64)> {
    let (at, place) = (state.tree.size(), lines.line_place());
    let was_last_segment = lines.is_in_last_segment();
    let this = lines.line().to_owned();
    let mut is_last = was_last_segment && !matches!(why, Break::Segment(_) | Break::Seq(_) | Break::Node);
    let mut blame = at;
    let next = if matches!(why, Break::Segment(_)) { Next::End } else { lines.next()? };
    if next == (Next::Line { whole: true }) && is_record(lines.line()) {
        is_last = false;
        blame = blamed(at, state, before, &this, lines.line(), why);
    }
    while is_last {
        match lines.next()? {
            Next::End => break,
            Next::Segment(_) => is_last = false,
            Next::Line { whole } => is_last = !(whole && is_record(lines.line())),
        }
    }
    let behind = if is_last { lines.place().offset - place.offset } else { 0 };
    Ok((Broken { at, why, blame, place, is_last }, behind))
}

fn is_record(line: &[u8]) -> bool {
    record::head(line).is_ok() && record::members_of(line).is_ok()
}

/// If the line that does not follow is itself followed by the next, then it is the one before that was changed, or that
/// was put in: an honest writer made the next from this one.
fn blamed(at: u64, state: &State, before: Hash, this: &[u8], next: &[u8], why: Break) -> u64 {
    let (Ok(head), Ok(next)) = (record::head(this), record::head(next)) else { return at };
    let leaf = Hash::of_leaf(this);
    let is_followed = next.prev == leaf && head.seq.checked_add(1) == Some(next.seq);
    let Head { seq, prev, .. } = head;
    let one_earlier = match why {
        Break::Prev => seq == at,
        Break::Seq(_) => seq.checked_add(1) == Some(at) && prev == before && leaf != state.last,
        Break::Segment(_) | Break::Unfinished | Break::Record(_) | Break::Node => false,
    };
    if is_followed && one_earlier { at.saturating_sub(1) } else { at }
}
