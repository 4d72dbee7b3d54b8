//! Counts what is odd about tokens, and says when it is worth a line in the log: not each time. Decides not what is odd.

use crate::name::ClientName;
use crate::uses::{Warning, WarningKind};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// How long nothing more is written into the log about a token and kind, in milliseconds.
pub const TOLD_EVERY_MS: i64 = 3_600_000;
/// Unknown tokens with rows of their own. Whoever has a leaked key chooses their ids; the rest share a row.
pub const UNKNOWN_MOST: usize = 100;

/// Something odd that was seen once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// What is odd.
    pub kind: WarningKind,
    /// The token's public handle.
    pub jti: String,
    /// Whose it is, if it is anybody's.
    pub client: Option<ClientName>,
    /// When it was seen, in milliseconds.
    pub at_ms: i64,
    /// What was seen, in words.
    pub detail: String,
}

/// The rows about what is odd.
#[derive(Debug, Default)]
pub struct Warnings {
    rows: HashMap<(String, WarningKind), Row>,
    unknown: usize,
}

#[derive(Debug)]
struct Row {
    warning: Warning,
    dirty: bool,
}

impl Warnings {
    /// Takes rows that were kept. One that is here already stays.
    pub fn know(&mut self, kept: Vec<Warning>) {
        for warning in kept {
            let is_unknown = is_one_of_many(&warning.jti, warning.kind);
            if let Entry::Vacant(place) = self.rows.entry((warning.jti.clone(), warning.kind)) {
                place.insert(Row { warning, dirty: false });
                self.unknown += usize::from(is_unknown);
            }
        }
    }

    /// Counts it. Returns whether it is time to write it into the log.
    pub fn count(&mut self, odd: &Oddity) -> bool {
        let key = self.key_of(odd);
        let is_unknown = is_one_of_many(&key.0, odd.kind);
        match self.rows.entry(key) {
            Entry::Occupied(mut row) => row.get_mut().count(odd),
            Entry::Vacant(place) => {
                self.unknown += usize::from(is_unknown);
                let warning = Warning {
                    jti: place.key().0.clone(),
                    kind: odd.kind,
                    client: odd.client.clone(),
                    first_ms: odd.at_ms,
                    last_ms: odd.at_ms,
                    told_ms: odd.at_ms,
                    times: 1,
                    detail: odd.detail.clone(),
                };
                place.insert(Row { warning, dirty: true });
                true
            }
        }
    }

    fn key_of(&self, odd: &Oddity) -> (String, WarningKind) {
        let own = (odd.jti.clone(), odd.kind);
        let no_room = self.unknown >= UNKNOWN_MOST && !self.rows.contains_key(&own);
        if is_one_of_many(&odd.jti, odd.kind) && no_room { (String::new(), odd.kind) } else { own }
    }

    /// The rows that changed since [`Warnings::written`].
    pub fn dirty(&self) -> Vec<Warning> {
        self.rows.values().filter(|row| row.dirty).map(|row| row.warning.clone()).collect()
    }

    /// All that is dirty was kept.
    pub fn written(&mut self) {
        for row in self.rows.values_mut() {
            row.dirty = false;
        }
    }

    /// Forgets the rows of a token that are kept elsewhere. They can be known again.
    pub fn forget(&mut self, jti: &str) {
        for kind in WarningKind::ALL {
            let key = (jti.to_owned(), kind);
            if self.rows.get(&key).is_some_and(|row| !row.dirty) {
                self.rows.remove(&key);
                self.unknown -= usize::from(is_one_of_many(jti, kind));
            }
        }
    }
}

impl Row {
    fn count(&mut self, odd: &Oddity) -> bool {
        let warning = &mut self.warning;
        warning.times = warning.times.saturating_add(1);
        warning.last_ms = odd.at_ms;
        warning.detail.clone_from(&odd.detail);
        self.dirty = true;
        // Either way: a clock that was set back must not silence it for long.
        let tell = warning.told_ms.abs_diff(odd.at_ms) >= TOLD_EVERY_MS.unsigned_abs();
        if tell {
            warning.told_ms = odd.at_ms;
        }
        tell
    }
}

