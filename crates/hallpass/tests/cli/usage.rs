//! `usage`: calls counted over the log, and never differently from a count over its records.

use crate::stage::Stage;
use hallpass_core::{Event, Outcome};
use serde_json::Value;
use std::collections::BTreeMap;

const DAY_MS: i64 = 86_400_000;
/// 2026-11-20T00:00:00Z
const START_MS: i64 = 1_795_132_800_000;

/// Calls of three clients over four days, in an order that means nothing, and an act between them.
fn events() -> Vec<Event> {
    let outcomes =
        [Outcome::Ok, Outcome::Error, Outcome::Refused, Outcome::Cut, Outcome::Gone, Outcome::Failed];
    let mut events: Vec<Event> = (0..1200_i64)
        .map(|number| {
            let of = |names: &[&str], by: i64| {
                let index = usize::try_from(number / by).expect("small") % names.len();
                Some(names[index].to_owned())
            };
            Event {
                client: of(&["ann", "bob", "zoe"], 7).filter(|_| number % 11 != 0),
                legacy: number % 22 == 0,
                server: of(&["docs", "web"], 3),
                method: Some("tools/call".into()),
                tool: of(&["read", "=write", "a,\"b\""], 5).filter(|_| number % 13 != 0),
                duration_us: Some(u64::try_from(number * 7919 % 5000).expect("small")),
                bytes_in: Some(3),
                bytes_out: u64::try_from(number).ok(),
                ..Event::new(
                    START_MS + number * 7919 % 4 * DAY_MS + number,
                    "call",
                    outcomes[usize::try_from(number * 31 % 6).expect("small")],
                )
            }
        })
        .collect();
    events.insert(600, Event { client: Some("ann".into()), ..Event::new(START_MS, "issue", Outcome::Done) });
    events
}

async fn stage() -> Stage {
    let stage = Stage::founded().await;
    stage.log(&events()).await;
    stage
}

#[tokio::test]
async fn every_row_is_what_a_count_over_the_log_gives() {
    let stage = stage().await;
    let log = stage.hallpass.must(&["log", "--json", "-n", "5000"]).await;
    let mut counted: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).expect("a record");
        if event["kind"] == "call" {
            let client = match (event["client"].as_str(), event["legacy"] == true) {
                (Some(client), _) => client.to_owned(),
                (None, true) => "(shared secret)".into(),
                (None, false) => String::new(),
            };
            let row = counted.entry((client, event["server"].to_string())).or_default();
            row.0 += 1;
            row.1 += event["bytes_out"].as_u64().unwrap_or(0);
        }
    }
    let document = stage.document(&["usage"]).await;
    let rows: BTreeMap<_, _> = document["usage"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let key = (row["client"].as_str().unwrap_or_default().to_owned(), row["server"].to_string());
            (key, (row["calls"].as_u64().expect("calls"), row["bytes_out"].as_u64().expect("bytes")))
        })
        .collect();
    assert_eq!(rows, counted);
    assert_eq!(rows.values().map(|(calls, _)| calls).sum::<u64>(), 1200);
    assert_eq!(document["never_used"], Value::Array(Vec::new()), "nobody is registered yet");
}

#[tokio::test]
async fn dates_and_names_narrow_it() {
    let stage = stage().await;
    let calls = async |arguments: &[&str]| {
        let document = stage.document(&[&["usage", "--by", "day"], arguments].concat()).await;
        let rows = document["usage"].as_array().expect("rows").clone();
        let days: Vec<_> = rows.iter().map(|row| row["day"].as_str().expect("a day").to_owned()).collect();
        (days, rows.iter().map(|row| row["calls"].as_u64().expect("calls")).sum::<u64>())
    };
    assert_eq!(calls(&[]).await.1, 1200);
    assert_eq!(
        calls(&["--since", "2026-11-22"]).await,
        (vec!["2026-11-22".into(), "2026-11-23".into()], 600)
    );
    assert_eq!(
        calls(&["--since", "2026-11-21", "--until", "2026-11-22"]).await,
        (vec!["2026-11-21".into()], 300)
    );
    let all = calls(&["--server", "docs"]).await.1 + calls(&["--server", "web"]).await.1;
    assert_eq!(all, 1200);
    let wrong = stage.hallpass.run(&["usage", "--since", "yesterday"]).await;
    assert_eq!(wrong.code, Some(64));
    assert!(wrong.stderr.contains("`7d`"), "{wrong:#?}");
    let wrong = stage.hallpass.run(&["usage", "--by", "colour"]).await;
    assert_eq!(wrong.code, Some(64));
    assert!(wrong.stderr.contains("client, server, tool, day"), "{wrong:#?}");
}

#[tokio::test]
async fn a_table_for_eyes_and_cells_for_a_spreadsheet() {
    let stage = stage().await;
    let said = stage.hallpass.must(&["usage", "--by", "client"]).await;
    assert!(said.starts_with("CLIENT") && said.contains("(shared secret)") && said.contains("P95"), "{said}");
    assert!(said.contains('█') && said.ends_with("1200 calls\n"), "{said}");
    let csv = stage.hallpass.must(&["usage", "--by", "tool", "--csv"]).await;
    assert!(csv.starts_with("client,server,tool,day,calls,"), "{csv}");
    assert!(csv.contains(",'=write,") && csv.contains("\"a,\"\"b\"\"\""), "{csv}");
    assert_eq!(csv.lines().count(), 5);
}

#[tokio::test]
async fn no_caller_makes_a_line_of_its_own() {
    let stage = Stage::founded().await;
    let tool = "\n=cmd|x\u{202e}".to_owned();
    stage.log(&[Event { tool: Some(tool), ..Event::new(START_MS, "call", Outcome::Ok) }]).await;
    let said = stage.hallpass.must(&["usage", "--by", "tool"]).await;
    assert_eq!(said.lines().count(), 3, "{said}");
    assert!(said.contains(r"\n=cmd|x\u{202e}"), "{said}");
    let csv = stage.hallpass.must(&["usage", "--by", "tool", "--csv"]).await;
    assert!(csv.contains(",\"'\n=cmd|x\u{202e}\","), "{csv}");
}

#[tokio::test]
async fn who_made_no_call_is_named() {
    let stage = Stage::applied().await;
    let said = stage.hallpass.must(&["usage"]).await;
    assert_eq!(said, "no call in the log\nno call: claude, vscode1, vscode2\n");
}
