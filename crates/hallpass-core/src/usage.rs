//! Calls counted: by client, server, tool and day, as asked. Events in, rows out; every number can be recomputed from the
//! events alone.

use crate::event::{Event, Outcome};
use crate::time::UnixTime;
use std::collections::BTreeMap;

/// By what calls are counted apart.
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grouping {
    /// By client.
    pub client: bool,
    /// By server.
    pub server: bool,
    /// By tool; calls of no tool by their method.
    pub tool: bool,
    /// By day, in UTC.
    pub day: bool,
}

/// What a row is about. `None`: it is not counted apart by that, or the calls had none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The client; [`LEGACY`] for whoever showed the shared secret.
    pub client: Option<String>,
    /// The server.
    pub server: Option<String>,
    /// The tool, or the method.
    pub tool: Option<String>,
    /// `2026-12-24`.
    pub day: Option<String>,
}

/// Stands for callers with the shared secret: nobody can tell who they are. No client can be called that.
pub const LEGACY: &str = "(shared secret)";

const DAY_MS: i64 = 86_400_000;

/// The numbers of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// All calls, however they ended.
    pub calls: u64,
    /// The server answered with an error.
    pub errors: u64,
    /// The server could not be reached or broke off.
    pub failed: u64,
    /// Refused by the gateway.
    pub refused: u64,
    /// Ended by the gateway, or left by the caller.
    pub cut: u64,
    /// Bytes of requests' bodies.
    pub bytes_in: u64,
    /// Bytes of answers' bodies.
    pub bytes_out: u64,
    /// Milliseconds since the epoch.
    pub first_ms: i64,
    /// Milliseconds since the epoch.
    pub last_ms: i64,
    /// Calls of each day: days since the epoch, in UTC.
    pub days: BTreeMap<i64, u64>,
    durations_us: Vec<u64>,
}

/// Calls counted so far.
#[derive(Clone, Debug)]
pub struct Usage {
    grouping: Grouping,
    rows: BTreeMap<Group, Numbers>,
}

impl Usage {
    /// Nothing yet.
    pub fn by(grouping: Grouping) -> Self {
        Self { grouping, rows: BTreeMap::new() }
    }

    /// Counts an event, if it is a call.
    pub fn add(&mut self, event: &Event) {
        if event.kind != "call" {
            return;
        }
        let group = self.grouping.of(event);
        self.rows
            .entry(group)
            .or_insert_with(|| Numbers { first_ms: event.at_ms, ..Numbers::default() })
            .add(event);
    }

    /// One row a group, in the order of the groups.
    pub fn rows(&self) -> impl Iterator<Item = (&Group, &Numbers)> {
        self.rows.iter()
    }
}

impl Grouping {
    fn of(self, event: &Event) -> Group {
        let client = || event.client.clone().or_else(|| event.legacy.then(|| LEGACY.to_owned()));
        let day =
            || UnixTime::from_seconds(event.at_ms.div_euclid(1000)).to_string().get(..10).map(str::to_owned);
        Group {
            client: self.client.then(client).flatten(),
            server: self.server.then(|| event.server.clone()).flatten(),
            tool: self.tool.then(|| event.tool.clone().or_else(|| event.method.clone())).flatten(),
            day: self.day.then(day).flatten(),
        }
    }
}

impl Numbers {
    fn add(&mut self, event: &Event) {
        self.calls += 1;
        match event.outcome {
            Outcome::Ok | Outcome::Done => {}
            Outcome::Error => self.errors += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::Cut | Outcome::Gone => self.cut += 1,
        }
        self.bytes_in += event.bytes_in.unwrap_or(0);
        self.bytes_out += event.bytes_out.unwrap_or(0);
        self.first_ms = self.first_ms.min(event.at_ms);
        self.last_ms = self.last_ms.max(event.at_ms);
        *self.days.entry(event.at_ms.div_euclid(DAY_MS)).or_default() += 1;
        self.durations_us.extend(event.duration_us);
    }

    /// In how many microseconds so many of a hundred calls were done, those that were refused included: the nearest rank.
    /// `None`: of no call is known how long it took.
    pub fn percentile_us(&self, percent: usize) -> Option<u64> {
        let mut sorted = self.durations_us.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::{Grouping, LEGACY, Usage};
    use crate::event::{Event, Outcome};

    fn call(client: Option<&str>, tool: &str, at_ms: i64, outcome: Outcome, micros: u64) -> Event {
        Event {
            client: client.map(str::to_owned),
            server: Some("docs".into()),
            method: Some("tools/call".into()),
            tool: Some(tool.into()),
            duration_us: Some(micros),
            bytes_in: Some(10),
            bytes_out: Some(20),
            ..Event::new(at_ms, "call", outcome)
        }
    }

    #[test]
    fn each_call_is_counted_once_in_its_group_and_acts_are_not() {
        let mut usage = Usage::by(Grouping { client: true, ..Grouping::default() });
        for event in [
            call(Some("ann"), "a", 5000, Outcome::Ok, 100),
            call(Some("ann"), "b", 2000, Outcome::Error, 300),
            call(Some("ann"), "b", 9000, Outcome::Refused, 200),
            call(Some("bob"), "a", 1, Outcome::Cut, 1),
            Event { legacy: true, ..call(None, "a", 2, Outcome::Failed, 1) },
            call(None, "a", 3, Outcome::Gone, 1),
            Event::new(4, "issue", Outcome::Done),
        ] {
            usage.add(&event);
        }
        let rows: Vec<_> =
            usage.rows().map(|(group, numbers)| (group.client.as_deref(), numbers.clone())).collect();
        let names: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, [None, Some(LEGACY), Some("ann"), Some("bob")]);
        let ann = &rows[2].1;
        assert_eq!((ann.calls, ann.errors, ann.refused, ann.failed, ann.cut), (3, 1, 1, 0, 0));
        assert_eq!((ann.bytes_in, ann.bytes_out, ann.first_ms, ann.last_ms), (30, 60, 2000, 9000));
        assert_eq!((ann.percentile_us(50), ann.percentile_us(95)), (Some(200), Some(300)));
        assert_eq!(rows.iter().map(|(_, numbers)| numbers.calls).sum::<u64>(), 6);
    }

    #[test]
    fn days_end_at_midnight_in_utc_and_what_is_no_tool_has_its_method() {
        let mut usage = Usage::by(Grouping { tool: true, day: true, ..Grouping::default() });
        usage.add(&call(Some("ann"), "a", 86_399_999, Outcome::Ok, 1));
        usage.add(&Event {
            tool: None,
            method: Some("tools/list".into()),
            ..call(None, "", 86_400_000, Outcome::Ok, 1)
        });
        let rows: Vec<_> = usage
            .rows()
            .map(|(group, _)| (group.tool.clone().unwrap(), group.day.clone().unwrap()))
            .collect();
        assert_eq!(rows, [("a".into(), "1970-01-01".into()), ("tools/list".into(), "1970-01-02".into())]);
    }

    #[test]
    fn percentiles_are_of_calls_that_were_made() {
        let mut usage = Usage::by(Grouping::default());
        for micros in 1..=100 {
            usage.add(&call(None, "a", 0, Outcome::Ok, micros));
        }
        let (_, all) = usage.rows().next().unwrap();
        assert_eq!([50, 95, 100, 0].map(|percent| all.percentile_us(percent)), [50, 95, 100, 1].map(Some));
        let mut usage = Usage::by(Grouping::default());
        usage.add(&Event { duration_us: None, ..call(None, "a", 0, Outcome::Ok, 1) });
        assert_eq!(usage.rows().next().unwrap().1.percentile_us(50), None);
    }
}
