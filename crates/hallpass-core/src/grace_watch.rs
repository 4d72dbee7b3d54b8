//! What the running gateway keeps of a grace period, and when: the highest time seen, and once that it is over. Writes
//! nothing itself.

use crate::grace::Grace;
use crate::time::UnixTime;

/// How far the highest time seen may be ahead of what was kept, in seconds: so much of it a `kill -9` can lose.
const KEEP_EVERY: i64 = 60;

/// What has to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The highest time seen.
    Seen {
        /// During which period.
        period: i64,
        /// The time.
        at: UnixTime,
    },
    /// The period is over.
    Over {
        /// Which one.
        period: i64,
        /// Since when.
        at: UnixTime,
        /// The highest time seen.
        seen: UnixTime,
    },
}

/// Remembers what was kept.
#[derive(Debug, Default)]
pub struct GraceWatch {
    kept: Option<(i64, UnixTime)>,
}

impl GraceWatch {
    /// What has to be kept now, if anything. Asked again and again, it says the same until [`GraceWatch::was_kept`].
    pub fn look(&self, grace: &Grace, now: UnixTime) -> Option<Note> {
        self.due(grace, now, KEEP_EVERY)
    }

    /// What has to be kept before the gateway ends.
    pub fn last_look(&self, grace: &Grace, now: UnixTime) -> Option<Note> {
        self.due(grace, now, 1)
    }

    /// It was written.
    pub fn was_kept(&mut self, note: Note) {
        match note {
            Note::Seen { period, at } | Note::Over { period, seen: at, .. } => self.kept = Some((period, at)),
        }
    }

    fn due(&self, grace: &Grace, now: UnixTime, ahead: i64) -> Option<Note> {
        let terms = grace.terms();
        if terms.ended_at.is_some() {
            return None;
        }
        let (period, seen) = (terms.period, grace.see(now));
        if let Some(at) = grace.over_since(now) {
            return Some(Note::Over { period, at, seen });
        }
        let kept = self.kept.filter(|(of, _)| *of == period).map(|(_, at)| at);
        kept.is_none_or(|kept| seen.since(kept) >= ahead).then_some(Note::Seen { period, at: seen })
    }
}

#[cfg(test)]
mod tests {
    use super::{GraceWatch, Note};
    use crate::grace::{Grace, GraceTerms, TagKey};
    use crate::snapshot::ServerScope;
    use crate::time::UnixTime;

    const END: i64 = 10_000;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    fn grace(period: i64, ended_at: Option<i64>) -> Grace {
        let key = TagKey::new(&[1; 32]);
        let terms = GraceTerms {
            period,
            tag: key.tag(b"shared"),
            until: at(END),
            ended_at: ended_at.map(at),
            servers: ServerScope::All,
            policy: None,
            strict_after_migration: false,
        };
        Grace::new(terms, key, at(0))
    }

    /// Looks, and keeps what is to be kept.
    fn keep(watch: &mut GraceWatch, grace: &Grace, now: i64) -> Option<Note> {
        let note = watch.look(grace, at(now));
        if let Some(note) = note {
            watch.was_kept(note);
        }
        note
    }

    #[test]
    fn the_highest_time_is_kept_at_once_then_every_minute_and_at_the_end() {
        let (mut watch, grace) = (GraceWatch::default(), grace(1, None));
        assert_eq!(keep(&mut watch, &grace, 100), Some(Note::Seen { period: 1, at: at(100) }));
        assert_eq!(keep(&mut watch, &grace, 159), None);
        assert_eq!(keep(&mut watch, &grace, 160), Some(Note::Seen { period: 1, at: at(160) }));
        assert_eq!(watch.last_look(&grace, at(160)), None);
        assert_eq!(watch.last_look(&grace, at(161)), Some(Note::Seen { period: 1, at: at(161) }));
    }

    #[test]
    fn a_clock_set_back_is_kept_as_the_highest_time() {
        let (mut watch, grace) = (GraceWatch::default(), grace(1, None));
        keep(&mut watch, &grace, 5000);
        assert_eq!(keep(&mut watch, &grace, 1400), None);
        assert_eq!(keep(&mut watch, &grace, 5059), None);
        assert_eq!(keep(&mut watch, &grace, 5060), Some(Note::Seen { period: 1, at: at(5060) }));
    }

    #[test]
    fn the_end_is_said_until_it_was_kept_and_no_longer() {
        let (watch, before) = (GraceWatch::default(), grace(1, None));
        let over = Some(Note::Over { period: 1, at: at(END), seen: at(END + 5) });
        assert_eq!(watch.look(&before, at(END + 5)), over);
        assert_eq!(watch.look(&before, at(3)), over, "and whatever the clock says afterwards");
        assert_eq!(watch.look(&grace(2, Some(END)), at(END + 6)), None);
        assert_eq!(watch.last_look(&grace(2, Some(END)), at(END + 6)), None);
    }

    #[test]
    fn another_period_begins_anew() {
        let mut watch = GraceWatch::default();
        keep(&mut watch, &grace(1, None), 5000);
        assert_eq!(keep(&mut watch, &grace(2, None), 10), Some(Note::Seen { period: 2, at: at(10) }));
    }
}
