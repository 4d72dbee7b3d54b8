//! What needs a person, each by its own cause and by nothing else.

use crate::rows::{
    DAY, HOUR, NOW, NOW_MS, around, client, gateway, grace, legacy, name, needed, token, used, warning, well,
};
use hallpass::overview::{GatewayStanding, Health, Need, NextToken, Overview, Rows, Surroundings, needs};
use hallpass_core::roster::Rotate;
use hallpass_core::snapshot::TokenState;
use hallpass_core::uses::{LegacyCaller, WarningKind};
use hallpass_store::{ClientRow, GraceRow, TokenRead, TokenRow};

const NOTHING: [Need; 0] = [];

fn with_token(token: TokenRow) -> Rows {
    Rows { tokens: vec![token], ..well() }
}

#[test]
fn nothing_when_all_is_well() {
    assert_eq!(needed(&well()), NOTHING);
    let quiet = Rows { clients: vec![client("ann"), ClientRow { removed: true, ..client("bob") }], ..well() };
    assert_eq!(needed(&quiet), NOTHING, "whoever was removed needs nothing");
}

#[test]
fn a_gateway_that_does_not_run_answer_or_follow() {
    let needed = |gateway| needs(&Overview::of(&well(), around(gateway)));
    assert_eq!(needed(GatewayStanding::default()), [Need::GatewayDown]);
    assert_eq!(needed(GatewayStanding { health: Health::Silent, ..gateway() }), [Need::GatewaySilent]);
    assert_eq!(needed(GatewayStanding { health: Health::Stale, ..gateway() }), [Need::GatewayStale]);
    let behind = Need::GatewayBehind { in_force: 41, newest: 42 };
    assert_eq!(needed(GatewayStanding { newest: 42, ..gateway() }), [behind]);
    assert_eq!(needed(GatewayStanding { in_force: None, ..gateway() }), NOTHING, "it has not said yet");
}

#[test]
fn a_client_without_a_good_token_whom_nobody_cut_off() {
    let no_token = |since| vec![Need::NoToken { client: name("ann"), since }];
    assert_eq!(needed(&Rows { tokens: vec![], ..well() }), no_token(None));
    assert_eq!(needed(&with_token(token("ann", 90 * DAY))), no_token(Some(NOW)));
    let replaced = TokenState::Superseded { until: NOW.plus(-HOUR) };
    let row = TokenRow { state: replaced, ..token("ann", DAY) };
    assert_eq!(needed(&with_token(row)), no_token(Some(NOW.plus(-HOUR))), "its key was revoked");
    let revoked = TokenState::Revoked { at: NOW };
    assert_eq!(needed(&with_token(TokenRow { state: revoked, ..token("ann", DAY) })), NOTHING);
    assert_eq!(needed(&with_token(TokenRow { state: TokenState::Pending, ..token("ann", 0) })), NOTHING);
    let disabled = ClientRow { enabled: false, ..client("ann") };
    assert_eq!(needed(&Rows { clients: vec![disabled], tokens: vec![], ..well() }), NOTHING);
    let former = TokenRow { former: true, ..token("ann", DAY) };
    assert_eq!(needed(&with_token(former)), no_token(None), "an earlier client's of that name");
}

#[test]
fn a_token_near_its_end_that_nothing_but_a_person_sees_to() {
    let two_thirds = 60 * DAY;
    let ends = |age, next| vec![Need::TokenEnds { client: name("ann"), at: NOW.plus(90 * DAY - age), next }];
    let placed = |age, kind: Option<TokenRead>| Rows {
        tokens: vec![TokenRow { placed: kind.is_some(), ..token("ann", age) }],
        placements: kind.map(|kind| (name("ann"), kind)).into_iter().collect(),
        ..well()
    };
    for (kind, next) in [(Some(TokenRead::AtStart), NextToken::Restart), (None, NextToken::HandedOut)] {
        assert_eq!(needed(&placed(two_thirds, kind)), ends(two_thirds, next));
        assert_eq!(needed(&placed(two_thirds - 1, kind)), NOTHING);
    }
    let bridge = Some(TokenRead::Afresh);
    let late = 72 * DAY;
    assert_eq!(needed(&placed(late - 1, bridge)), NOTHING, "the gateway sees to it");
    assert_eq!(needed(&placed(late, bridge)), ends(late, NextToken::GatewayIsLate));
    let never = Surroundings { rotate: Rotate::Never, ..around(gateway()) };
    let overview = Overview::of(&placed(two_thirds, bridge), never);
    assert_eq!(needs(&overview), ends(two_thirds, NextToken::RotationIsOff));
}

/// `ann` was rotated four hours ago, and her former token is good for so long.
fn rotated(left: i64, former_used_ago: Option<i64>) -> Rows {
    let former =
        TokenRow { state: TokenState::Superseded { until: NOW.plus(left) }, ..token("ann", 9 * DAY) };
    let live_uses = former_used_ago.map(|ago| used(&former, ago)).into_iter().collect();
    Rows { tokens: vec![token("ann", 4 * HOUR), former], live_uses, ..well() }
}

