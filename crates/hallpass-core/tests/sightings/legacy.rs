//! The shared secret's callers: told apart as well as can be, and never more rows than there is room for.

use crate::scene::{NOW, active, by, legacy, name, watch};
use hallpass_core::legacy_callers::{CALLED_MOST, CALLERS_MOST, CALLERS_OF_A_PATH_MOST, THE_REST};
use hallpass_core::sightings::{Noticed, Sightings};
use hallpass_core::uses::LegacyUse;
use hallpass_core::{Denial, Event, Outcome};

#[test]
fn callers_with_the_shared_secret_are_told_apart_by_path_program_agent_and_address() {
    let path = |event: Event, client: &str| Event { path_client: Some(client.into()), ..event };
    let refused =
        |event: Event| Event { outcome: Outcome::Refused, reason: Some("grace_over".into()), ..event };
    let events = [
        legacy("10.0.0.1:1", NOW),
        legacy("10.0.0.1:2", NOW + 1),
        refused(legacy("10.0.0.1:2", NOW + 2)),
        legacy("10.0.0.2:1", NOW + 3),
        path(legacy("10.0.0.1:3", NOW + 4), "ann"),
        Event { user_agent: Some("python".into()), ..legacy("10.0.0.1:4", NOW + 5) },
        Event { tool: None, method: Some("tools/list".into()), ..legacy("10.0.0.2:1", NOW + 6) },
    ];
    let (sightings, _) = watch(&active(), &events);
    let mut rows = sightings.dirty().legacy;
    rows.sort_by_key(|row| row.first_ms);
    let told =
        |row: &LegacyUse| (row.caller.address.clone().unwrap(), row.calls, row.refused, row.last_ms - NOW);
    let told: Vec<_> = rows.iter().map(told).collect();
    let expect = [("10.0.0.1", 2, 1, 2), ("10.0.0.2", 2, 0, 6), ("10.0.0.1", 1, 0, 4), ("10.0.0.1", 1, 0, 5)];
    assert_eq!(
        told,
        expect.map(|(address, calls, refused, last)| (address.to_owned(), calls, refused, last))
    );
    assert_eq!(rows[0].let_in_ms, Some(NOW + 1), "the call after it was refused");
    assert_eq!(rows[2].caller.path_client, Some(name("ann")));
    assert_eq!(rows[3].caller.user_agent.as_deref(), Some("python"));
    let called = [("docs/echo".to_owned(), 1), ("docs/tools/list".to_owned(), 1)];
    assert_eq!(rows[1].called, called.into());
}

#[test]
fn a_call_that_does_not_name_its_program_counts_for_the_one_on_its_connection() {
    let hello = |program, address, ms| by(legacy(address, NOW + ms), program);
    let events = [
        hello("editor/1", "10.0.0.1:1", 0),
        hello("agent/1", "10.0.0.1:2", 1),
        legacy("10.0.0.1:1", NOW + 2),
        legacy("10.0.0.1:1", NOW + 3),
        legacy("10.0.0.1:2", NOW + 4),
        // A new connection of one that looks like both: the one seen last.
        legacy("10.0.0.1:3", NOW + 5),
        Event { user_agent: Some("else".into()), ..legacy("10.0.0.1:1", NOW + 6) },
    ];
    let (sightings, _) = watch(&active(), &events);
    let mut calls: Vec<_> =
        sightings.dirty().legacy.into_iter().map(|row| (row.caller.client_info, row.calls)).collect();
    calls.sort();
    assert_eq!(calls, [(None, 1), (Some("agent/1".into()), 3), (Some("editor/1".into()), 3)]);
}

#[test]
fn a_path_that_is_no_clients_tells_nobody_apart() {
    let reason = Some(Denial::NoSuchPath.code().to_owned());
    let probe = |n: i64| Event {
        path_client: Some(format!("made-up-{n}")),
        outcome: Outcome::Refused,
        reason: reason.clone(),
        ..legacy("10.0.0.1:1", NOW + n)
    };
    let (sightings, _) = watch(&active(), &(0..50).map(probe).collect::<Vec<_>>());
    let rows = sightings.dirty().legacy;
    assert_eq!((rows.len(), rows[0].refused, rows[0].caller.path_client.clone()), (1, 50, None));
}

#[test]
fn who_finds_no_room_is_counted_with_the_rest_of_the_path() {
    let agent = |n: usize| Event { user_agent: Some(format!("agent-{n}")), ..legacy("10.0.0.1:1", NOW) };
    let other = Event { path_client: Some("ann".into()), ..legacy("10.0.0.1:1", NOW) };
    let mut events: Vec<_> = (0..CALLERS_OF_A_PATH_MOST + 10).map(agent).collect();
    events.push(agent(0));
    events.push(other);
    let (sightings, _) = watch(&active(), &events);
    let rows = sightings.dirty().legacy;
    assert_eq!(rows.len(), CALLERS_OF_A_PATH_MOST + 2);
    let rest: Vec<_> = rows.iter().filter(|row| row.caller.is_the_rest()).collect();
    assert_eq!((rest.len(), rest[0].calls, &rest[0].caller.path_client), (1, 10, &None));
    assert!(
        rows.iter().any(|row| row.caller.path_client == Some(name("ann"))),
        "another path has its own room"
    );

    let mut again = Sightings::default();
    again.begin(rows, vec![]);
    again.see(&agent(9999), &active(), &mut Noticed::default());
    let dirty = again.dirty().legacy;
    assert_eq!((dirty.len(), dirty[0].calls), (1, 11), "what was kept takes its room");
}

#[test]
fn there_is_room_for_so_many_on_all_paths_together() {
    let caller = |n: usize| Event {
        path_client: Some(format!("client-{}", n / 200)),
        user_agent: Some(format!("agent-{}", n % 200)),
        ..legacy("10.0.0.1:1", NOW)
    };
    let (sightings, _) = watch(&active(), &(0..2000).map(caller).collect::<Vec<_>>());
    let rows = sightings.dirty().legacy;
    let (rest, own): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.caller.is_the_rest());
    assert_eq!(own.len(), CALLERS_MOST);
    assert_eq!(rest.iter().map(|row| row.calls).sum::<u64>(), 2000 - CALLERS_MOST as u64);
    assert!(rest.len() <= 10, "one for each path");
}

#[test]
fn what_a_caller_calls_is_listed_up_to_a_number_and_then_counted_together() {
    let call = |n: usize| Event { tool: Some(format!("tool-{n}")), ..legacy("10.0.0.1:1", NOW) };
    let (sightings, _) = watch(&active(), &(0..CALLED_MOST + 5).map(call).collect::<Vec<_>>());
    let row = sightings.dirty().legacy.remove(0);
    assert_eq!((row.called.len(), row.called.get(THE_REST)), (CALLED_MOST + 1, Some(&5)));
}
