//! The records that a report was made of, counted. Looks into none of them.

use serde::Serialize;

/// The records that the report was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Records {
    /// How many.
    pub count: u64,
    /// How many of them are in logs that are closed: they have no number in this one.
    pub closed: u64,
    /// The number of the first of the others.
    pub first: Option<u64>,
    /// The number of the last.
    pub last: Option<u64>,
    /// How many of all are acts.
    pub acts: u64,
    /// How many calls they say were made without a record.
    pub unrecorded: u64,
}

impl Records {
    /// One more. `seq`: its number in the log, none if it is in one that is closed.
    pub(super) fn add(&mut self, seq: Option<u64>) {
        self.count += 1;
        self.closed += u64::from(seq.is_none());
        self.first = [self.first, seq].into_iter().flatten().min();
        self.last = self.last.max(seq);
    }
}
