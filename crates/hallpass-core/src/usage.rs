//! Calls counted: by client, server, tool and day, as asked. Events in, rows out; every number can be recomputed from the
//! events alone.

use crate::event::{Event, Outcome};
use crate::time::UnixTime;
use serde::Deserialize;
use std::borrow::Cow;
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

/// A record as far as it is counted: a million of them are read, and most of each is about something else.
#[derive(Clone, Debug, Deserialize)]
pub struct Call<'a> {
    at_ms: i64,
    outcome: Outcome,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    client: Option<Text<'a>>,
    #[serde(borrow, default)]
    server: Option<Text<'a>>,
    #[serde(borrow, default)]
    method: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool: Option<Text<'a>>,
    #[serde(default)]
    legacy: bool,
    #[serde(default)]
    count: Option<u64>,
    #[serde(default)]
    duration_us: Option<u64>,
    #[serde(default)]
    bytes_in: Option<u64>,
    #[serde(default)]
    bytes_out: Option<u64>,
}

/// Copied only if it is spelt with escapes.
#[derive(Clone, Debug, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

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
    /// Eight bytes a call, so that percentiles are exact.
    durations_us: Vec<u64>,
}

/// Calls counted so far.
#[derive(Clone, Debug)]
pub struct Usage {
    grouping: Grouping,
    rows: BTreeMap<Group, Numbers>,
}

impl<'a> From<&'a Event> for Call<'a> {
    fn from(event: &'a Event) -> Self {
        let text = |text: &'a Option<String>| text.as_deref().map(|text| Text(text.into()));
        Self {
            at_ms: event.at_ms,
            outcome: event.outcome,
            kind: event.kind.as_ref().into(),
            client: text(&event.client),
            server: text(&event.server),
            method: text(&event.method),
            tool: text(&event.tool),
            legacy: event.legacy,
            count: event.count,
            duration_us: event.duration_us,
            bytes_in: event.bytes_in,
            bytes_out: event.bytes_out,
        }
    }
}

impl Usage {
    /// Nothing yet.
    pub fn by(grouping: Grouping) -> Self {
        Self { grouping, rows: BTreeMap::new() }
    }

    /// Counts an event, if it is a call.
    pub fn add(&mut self, event: &Event) {
        self.count(&event.into());
    }

    /// Counts a record, if it is of a call.
    pub fn count(&mut self, call: &Call<'_>) {
        if call.kind != "call" {
            return;
        }
        let group = self.grouping.of(call);
        self.rows
            .entry(group)
            .or_insert_with(|| Numbers { first_ms: call.at_ms, last_ms: call.at_ms, ..Numbers::default() })
            .add(call);
    }

    /// The same calls, counted apart by less than they were.
    #[must_use]
    pub fn rolled_up(&self, grouping: Grouping) -> Self {
        let mut rows: BTreeMap<Group, Numbers> = BTreeMap::new();
        for (group, numbers) in &self.rows {
            let wider = Group {
                client: group.client.clone().filter(|_| grouping.client),
                server: group.server.clone().filter(|_| grouping.server),
                tool: group.tool.clone().filter(|_| grouping.tool),
                day: group.day.clone().filter(|_| grouping.day),
            };
            let begun =
                || Numbers { first_ms: numbers.first_ms, last_ms: numbers.last_ms, ..Numbers::default() };
            rows.entry(wider).or_insert_with(begun).merge(numbers);
        }
        Self { grouping, rows }
    }

    /// One row a group, in the order of the groups.
    pub fn rows(&self) -> impl Iterator<Item = (&Group, &Numbers)> {
        self.rows.iter()
    }
}

impl Grouping {
    fn of(self, call: &Call<'_>) -> Group {
        let text = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.0.clone().into_owned());
        let client = || text(&call.client).or_else(|| call.legacy.then(|| LEGACY.to_owned()));
        Group {
            client: self.client.then(client).flatten(),
            server: self.server.then(|| text(&call.server)).flatten(),
            tool: self.tool.then(|| text(&call.tool).or_else(|| text(&call.method))).flatten(),
            day: self.day.then(|| day_of(call.at_ms)),
        }
    }
}

/// `2026-12-24`, in UTC.
pub fn day_of(at_ms: i64) -> String {
    let mut text = UnixTime::from_seconds(at_ms.div_euclid(1000)).to_string();
    text.truncate(10);
    text
}

