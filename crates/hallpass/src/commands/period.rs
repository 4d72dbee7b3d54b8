//! What a person types as the beginning or the end of what is asked for. Asks no clock.

use crate::fault::{Fault, Result};
use hallpass_core::UnixTime;
use hallpass_core::roster::parse_duration;

/// From when to when. The end is the first instant that is not part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) since: Option<UnixTime>,
    pub(super) until: Option<UnixTime>,
}

impl Period {
    /// `--since` and `--until`: each a day (from its beginning), an instant, or so long ago.
    pub(super) fn read(since: Option<&str>, until: Option<&str>, now: UnixTime) -> Result<Self> {
        let read = |text: Option<&str>, option| text.map(|text| instant(text, now, option)).transpose();
        let period = Self { since: read(since, "--since")?, until: read(until, "--until")? };
        match period {
            Self { since: Some(since), until: Some(until) } if since >= until => {
                Err(Fault::usage(format!("`--since` ({since}) is not before `--until` ({until})"))
                    .hint("a day counts from its beginning in UTC, so a whole day ends with the next one"))
            }
            period => Ok(period),
        }
    }

    pub(super) fn since_ms(self) -> Option<i64> {
        self.since.map(|at| at.seconds().saturating_mul(1000))
    }

    pub(super) fn until_ms(self) -> Option<i64> {
        self.until.map(|at| at.seconds().saturating_mul(1000))
    }
}

/// A day (from its beginning), an instant, or so long ago.
pub(super) fn instant(text: &str, now: UnixTime, option: &str) -> Result<UnixTime> {
    parse_duration(text)
        .map(|seconds| now.plus(-seconds))
        .or_else(|| UnixTime::from_date(text))
        .or_else(|| UnixTime::from_rfc3339(text))
        .ok_or_else(|| {
            Fault::usage(format!("`{option} {}` is no date", text.escape_debug()))
                .hint("a day like `2026-12-24`, an instant like `2026-12-24T18:00:00Z`, or so long ago: `7d`, `12h`")
        })
}

#[cfg(test)]
mod tests {
    use super::Period;
    use hallpass_core::UnixTime;

    #[test]
    fn days_instants_and_times_ago_are_read_and_what_ends_before_it_begins_is_not() {
        let now = UnixTime::from_rfc3339("2026-12-10T09:00:00Z").unwrap();
        for (since, until, expect) in [
            (Some("2h"), None, Ok((Some("2026-12-10T07:00:00Z"), None))),
            (
                Some("2026-12-01"),
                Some("2026-12-02"),
                Ok((Some("2026-12-01T00:00:00Z"), Some("2026-12-02T00:00:00Z"))),
            ),
            (None, Some("2026-12-01T10:00:00+01:00"), Ok((None, Some("2026-12-01T09:00:00Z")))),
            (None, None, Ok((None, None))),
            (Some("yesterday"), None, Err("`--since yesterday` is no date")),
            (None, Some("2026-02-30"), Err("`--until 2026-02-30` is no date")),
            (Some("1h"), Some("2h"), Err("`--since` (2026-12-10T08:00:00Z) is not before")),
            (Some("2026-12-01"), Some("2026-12-01"), Err("`--since` (2026-12-01T00:00:00Z) is not before")),
        ] {
            match (Period::read(since, until, now), expect) {
                (Ok(period), Ok((from, to))) => {
                    let text = |at: Option<UnixTime>| at.map(|at| at.to_string());
                    assert_eq!((text(period.since).as_deref(), text(period.until).as_deref()), (from, to));
                }
                (Err(fault), Err(words)) => {
                    assert!(fault.to_string().starts_with(words), "{fault}");
                    assert_eq!(fault.exit_code(), 64);
                }
                (found, expect) => panic!("{since:?} {until:?}: {found:?}, not {expect:?}"),
            }
        }
    }
}