#[test]
fn a_superseded_token_that_is_used_near_its_end() {
    let need = |left| {
        vec![Need::ReplacedInUse {
            client: name("ann"),
            until: NOW.plus(left),
            address: Some("10.0.0.7".into()),
        }]
    };
    assert_eq!(needed(&rotated(6 * HOUR, Some(HOUR))), need(6 * HOUR));
    assert_eq!(needed(&rotated(6 * HOUR + 1, Some(HOUR))), NOTHING, "there is time");
    let quarter_of_a_week = (7 * DAY - 4 * HOUR) / 4;
    assert_eq!(needed(&rotated(quarter_of_a_week, Some(HOUR))), NOTHING);
    assert_eq!(needed(&rotated(HOUR, None)), NOTHING, "it is not used");
    assert_eq!(needed(&rotated(HOUR, Some(5 * HOUR))), NOTHING, "not since there is a new one");
    let overview = Overview::of(&rotated(HOUR, Some(5 * HOUR)), around(gateway()));
    assert_eq!((overview.replaced.len(), overview.replaced[0].used.is_none()), (1, true));
}

#[test]
fn a_grace_period_that_ends_soon_and_is_still_used() {
    let by = |ago, calls| {
        vec![legacy(LegacyCaller { address: Some("10.0.0.1".into()), ..LegacyCaller::default() }, ago, calls)]
    };
    let rows = |until, legacy| Rows { grace: Some(grace(until)), legacy, ..well() };
    let need = |until| vec![Need::GraceEnds { until: NOW.plus(until), users: 1 }];
    assert_eq!(needed(&rows(3 * DAY, by(HOUR, 5))), need(3 * DAY));
    assert_eq!(needed(&rows(3 * DAY + 1, by(HOUR, 5))), NOTHING);
    assert_eq!(needed(&rows(DAY, vec![])), NOTHING);
    assert_eq!(needed(&rows(DAY, by(8 * DAY, 5))), NOTHING, "silent for a week");
    assert_eq!(needed(&rows(DAY, by(HOUR, 0))), NOTHING, "never let in");
    let mut refused_since = by(HOUR, 5);
    refused_since[0].let_in_ms = Some(NOW_MS - 8 * DAY * 1000);
    assert_eq!(needed(&rows(DAY, refused_since)), NOTHING, "let in a week ago, refused since");
    assert_eq!(needed(&rows(-1, by(HOUR, 5))), NOTHING, "it is over");
    let ended = GraceRow { ended_at: Some(NOW), ..grace(DAY) };
    assert_eq!(needed(&Rows { grace: Some(ended), ..rows(DAY, by(HOUR, 5)) }), NOTHING);
    let seen_later = GraceRow { seen: NOW.plus(2 * DAY), ..grace(DAY) };
    assert_eq!(
        needed(&Rows { grace: Some(seen_later), ..rows(DAY, by(HOUR, 5)) }),
        NOTHING,
        "the clock was set back"
    );
}

#[test]
fn a_warning_that_nobody_has_seen_and_the_critical_ones_first() {
    let odd = warning(WarningKind::TwoAddresses, Some("ann"), HOUR);
    let critical = warning(WarningKind::UnknownToken, None, 2 * HOUR);
    let rows = Rows { warnings: vec![odd.clone(), critical.clone()], tokens: vec![], ..well() };
    let no_token = Need::NoToken { client: name("ann"), since: None };
    assert_eq!(needed(&rows), [Need::Odd(critical), no_token, Need::Odd(odd.clone())]);
    let seen = |ago: i64| {
        let warnings_seen_until_ms = NOW_MS - ago * 1000;
        needed(&Rows { warnings: vec![odd.clone()], warnings_seen_until_ms, ..well() })
    };
    assert_eq!(seen(HOUR), NOTHING);
    assert_eq!(seen(HOUR + 1), [Need::Odd(odd.clone())]);
}

#[test]
fn each_says_what_to_type() {
    let ann = || name("ann");
    let all = [
        Need::GatewayDown,
        Need::GatewaySilent,
        Need::GatewayStale,
        Need::GatewayBehind { in_force: 1, newest: 2 },
        Need::Odd(warning(WarningKind::TwoAddresses, Some("ann"), 0)),
        Need::Odd(warning(WarningKind::UnknownToken, None, 0)),
        Need::NoToken { client: ann(), since: Some(NOW) },
        Need::TokenEnds { client: ann(), at: NOW.plus(DAY), next: NextToken::Restart },
        Need::TokenEnds { client: ann(), at: NOW.plus(DAY), next: NextToken::HandedOut },
        Need::ReplacedInUse { client: ann(), until: NOW.plus(HOUR), address: None },
        Need::GraceEnds { until: NOW.plus(DAY), users: 2 },
    ];
    let typed = all.each_ref().map(Need::type_next);
    let look = "look at what `hallpass serve` says, or start it again";
    let expect = [
        "hallpass serve",
        look,
        look,
        look,
        "hallpass log --client ann",
        "hallpass keys list",
        "hallpass issue ann",
        "hallpass rotate ann",
        "hallpass rotate ann --print",
        "restart ann",
        "hallpass grace status",
    ];
    assert_eq!(typed, expect);
    for need in &all {
        assert!(!need.says(NOW).is_empty() && !need.says(NOW).ends_with('.'), "{need:?}");
    }
}
