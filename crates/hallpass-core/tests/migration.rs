//! The migration report beside a truth that the test keeps by itself: twenty clients of all kinds over a fortnight.

use hallpass_core::keys::KeySet;
use hallpass_core::migration::{ClientFacts, Period, Report, Sources, Standing, Step, Verdict, report};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::sightings::{Noticed, Sightings};
use hallpass_core::snapshot::{Authority, TokenType};
use hallpass_core::{ClientName, Event, Outcome, Snapshot, UnixTime};
use std::collections::BTreeMap;

/// 2026-11-23T00:00:00Z
const START: i64 = 1_795_392_000;
const DAY: i64 = 86_400;

/// How a client spends the fortnight: on which days it calls with its own token, and on which the secret is shown on its
/// address (and on which of them it is refused). Each time at an hour of its own.
struct Life {
    name: &'static str,
    token: &'static [i64],
    legacy: &'static [i64],
    refused: &'static [i64],
    has_token: bool,
    enabled: bool,
    /// The truth, as a person who knows the days would say it.
    standing: Standing,
}

const LIFE: Life = Life {
    name: "",
    token: &[],
    legacy: &[],
    refused: &[],
    has_token: true,
    enabled: true,
    standing: Standing::Silent,
};

use Standing::{Both, Disabled, Moved, NotMoved, Silent};

const LIVES: [Life; 20] = [
    Life { name: "at-once-1", token: &[0, 1, 2, 13], standing: Moved, ..LIFE },
    Life { name: "at-once-2", token: &[12], standing: Moved, ..LIFE },
    Life { name: "on-holiday", token: &[0], standing: Moved, ..LIFE },
    Life { name: "after-a-day", token: &[1, 2, 3], legacy: &[0], standing: Moved, ..LIFE },
    Life { name: "after-a-week", token: &[8, 9, 13], legacy: &[0, 3, 7], standing: Moved, ..LIFE },
    Life { name: "just-now", token: &[13], legacy: &[0, 1, 12], standing: Moved, ..LIFE },
    Life { name: "both-to-the-end", token: &[2, 5, 13], legacy: &[1, 3, 13], standing: Both, ..LIFE },
    Life { name: "both-of-late", token: &[1], legacy: &[9], standing: Both, ..LIFE },
    Life { name: "went-back", token: &[3], legacy: &[1, 4, 12], standing: Both, ..LIFE },
    Life { name: "both-for-a-while", token: &[1, 13], legacy: &[0, 2, 5], standing: Moved, ..LIFE },
    Life { name: "cut-by-strict", token: &[2, 13], legacy: &[1], refused: &[12], standing: Both, ..LIFE },
    Life { name: "lazy-1", legacy: &[0, 1, 2, 3, 13], standing: NotMoved, ..LIFE },
    Life { name: "lazy-2", legacy: &[13], standing: NotMoved, ..LIFE },
    Life { name: "gone-quiet", legacy: &[0], standing: NotMoved, ..LIFE },
    Life { name: "no-token-1", legacy: &[6], has_token: false, standing: NotMoved, ..LIFE },
    Life { name: "no-token-2", legacy: &[2, 11], has_token: false, standing: NotMoved, ..LIFE },
    Life { name: "only-refused", refused: &[3, 4], standing: NotMoved, ..LIFE },
    Life { name: "never-seen", standing: Silent, ..LIFE },
    Life { name: "never-issued", has_token: false, standing: Silent, ..LIFE },
    Life { name: "disabled", legacy: &[1], refused: &[12], enabled: false, standing: Disabled, ..LIFE },
];

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn event(seconds: i64, address: &str) -> Event {
    Event {
        server: Some("docs".into()),
        method: Some("tools/call".into()),
        tool: Some("echo".into()),
        address: Some(format!("{address}:4000")),
        user_agent: Some("node".into()),
        ..Event::new(seconds * 1000, "call", Outcome::Ok)
    }
}

/// The instants of a client's uses on these days.
fn instants(position: usize, days: &[i64]) -> Vec<i64> {
    let of_day = 3600 + i64::try_from(position).unwrap() * 600;
    days.iter().map(|day| START + day * DAY + of_day).collect()
}

