//! `log`: what is asked for is shown, and nothing else.

use crate::stage::Stage;
use hallpass_core::{Event, Outcome};
use serde_json::Value;

/// 2026-11-20T00:00:00Z
const START_MS: i64 = 1_795_132_800_000;
const HOUR_MS: i64 = 3_600_000;

/// A call an hour of two clients with two tools, each fifth refused; an act after the tenth.
async fn stage() -> Stage {
    let stage = Stage::founded().await;
    let call = |hour: i64| Event {
        client: Some(if hour % 2 == 0 { "ann" } else { "bob" }.into()),
        server: Some("docs".into()),
        tool: Some(if hour % 3 == 0 { "read" } else { "search" }.into()),
        ..Event::new(
            START_MS + hour * HOUR_MS,
            "call",
            if hour % 5 == 0 { Outcome::Refused } else { Outcome::Ok },
        )
    };
    let mut events: Vec<Event> = (0..150).map(call).collect();
    let act =
        Event { client: Some("ann".into()), ..Event::new(START_MS + 10 * HOUR_MS, "issue", Outcome::Done) };
    events.insert(11, act);
    stage.log(&events).await;
    stage
}

/// Hours of the records that were shown; the act is in it with its hour.
async fn hours(stage: &Stage, arguments: &[&str]) -> Vec<i64> {
    let printed = stage.hallpass.must(&[&["log", "--json"], arguments].concat()).await;
    let of = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("a record");
        // What the log says of itself has the time of this test.
        (record["kind"] != "log").then(|| (record["at_ms"].as_i64().expect("a time") - START_MS) / HOUR_MS)
    };
    printed.lines().filter(|line| !line.is_empty()).filter_map(of).collect()
}

#[tokio::test]
async fn each_filter_narrows_what_is_shown() {
    let stage = stage().await;
    for (arguments, expect) in [
        (&["-n", "3"][..], vec![147, 148, 149]),
        (&["-n", "0"], vec![]),
        (&["--tool", "read", "-n", "3"], vec![141, 144, 147]),
        (&["--tool", "write"], vec![]),
        (&["--outcome", "refused", "-n", "2"], vec![140, 145]),
        (&["--server", "docs", "-n", "1"], vec![149]),
        (&["--kind", "issue"], vec![10]),
        (&["--acts"], vec![10]),
        (&["--kind", "call", "--until", "2026-11-20T02:00:00Z"], vec![0, 1]),
        (&["--since", "2026-11-26T03:00:00Z", "--tool", "search"], vec![148, 149]),
        (&["--since", "2026-11-20T09:00:00Z", "--until", "2026-11-20T12:00:00Z"], vec![9, 10, 10, 11]),
        (&["--since", "2026-11-20", "--until", "2026-11-21", "-n", "2"], vec![22, 23]),
        (
            &["--outcome", "refused", "--tool", "read", "--since", "2026-11-20", "--until", "2026-11-22"],
            vec![0, 15, 30, 45],
        ),
    ] {
        assert_eq!(hours(&stage, arguments).await, expect, "{arguments:?}");
    }
    assert_eq!(hours(&stage, &[]).await.len(), 100, "nobody asked for more");
    assert_eq!(hours(&stage, &["--since", "2026-11-20"]).await.len(), 151, "all of the time asked for");
}

#[tokio::test]
async fn a_program_gets_each_records_number_and_all_of_it_in_order() {
    let stage = stage().await;
    let printed = stage.hallpass.must(&["log", "--json", "-n", "1000"]).await;
    let numbers: Vec<i64> = printed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a record")["seq"].as_i64().expect("a number"))
        .collect();
    assert_eq!(numbers, (0..152).collect::<Vec<_>>(), "with that in which the log says what it is");
    let first = stage.hallpass.must(&["log", "--kind", "log"]).await;
    assert!(first.contains(" act=log "), "{first}");
}

#[tokio::test]
async fn a_name_that_is_nobodys_is_not_told_that_nothing_happened() {
    let stage = Stage::applied().await;
    let claude = Event {
        client: Some("claude".into()),
        server: Some("gone".into()),
        ..Event::new(5, "call", Outcome::Ok)
    };
    stage.log(&[claude]).await;
    for command in ["log", "usage"] {
        for (arguments, words) in [
            (["--client", "cloude"], "error: no client named `cloude`\nhint: did you mean `claude`?\n"),
            (["--server", "simple"], "error: no server named `simple`\nhint: did you mean `sample`?\n"),
        ] {
            let outcome = stage.hallpass.run(&[&[command], &arguments[..]].concat()).await;
            assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{command} {arguments:?}");
            assert_eq!(outcome.stderr, words, "{command} {arguments:?}");
        }
        for arguments in [["--client", "vscode1"], ["--server", "sample"], ["--server", "gone"]] {
            stage.hallpass.must(&[&[command], &arguments[..]].concat()).await;
        }
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_wrong_usage() {
    let stage = Stage::founded().await;
    for (arguments, words) in [
        (&["--since", "yesterday"][..], "`--since yesterday` is no date"),
        (&["--since", "1h", "--until", "2h"], "is not before `--until`"),
        (&["--follow", "--until", "2026-11-20"], "cannot be used with"),
        (&["--acts", "--kind", "issue"], "cannot be used with"),
        (&["--outcome", "good"], "`good` is no outcome"),
    ] {
        let outcome = stage.hallpass.run(&[&["log"], arguments].concat()).await;
        assert_eq!(outcome.code, Some(64), "{outcome:#?}");
        assert!(outcome.stderr.contains(words), "{outcome:#?}");
    }
}

#[tokio::test]
async fn a_follower_begins_where_it_is_asked_to_and_gets_what_comes() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let stage = stage().await;
    let mut command = stage.hallpass.command(&["log", "-f", "--json", "--tool", "read", "-n", "1"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let first = lines.next_line().await.expect("UTF-8").expect("a line");
    assert!(first.contains("\"tool\":\"read\""), "{first}");
    let new = |tool: &str| Event { tool: Some(tool.into()), ..Event::new(5, "call", Outcome::Ok) };
    stage.log(&[new("search"), new("read")]).await;
    let next = lines.next_line().await.expect("UTF-8").expect("a line");
    assert!(next.contains("\"at_ms\":5,") && next.contains("\"tool\":\"read\""), "{next}");
    child.kill().await.expect("a child");
}
