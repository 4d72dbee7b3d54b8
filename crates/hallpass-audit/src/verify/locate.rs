//! Which record is the first that is not as it was, once it is known that one is not.
//! The tiles of leaves tell exactly, where they give a root that was signed; else the chain tells what it can.

use super::claims::{Claims, Source};
use super::leaf;
use super::report::Found;
use super::walk::Broken;
use crate::frontier::Frontier;
use crate::segments::{Lines, Next};
use crate::tiles::Tiles;
use std::io;
use std::path::Path;

pub(crate) struct Search<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) tiles: Tiles,
    pub(crate) firsts: Vec<u64>,
}

/// What the tiles say.
struct Compared {
    /// Up to which record they give a root that was signed.
    signed: u64,
    /// The first record whose line is not the one that they tell of.
    differs: Option<u64>,
}

impl Search<'_> {
    pub(super) fn locate(&self, claims: &Claims, broken: Option<Broken>, size: u64) -> io::Result<Found> {
        let compared = self.compare(claims)?;
        let vouched = compared.signed.min(compared.differs.unwrap_or(u64::MAX));
        if let Some(seq) = compared.differs.filter(|seq| *seq < compared.signed) {
            let why = match broken.filter(|broken| broken.at == seq) {
                Some(broken) => broken.why.to_string(),
                None if seq >= size && broken.is_none() => missing(size, claims),
                None => "the record is not the one that was signed".into(),
            };
            return Ok(Found { seq, why, vouched });
        }
        let (seq, why) = by_chain(claims, broken, size, compared.signed);
        Ok(Found { seq, why, vouched })
    }

    /// The lines beside the leaves in the tiles, as far as those go.
    fn compare(&self, claims: &Claims) -> io::Result<Compared> {
        let mut claims = claims.afresh();
        let mut lines = Lines::new(self.dir, self.firsts.clone());
        let first = self.firsts.first().copied().unwrap_or(0);
        let mut tree = Frontier::default();
        let mut differs = None;
        for told in self.tiles.told(claims.largest()) {
            if differs.is_none() && tree.size() >= first && !next_is(&mut lines, told)? {
                differs = Some(tree.size());
            }
            tree.append(told);
            claims.reach(tree.size(), || tree.root());
        }
        Ok(Compared { signed: claims.held(|_| true).unwrap_or(0), differs })
    }
}

fn next_is(lines: &mut Lines, told: crate::hash::Hash) -> io::Result<bool> {
    loop {
        match lines.next()? {
            Next::Segment(_) => (),
            Next::Line { whole } => return Ok(whole && leaf(lines.line()) == told),
            Next::End => return Ok(false),
        }
    }
}

fn by_chain(claims: &Claims, broken: Option<Broken>, size: u64, told: u64) -> (u64, String) {
    let vouched = claims.held(|_| true).unwrap_or(0).max(told);
    let line = broken.map(|broken| {
        let seq = if broken.blame < vouched { broken.at } else { broken.blame };
        (seq, broken.why.to_string())
    });
    // A line that is wrong explains every root from there on.
    let is_explained = |size: u64| line.as_ref().is_some_and(|(seq, _)| *seq < size);
    let root = claims.first_broken().filter(|claim| !is_explained(claim.checkpoint.size)).map(|claim| {
        let is_pin = claim.source == Source::Pin;
        // What the log says of itself is no evidence against what was kept elsewhere.
        let before = claims.held(|other| {
            other.checkpoint.size < claim.checkpoint.size && (!is_pin || other.source == Source::Pin)
        });
        let whose = if is_pin { "a pin" } else { "a checkpoint" };
        let why = format!("from here to {} is not what {whose} signs", claim.checkpoint.size);
        (before.unwrap_or(0), why)
    });
    let short = Some((size, missing(size, claims))).filter(|_| broken.is_none());
    [line, root, short].into_iter().flatten().min_by_key(|(seq, _)| *seq).unwrap_or_default()
}

fn missing(size: u64, claims: &Claims) -> String {
    format!("{} records were signed and {size} are there", claims.largest())
}