/// What the gateway would record of all of them, in the order of time.
fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for (position, life) in LIVES.iter().enumerate() {
        let address = format!("10.0.0.{position}");
        for seconds in instants(position, life.token) {
            let (client, jti) = (Some(life.name.to_owned()), Some(format!("jti-{}", life.name)));
            events.push(Event { client, jti, ..event(seconds + 60, &address) });
        }
        for (days, outcome) in [(life.legacy, Outcome::Ok), (life.refused, Outcome::Refused)] {
            for seconds in instants(position, days) {
                let path_client = Some(life.name.to_owned());
                events.push(Event { legacy: true, path_client, outcome, ..event(seconds, &address) });
            }
        }
    }
    for (day, address, program) in
        [(2, "10.9.0.1", "old-editor/1"), (10, "10.9.0.1", "old-editor/1"), (3, "10.9.0.2", "cron/7")]
    {
        let client_info = Some(program.to_owned());
        events.push(Event { legacy: true, client_info, ..event(START + day * DAY, address) });
    }
    events.sort_by_key(|event| event.at_ms);
    events
}

fn sources(period: Option<Period>, events: &[Event]) -> Sources {
    let mut sightings = Sightings::default();
    for event in events {
        sightings.see(event, &nothing_registered(), &mut Noticed::default());
    }
    let rows = sightings.dirty();
    let clients = LIVES.iter().map(|life| ClientFacts {
        name: ClientName::new(life.name).unwrap(),
        app: "json".into(),
        enabled: life.enabled,
        has_token: life.has_token,
    });
    Sources { period, clients: clients.collect(), token_uses: rows.tokens, legacy_uses: rows.legacy }
}

fn nothing_registered() -> Snapshot {
    let authority = Authority {
        issuer: Issuer::new("i").unwrap(),
        audience: Audience::new("a").unwrap(),
        keys: KeySet::new([]),
        token_type: TokenType::Jwt,
        lifetime_most: 1,
        leeway: 0,
    };
    Snapshot::new(1, authority, [], [])
}

fn period() -> Period {
    Period {
        started_at: at(START),
        until: at(START + 21 * DAY),
        over_since: None,
        seen: at(START + 14 * DAY),
        servers: None,
        policy: None,
        strict: false,
    }
}

fn after_a_fortnight(events: &[Event]) -> Report {
    report(&sources(Some(period()), events), at(START + 14 * DAY))
}

#[test]
fn the_report_equals_the_truth_for_twenty_clients_of_all_kinds() {
    let report = after_a_fortnight(&events());
    assert_eq!(report.clients.len(), LIVES.len());
    let lines: BTreeMap<&str, _> = report.clients.iter().map(|line| (line.client.as_str(), line)).collect();
    for (position, life) in LIVES.iter().enumerate() {
        let line = lines[life.name];
        assert_eq!(line.standing, life.standing, "{}", life.name);
        let tokens: Vec<i64> = instants(position, life.token).iter().map(|seconds| seconds + 60).collect();
        let token = line.token.as_ref().map(|token| (token.first, token.last, token.calls));
        let expect =
            tokens.first().map(|first| (at(*first), at(*tokens.last().unwrap()), tokens.len() as u64));
        assert_eq!(token, expect, "{}", life.name);
        let mut shown = [instants(position, life.legacy), instants(position, life.refused)].concat();
        shown.sort_unstable();
        let legacy = line.legacy.as_ref().map(|usage| (usage.first, usage.last, usage.calls, usage.refused));
        let counts = (life.legacy.len() as u64, life.refused.len() as u64);
        let expect = shown.first().map(|first| (at(*first), at(*shown.last().unwrap()), counts.0, counts.1));
        assert_eq!(legacy, expect, "{}", life.name);
    }
    let unmoved = ["gone-quiet", "lazy-1", "lazy-2", "no-token-1", "no-token-2", "only-refused"];
    let unmoved = unmoved.map(|name| ClientName::new(name).unwrap()).to_vec();
    assert_eq!(report.verdict, Verdict::NotYet { unmoved });
    assert_eq!(Standing::ALL.map(|standing| report.count(standing)), [6, 4, 2, 7, 1]);
}

