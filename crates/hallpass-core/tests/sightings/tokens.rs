//! Each token's row, and each warning by its own cause and by no other.

use crate::scene::{DAY, NOW, active, at, by, kinds, lasting, name, odd, refused, snapshot, used, watch};
use hallpass_core::sightings::{CHANGE_OVER_MS, Dirty, FirstSighting, Kept, Noticed, SETTLED_MS, Sightings};
use hallpass_core::snapshot::TokenState;
use hallpass_core::uses::{TokenUse, WarningKind};
use hallpass_core::{Denial, Event, Outcome, Snapshot, UnixTime};

#[test]
fn a_tokens_row_says_when_from_where_by_what_and_how_often() {
    let first = by(lasting(used("t1", NOW), 250), "editor/1.2");
    let second = Event { server: Some("files".into()), user_agent: None, ..used("t1", NOW + 1000) };
    let (sightings, noticed) = watch(&active(), &[first, at(second, "[::ffff:10.0.0.1]:6000")]);
    let row = TokenUse {
        jti: "t1".into(),
        client: name("ann"),
        first_ms: NOW,
        last_ms: NOW + 1000,
        calls: 2,
        server: Some("files".into()),
        address: Some("10.0.0.1".into()),
        user_agent: Some("node".into()),
        client_info: Some("editor/1.2".into()),
    };
    assert_eq!(sightings.dirty().tokens, [row]);
    let at = UnixTime::from_seconds(NOW / 1000);
    assert_eq!(noticed.first_uses, [FirstSighting { client: name("ann"), jti: "t1".into(), at }]);
    assert_eq!(kinds(&noticed), []);
}

#[test]
fn what_is_no_use_of_a_good_token_is_not_counted() {
    let client = name("ann");
    let (at, server) = (UnixTime::from_seconds(0), hallpass_core::ServerName::new("docs").unwrap());
    let denials = [
        Denial::Revoked { at, client: client.clone() },
        Denial::Replaced { at, client: client.clone() },
        Denial::Expired { at, client: Some(client.clone()) },
        Denial::ClientDisabled { client: client.clone() },
        Denial::ServerNotAllowed { client, server },
    ];
    let mut events: Vec<_> = denials.iter().map(|denial| refused("t1", denial, NOW)).collect();
    events.push(Event { kind: "issue".into(), ..used("t1", NOW) });
    events.push(Event { client: None, jti: None, outcome: Outcome::Gone, ..used("t1", NOW) });
    let (sightings, noticed) = watch(&active(), &events);
    assert_eq!(sightings.dirty(), Dirty::default());
    assert_eq!((noticed.first_uses.len(), kinds(&noticed)), (0, vec![]));
}

#[test]
fn two_programs_are_two_names_and_not_two_versions() {
    let seen = |programs: &[&str]| {
        let events: Vec<_> = programs.iter().map(|program| by(used("t1", NOW), program)).collect();
        odd(&active(), &events)
    };
    assert_eq!(seen(&["editor/1.0", "editor/1.1", "editor"]), []);
    assert_eq!(seen(&["editor/1.0", "curl/8"]), [WarningKind::TwoPrograms]);
    let there_and_back = seen(&["editor/1.0", "curl/8", "editor/1.0"]);
    assert_eq!(there_and_back, [WarningKind::TwoPrograms, WarningKind::TwoPrograms]);
    let silent = [by(used("t1", NOW), "editor/1"), used("t1", NOW), by(used("t1", NOW), "editor/1")];
    assert_eq!(odd(&active(), &silent), [], "most calls do not say");
    let two_tokens =
        [by(used("t1", NOW), "a"), Event { client: Some("bob".into()), ..by(used("t2", NOW), "b") }];
    assert_eq!(odd(&active(), &two_tokens), []);
}

