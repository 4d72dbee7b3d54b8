//! Times, durations and sizes as people read them. The same in every rendering.

use hallpass_core::UnixTime;
use hallpass_core::report::{Tone, grouped};

/// `2026-12-24 18:00:05`, in UTC.
pub(super) fn moment(at_ms: i64) -> String {
    instant(UnixTime::from_seconds(at_ms.div_euclid(1000)))
}

/// `2026-12-24 18:00:05`, in UTC.
pub(super) fn instant(at: UnixTime) -> String {
    at.to_string().trim_end_matches('Z').replace('T', " ")
}

/// `2026-12-24`, in UTC.
pub(super) fn day(at: UnixTime) -> String {
    instant(at).chars().take(10).collect()
}

/// `2026-11-01 to 2026-11-30` where the period is of whole days, else both instants.
pub(super) fn period(from: UnixTime, to: UnixTime) -> String {
    const DAY: i64 = 86_400;
    if from.seconds().rem_euclid(DAY) == 0 && to.seconds().rem_euclid(DAY) == 0 {
        let last = day(to.plus(-1));
        let first = day(from);
        if first == last { first } else { format!("{first} to {last}") }
    } else {
        format!("{} to {}", instant(from), instant(to))
    }
}

/// `4.1 ms`, `2.3 s`
pub(super) fn duration(micros: u64) -> String {
    match micros {
        0..1_000_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        1_000_000..600_000_000 => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
        _ => format!("{} min", grouped(micros / 60_000_000)),
    }
}

/// `812 B`, `4.1 KiB`
pub(super) fn bytes(bytes: u64) -> String {
    let mut unit = 1024;
    for name in ["KiB", "MiB", "GiB", "TiB"] {
        if bytes < unit {
            break;
        }
        if bytes < unit * 1024 || name == "TiB" {
            return format!("{}.{} {name}", grouped(bytes / unit), bytes % unit * 10 / unit);
        }
        unit *= 1024;
    }
    format!("{bytes} B")
}

/// `12.5 %`; `-` of nothing.
pub(super) fn share(part: u64, whole: u64) -> String {
    match (u128::from(part) * 1000).checked_div(u128::from(whole)) {
        Some(0) if part > 0 => "<0.1 %".into(),
        Some(thousandths) => format!("{}.{} %", thousandths / 10, thousandths % 10),
        None => "-".into(),
    }
}

/// The word for a verdict's tone.
pub(super) const fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Quiet => "quiet",
        Tone::Attention => "attention",
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, duration, period, share};
    use hallpass_core::UnixTime;

    #[test]
    fn numbers_are_said_in_the_unit_that_fits() {
        assert_eq!(
            [0, 950, 4_123, 2_340_000, 7_200_000_000].map(duration),
            ["0.0 ms", "0.9 ms", "4.1 ms", "2.3 s", "120 min"]
        );
        assert_eq!(
            [0, 1023, 1024, 1_600_000, u64::MAX].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "16,777,215.9 TiB"]
        );
        assert_eq!(
            [share(1, 8), share(0, 8), share(1, 9000), share(0, 0)],
            ["12.5 %", "0.0 %", "<0.1 %", "-"]
        );
    }

    #[test]
    fn whole_days_are_said_as_days() {
        let at = |text| UnixTime::from_rfc3339(text).unwrap();
        let of = |from, to| period(at(from), at(to));
        assert_eq!(of("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"), "2026-11-01 to 2026-11-30");
        assert_eq!(of("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"), "2026-11-01");
        assert_eq!(
            of("2026-11-01T00:00:00Z", "2026-11-02T10:00:00Z"),
            "2026-11-01 00:00:00 to 2026-11-02 10:00:00"
        );
    }
}
