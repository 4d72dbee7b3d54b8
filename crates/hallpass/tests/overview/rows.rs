//! What every test needs: rows as a store has them, and a gateway that is well.

use hallpass::overview::{GatewayStanding, Health, Need, Overview, Rows, Surroundings, needs};
use hallpass_core::grace::SecretTag;
use hallpass_core::roster::Rotate;
use hallpass_core::snapshot::{ServerScope, TokenState};
use hallpass_core::uses::{LegacyCaller, LegacyUse, TokenUse, Warning, WarningKind};
use hallpass_core::{ClientName, Subject, TokenDigest, UnixTime};
use hallpass_store::{ClientRow, GraceRow, Overlap, TokenRead, TokenRow};

/// 2026-11-23T00:00:00Z
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_795_392_000);
pub(crate) const NOW_MS: i64 = NOW.seconds() * 1000;
pub(crate) const HOUR: i64 = 3600;
pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) fn name(text: &str) -> ClientName {
    ClientName::new(text).unwrap()
}

pub(crate) fn client(text: &str) -> ClientRow {
    ClientRow {
        name: name(text),
        subject: Subject::new(text).unwrap(),
        app: "claude-desktop".into(),
        enabled: true,
        removed: false,
        from_roster: true,
        servers: ServerScope::All,
        policy: None,
        config: None,
        entry: None,
        env: None,
        placement: None,
        created_at: NOW,
    }
}

/// A token of 90 days, so many seconds old, placed and in force.
pub(crate) fn token(client: &str, age: i64) -> TokenRow {
    let jti = format!("{client}-{age}");
    TokenRow {
        client: name(client),
        kid: "hp-1".into(),
        subject: Subject::new(client).unwrap(),
        issued_at: NOW.plus(-age),
        expires_at: NOW.plus(90 * DAY - age),
        digest: TokenDigest::of(&jti),
        jti,
        state: TokenState::Active,
        reason: None,
        placed: true,
        former: false,
        adopted: false,
        until_seen: false,
        overlap: Overlap::NONE,
    }
}

pub(crate) fn used(token: &TokenRow, ago: i64) -> TokenUse {
    TokenUse {
        jti: token.jti.clone(),
        client: token.client.clone(),
        first_ms: NOW_MS - ago * 1000,
        last_ms: NOW_MS - ago * 1000,
        calls: 3,
        server: Some("docs".into()),
        address: Some("10.0.0.7".into()),
        user_agent: Some("node".into()),
        client_info: None,
    }
}

pub(crate) fn warning(kind: WarningKind, client: Option<&str>, ago: i64) -> Warning {
    Warning {
        jti: "t".into(),
        kind,
        client: client.map(name),
        first_ms: NOW_MS - 2 * DAY * 1000,
        last_ms: NOW_MS - ago * 1000,
        told_ms: NOW_MS - ago * 1000,
        times: 12,
        detail: "`10.0.0.1` and `10.0.0.2` within 9 s".into(),
    }
}

pub(crate) fn grace(until: i64) -> GraceRow {
    GraceRow {
        period: 1,
        tag: SecretTag::from_bytes(&[0; 32]).unwrap(),
        until: NOW.plus(until),
        started_at: NOW.plus(-DAY),
        ended_at: None,
        seen: NOW,
        servers: ServerScope::All,
        policy: None,
        strict: false,
    }
}

pub(crate) fn legacy(caller: LegacyCaller, ago: i64, calls: u64) -> LegacyUse {
    LegacyUse {
        caller,
        first_ms: NOW_MS - 9 * DAY * 1000,
        last_ms: NOW_MS - ago * 1000,
        let_in_ms: (calls > 0).then_some(NOW_MS - ago * 1000),
        calls,
        refused: 1,
        called: [].into(),
    }
}

/// One client `ann`, with a fresh token in a file that is read anew each time.
pub(crate) fn well() -> Rows {
    Rows {
        clients: vec![client("ann")],
        tokens: vec![token("ann", DAY)],
        placements: [(name("ann"), TokenRead::Afresh)].into(),
        warnings_seen_until_ms: i64::MIN,
        ..Rows::default()
    }
}

pub(crate) fn gateway() -> GatewayStanding {
    GatewayStanding {
        running: Some("pid 12, http://127.0.0.1:4255".into()),
        health: Health::Ready,
        in_force: Some(41),
        newest: 41,
    }
}

pub(crate) fn around(gateway: GatewayStanding) -> Surroundings {
    Surroundings {
        now: NOW,
        home: "/home/me/.local/share/hallpass".into(),
        gateway,
        servers: vec![("docs".into(), "http://127.0.0.1:9000/mcp".into())],
        rotate: Rotate::Auto,
    }
}

/// What needs a person.
pub(crate) fn needed(rows: &Rows) -> Vec<Need> {
    needs(&Overview::of(rows, around(gateway())))
}
