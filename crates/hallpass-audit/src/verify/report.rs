//! The verdict, as data and in words.

use super::claims::{Claims, Source};
use super::walk::Walked;
use crate::note::NoteFault;
use std::fmt;
use std::io;

/// What the verifier found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every record is as it was written, as far as anybody vouches for it.
    Whole {
        /// How many records.
        size: u64,
        /// Up to which record the log's key vouches.
        signed_until: u64,
        /// Up to which record a checkpoint vouches that was kept elsewhere, if one was given.
        anchored_until: Option<u64>,
        /// How many at the end nobody vouches for: what was written since the last checkpoint.
        unsigned: u64,
    },
    /// It is not.
    Tampered {
        /// The first record that is not as it was, or for which nothing vouches any more.
        seq: u64,
        /// What is wrong there.
        why: String,
    },
}

/// Something to know that is no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The records before this one were pruned, and their hashes vouched for.
    Pruned {
        /// The first that is there.
        before: u64,
    },
    /// Behind the last record is one that was not finished: a crash.
    Torn {
        /// How long it is.
        bytes: u64,
    },
    /// Tiles do not agree with the records. They are derived and can be made again.
    Tiles {
        /// How many.
        count: u64,
    },
    /// The clock was put back.
    ClockBack {
        /// How often.
        count: u64,
        /// The first record that is earlier than the one before.
        seq: u64,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pruned { before } => write!(f, "the records before {before} were pruned"),
            Self::Torn { bytes } => {
                write!(f, "{bytes} bytes of an unfinished record at the end, as a crash leaves them")
            }
            Self::Tiles { count } => {
                write!(f, "{count} tiles do not agree with the records; they are derived")
            }
            Self::ClockBack { count, seq } => {
                write!(f, "the clock went back {count} times, first at record {seq}")
            }
        }
    }
}

/// The verdict on a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was found.
    pub outcome: Outcome,
    /// How many records follow from the one before, pruned ones among them.
    pub records: u64,
    /// Whether a pin says otherwise than the log while its own checkpoints do not.
    pub pin_is_why: bool,
    /// Up to which record a signature vouches for what is there, whatever else is wrong. Never more than the first bad one.
    pub vouched_until: u64,
    /// What to know besides.
    pub notes: Vec<Note>,
}

impl Report {
    /// What a program should end with: 0 whole, 1 tampered, 2 whole and not anchored as asked.
    /// `anchored_until`: up to which record it was asked to be anchored, if at all.
    pub fn exit_code(&self, anchored_until: Option<u64>) -> u8 {
        match (&self.outcome, anchored_until) {
            (Outcome::Tampered { .. }, _) => 1,
            (Outcome::Whole { anchored_until: Some(until), .. }, Some(asked)) if *until >= asked => 0,
            (Outcome::Whole { .. }, Some(_)) => 2,
            (Outcome::Whole { .. }, None) => 0,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Tampered { seq, why } => write!(f, "tampered: record {seq}: {why}"),
            Outcome::Whole { size, signed_until, anchored_until, unsigned } => {
                write!(f, "whole: {size} records, signed up to {signed_until}, ")?;
                match anchored_until {
                    Some(until) => write!(f, "anchored up to {until}")?,
                    None => f.write_str("not anchored")?,
                }
                if *unsigned > 0 { write!(f, ", {unsigned} not signed yet") } else { Ok(()) }
            }
        }
    }
}

/// Why nothing could be said.
#[derive(Debug)]
pub enum VerifyFault {
    /// The folder holds no log.
    NoLog,
    /// A pin is not a checkpoint of this log.
    Pin {
        /// Which of those given, from 0.
        index: usize,
        /// What it is not.
        fault: NoteFault,
    },
    /// The log could not be read.
    Io(io::Error),
}

impl fmt::Display for VerifyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLog => f.write_str("there is no audit log"),
            Self::Pin { index, fault } => write!(f, "pin {} {fault}", index + 1),
            Self::Io(error) => write!(f, "the audit log cannot be read: {error}"),
        }
    }
}

impl std::error::Error for VerifyFault {}

/// One thing that is wrong.
pub(super) struct Found {
    /// The first record that it concerns.
    pub(super) seq: u64,
    pub(super) why: String,
    /// Up to which record the tiles show the lines to be those that were signed.
    pub(super) vouched: u64,
}

pub(super) fn tampered(seq: u64, why: String, records: u64) -> Report {
    Report {
        outcome: Outcome::Tampered { seq, why },
        records,
        pin_is_why: false,
        vouched_until: 0,
        notes: Vec::new(),
    }
}

/// Of all that is wrong, what concerns the earliest record.
pub(super) fn of(faults: Vec<Found>, claims: &Claims, walked: &Walked, notes: Vec<Note>) -> Report {
    let size = walked.state.tree.size();
    let signed_until = claims.held(|_| true).unwrap_or(0);
    let first = faults.into_iter().min_by_key(|found| found.seq);
    let vouched_until =
        first.as_ref().map_or(signed_until, |found| found.vouched.max(signed_until).min(found.seq));
    let outcome = match first {
        Some(Found { seq, why, .. }) => Outcome::Tampered { seq, why },
        None => Outcome::Whole {
            size,
            signed_until,
            anchored_until: claims.held(|claim| claim.source == Source::Pin),
            unsigned: size - signed_until,
        },
    };
    Report { outcome, records: size, pin_is_why: claims.only_pins_are_broken(), vouched_until, notes }
}