#[test]
fn two_addresses_are_odd_within_a_minute_of_each_other() {
    let there = |ms| at(used("t1", NOW + ms), "10.0.0.2:7000");
    let here = |ms| used("t1", NOW + ms);
    let two = [WarningKind::TwoAddresses];
    assert_eq!(odd(&active(), &[here(0), there(60_000)]), two);
    assert_eq!(odd(&active(), &[here(0), there(60_001)]), []);
    assert_eq!(
        odd(&active(), &[here(0), at(here(1), "10.0.0.1:6999")]),
        [],
        "another port is no other machine"
    );
    // A stream is recorded when it ends: what came meanwhile was at the same time.
    assert_eq!(odd(&active(), &[there(1_800_000), lasting(here(0), 3_600_000)]), two);
    assert_eq!(odd(&active(), &[lasting(here(0), 3_600_000), there(3_660_000)]), two);
    assert_eq!(odd(&active(), &[lasting(here(0), 3_600_000), there(3_660_001)]), []);
    let loopback = [at(here(0), "127.0.0.1:1"), at(here(1), "[::1]:1"), at(here(2), "127.0.0.2:1")];
    assert_eq!(odd(&active(), &loopback), [], "all of it is this machine");
    let bob = Event { client: Some("bob".into()), ..at(used("t2", NOW), "10.0.0.2:1") };
    assert_eq!(odd(&active(), &[here(0), bob]), [], "each has its own token");
}

#[test]
fn places_can_be_forgotten() {
    let (mut sightings, _) = watch(&active(), &[used("t1", NOW)]);
    sightings.forget_places(&name("ann"));
    let mut noticed = Noticed::default();
    sightings.see(&at(used("t1", NOW + 1), "10.0.0.2:1"), &active(), &mut noticed);
    assert_eq!(kinds(&noticed), []);
}

#[test]
fn a_use_after_thirty_days_of_silence_is_odd_and_a_first_use_is_not() {
    let silent = |ms| odd(&active(), &[used("t1", NOW), used("t1", NOW + ms)]);
    assert_eq!(silent(30 * DAY), [WarningKind::AfterSilence]);
    assert_eq!(silent(30 * DAY - 1), []);
    assert_eq!(odd(&active(), &[used("t1", NOW)]), []);
    let stream = [lasting(used("t1", NOW), 20 * DAY), used("t1", NOW + 31 * DAY)];
    assert_eq!(odd(&active(), &stream), [], "the silence begins when the stream ends");
}

#[test]
fn a_replaced_token_is_odd_once_its_successor_was_used() {
    let until = |seconds| TokenState::Superseded { until: UnixTime::from_seconds(NOW / 1000 + seconds) };
    let registry =
        |new| snapshot(&[("old", "ann", until(100)), ("new", "ann", new), ("t2", "bob", TokenState::Active)]);
    let after = NOW + CHANGE_OVER_MS + 1;
    let uses = [used("old", NOW), used("new", NOW), used("old", after)];
    let superseded = [WarningKind::Superseded];
    assert_eq!(odd(&registry(TokenState::Active), &uses), superseded);
    assert_eq!(odd(&registry(TokenState::Pending), &uses), superseded);
    assert_eq!(odd(&registry(until(200)), &uses), superseded, "a newer one, itself replaced by now");
    let other_way = [used("new", NOW), used("old", NOW), used("new", after)];
    assert_eq!(odd(&registry(until(50)), &other_way), superseded, "then the other is the successor");
    assert_eq!(odd(&registry(TokenState::Revoked { at: UnixTime::from_seconds(0) }), &uses), []);
    let registry = registry(TokenState::Active);
    assert_eq!(
        odd(&registry, &[used("old", NOW), used("old", after)]),
        [],
        "nothing is known to read the new one"
    );
    assert_eq!(odd(&registry, &[used("new", after), used("old", NOW)]), [], "it began before that");
    assert_eq!(
        odd(&registry, &[used("new", NOW), used("old", after - 1)]),
        [],
        "it may have been read before that"
    );
    let bob = Event { client: Some("bob".into()), ..used("t2", NOW) };
    assert_eq!(odd(&registry, &[bob, used("old", after)]), [], "another client's token is no successor");
}

#[test]
fn refusals_that_are_odd_in_themselves() {
    let client = name("ann");
    let registry = active();
    let seen = |jti, denial: &Denial| {
        let (_, noticed) = watch(&registry, &[refused(jti, denial, NOW)]);
        noticed.odd.into_iter().map(|odd| (odd.kind, odd.client)).collect::<Vec<_>>()
    };
    let ann = || Some(client.clone());
    let path = Denial::OtherClientsPath { client: client.clone() };
    assert_eq!(seen("t1", &path), [(WarningKind::OtherClientsPath, ann())]);
    assert_eq!(seen("t1", &Denial::OtherTokenOfKnownId), [(WarningKind::OtherTokenOfKnownId, ann())]);
    assert_eq!(seen("stranger", &Denial::UnknownToken), [(WarningKind::UnknownToken, None)]);
    assert_eq!(seen("t1", &Denial::BadSignature), []);
}

