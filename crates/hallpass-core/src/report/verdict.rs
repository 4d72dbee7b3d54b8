//! The report in a line or two: can every call be put down to somebody, was something odd, is the log vouched for.

use super::{Attribution, Integrity, Records};
use serde::Serialize;

/// How it sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Nothing to ask about.
    Good,
    /// Nothing happened.
    Quiet,
    /// Somebody has to look.
    Attention,
}

/// What it comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How it sounds.
    pub tone: Tone,
    /// One sentence.
    pub headline: String,
    /// What has to be known beside it.
    pub notes: Vec<String>,
}

impl Verdict {
    pub(super) fn of(
        calls: Attribution,
        records: Records,
        warnings: usize,
        integrity: Option<&Integrity>,
    ) -> Self {
        let let_in = calls.named + calls.shared_secret;
        // Who made the others nobody knows.
        let on_record = if records.unrecorded > 0 { " and are on record" } else { "" };
        let (mut tone, headline) = match calls {
            Attribution { named: 0, shared_secret: 0, .. } if records.unrecorded > 0 => {
                (Tone::Attention, "no call of a client is on record in this period".to_owned())
            }
            Attribution { named: 0, shared_secret: 0, .. } => {
                (Tone::Quiet, "no client called in this period".to_owned())
            }
            Attribution { shared_secret: 0, .. } => (
                Tone::Good,
                format!(
                    "all {} calls that were let in{on_record} carry the name of one client",
                    grouped(let_in)
                ),
            ),
            Attribution { shared_secret, .. } => (
                Tone::Attention,
                format!(
                    "{} of {} calls that were let in{on_record} showed the shared secret: nobody can tell whose they are",
                    grouped(shared_secret),
                    grouped(let_in)
                ),
            ),
        };
        let mut notes = Vec::new();
        if warnings > 0 {
            tone = Tone::Attention;
            notes.push(format!("{warnings} warning{} about the use of tokens", plural(warnings)));
        }
        if records.unrecorded > 0 {
            tone = Tone::Attention;
            notes.push(match records.unrecorded {
                1 => "1 call was made without a record".to_owned(),
                calls => format!("{} calls were made without a record", grouped(calls)),
            });
        }
        notes.push(vouched_for(records, integrity));
        if records.closed > 0 {
            notes.push(format!(
                "{} of the records are in logs that were closed: those have checkpoints of their own",
                grouped(records.closed)
            ));
        }
        Self { tone, headline, notes }
    }
}

fn vouched_for(records: Records, integrity: Option<&Integrity>) -> String {
    match (integrity, records.last) {
        (None, _) => "there is no checkpoint of the log: this report alone does not show that no record was changed or removed".into(),
        (Some(integrity), Some(last)) if !integrity.covers(last) => format!(
            "the checkpoint vouches for {} records; those from number {} on are newer",
            grouped(integrity.size),
            integrity.size
        ),
        (Some(integrity), _) => format!(
            "a signed checkpoint vouches for all {} records of the log up to then",
            grouped(integrity.size)
        ),
    }
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// `1,234,567`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Tone, Verdict, grouped};
    use crate::report::{Attribution, Records};

    #[test]
    fn who_cannot_be_named_and_what_is_odd_ask_for_attention() {
        let of = |named, shared_secret, warnings| {
            let calls = Attribution { named, shared_secret, nobody: 3 };
            let verdict = Verdict::of(calls, Records::default(), warnings, None);
            (verdict.tone, verdict.headline, verdict.notes.len())
        };
        let good = "all 1,200 calls that were let in carry the name of one client".to_owned();
        assert_eq!(of(1200, 0, 0), (Tone::Good, good.clone(), 1));
        assert_eq!(of(1200, 0, 2), (Tone::Attention, good, 2));
        assert_eq!(of(0, 0, 0), (Tone::Quiet, "no client called in this period".into(), 1));
        let (tone, headline, _) = of(10, 5, 0);
        assert_eq!(tone, Tone::Attention);
        assert!(headline.starts_with("5 of 15 calls"), "{headline}");
    }

    #[test]
    fn calls_without_a_record_ask_for_attention() {
        let of = |named, unrecorded| {
            let calls = Attribution { named, ..Attribution::default() };
            Verdict::of(calls, Records { unrecorded, ..Records::default() }, 0, None)
        };
        for (named, headline) in [
            (7, "all 7 calls that were let in and are on record carry the name of one client"),
            (0, "no call of a client is on record in this period"),
        ] {
            let verdict = of(named, 1200);
            assert_eq!((verdict.tone, verdict.headline.as_str()), (Tone::Attention, headline));
            assert_eq!(verdict.notes[0], "1,200 calls were made without a record");
        }
        assert_eq!(of(7, 1).notes[0], "1 call was made without a record");
    }

    #[test]
    fn records_of_closed_logs_are_not_under_this_ones_checkpoint() {
        let mut records = Records::default();
        for seq in [None, None, Some(0), Some(1)] {
            records.add(seq);
        }
        assert_eq!(records, Records { count: 4, closed: 2, first: Some(0), last: Some(1), ..records });
        let verdict = Verdict::of(Attribution::default(), records, 0, None);
        assert!(verdict.notes[1].starts_with("2 of the records are in logs that were closed"), "{verdict:?}");
    }

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