/// Whether its id was chosen by whoever signed it, so that there can be any number.
fn is_one_of_many(jti: &str, kind: WarningKind) -> bool {
    kind == WarningKind::UnknownToken && !jti.is_empty()
}

#[cfg(test)]
mod tests {
    use super::{Oddity, TOLD_EVERY_MS, UNKNOWN_MOST, Warnings};
    use crate::name::ClientName;
    use crate::uses::{Warning, WarningKind};

    fn odd(kind: WarningKind, jti: &str, at_ms: i64) -> Oddity {
        let client = (kind != WarningKind::UnknownToken).then(|| ClientName::new("ann").unwrap());
        Oddity { kind, jti: jti.into(), client, at_ms, detail: format!("at {at_ms}") }
    }

    #[test]
    fn each_is_counted_and_told_once_an_hour_by_token_and_kind() {
        let mut warnings = Warnings::default();
        let mut tell = |kind, jti, at_ms| warnings.count(&odd(kind, jti, at_ms));
        assert!(tell(WarningKind::TwoPrograms, "a", 0));
        assert!(!tell(WarningKind::TwoPrograms, "a", TOLD_EVERY_MS - 1));
        assert!(tell(WarningKind::TwoAddresses, "a", 1), "another kind");
        assert!(tell(WarningKind::TwoPrograms, "b", 1), "another token");
        assert!(tell(WarningKind::TwoPrograms, "a", TOLD_EVERY_MS));
        assert!(!tell(WarningKind::TwoPrograms, "a", 2 * TOLD_EVERY_MS - 1));
        assert!(tell(WarningKind::TwoPrograms, "a", -TOLD_EVERY_MS), "the clock was set back");
        let rows = warnings.dirty();
        let row = rows.iter().find(|row| row.jti == "a" && row.kind == WarningKind::TwoPrograms).unwrap();
        assert_eq!((rows.len(), row.times, row.first_ms, row.last_ms), (3, 5, 0, -TOLD_EVERY_MS));
        assert_eq!(row.detail, format!("at -{TOLD_EVERY_MS}"));
    }

    #[test]
    fn what_was_kept_goes_on_where_it_stood() {
        let mut first = Warnings::default();
        first.count(&odd(WarningKind::AfterSilence, "a", 10));
        let kept = first.dirty();
        first.written();
        assert_eq!(first.dirty(), []);
        first.forget("a");
        assert!(first.count(&odd(WarningKind::AfterSilence, "a", 20)), "it was forgotten");
        let mut second = Warnings::default();
        second.know(kept);
        assert!(!second.count(&odd(WarningKind::AfterSilence, "a", 20)));
        let Warning { times, first_ms, told_ms, .. } = second.dirty().remove(0);
        assert_eq!((times, first_ms, told_ms), (2, 10, 10));
        second.know(vec![Warning { times: 90, ..first.dirty().remove(0) }]);
        assert_eq!(second.dirty()[0].times, 2, "what is here is newer");
    }

    #[test]
    fn nobody_can_fill_it_with_ids_of_their_own() {
        let mut warnings = Warnings::default();
        let told = (0..10 * UNKNOWN_MOST)
            .filter(|n| warnings.count(&odd(WarningKind::UnknownToken, &format!("made-up-{n}"), 0)))
            .count();
        assert_eq!((told, warnings.rows.len()), (UNKNOWN_MOST + 1, UNKNOWN_MOST + 1));
        let rest = warnings.dirty().into_iter().find(|row| row.jti.is_empty()).unwrap();
        assert_eq!(rest.times, 9 * UNKNOWN_MOST as u64);
        assert!(!warnings.count(&odd(WarningKind::UnknownToken, "made-up-0", 1)), "it has its own row");
        let known = warnings.dirty();
        let mut other = Warnings::default();
        other.know(known);
        assert!(!other.count(&odd(WarningKind::UnknownToken, "one more", 1)), "that row is known again too");
    }
}