#[test]
fn every_caller_is_listed_as_well_as_it_can_be_told_apart() {
    let report = after_a_fortnight(&events());
    let with_secret = LIVES.iter().filter(|life| !life.legacy.is_empty() || !life.refused.is_empty()).count();
    assert_eq!(report.callers.len(), with_secret + 2);
    assert!(report.callers.is_sorted_by(|one, other| one.usage.last >= other.usage.last));
    let nameless: Vec<_> = report.callers.iter().filter(|caller| caller.path_client.is_none()).collect();
    let told: Vec<_> = nameless
        .iter()
        .map(|caller| (caller.who(), caller.usage.calls, caller.is_recent(report.at)))
        .collect();
    assert_eq!(
        told,
        [("old-editor/1 at 10.9.0.1".to_owned(), 2, true), ("cron/7 at 10.9.0.2".to_owned(), 1, false)]
    );
    assert_eq!(nameless[0].called, [("docs/echo".to_owned(), 2)].into());
    let refused = report.callers.iter().find(|caller| caller.usage.calls == 0).unwrap();
    assert_eq!((refused.usage.refused, refused.last_let_in), (2, None));
    let lately: Vec<&str> = report
        .recent_callers()
        .filter_map(|caller| caller.path_client.as_ref().map(ClientName::as_str))
        .collect();
    let expect = [
        "lazy-2",
        "lazy-1",
        "both-to-the-end",
        "went-back",
        "just-now",
        "no-token-2",
        "both-of-late",
        "after-a-week",
    ];
    assert_eq!(lately, expect, "of those that an end would stop, the latest first");
}

#[test]
fn the_next_steps_name_who_to_talk_to_and_what_to_type() {
    let report = after_a_fortnight(&events());
    let typed: Vec<String> = report.next.iter().map(Step::command).collect();
    assert_eq!(
        typed,
        [
            "hallpass show gone-quiet",
            "hallpass show lazy-1",
            "hallpass show lazy-2",
            "hallpass issue no-token-1",
            "hallpass issue no-token-2",
            "hallpass show only-refused",
            "hallpass log -f",
            "hallpass log -f",
            "hallpass log -f",
            "hallpass log -f",
            "hallpass add NAME --app APP",
            "hallpass remove never-issued",
            "hallpass remove never-seen",
        ]
    );
    for step in &report.next {
        let text = step.text(&report);
        assert!(!text.is_empty() && !text.ends_with('.') && text.matches('`').count() % 2 == 0, "{text}");
    }
}

/// Only those who have moved, and those of whom nobody knows.
fn of_the_good() -> Vec<Event> {
    let good = |event: &Event| {
        let name = event.client.as_deref().or(event.path_client.as_deref());
        name.is_some_and(|name| LIVES.iter().any(|life| life.name == name && life.standing == Moved))
    };
    events().into_iter().filter(good).collect()
}

#[test]
fn it_can_end_seven_days_after_the_last_one_was_let_in() {
    let events = of_the_good();
    // `just-now` on day 12.
    let last = instants(5, &[12])[0];
    let early = after_a_fortnight(&events);
    assert_eq!(
        (early.verdict, early.last_let_in),
        (Verdict::From { from: at(last + 7 * DAY) }, Some(at(last)))
    );
    for (now, verdict) in
        [(last + 7 * DAY - 1, Verdict::From { from: at(last + 7 * DAY) }), (last + 7 * DAY, Verdict::Now)]
    {
        let report = report(&sources(Some(period()), &events), at(now));
        assert_eq!(report.verdict == Verdict::Now, report.next.contains(&Step::End));
        assert_eq!(
            report.recent_callers().count() > 0,
            verdict != Verdict::Now,
            "an end that is due needs no force"
        );
        assert_eq!(report.verdict, verdict);
    }
}

#[test]
fn a_refused_call_holds_no_end_up() {
    let mut events = of_the_good();
    events.push(Event { legacy: true, outcome: Outcome::Refused, ..event(START + 13 * DAY, "10.9.0.9") });
    let report = report(&sources(Some(period()), &events), at(START + 20 * DAY));
    assert_eq!((report.verdict, report.callers[0].usage.refused), (Verdict::Now, 1));
}

