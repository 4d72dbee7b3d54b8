//! What every test needs: a registry, and calls that go by.

use hallpass_core::keys::KeySet;
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::sightings::{Noticed, Sightings};
use hallpass_core::snapshot::{Authority, TokenRecord, TokenState, TokenType};
use hallpass_core::uses::WarningKind;
use hallpass_core::{ClientName, Denial, Event, Outcome, Snapshot, TokenDigest};

pub(crate) const NOW: i64 = 1_795_392_000_000;
pub(crate) const DAY: i64 = 86_400_000;

pub(crate) fn name(text: &str) -> ClientName {
    ClientName::new(text).unwrap()
}

/// A registry with these tokens.
pub(crate) fn snapshot(tokens: &[(&str, &str, TokenState)]) -> Snapshot {
    let authority = Authority {
        issuer: Issuer::new("i").unwrap(),
        audience: Audience::new("a").unwrap(),
        keys: KeySet::new([]),
        token_type: TokenType::Jwt,
        lifetime_most: 1,
        leeway: 0,
    };
    let records = tokens.iter().map(|(jti, client, state)| TokenRecord {
        jti: (*jti).into(),
        client: name(client),
        digest: TokenDigest::of(jti),
        state: *state,
        adopted: false,
    });
    Snapshot::new(1, authority, [], records.collect::<Vec<_>>())
}

pub(crate) fn active() -> Snapshot {
    snapshot(&[("t1", "ann", TokenState::Active), ("t2", "bob", TokenState::Active)])
}

pub(crate) fn used(jti: &str, at_ms: i64) -> Event {
    Event {
        client: Some("ann".into()),
        jti: Some(jti.into()),
        server: Some("docs".into()),
        method: Some("tools/call".into()),
        tool: Some("echo".into()),
        address: Some("10.0.0.1:5000".into()),
        user_agent: Some("node".into()),
        ..Event::new(at_ms, "call", Outcome::Ok)
    }
}

pub(crate) fn refused(jti: &str, denial: &Denial, at_ms: i64) -> Event {
    let client = denial.client().map(ToString::to_string);
    Event { client, outcome: Outcome::Refused, reason: Some(denial.code().into()), ..used(jti, at_ms) }
}

pub(crate) fn legacy(address: &str, at_ms: i64) -> Event {
    Event { client: None, jti: None, legacy: true, address: Some(address.into()), ..used("", at_ms) }
}

/// Feeds events to a fresh watch.
pub(crate) fn watch(snapshot: &Snapshot, events: &[Event]) -> (Sightings, Noticed) {
    let (mut sightings, mut noticed) = (Sightings::default(), Noticed::default());
    for event in events {
        sightings.see(event, snapshot, &mut noticed);
    }
    (sightings, noticed)
}

pub(crate) fn kinds(noticed: &Noticed) -> Vec<WarningKind> {
    noticed.odd.iter().map(|odd| odd.kind).collect()
}

/// Which warnings come of these events.
pub(crate) fn odd(snapshot: &Snapshot, events: &[Event]) -> Vec<WarningKind> {
    kinds(&watch(snapshot, events).1)
}

pub(crate) fn at(event: Event, address: &str) -> Event {
    Event { address: Some(address.into()), ..event }
}

pub(crate) fn by(event: Event, program: &str) -> Event {
    Event { client_info: Some(program.into()), ..event }
}

pub(crate) fn lasting(event: Event, ms: i64) -> Event {
    Event { duration_us: Some(u64::try_from(ms).unwrap() * 1000), ..event }
}