impl Numbers {
    fn add(&mut self, call: &Call<'_>) {
        let times = call.count.unwrap_or(1);
        self.calls += times;
        match call.outcome {
            Outcome::Ok | Outcome::Done => {}
            Outcome::Error => self.errors += times,
            Outcome::Failed => self.failed += times,
            Outcome::Refused => self.refused += times,
            Outcome::Cut | Outcome::Gone => self.cut += times,
        }
        self.bytes_in += call.bytes_in.unwrap_or(0);
        self.bytes_out += call.bytes_out.unwrap_or(0);
        self.first_ms = self.first_ms.min(call.at_ms);
        self.last_ms = self.last_ms.max(call.at_ms);
        *self.days.entry(call.at_ms.div_euclid(DAY_MS)).or_default() += times;
        self.durations_us.extend(call.duration_us);
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.failed += other.failed;
        self.refused += other.refused;
        self.cut += other.cut;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.first_ms = self.first_ms.min(other.first_ms);
        self.last_ms = self.last_ms.max(other.last_ms);
        for (day, calls) in &other.days {
            *self.days.entry(*day).or_default() += calls;
        }
        self.durations_us.extend_from_slice(&other.durations_us);
    }

    /// In how many microseconds so many of a hundred calls were done, those that were refused included: the nearest rank,
    /// exact. `None`: of no call is known how long it took.
    pub fn percentiles_us<const N: usize>(&self, percents: [usize; N]) -> [Option<u64>; N] {
        let mut sorted = self.durations_us.clone();
        sorted.sort_unstable();
        percents.map(|percent| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).copied()
        })
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
        assert_eq!(ann.percentiles_us([50, 95]), [Some(200), Some(300)]);
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
        assert_eq!(all.percentiles_us([50, 95, 100, 0]), [50, 95, 100, 1].map(Some));
        let mut usage = Usage::by(Grouping::default());
        usage.add(&Event { duration_us: None, ..call(None, "a", 0, Outcome::Ok, 1) });
        assert_eq!(usage.rows().next().unwrap().1.percentiles_us([50]), [None]);
    }

    #[test]
    fn a_record_of_many_refusals_counts_for_all_of_them() {
        let mut usage = Usage::by(Grouping::default());
        usage.add(&Event { count: Some(41), duration_us: None, ..call(None, "a", 7, Outcome::Refused, 1) });
        usage.add(&call(None, "a", 9, Outcome::Refused, 5));
        let (_, all) = usage.rows().next().unwrap();
        assert_eq!((all.calls, all.refused, all.days[&0]), (42, 42, 42));
        assert_eq!(all.percentiles_us([50]), [Some(5)]);
    }

    #[test]
    fn what_is_rolled_up_is_what_was_counted_by_less_at_once() {
        let fine = Grouping { client: true, server: true, tool: true, day: true };
        for by in [Grouping::default(), Grouping { client: true, ..Grouping::default() }] {
            let (mut all, mut expect) = (Usage::by(fine), Usage::by(by));
            for (client, tool, at_ms, micros) in [
                ("ann", "a", 5, 9),
                ("ann", "b", 2, 3),
                ("bob", "a", 86_400_001, 7),
                ("ann", "a", 90_000_000, 1),
            ] {
                let event = call(Some(client), tool, at_ms, Outcome::Ok, micros);
                all.add(&event);
                expect.add(&event);
            }
            let numbers = |usage: &Usage| -> Vec<_> {
                usage
                    .rows()
                    .map(|(group, n)| {
                        (group.clone(), n.calls, n.first_ms, n.days.clone(), n.percentiles_us([50, 95]))
                    })
                    .collect()
            };
            assert_eq!(numbers(&all.rolled_up(by)), numbers(&expect));
        }
    }

    #[test]
    fn a_record_is_counted_as_its_event_is() {
        let event =
            Event { client: Some("ann".into()), ..call(None, "with \"quotes\"\n", 5, Outcome::Cut, 9) };
        let record = serde_json::to_string(&event).unwrap();
        let by = Grouping { client: true, server: true, tool: true, day: true };
        let (mut of_event, mut of_record) = (Usage::by(by), Usage::by(by));
        of_event.add(&event);
        of_record.count(&serde_json::from_str(&record).unwrap());
        assert!(of_event.rows().eq(of_record.rows()));
        assert_eq!(of_record.rows().count(), 1);
    }
}
