//! 100,000 calls from 20 clients with failures, refusals and cut streams: `usage` is what a count over the export gives.

use crate::scene::{Calling, ECHO, FAIL, Scene, WATCH};
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::task::JoinSet;

const CLIENTS: usize = 20;
const CALLS_EACH: usize = 5000;

/// Calls, failures and refusals, bytes out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counted {
    calls: u64,
    ok: u64,
    refused: u64,
    bytes_out: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_what_a_count_over_the_export_gives() {
    let scene = Scene::new(CLIENTS, "").await;
    let gateway = scene.program.serve().await;
    let mut streams = Vec::new();
    for number in 0..CLIENTS {
        let mut calling = Calling::new(&gateway, &scene.token(&format!("c{number}"))).await;
        assert_eq!(calling.opened(WATCH).await.expect("a stream").status(), 200);
        streams.push(calling);
    }
    let mut callers = JoinSet::new();
    for number in 0..CLIENTS {
        let token = scene.token(&format!("c{number}"));
        let mut calling = Calling::new(&gateway, &token).await;
        callers.spawn(async move {
            let mut statuses = BTreeMap::<u16, u64>::new();
            for call in 0..CALLS_EACH {
                // A batch is refused.
                let body = if call % 10 == 9 {
                    FAIL
                } else if call % 50 == 7 {
                    "[]"
                } else {
                    ECHO
                };
                let head = calling.call(body).await.expect("an answer");
                *statuses.entry(head.status()).or_default() += 1;
            }
            statuses
        });
    }
    let mut statuses = BTreeMap::<u16, u64>::new();
    for caller in callers.join_all().await {
        for (status, count) in caller {
            *statuses.entry(status).or_default() += count;
        }
    }
    assert_eq!(statuses, BTreeMap::from([(200, 98_000), (400, 2000)]));
    scene.program.must(&["disable", "c0", "--reason", "on leave"]).await;
    streams[0].cut().await;
    gateway.terminate().await;

    let mut counted = BTreeMap::<String, Counted>::new();
    for line in scene.program.must(&["audit", "export"]).await.lines() {
        let record: Value = serde_json::from_str(line).expect("a record");
        if record["kind"] != "call" {
            continue;
        }
        let row = counted.entry(record["client"].as_str().unwrap_or_default().to_owned()).or_default();
        let times = record["count"].as_u64().unwrap_or(1);
        row.calls += times;
        row.ok += if record["outcome"] == "ok" { times } else { 0 };
        row.refused += if record["outcome"] == "refused" { times } else { 0 };
        row.bytes_out += record["bytes_out"].as_u64().unwrap_or(0);
    }
    let usage = scene.program.must(&["usage", "--by", "client", "--json"]).await;
    let usage: Value = serde_json::from_str(&usage).expect("a document");
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap_or_else(|| panic!("{name} of {row}"));
    let rows: BTreeMap<String, Counted> = usage["usage"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let counted = Counted {
                calls: number(row, "calls"),
                ok: number(row, "ok"),
                refused: number(row, "refused"),
                bytes_out: number(row, "bytes_out"),
            };
            (row["client"].as_str().unwrap_or_default().to_owned(), counted)
        })
        .collect();
    assert_eq!(rows, counted);
    let sum = |what: fn(&Counted) -> u64| rows.values().map(what).sum::<u64>();
    // The streams are calls too, and have no answer.
    assert_eq!(sum(|row| row.calls), (CLIENTS * CALLS_EACH + CLIENTS) as u64);
    assert_eq!(sum(|row| row.refused), 2000);
    let outcomes = |outcome: &str| {
        scene
            .records()
            .iter()
            .filter(|record| record["outcome"] == outcome && record["kind"] == "call")
            .count()
    };
    assert_eq!(outcomes("cut"), CLIENTS, "the one that was disabled, and the rest at the end");
    let said = scene.program.must(&["audit", "reindex"]).await;
    assert!(said.starts_with("the view is equal to the log"), "{said}");
    scene.assert_whole();
}
