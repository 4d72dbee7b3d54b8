//! A month of calls and acts as a busy installation has them, by a rule and not by lot: every run makes the same. What
//! callers say of themselves is hostile in places.

use hallpass_core::{Event, Outcome};

pub(crate) const DAY_MS: i64 = 86_400_000;
/// Days in it.
pub(crate) const DAYS: i64 = 30;
pub(crate) const HOSTILE: &str = "<img src=x onerror=alert(1)>|`**\u{202e}\"'&amp;";

const CLIENTS: [&str; 9] =
    ["vscode1", "vscode2", "claude", "cursor-ann", "cursor-bob", "ci-nightly", "gemini", "codex", "zed"];
const TOOLS: [(&str, &str); 8] = [
    ("docs", "search"),
    ("docs", "read_page"),
    ("tickets", "list_issues"),
    ("tickets", "create_issue"),
    ("tickets", "comment"),
    ("warehouse", "run_query"),
    ("warehouse", "explain"),
    ("files", "read_file"),
];
const REASONS: [&str; 5] = ["policy_denied", "expired", "revoked", "bad_signature", "too_fast"];

/// The calls and acts of the month that begins then, in the order of the log; at least so many calls.
pub(crate) fn busy_month(start_ms: i64, calls: i64) -> Vec<Event> {
    let mut events: Vec<Event> = (0..calls).map(|number| call(number, calls, start_ms)).collect();
    events.extend((0..calls / 40).map(|number| legacy(number, start_ms)));
    events.extend((0..9).map(|number| flood(number, start_ms)));
    events.extend((0..20).map(|number| Event {
        client: Some("claude".into()),
        server: Some("docs".into()),
        ..Event::new(start_ms + number * DAY_MS, "close", Outcome::Ok)
    }));
    events.extend(acts(start_ms));
    events.sort_by_key(|event| event.at_ms);
    events
}

/// Weeks have quiet ends, and months a peak.
fn time_of(number: i64, calls: i64, start_ms: i64) -> i64 {
    let day = number * DAYS / calls;
    let day = if day % 7 >= 5 && number % 5 != 0 { (day + 3) % DAYS } else { day };
    start_ms + day * DAY_MS + (number * 7919 % 36_000) * 1000 + 25_200_000 + number % 1000
}

fn pick<T: Copy>(of: &[T], number: i64) -> T {
    of[usize::try_from(number).expect("not negative") % of.len()]
}

fn call(number: i64, calls: i64, start_ms: i64) -> Event {
    // Some call more than others.
    let client = pick(
        &CLIENTS,
        [0, 0, 0, 1, 1, 2, 3, 3, 4, 5, 5, 5, 5, 6, 7][usize::try_from(number * 31 % 15).expect("small")],
    );
    let (server, tool) = pick(&TOOLS, number * number % 11 * 3 / 4);
    let outcome = match number * 53 % 101 {
        0..88 => Outcome::Ok,
        88..91 => Outcome::Error,
        91 => Outcome::Failed,
        92 => Outcome::Cut,
        93 => Outcome::Gone,
        _ => Outcome::Refused,
    };
    let is_refused = outcome == Outcome::Refused;
    let reason = pick(&REASONS, number);
    let is_known = !(is_refused && reason == "bad_signature");
    Event {
        client: is_known.then(|| client.to_owned()),
        server: Some(server.into()),
        method: Some("tools/call".into()),
        tool: (number % 17 != 0).then(|| if number % 997 == 0 { HOSTILE.into() } else { tool.to_owned() }),
        reason: is_refused.then(|| reason.to_owned()),
        duration_us: Some(
            u64::try_from(number * 7919 % 60_000 + if number % 40 == 0 { 900_000 } else { 800 })
                .expect("small"),
        ),
        bytes_in: Some(u64::try_from(80 + number % 400).expect("small")),
        bytes_out: (!is_refused).then(|| u64::try_from(number * 13 % 20_000).expect("small")),
        would_refuse: (number % 211 == 0 && !is_refused).then(|| "readers".to_owned()),
        would_reason: (number % 211 == 0 && !is_refused).then(|| "policy_denied".to_owned()),
        address: Some("192.0.2.7:50312".into()),
        ..Event::new(time_of(number, calls, start_ms), "call", outcome)
    }
}

