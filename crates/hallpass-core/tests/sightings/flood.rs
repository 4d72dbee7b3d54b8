//! A flood of refusals: what the log gets of it, and that nothing is lost in counting.

use hallpass_core::refusal_flood::RefusalFlood;
use hallpass_core::{Event, Outcome};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn refused(at_ms: i64, reason: &str, address: &str) -> Event {
    Event {
        reason: Some(reason.into()),
        address: Some(address.into()),
        server: Some("docs".into()),
        request_id: Some(format!("run-{at_ms}")),
        bytes_in: Some(10),
        ..Event::new(at_ms, "call", Outcome::Refused)
    }
}

/// What the log gets of groups that come at these times, and of the end.
fn log(groups: impl IntoIterator<Item = (i64, Vec<Event>)>) -> Vec<Event> {
    let (mut flood, mut log) = (RefusalFlood::default(), Vec::new());
    for (now_ms, mut group) in groups {
        flood.thin(&mut group, now_ms);
        log.append(&mut group);
    }
    log.append(&mut flood.rest());
    log
}

fn times(events: &[Event]) -> u64 {
    events.iter().map(Event::times).sum()
}

#[test]
fn a_few_refusals_are_recorded_one_by_one() {
    let few: Vec<Event> = (0..20).map(|n| refused(n, "malformed", &format!("10.0.0.1:{n}"))).collect();
    assert_eq!(log([(0, few.clone())]), few);
}

#[test]
fn of_a_flood_some_are_recorded_and_one_record_stands_for_the_others() {
    let flood = (0..5000).map(|n| refused(n, "malformed", &format!("10.0.0.1:{n}")));
    let mut wanted = Event::new(0, "call", Outcome::Ok);
    wanted.client = Some("ann".into());
    let log = log([(0, flood.chain([wanted.clone()]).collect())]);
    assert_eq!(log.len(), 22);
    assert_eq!(log[20], wanted, "what is not refused passes");
    let last = Event {
        count: Some(4980),
        until_ms: Some(4999),
        bytes_in: Some(49_800),
        request_id: None,
        ..refused(20, "malformed", "10.0.0.1")
    };
    assert_eq!(log[21], last);
}

#[test]
fn whoever_is_not_part_of_the_flood_keeps_records_of_their_own() {
    let flood = (0..5000).map(|n| refused(n, "malformed", "10.0.0.1:1"));
    let others = (0..5).map(|n| refused(n, "revoked", "10.0.0.2:1"));
    let log = log([(0, flood.chain(others).collect())]);
    assert_eq!(log.iter().filter(|event| event.reason.as_deref() == Some("revoked")).count(), 5);
}

#[test]
fn a_flood_that_goes_on_is_told_less_and_less_often_and_its_end_is_told() {
    let (mut flood, mut told) = (RefusalFlood::default(), Vec::new());
    for second in 0..60 {
        let mut group = (0..100).map(|_| refused(second * 1000, "malformed", "10.0.0.1:1")).collect();
        flood.thin(&mut group, second * 1000);
        told.extend(
            group
                .into_iter()
                .filter(|event| event.count.is_some())
                .map(|event| event.until_ms.unwrap() / 1000),
        );
    }
    assert_eq!(told, [0, 2, 6, 14, 22, 30, 38, 46, 54]);
    assert_eq!(flood.due_ms(), Some(63_000));
    let mut nothing = Vec::new();
    flood.thin(&mut nothing, 63_000);
    assert_eq!((nothing.len(), flood.due_ms()), (1, None));
    assert!(flood.rest().is_empty());
}

#[test]
fn what_callers_vary_does_not_grow_it() {
    let spread = |n: i64| {
        let address = format!("10.{}.{}.{}:1", n % 251, n / 251 % 251, n / 63_001);
        Event { tool: Some(format!("tool-{n}")), ..refused(n, &format!("reason-{}", n % 3), &address) }
    };
    let log = log([(0, (0..100_000).map(spread).collect())]);
    assert_eq!(times(&log), 100_000);
    assert!(log.len() < 200 + 256 + 65, "{}", log.len());
    let many_reasons = |n: i64| refused(n, &format!("reason-{n}"), "10.0.0.1:1");
    let log = self::log([(0, (0..100_000).map(many_reasons).collect())]);
    assert_eq!(times(&log), 100_000);
    assert!(log.len() < 200 + 256 + 65, "{}", log.len());
}

#[test]
fn a_clock_that_goes_back_keeps_nothing_back() {
    let mut flood = RefusalFlood::default();
    let mut group = (0..100).map(|_| refused(0, "malformed", "10.0.0.1:1")).collect();
    flood.thin(&mut group, 1_000_000);
    let mut later = Vec::new();
    flood.thin(&mut later, 0);
    assert_eq!((group.len(), times(&later)), (20, 80));
}

/// Refusals of one reason from one host, or what is no refusal.
fn counted(events: &[Event]) -> BTreeMap<(Option<String>, &'static str), u64> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry((event.reason.clone(), event.outcome.as_str())).or_default() += event.times();
    }
    counts
}

fn any_event() -> impl Strategy<Value = Event> {
    (0..5u8, 0..400u16, any::<bool>(), 0..3u8).prop_map(|(reason, host, is_call, outcome)| {
        let mut event = refused(0, &format!("reason-{reason}"), &format!("10.0.{host}.1:{host}"));
        event.kind = if is_call { "call".into() } else { "close".into() };
        event.outcome = [Outcome::Refused, Outcome::Refused, Outcome::Ok][usize::from(outcome)];
        event
    })
}

proptest! {
    #[test]
    fn singles_and_counts_together_are_what_came_in(
        groups in prop::collection::vec((0..3000i64, prop::collection::vec(any_event(), 0..600)), 0..12)
    ) {
        let came: Vec<Event> = groups.iter().flat_map(|(_, group)| group.clone()).collect();
        let mut now_ms = 0;
        let timed = groups.into_iter().map(|(pause, group)| {
            now_ms += pause;
            (now_ms, group)
        });
        prop_assert_eq!(counted(&log(timed)), counted(&came));
    }
}