#[test]
fn a_period_that_nobody_uses_is_watched_for_seven_days_first() {
    let silent = sources(Some(period()), &[]);
    assert_eq!(report(&silent, at(START + 1)).verdict, Verdict::From { from: at(START + 7 * DAY) });
    assert_eq!(report(&silent, at(START + 7 * DAY)).verdict, Verdict::Now);
}

#[test]
fn what_was_used_before_the_period_was_another_secret() {
    let later = Period { started_at: at(START + 13 * DAY), ..period() };
    let report = report(&sources(Some(later), &events()), at(START + 14 * DAY));
    let seen: Vec<_> = report.callers.iter().filter_map(|caller| caller.path_client.as_ref()).collect();
    assert_eq!(
        seen.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        ["lazy-2", "lazy-1", "both-to-the-end"]
    );
    assert_eq!(report.count(NotMoved), 2);
}

#[test]
fn without_a_period_and_after_it_the_verdict_says_so() {
    let none = report(&sources(None, &events()), at(START + 14 * DAY));
    assert_eq!((none.verdict, none.callers.len(), none.next.len()), (Verdict::NoPeriod, 0, 0));
    let over = Period { over_since: Some(at(START + 10 * DAY)), ..period() };
    let over = report(&sources(Some(over), &events()), at(START + 14 * DAY));
    assert_eq!(over.verdict, Verdict::Over { since: at(START + 10 * DAY) });
    assert!(!over.next.iter().any(|step| matches!(step, Step::End | Step::EndsFirst { .. })));
    assert!(over.next.contains(&Step::Issue { client: ClientName::new("no-token-1").unwrap() }));
}

#[test]
fn an_end_that_comes_too_soon_and_a_clock_that_ran_ahead_are_said() {
    let soon = Period { until: at(START + 15 * DAY), seen: at(START + 14 * DAY + 3600), ..period() };
    let steps = report(&sources(Some(soon.clone()), &events()), at(START + 14 * DAY)).next;
    assert_eq!(steps[0], Step::ClockRanAhead { seen: soon.seen });
    assert!(steps.contains(&Step::EndsFirst { until: soon.until }));
    let good = report(&sources(Some(soon.clone()), &of_the_good()), at(START + 14 * DAY)).next;
    assert!(good.contains(&Step::EndsFirst { until: soon.until }));
    let late = report(&sources(Some(period()), &of_the_good()), at(START + 14 * DAY)).next;
    assert!(!late.iter().any(|step| matches!(step, Step::EndsFirst { .. } | Step::ClockRanAhead { .. })));
}

#[test]
fn a_nameless_caller_that_looks_like_a_client_is_said_to() {
    let mut events = of_the_good();
    let own = Event {
        client: Some("at-once-1".into()),
        jti: Some("jti-at-once-1".into()),
        client_info: Some("editor/2".into()),
        ..event(START + 13 * DAY + 50_000, "10.0.0.0")
    };
    let as_nobody = Event { client: None, jti: None, legacy: true, ..own.clone() };
    let elsewhere = Event { address: Some("10.0.0.77:1".into()), ..as_nobody.clone() };
    events.extend([own, as_nobody, elsewhere]);
    let report = after_a_fortnight(&events);
    let like: Vec<_> = report.callers.iter().filter(|caller| !caller.looks_like.is_empty()).collect();
    assert_eq!(like.len(), 1);
    assert_eq!(like[0].looks_like, [ClientName::new("at-once-1").unwrap()]);
    let said: Vec<String> = report.next.iter().map(|step| step.text(&report)).collect();
    assert!(said.iter().any(|text| text.contains("looks like `at-once-1`")), "{said:?}");
}

#[test]
fn what_a_caller_says_of_itself_steers_nothing() {
    let evil = "x\n`rm`\u{1b}[31m\u{202e}<b>";
    let events = [Event { legacy: true, client_info: Some(evil.into()), ..event(START + DAY, "10.0.0.1") }];
    let report = after_a_fortnight(&events);
    let who = report.callers[0].who();
    assert_eq!(who, "x\\n'rm'\\u{1b}[31m\\u{202e}<b> at 10.0.0.1");
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.contains(r#""first":"2026-11-24T00:00:00Z""#), "{json}");
    assert!(json.contains(r#""state":"now""#) && json.contains(r#""is_the_rest":false"#), "{json}");
}
