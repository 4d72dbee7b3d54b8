//! Whatever callers make up: no call is lost, and nothing grows without end.

use crate::scene::{NOW, active, used, watch};
use hallpass_core::legacy_callers::{CALLED_MOST, CALLERS_MOST};
use hallpass_core::sightings::Dirty;
use hallpass_core::uses::WarningKind;
use hallpass_core::warnings::UNKNOWN_MOST;
use hallpass_core::{Event, Outcome};
use proptest::prelude::*;

/// Whatever callers make up, so that every bound is met.
fn made_up() -> impl Strategy<Value = Event> {
    let text = prop_oneof![Just(None), "[a-z]{1,3}".prop_map(Some), "\\PC{0,20}".prop_map(Some)];
    let address = (0..4u8, 1..4u16).prop_map(|(host, port)| format!("10.0.0.{host}:{port}"));
    let reason = prop_oneof![
        Just(None),
        Just(Some("unknown_token")),
        Just(Some("other_clients_path")),
        Just(Some("no_such_path")),
        Just(Some("revoked"))
    ];
    let said = (text.clone(), text.clone(), text.clone(), text);
    (any::<bool>(), said, address, reason, 0..5u8, -NOW..NOW, any::<u64>()).prop_map(
        |(legacy, (agent, info, tool, path), address, reason, token, at_ms, took)| Event {
            legacy,
            client: (token < 2 && !legacy).then(|| "ann".into()),
            jti: (!legacy).then(|| if token < 3 { format!("t{token}") } else { format!("x{at_ms}") }),
            outcome: if reason.is_some() { Outcome::Refused } else { Outcome::Ok },
            reason: reason.map(Into::into),
            user_agent: agent,
            client_info: info,
            tool,
            path_client: path,
            address: Some(address),
            duration_us: Some(took),
            ..used("t1", at_ms)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_said_the_rows_are_bounded_and_no_call_is_lost(
        events in prop::collection::vec(made_up(), 0..3000)
    ) {
        let registry = active();
        let (sightings, noticed) = watch(&registry, &events);
        let Dirty { tokens, legacy, warnings } = sightings.dirty();
        let legacy_events = events.iter().filter(|event| event.legacy).count() as u64;
        prop_assert_eq!(legacy.iter().map(|row| row.calls + row.refused).sum::<u64>(), legacy_events);
        prop_assert!(legacy.iter().filter(|row| !row.caller.is_the_rest()).count() <= CALLERS_MOST);
        prop_assert!(legacy.iter().all(|row| row.called.len() <= CALLED_MOST + 1));
        prop_assert!(legacy.iter().all(|row| row.called.values().sum::<u64>() <= row.calls));
        let good = events.iter().filter(|e| !e.legacy && e.outcome == Outcome::Ok && e.client.is_some());
        prop_assert_eq!(tokens.iter().map(|row| row.calls).sum::<u64>(), good.count() as u64);
        prop_assert_eq!(warnings.iter().map(|row| row.times).sum::<u64>(), noticed.odd.len() as u64);
        let unknown = warnings.iter().filter(|row| row.kind == WarningKind::UnknownToken).count();
        prop_assert!(unknown <= UNKNOWN_MOST + 1);
        prop_assert!(noticed.told.len() <= noticed.odd.len());
        prop_assert_eq!(noticed.first_uses.len(), tokens.len());
    }
}
