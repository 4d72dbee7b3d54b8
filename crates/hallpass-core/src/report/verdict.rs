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
        let (mut tone, headline) = match calls {
            Attribution { named: 0, shared_secret: 0, .. } => {
                (Tone::Quiet, "no client called in this period".to_owned())
            }
            Attribution { shared_secret: 0, .. } => (
                Tone::Good,
                format!("all {} calls that were let in carry the name of one client", grouped(let_in)),
            ),
            Attribution { shared_secret, .. } => (
                Tone::Attention,
                format!(
                    "{} of {} calls that were let in showed the shared secret: nobody can tell whose they are",
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
        notes.push(vouched_for(records, integrity));
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
    fn thousands_are_told_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
