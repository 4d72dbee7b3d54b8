//! Points in time as whole seconds since the epoch (RFC 7519 `NumericDate`). Knows no clock and no time zone.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnixTime(i64);

/// The last second of the year 9999: what every calendar can still print.
pub const LATEST: i64 = 253_402_300_799;

impl UnixTime {
    /// The instant `seconds` after the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// This instant moved by `seconds` (negative: earlier), held within what an `i64` can say.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this instant.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The first instant of a day, UTC: `2026-12-24`. `None`: no such day from 1970 to 9999.
    pub fn from_date(text: &str) -> Option<Self> {
        let (year, rest) = (digits(text.get(..4)?)?, text.get(4..)?);
        let (month, rest) = (digits(rest.strip_prefix('-')?.get(..2)?)?, rest.get(3..)?);
        let day = digits(rest.strip_prefix('-').filter(|day| day.len() == 2)?)?;
        if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let days = days_from_civil(year, month, day);
        // The 31st of a short month is a day of the next one.
        (civil_from_days(days) == (year, month, day)).then_some(Self(days * 86_400))
    }

    /// An instant as RFC 3339 writes it: `2026-12-24T18:00:00Z`, `2026-12-24T19:00:00.5+01:00`. Fractions of a second are
    /// dropped; leap seconds are no instants here.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (date, rest) = (text.get(..10)?, text.get(10..)?);
        let rest = rest.strip_prefix(['T', 't'])?;
        let seconds = time_of_day(rest.get(..8)?)?;
        let rest = without_fraction(rest.get(8..)?)?;
        let offset = match rest.as_bytes() {
            b"Z" | b"z" => 0,
            [b'+', ..] => clock(&rest[1..])?,
            [b'-', ..] => -clock(&rest[1..])?,
            _ => return None,
        };
        Some(Self::from_date(date)?.plus(seconds - offset)).filter(|at| (0..=LATEST).contains(&at.0))
    }
}

fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Seconds of `18:00:00`.
fn time_of_day(text: &str) -> Option<i64> {
    let seconds = digits(text.get(5..)?.strip_prefix(':')?).filter(|seconds| *seconds < 60)?;
    Some(clock(text.get(..5)?)? + seconds)
}

/// Seconds of `18:00`.
fn clock(text: &str) -> Option<i64> {
    let (hours, minutes) =
        text.split_once(':').filter(|(hours, minutes)| (hours.len(), minutes.len()) == (2, 2))?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)
}

fn without_fraction(text: &str) -> Option<&str> {
    let Some(fraction) = text.strip_prefix('.') else { return Some(text) };
    let rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < fraction.len()).then_some(rest)
}

/// `2026-11-23T00:00:00Z` (RFC 3339), by the civil-from-days rule of the proleptic Gregorian calendar.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.clamp(0, LATEST);
        let (year, month, day) = civil_from_days(seconds / 86_400);
        let rest = seconds % 86_400;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
            rest / 3600,
            rest % 3600 / 60,
            rest % 60
        )
    }
}

/// Days since the epoch to year, month, day. Years are counted from March, so that the leap day comes last.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The inverse, for years that have four digits.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::{LATEST, UnixTime};

    #[test]
    fn what_is_printed_is_read_back() {
        for seconds in (0..LATEST).step_by(86_400 * 13 + 4321) {
            let at = UnixTime::from_seconds(seconds);
            assert_eq!(UnixTime::from_rfc3339(&at.to_string()), Some(at));
        }
        assert_eq!(UnixTime::from_rfc3339("9999-12-31T23:59:59Z"), Some(UnixTime::from_seconds(LATEST)));
    }

    #[test]
    fn every_day_is_a_date_and_nothing_else_is() {
        for day in 0..=LATEST / 86_400 {
            let at = UnixTime::from_seconds(day * 86_400);
            assert_eq!(UnixTime::from_date(&at.to_string()[..10]), Some(at));
        }
        for bad in [
            "2026-02-29",
            "2026-04-31",
            "2026-00-10",
            "2026-13-10",
            "2026-12-00",
            "2026-12-32",
            "1969-12-31",
            "2026-1-1",
            "26-12-24",
            "2026/12/24",
            "2026-12-24 ",
            " 2026-12-24",
            "2026-12-2\u{664}",
            "\u{664}026-12-24",
            "+026-12-24",
            "2026-12-24T",
            "20261224",
            "",
        ] {
            assert_eq!(UnixTime::from_date(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_instant_has_an_offset() {
        let at = |text| UnixTime::from_rfc3339(text).map(UnixTime::seconds);
        let noon = 1_798_070_400 + 12 * 3600;
        for good in [
            "2026-12-24T12:00:00Z",
            "2026-12-24t12:00:00z",
            "2026-12-24T12:00:00.999Z",
            "2026-12-24T13:00:00+01:00",
            "2026-12-24T01:30:00-10:30",
            "2026-12-25T02:00:00+14:00",
        ] {
            assert_eq!(at(good), Some(noon), "{good}");
        }
        for bad in [
            "2026-12-24T12:00:00",
            "2026-12-24 12:00:00Z",
            "2026-12-24T12:00Z",
            "2026-12-24T24:00:00Z",
            "2026-12-24T12:60:00Z",
            "2026-12-24T23:59:60Z",
            "2026-12-24T12:00:00.Z",
            "2026-12-24T12:00:00+0100",
            "2026-12-24T12:00:00+1:00",
            "2026-12-24T12:00:00+24:00",
            "2026-12-24T12:00:00ZZ",
            "2026-12-24T12:00:00 Z",
            "2026-12-24T-1:00:00Z",
            "2026-12-24T12:00:00UTC",
            "1970-01-01T00:00:00+01:00",
            "2026-12-24T\u{e9}2:00:00Z",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn instants_are_printed_in_utc() {
        for (seconds, expect) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_392_000, "2026-11-23T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(UnixTime::from_seconds(seconds).to_string(), expect);
        }
    }
}
