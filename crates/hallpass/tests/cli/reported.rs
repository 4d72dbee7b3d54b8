//! `report`: its numbers against a count by another program, its renderings against each other, and what hostile callers and
//! operators write against the page.

use crate::busy_month::{HOSTILE, busy_month};
use crate::program::Outcome;
use crate::stage::{Stage, mode_of, overwrite, text};
use hallpass_core::Event;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// 2026-10-20T00:00:00Z
const START_MS: i64 = 1_792_454_400_000;
const PERIOD: [&str; 4] = ["--from", "2026-10-20", "--to", "2100-01-01"];

/// Real acts, and a month of calls of which some show real tokens.
async fn stage(calls: i64) -> Stage {
    let stage = Stage::applied().await;
    for arguments in [
        &["rotate", "vscode1", "--yes"][..],
        &["revoke", "claude", "--reason", HOSTILE],
        &["disable", "vscode2", "--reason", "on leave"],
        &["keys", "rotate", "--yes"],
    ] {
        stage.hallpass.must(arguments).await;
    }
    let store = stage.store().await.expect("the store");
    let tokens = store.tokens().await.expect("the tokens");
    let mut events = busy_month(START_MS, calls);
    for (number, event) in events.iter_mut().enumerate().filter(|(_, event)| event.kind == "call") {
        let of_client: Vec<_> =
            tokens.iter().filter(|token| Some(token.client.as_str()) == event.client.as_deref()).collect();
        event.jti = of_client.get(number % 2).map(|token| token.jti.clone());
    }
    store.close().await;
    events.push(Event { count: Some(12), ..Event::new(START_MS, "gap", hallpass_core::Outcome::Done) });
    stage.log(&events).await;
    stage
}

