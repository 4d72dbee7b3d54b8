//! The screen itself: every line of it, and never wider than 100 columns.

use crate::rows::{DAY, HOUR, NOW, around, client, gateway, grace, legacy, name, token, used, warning, well};
use hallpass::overview::{GatewayStanding, Health, Overview, Rows, lines};
use hallpass_core::ClientName;
use hallpass_core::snapshot::TokenState;
use hallpass_core::uses::{LegacyCaller, TokenUse, WarningKind};
use hallpass_store::{ClientRow, TokenRead, TokenRow};

fn screen(rows: &Rows, gateway: GatewayStanding) -> String {
    lines(&Overview::of(rows, around(gateway))).join("\n")
}

fn a_full_day() -> Rows {
    let former =
        TokenRow { state: TokenState::Superseded { until: NOW.plus(2 * HOUR) }, ..token("ann", 9 * DAY) };
    let new = token("ann", DAY);
    let expired = token("bob", 91 * DAY);
    let revoked = TokenRow { state: TokenState::Revoked { at: NOW.plus(-DAY) }, ..token("carl", DAY) };
    let path = LegacyCaller {
        path_client: Some(name("bob")),
        address: Some("10.0.0.3".into()),
        ..LegacyCaller::default()
    };
    let told = LegacyCaller {
        client_info: Some("editor/1".into()),
        address: Some("10.0.0.4".into()),
        ..LegacyCaller::default()
    };
    Rows {
        clients: vec![
            client("ann"),
            client("bob"),
            client("carl"),
            ClientRow { enabled: false, ..client("dora") },
        ],
        newest_uses: vec![used(&new, 180), used(&expired, 3 * DAY)],
        live_uses: vec![used(&new, 180), used(&former, 300)],
        tokens: vec![new, revoked, former, expired],
        placements: [(name("ann"), TokenRead::Afresh)].into(),
        warnings: vec![
            warning(WarningKind::TwoAddresses, Some("ann"), 180),
            warning(WarningKind::AfterSilence, Some("bob"), 2 * DAY),
        ],
        warnings_seen_until_ms: (NOW.seconds() - DAY) * 1000,
        grace: Some(grace(13 * DAY)),
        legacy: vec![legacy(told, 5 * HOUR, 3), legacy(path, 300, 8)],
        ..Rows::default()
    }
}

#[test]
fn a_full_screen() {
    let expect = "\
gateway   runs (pid 12, http://127.0.0.1:4255), revision 41 in force
home      /home/me/.local/share/hallpass
server    docs -> http://127.0.0.1:9000/mcp
grace     until 2026-12-06T00:00:00Z (in 13 days)
          used by bob (5 minutes ago) and 1 more

CLIENT  APP             TOKEN                 LAST SEEN      SERVER  FROM
ann     claude-desktop  ends in 89 days       3 minutes ago  docs    10.0.0.7
bob     claude-desktop  expired 24 hours ago  3 days ago     docs    10.0.0.7
carl    claude-desktop  revoked 24 hours ago  never
dora    claude-desktop  disabled              never

replaced  ann: its former token was used 5 minutes ago from 10.0.0.7, ends in 2 hours

warning   two_addresses ann: 12 times, 3 minutes ago: `10.0.0.1` and `10.0.0.2` within 9 s
warning   after_silence bob: 12 times, 2 days ago (acknowledged): `10.0.0.1` and `10.0.0.2` within …

next      `hallpass issue bob`: bob has no good token: the last one ended 24 hours ago
next      restart ann: ann still uses its former token from 10.0.0.7, which ends in 2 hours
next      `hallpass log --client ann`
next      `hallpass status --acknowledge`, once you know what the warnings mean";
    assert_eq!(screen(&a_full_day(), gateway()), expect);
}

#[test]
fn an_empty_home_and_a_gateway_in_trouble() {
    let text = screen(&Rows::default(), GatewayStanding::default());
    assert!(text.starts_with("gateway   does not run (`hallpass serve` starts it)"), "{text}");
    assert!(text.contains("no client yet: name them in hallpass.toml"), "{text}");
    assert!(text.ends_with("next      `hallpass serve`: the gateway does not run"), "{text}");
    for (standing, expect) in [
        (GatewayStanding { health: Health::Stale, ..gateway() }, "and refuses everything"),
        (GatewayStanding { health: Health::Silent, ..gateway() }, "and does not answer"),
        (GatewayStanding { newest: 43, ..gateway() }, "has revision 41 in force, 43 is the newest"),
    ] {
        let text = screen(&well(), standing);
        assert!(text.lines().next().is_some_and(|line| line.contains(expect)), "{text}");
    }
    let quiet = screen(&well(), gateway());
    assert!(!quiet.contains("next") && !quiet.contains("warning") && !quiet.contains("grace"), "{quiet}");
}

#[test]
fn however_many_clients_and_however_long_their_names_it_stays_one_screen() {
    let long = "x".repeat(58);
    let clients: Vec<ClientRow> = (0..10_000).map(|n| client(&format!("{long}{n:05}"))).collect();
    let tokens: Vec<TokenRow> = clients.iter().map(|row| token(row.name.as_str(), 61 * DAY)).collect();
    let address = Some("2001:db8:1234:5678:9abc:def0:1234:5678".to_owned());
    let server = Some("s".repeat(63));
    let newest_uses: Vec<TokenUse> = tokens[5000..]
        .iter()
        .map(|row| TokenUse { address: address.clone(), server: server.clone(), ..used(row, 59) })
        .collect();
    let warnings = vec![warning(WarningKind::OtherTokenOfKnownId, Some(&long), 60); 50];
    let placements = clients.iter().map(|row| (row.name.clone(), TokenRead::AtStart)).collect();
    let rows = Rows { clients, tokens, newest_uses, warnings, placements, ..well() };
    let overview = Overview::of(&rows, around(gateway()));
    let lines = lines(&overview);
    assert!(lines.len() < 75, "{}", lines.len());
    for line in &lines {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(lines.contains(&"and 9960 more, seen longer ago (`hallpass list`)".to_owned()), "{lines:#?}");
    let seen = lines.iter().filter(|line| line.contains("59 seconds ago")).count();
    assert_eq!(seen, 40, "those that were seen last are shown");
    let first = overview.clients.iter().map(|client| &client.name).min();
    assert_eq!(
        first.map(ClientName::as_str),
        Some(format!("{long}00000").as_str()),
        "programs get all of them"
    );
}