fn legacy(number: i64, start_ms: i64) -> Event {
    let is_refused = number % 9 == 0;
    let info = pick(&[Some("old-script/0.3"), None, Some(HOSTILE)], number);
    Event {
        legacy: true,
        path_client: (number % 2 == 0).then(|| "zed".to_owned()),
        server: Some("docs".into()),
        method: Some("tools/call".into()),
        tool: Some("search".into()),
        reason: is_refused.then(|| "has_moved".to_owned()),
        client_info: info.map(str::to_owned),
        user_agent: Some(
            pick(&["Python/3.11 websockets/17.4", "\"><script>alert(2)</script>"], number).to_owned(),
        ),
        duration_us: Some(900),
        bytes_in: Some(70),
        bytes_out: Some(80),
        address: Some(format!(
            "{}:{}",
            pick(&["198.51.100.4", "[2001:db8::7]", "[::ffff:198.51.100.4]"], number),
            40_000 + number
        )),
        ..Event::new(
            start_ms + number % 9 * DAY_MS + number * 61_000 % DAY_MS,
            "call",
            if is_refused { Outcome::Refused } else { Outcome::Ok },
        )
    }
}

/// Refusals that came in a flood, written as one record.
fn flood(number: i64, start_ms: i64) -> Event {
    Event {
        reason: Some("no_credential".into()),
        count: Some(u64::try_from(number * 11 + 3).expect("small")),
        address: Some("203.0.113.9:1000".into()),
        ..Event::new(start_ms + 12 * DAY_MS + number * 1000, "call", Outcome::Refused)
    }
}

fn acts(start_ms: i64) -> Vec<Event> {
    let by = || Some("ann (uid 1000)".to_owned());
    let jti = |number: i64| Some(format!("01a2147d-36cc-7018-9324-{number:012}"));
    let act = |day: i64, minute: i64, kind: &'static str, client: Option<&str>, reason: &str| Event {
        client: client.map(str::to_owned),
        reason: Some(reason.to_owned()),
        by: by(),
        ..Event::new(start_ms + day * DAY_MS + minute * 60_000 + 32_400_000, kind, Outcome::Done)
    };
    let mut acts = vec![
        act(0, 1, "grace-start", None, "until 2026-11-05, every server: the clients move one by one"),
        act(6, 0, "grace-extend", None, "until 2026-11-08: zed is not ready"),
        act(9, 0, "grace-end", None, "everybody has moved"),
        act(3, 4, "policy", None, "put readers, builders"),
        act(14, 0, "policy", None, "put readers"),
        act(15, 30, "rotate-key", None, "hp-ab12cd34-2: announced"),
        act(16, 0, "rotate-key", None, "hp-ab12cd34-2: signs"),
        act(21, 0, "revoke-key", None, "hp-ab12cd34-1: the laptop that held a copy of the home was stolen"),
        act(21, 9, "disable", Some("ci-nightly"), HOSTILE),
        act(22, 0, "enable", Some("ci-nightly"), "the job was mended"),
        act(25, 0, "remove", Some("zed"), "removed"),
        Event {
            by: None,
            ..act(
                18,
                2,
                "warning",
                Some("cursor-bob"),
                "two_addresses: shown from `192.0.2.7` and `203.0.113.80` within a minute",
            )
        },
        act(18, 50, "acknowledge", None, "looked at"),
        act(28, 0, "init", None, "a kind that no version knew before"),
    ];
    for (number, client) in CLIENTS.iter().enumerate() {
        let number = i64::try_from(number).expect("small");
        acts.push(Event { jti: jti(number), ..act(number % 3, number, "issue", Some(client), "new") });
        acts.push(Event {
            jti: jti(100 + number),
            ..act(10 + number, number, "rotate", Some(client), "asked for")
        });
    }
    acts.push(Event { jti: jti(4), ..act(19, 0, "revoke", Some("cursor-bob"), "the laptop is lost") });
    acts
}
