//! How many calls a time: the generic cell rate algorithm, one step at a time. Keeps no state and knows no clock.

/// Microseconds in a second.
const SECOND_US: i64 = 1_000_000;
/// The most calls at once, and the most calls a time: more is no limit.
const MOST: u32 = 1_000_000;

/// So many calls a time, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time that one call takes from the budget, in microseconds.
    interval_us: i64,
    /// How many may come at once.
    burst: u32,
}

/// What a step says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It may be made; this is the state to keep.
    Go {
        /// When the budget will be whole again, in microseconds.
        whole_at_us: i64,
    },
    /// It may not be made, and the state stays as it was: a refused call spends nothing.
    Wait {
        /// After how many microseconds one could be.
        for_us: i64,
    },
}

impl Rate {
    /// Reads `10/s`, `60/m` or `1000/h`. Without `burst`, as many at once as the number says.
    pub fn parse(text: &str, burst: Option<u32>) -> Option<Self> {
        let (number, unit) = text.split_once('/')?;
        let unit_s = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number: u32 = number.parse().ok()?;
        let burst = burst.unwrap_or(number);
        if !(1..=MOST).contains(&number) || !(1..=MOST).contains(&burst) {
            return None;
        }
        Some(Self { interval_us: unit_s * SECOND_US / i64::from(number), burst })
    }

    /// The state to go on with by this rate for somebody who is at `whole_at_us` by the rate `before`: what was spent stays
    /// spent, and nobody owes more than a whole budget.
    pub fn carry_over(&self, before: &Self, whole_at_us: i64, now_us: i64) -> i64 {
        let owed_us = i128::from(whole_at_us.saturating_sub(now_us).max(0));
        let owed_us = owed_us * i128::from(self.interval_us) / i128::from(before.interval_us);
        let owed_us = i64::try_from(owed_us).unwrap_or(i64::MAX).min(self.room_us());
        now_us.saturating_add(owed_us)
    }

    /// One call at `now_us`, where the budget will be whole again at `whole_at_us` (0: it is). Both are microseconds of
    /// one clock that only goes forward.
    pub fn step(&self, whole_at_us: i64, now_us: i64) -> Step {
        let whole_at_us = whole_at_us.max(now_us);
        let after_us = whole_at_us.saturating_add(self.interval_us);
        let over_us = after_us.saturating_sub(now_us).saturating_sub(self.room_us());
        if over_us > 0 { Step::Wait { for_us: over_us } } else { Step::Go { whole_at_us: after_us } }
    }

    /// The whole budget, in the time that it takes to come back.
    fn room_us(&self) -> i64 {
        self.interval_us.saturating_mul(i64::from(self.burst))
    }
}

#[cfg(test)]
mod tests {
    use super::{Rate, SECOND_US, Step};

    /// How many of `calls` at these microseconds are let through.
    fn let_through(rate: &Rate, calls: impl IntoIterator<Item = i64>) -> usize {
        let_through_from(rate, 0, calls)
    }

    fn let_through_from(rate: &Rate, mut whole_at: i64, calls: impl IntoIterator<Item = i64>) -> usize {
        calls
            .into_iter()
            .filter(|now| match rate.step(whole_at, *now) {
                Step::Go { whole_at_us } => {
                    whole_at = whole_at_us;
                    true
                }
                Step::Wait { .. } => false,
            })
            .count()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_counts() {
        let rate = Rate::parse("10/s", Some(3)).unwrap();
        assert_eq!(let_through(&rate, [1; 10]), 3);
        // Ten seconds of a call each millisecond: the burst, and ten a second.
        assert_eq!(let_through(&rate, (0..10_000).map(|ms| ms * 1000)), 3 + 99);
    }

    #[test]
    fn a_refused_call_spends_nothing_and_is_told_how_long() {
        let rate = Rate::parse("1/m", None).unwrap();
        let Step::Go { whole_at_us } = rate.step(0, 5) else { panic!("the first call passes") };
        assert_eq!(rate.step(whole_at_us, 5), Step::Wait { for_us: 60 * SECOND_US });
        assert_eq!(rate.step(whole_at_us, 5 + 30 * SECOND_US), Step::Wait { for_us: 30 * SECOND_US });
        assert!(matches!(rate.step(whole_at_us, 5 + 60 * SECOND_US), Step::Go { .. }));
    }

    #[test]
    fn what_was_spent_stays_spent_under_another_rate() {
        let (slow, quick) = (Rate::parse("10/h", Some(10)).unwrap(), Rate::parse("10/s", Some(15)).unwrap());
        let spent = |rate: &Rate, calls: usize, whole_at: i64| {
            (0..calls).fold(whole_at, |at, _| match rate.step(at, 5) {
                Step::Go { whole_at_us } => whole_at_us,
                Step::Wait { .. } => panic!("there is room"),
            })
        };
        let all = spent(&slow, 10, 0);
        let carried = quick.carry_over(&slow, all, 5);
        assert_eq!(let_through_from(&quick, carried, [5; 20]), 5, "15 at once, and 10 of them are spent");
        // Back and forth hands out nothing either, and a debt of ten hours does not outlive its rate.
        let back = slow.carry_over(&quick, spent(&quick, 5, carried), 5);
        assert_eq!(let_through_from(&slow, back, [5; 20]), 0);
        assert_eq!(let_through_from(&quick, quick.carry_over(&slow, all, 5), [2_000_000; 20]), 15);
        assert_eq!(slow.carry_over(&quick, 3, 5), 5, "a budget that is whole stays whole");
    }

    #[test]
    fn only_a_number_a_time_is_a_rate() {
        for bad in ["", "/", "10", "10/", "/s", "10/d", "-1/s", "0/s", "1.5/s", "10/s ", "99999999999/s"] {
            assert_eq!(Rate::parse(bad, None), None, "{bad}");
        }
        assert_eq!(Rate::parse("10/s", Some(0)), None);
    }
}