#[test]
fn a_token_that_was_issued_this_very_moment_is_no_unknown_one() {
    let (before, after) = (snapshot(&[]), active());
    let seen = |later: &Snapshot, ms| {
        let (mut sightings, mut noticed) = (Sightings::default(), Noticed::default());
        sightings.see(&refused("t1", &Denial::UnknownToken, NOW), &before, &mut noticed);
        assert!(!sightings.is_settled());
        sightings.settle(NOW + ms, later, &mut noticed);
        (kinds(&noticed), sightings.is_settled())
    };
    let odd = vec![WarningKind::UnknownToken];
    assert_eq!(seen(&before, SETTLED_MS - 1), (vec![], false));
    assert_eq!(seen(&before, SETTLED_MS), (odd.clone(), true));
    assert_eq!(seen(&before, -SETTLED_MS), (odd, true), "the clock was set back");
    assert_eq!(seen(&after, SETTLED_MS), (vec![], true));
}

#[test]
fn so_many_unknown_tokens_at_once_are_not_waited_for() {
    let registry = active();
    let (mut sightings, mut noticed) = (Sightings::default(), Noticed::default());
    for n in 0..300 {
        sightings.see(&refused(&format!("x{n}"), &Denial::UnknownToken, NOW), &registry, &mut noticed);
    }
    assert_eq!(noticed.odd.len(), 300 - 256);
}

#[test]
fn a_warning_is_an_event_once_an_hour_and_is_counted_each_time() {
    let events: Vec<_> =
        (0..100).map(|n| by(used("t1", NOW + n * 60_000), &format!("program-{n}/1"))).collect();
    let (sightings, noticed) = watch(&active(), &events);
    assert_eq!((noticed.odd.len(), noticed.told.len()), (99, 2));
    let row = sightings.dirty().warnings.remove(0);
    assert_eq!((row.kind, row.times, row.client), (WarningKind::TwoPrograms, 99, Some(name("ann"))));
    let told = &noticed.told[0];
    assert_eq!(
        (&*told.kind, told.client.as_deref(), told.jti.as_deref()),
        ("warning", Some("ann"), Some("t1"))
    );
    assert_eq!(told.reason.as_deref(), Some("two_programs: `program-0/1` and `program-1/1`"));
    assert_eq!(told.address.as_deref(), Some("10.0.0.1:5000"));
}

#[test]
fn what_callers_say_of_themselves_stays_in_its_quotes() {
    let hostile = format!("x`\n\u{202e}{}", "y".repeat(500));
    let (_, noticed) = watch(&active(), &[by(used("t1", NOW), "a"), by(used("t1", NOW), &hostile)]);
    let detail = &noticed.odd[0].detail;
    assert!(detail.starts_with("`a` and `x`\\n\\u{202e}yyy") && detail.chars().count() < 80, "{detail}");
}

#[test]
fn what_is_kept_is_gone_on_with() {
    let registry = active();
    let half = |from: i64| (from..from + 5).map(|n| used("t1", NOW + n)).collect::<Vec<_>>();
    let (first, _) = watch(&registry, &half(0));
    let kept = first.dirty();
    let mut second = Sightings::default();
    let events = half(5);
    assert_eq!(second.unknown_in(&events), ["t1"]);
    second.know(&["t1"], Kept { tokens: kept.tokens, warnings: kept.warnings });
    assert!(second.unknown_in(&events).is_empty());
    let mut noticed = Noticed::default();
    for event in &events {
        second.see(event, &registry, &mut noticed);
    }
    let (whole, _) = watch(&registry, &[half(0), half(5)].concat());
    assert_eq!(second.dirty(), whole.dirty());
    assert_eq!(noticed.first_uses, [], "it was used before");
    second.written();
    assert_eq!(second.dirty(), Dirty::default());
    second.forget_idle(NOW);
    assert!(second.unknown_in(&events).is_empty(), "it is not idle");
    second.forget_idle(NOW + DAY);
    assert_eq!(second.unknown_in(&events), ["t1"]);
}

#[test]
fn an_idle_row_that_is_not_kept_yet_is_not_forgotten() {
    let (mut sightings, _) = watch(&active(), &[used("t1", NOW)]);
    sightings.forget_idle(i64::MAX);
    assert_eq!(sightings.dirty().tokens.len(), 1);
}
