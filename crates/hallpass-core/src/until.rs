//! What a person types as an end: a day, an instant, or a time from now. Knows no time zone but UTC.

use crate::roster::parse_duration;
use crate::time::UnixTime;
use std::fmt;

/// Ten years, in seconds: what is further away is a typing mistake.
pub const FURTHEST: i64 = 3650 * 86_400;

/// An end that lies ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// The first instant after it.
    pub at: UnixTime,
    /// It was counted from now: typed again later, it would be another instant.
    pub from_now: bool,
}

/// Why a text is no end that lies ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UntilFault {
    /// Neither a day nor an instant nor a time from now.
    Unreadable,
    /// It is over already.
    Past {
        /// When it was.
        at: UnixTime,
    },
    /// More than ten years ahead.
    TooFar,
}

impl fmt::Display for UntilFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("is no date"),
            Self::Past { at } => write!(f, "ended on {at}, and that is past"),
            Self::TooFar => f.write_str("is more than ten years ahead"),
        }
    }
}

impl Until {
    /// Reads it. A day counts to its end, so `2026-12-24` is 2026-12-25T00:00:00Z: whoever says "until the 24th" means
    /// that the 24th is a day on which it still holds.
    pub fn read(text: &str, now: UnixTime) -> Result<Self, UntilFault> {
        let from_now = parse_duration(text);
        let at = match from_now {
            Some(seconds) => Some(now.plus(seconds)),
            None => {
                UnixTime::from_date(text).map(|day| day.plus(86_400)).or_else(|| UnixTime::from_rfc3339(text))
            }
        };
        let at = at.ok_or(UntilFault::Unreadable)?;
        if at <= now {
            return Err(UntilFault::Past { at });
        }
        if at.since(now) > FURTHEST {
            return Err(UntilFault::TooFar);
        }
        Ok(Self { at, from_now: from_now.is_some() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Until, UntilFault};
    use crate::time::UnixTime;

    fn read(text: &str) -> Result<(String, bool), UntilFault> {
        let now = UnixTime::from_rfc3339("2026-12-10T09:00:00Z").unwrap();
        Until::read(text, now).map(|until| (until.at.to_string(), until.from_now))
    }

    #[test]
    fn a_day_counts_to_its_end_and_a_time_from_now_is_one() {
        for (text, at, from_now) in [
            ("2026-12-24", "2026-12-25T00:00:00Z", false),
            ("2026-12-10", "2026-12-11T00:00:00Z", false),
            ("2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00Z", false),
            ("14d", "2026-12-24T09:00:00Z", true),
            ("90m", "2026-12-10T10:30:00Z", true),
        ] {
            assert_eq!(read(text), Ok((at.into(), from_now)), "{text}");
        }
    }

    #[test]
    fn what_is_past_too_far_or_unreadable_is_said_apart() {
        for bad in
            ["", "soon", "14", "d", "-1d", "1.5d", "24.12.2026", "2026-12-24T18:00:00", "2026-02-30", "14 d"]
        {
            assert_eq!(read(bad), Err(UntilFault::Unreadable), "{bad}");
        }
        for past in ["2026-12-09", "2026-12-10T09:00:00Z", "0d", "1970-01-01"] {
            assert!(matches!(read(past), Err(UntilFault::Past { .. })), "{past}");
        }
        for far in ["3651d", "2126-12-24", "9999-12-31", "9223372036854775807s"] {
            assert_eq!(read(far), Err(UntilFault::TooFar), "{far}");
        }
    }
}