async fn report(stage: &Stage, more: &[&str]) -> String {
    stage.hallpass.must(&[&["report"], &PERIOD[..], more].concat()).await
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What the other program says about a report about a period.
async fn judged(stage: &Stage, report: &str, period: &[&str]) -> Outcome {
    let log = stage.hallpass.must(&[&["log", "--json"], period].concat()).await;
    let (records, report) =
        (stage.hallpass.write("records.jsonl", &log), stage.hallpass.write("report.json", report));
    let (python, script) =
        (root().join("target/python/bin/python"), root().join("tests/python/recompute_report.py"));
    let paths = [script.as_path(), &records, &report].map(|path| path.to_str().expect("UTF-8"));
    stage.hallpass.finish(stage.hallpass.outside(python.to_str().expect("UTF-8"), &paths)).await
}

/// The same about a report that is right.
async fn recomputed(stage: &Stage, report: &str, period: &[&str]) -> String {
    let ran = judged(stage, report, period).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
    ran.stdout
}

#[tokio::test]
async fn one_number_that_is_off_by_one_is_found() {
    let stage = stage(2000).await;
    let json = report(&stage, &["--json"]).await;
    for (path, said) in [
        ("/usage/tool/0/p95_us", "usage by tool:"),
        ("/totals/refused", "totals:"),
        ("/records/count", "records:"),
        ("/records/unrecorded", "records:"),
        ("/days/3/cut", "days:"),
        ("/refusals/0/count", "refusals:"),
        ("/legacy/0/let_in", "legacy:"),
        ("/acts/2/seq", "acts:"),
        ("/credentials/0/calls", "credentials:"),
    ] {
        let mut document: Value = serde_json::from_str(&json).expect("JSON");
        let number = document.pointer_mut(path).expect("a number");
        *number = (number.as_u64().expect("a number") + 1).into();
        let ran =
            judged(&stage, &document.to_string(), &["--since", "2026-10-20", "--until", "2100-01-02"]).await;
        assert_eq!(ran.code, Some(1), "{path}: {ran:#?}");
        assert!(ran.stdout.starts_with(said), "{path}: {}", ran.stdout);
    }
}

#[tokio::test]
async fn every_number_is_what_another_program_counts_over_the_records() {
    let stage = stage(4000).await;
    let json = report(&stage, &["--format", "json"]).await;
    let said = recomputed(&stage, &json, &["--since", "2026-10-20", "--until", "2100-01-02"]).await;
    let document: Value = serde_json::from_str(&json).expect("JSON");
    assert!(
        document["totals"]["refused"].as_u64() > Some(200) && document["totals"]["cut"].as_u64() > Some(20)
    );
    assert_eq!(
        said,
        format!(
            "{} records, {} calls, {} acts\n",
            document["records"]["count"], 4109, document["records"]["acts"]
        )
    );
    for kind in [
        "register",
        "issue",
        "rotate",
        "revoke",
        "disable",
        "policy",
        "grace-end",
        "rotate-key",
        "revoke-key",
        "warning",
    ] {
        assert!(document["acts_by_kind"][kind].as_u64() > Some(0), "{kind}: {}", document["acts_by_kind"]);
    }
    for list in ["refusals", "legacy", "would_refuse", "days", "credentials"] {
        assert!(document[list].as_array().is_some_and(|lines| !lines.is_empty()), "{list}");
    }
    let is_used = |token: &Value| token["calls"].as_u64() > Some(0);
    assert!(
        document["credentials"].as_array().expect("a list").iter().filter(|token| is_used(token)).count()
            >= 3
    );
    // A part of the period has other numbers, and they are as right.
    let week = ["report", "--from", "2026-10-26", "--to", "2026-11-01", "--json"];
    let json = stage.hallpass.must(&week).await;
    recomputed(&stage, &json, &["--since", "2026-10-26", "--until", "2026-11-02"]).await;
    let empty =
        stage.hallpass.must(&["report", "--from", "2020-01-01", "--to", "2020-01-31", "--json"]).await;
    let said = recomputed(&stage, &empty, &["--since", "2020-01-01", "--until", "2020-02-01"]).await;
    assert_eq!(said, "0 records, 0 calls, 0 acts\n");
}

/// `1234567` as the renderings for eyes have it.
fn grouped(number: &Value) -> String {
    hallpass_core::report::grouped(number.as_u64().expect("a number"))
}

#[tokio::test]
async fn the_page_and_the_markdown_say_the_numbers_of_the_document() {
    let stage = stage(1500).await;
    let document: Value = serde_json::from_str(&report(&stage, &["--format", "json"]).await).expect("JSON");
    let markdown = report(&stage, &[]).await;
    let page = report(&stage, &["--format", "html"]).await;
    let cells =
        |line: &Value| ["calls", "errors", "failed", "refused", "cut"].map(|name| grouped(&line[name]));
    for line in document["usage"]["client"].as_array().expect("lines") {
        let name = line["client"].as_str().unwrap_or("nobody that was verified");
        let row = format!("| {name} | {} |", cells(line).join(" | "));
        assert!(markdown.contains(&row), "{row}\n{markdown}");
    }
    let number = |number: String| match number.as_str() {
        "0" => "<span class=\"zero\">0</span>".to_owned(),
        _ => number,
    };
    for line in document["usage"]["server"].as_array().expect("lines") {
        let columns = ["Calls", "Errors", "Failed", "Refused", "Cut"];
        let row = columns
            .into_iter()
            .zip(cells(line))
            .map(|(column, cell)| {
                format!("<td class=\"number\" data-label=\"{column}\"><div>{}</div></td>", number(cell))
            })
            .collect::<Vec<_>>()
            .concat();
        assert!(page.contains(&row), "{row}");
    }
    for line in document["refusals"].as_array().expect("lines") {
        let (reason, count) = (line["reason"].as_str().expect("a reason"), grouped(&line["count"]));
        assert!(
            page.contains(&format!(
                "<code>{reason}</code></div></td><td class=\"number\" data-label=\"Refused\"><div>{count}<"
            )),
            "{reason}"
        );
        assert!(markdown.contains(&format!("| {} | {count} |", reason.replace('_', "\\_"))), "{reason}");
    }
    assert_eq!(document["verdict"]["tone"], "attention");
    for rendering in [&page, &markdown] {
        assert!(rendering.contains("12 calls were made without a record"), "{rendering}");
        let headline = document["verdict"]["headline"].as_str().expect("words");
        assert!(rendering.contains(&headline[1..]), "{headline}");
    }
    assert!(
        markdown.contains(&format!("| calls | {} ", grouped(&document["totals"]["calls"]))),
        "{markdown}"
    );
    assert!(page.contains(&format!("<b>{}</b><span>calls</span>", grouped(&document["totals"]["calls"]))));
}

/// Each tag of a page: its name and the names and values of its attributes.
fn tags(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let (before, rest) = page.split_once("<style>").expect("a style");
    let (_, after) = rest.split_once("</style>").expect("its end");
    let mut tags = Vec::new();
    for part in before.split('<').skip(1).chain(after.split('<').skip(1)) {
        let (tag, _) = part.split_once('>').expect("a tag ends");
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while let Some((attribute, value)) = rest.split_once("=\"") {
            let (value, after) = value.split_once('"').expect("a value ends");
            attributes.push((attribute.trim().to_owned(), value.to_owned()));
            rest = after;
        }
        tags.push((name.trim_start_matches('/').to_owned(), attributes));
    }
    tags
}

#[tokio::test]
async fn nothing_that_somebody_wrote_is_markup_and_nothing_is_fetched() {
    let stage = stage(1500).await;
    let page = report(&stage, &["--format", "html"]).await;
    let ours: BTreeSet<&str> = [
        "!doctype",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "header",
        "h1",
        "h2",
        "dl",
        "dt",
        "dd",
        "div",
        "p",
        "ul",
        "ol",
        "li",
        "b",
        "span",
        "section",
        "nav",
        "a",
        "figure",
        "figcaption",
        "svg",
        "g",
        "rect",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
        "bdi",
        "time",
        "pre",
    ]
    .into();
    for (tag, attributes) in tags(&page) {
        assert!(ours.contains(tag.as_str()), "<{tag} {attributes:?}>");
        for (name, value) in attributes {
            assert!(
                !name.starts_with("on") && !["src", "style", "action"].contains(&name.as_str()),
                "<{tag} {name}={value}>"
            );
            assert!(name != "href" || value.starts_with('#'), "<{tag} {name}={value}>");
        }
    }
    assert!(page.contains("default-src 'none'") && !page.contains("url(") && !page.contains("@import"));
    assert!(!page.contains('\u{202e}'), "nothing turns the reading direction");
    for written in ["&lt;img src=x onerror=alert(1)&gt;", "&quot;&gt;&lt;script&gt;alert(2)&lt;/script&gt;"] {
        assert!(page.contains(written), "{written} is shown as text");
    }
    let markdown = report(&stage, &["--format", "markdown"]).await;
    assert!(!markdown.contains("<img") && !markdown.contains("<script") && !markdown.contains('\u{202e}'));
    let table: Vec<&str> = markdown.lines().filter(|line| line.contains("onerror")).collect();
    assert!(!table.is_empty());
    // Each is one row of its table: a line's end or a bar of somebody else's would begin another cell.
    for line in table {
        assert!(line.starts_with("| ") && line.ends_with(" |"), "{line}");
    }
}

#[tokio::test]
async fn without_a_checkpoint_it_says_so_and_with_one_it_repeats_it() {
    let stage = Stage::applied().await;
    let audit = stage.hallpass.home().join("audit");
    std::fs::remove_dir_all(&audit).expect("a folder");
    for format in ["html", "markdown"] {
        let said = report(&stage, &["--format", format]).await;
        assert!(said.contains("There is no checkpoint"), "{said}");
    }
    let document: Value = serde_json::from_str(&report(&stage, &["--json"]).await).expect("JSON");
    assert_eq!(document["integrity"], Value::Null);
    let note = "hallpass.local/ab12cd34/main\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u{2014} hallpass.local/ab12cd34/main Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurm\n";
    std::fs::create_dir_all(&audit).expect("a folder");
    overwrite(&audit.join("checkpoint"), note);
    overwrite(&audit.join("vkey"), "hallpass.local/ab12cd34/main+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq\n");
    let document: Value = serde_json::from_str(&report(&stage, &["--json"]).await).expect("JSON");
    assert_eq!(document["integrity"]["size"], 3);
    assert_eq!(document["integrity"]["checkpoint"], note);
    let page = report(&stage, &["--format", "html"]).await;
    assert!(page.contains(&format!("<pre>{note}</pre>")), "{page}");
    assert!(
        page.contains("The checkpoint vouches for 3 records; those from number 3 on are newer"),
        "{page}"
    );
    overwrite(&audit.join("checkpoint"), "no note\n");
    let outcome = stage.hallpass.run(&["report"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(outcome.stderr.contains("it has not the lines of a checkpoint"), "{outcome:#?}");
}

#[tokio::test]
async fn a_report_is_replaced_and_what_is_none_is_not() {
    let stage = Stage::applied().await;
    for (name, beginning) in [
        ("r.html", "<!doctype html>"),
        ("r.md", "<!-- hallpass report -->"),
        ("r.json", "{"),
        ("r", "<!doctype html>"),
    ] {
        for _ in 0..2 {
            let outcome = stage.hallpass.run(&["report", "--output", name]).await;
            assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{outcome:#?}");
            assert_eq!(outcome.stderr, format!("written to `{name}`\n"));
        }
        let file = stage.file(name);
        assert!(text(&file).starts_with(beginning), "{name}");
        assert_eq!(mode_of(&file), 0o600, "it says who works when");
    }
    for other in [
        "<p>my notes</p>\n",
        "#!/bin/sh\nhallpass report --from 7d\n",
        "<!doctype html>\n<p>how to use <code>hallpass report</code></p>\n",
        "{\n  \"title\": \"hallpass report\"\n}\n",
    ] {
        let file = stage.hallpass.write("notes.html", other);
        let outcome = stage.hallpass.run(&["report", "--output", "notes.html"]).await;
        assert_eq!((outcome.code, text(&file).as_str()), (Some(1), other));
        assert_eq!(
            outcome.stderr,
            "error: `notes.html` is there, and is no report\nhint: choose another name, or replace it: `--output notes.html --force`\n"
        );
    }
    let file = stage.file("notes.html");
    stage.hallpass.must(&["report", "--output", "notes.html", "--force"]).await;
    assert!(text(&file).starts_with("<!doctype html>"));
    assert_eq!(stage.leftovers(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_cannot_be_meant_is_wrong_usage() {
    let stage = Stage::founded().await;
    for (arguments, words) in [
        (&["--from", "soon"][..], "`--from soon` is no date"),
        (&["--from", "2026-11-02", "--to", "2026-11-01"], "is not before the end"),
        (&["--json", "--format", "html"], "`--json` and another `--format` at once"),
        (&["--force"], "--output"),
        (&["--format", "pdf"], "html, markdown, json"),
    ] {
        let outcome = stage.hallpass.run(&[&["report"], arguments].concat()).await;
        assert_eq!(outcome.code, Some(64), "{outcome:#?}");
        assert!(outcome.stderr.contains(words), "{outcome:#?}");
    }
    let empty = Stage::empty();
    let outcome = empty.hallpass.run(&["report"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(outcome.stderr.contains("there is no Hallpass home"), "{outcome:#?}");
}
