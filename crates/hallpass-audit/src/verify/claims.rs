//! What was signed of the log, and whether the log keeps to it. Knows no file.

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;

/// Who vouches for a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A checkpoint that lies beside the log.
    Log,
    /// One that was kept elsewhere.
    Pin,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) source: Source,
    /// Whether the log's root at that size is the signed one; none if that size was not reached.
    pub(crate) holds: Option<bool>,
}

/// All of them, by size.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    list: Vec<Claim>,
    next: usize,
}

impl Claims {
    pub(crate) fn new(checkpoints: impl IntoIterator<Item = (Checkpoint, Source)>) -> Self {
        let claim = |(checkpoint, source)| Claim { checkpoint, source, holds: None };
        let mut list: Vec<_> = checkpoints.into_iter().map(claim).collect();
        list.sort_by_key(|claim| claim.checkpoint.size);
        Self { list, next: 0 }
    }

    /// The log has this size now.
    pub(crate) fn reach(&mut self, size: u64, root: impl Fn() -> Hash) {
        let due = |claim: &&mut Claim| claim.checkpoint.size <= size;
        let before = self.next;
        for claim in self.list[before..].iter_mut().take_while(due) {
            if claim.checkpoint.size == size {
                claim.holds = Some(claim.checkpoint.root == root());
            }
            self.next += 1;
        }
    }

    /// Up to which record somebody vouches, whether it holds or not.
    pub(crate) fn largest(&self) -> u64 {
        self.list.last().map_or(0, |claim| claim.checkpoint.size)
    }

    /// Up to which record a signature vouches for what is there: the largest claim of those wanted that holds.
    pub(crate) fn held(&self, wanted: impl Fn(&Claim) -> bool) -> Option<u64> {
        let held = self.list.iter().filter(|claim| claim.holds == Some(true) && wanted(claim));
        held.map(|claim| claim.checkpoint.size).next_back()
    }

    /// The first that does not hold.
    pub(crate) fn first_broken(&self) -> Option<&Claim> {
        self.list.iter().find(|claim| claim.holds == Some(false))
    }

    /// Whether what the log says of itself holds and what was kept elsewhere does not.
    pub(crate) fn only_pins_are_broken(&self) -> bool {
        let is_unmet = |claim: &&Claim| claim.holds != Some(true);
        let mut unmet = self.list.iter().filter(is_unmet).peekable();
        unmet.peek().is_some() && unmet.all(|claim| claim.source == Source::Pin)
    }

    /// The same claims, of which nothing is known yet.
    pub(crate) fn afresh(&self) -> Self {
        Self::new(self.list.iter().map(|claim| (claim.checkpoint, claim.source)))
    }
}
