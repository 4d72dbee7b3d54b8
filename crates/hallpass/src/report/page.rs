//! The report as one page for a browser and for paper: nothing is fetched, nothing runs, and what callers and operators wrote
//! is text and nothing else.

use super::sections::tables;
use super::table::{Cell, Column, Table};
use super::{MADE_BY, charts, words};
use crate::markup::{escape, outside, rich, sentence};
use hallpass_core::report::{Integrity, Report, grouped};
use hallpass_core::usage::LEGACY;
use std::fmt::Write as _;

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let mut page = String::with_capacity(64 << 10);
    page += "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    page += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n";
    let _ = writeln!(page, "<meta name=\"generator\" content=\"{MADE_BY} {}\">", report.about.version);
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n";
    let _ = write!(
        page,
        "<title>Access report, {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        words::period(report.about.from, report.about.to)
    );
    page += &head(report);
    page += &figures_html(report);
    page += &charts::charts(report);
    let tables = tables(report);
    page += &contents(&tables);
    for table in &tables {
        page += &section(table);
    }
    page += &integrity(report.integrity.as_ref());
    page += &how_to_recompute(report);
    page + "</main>\n</body>\n</html>\n"
}

fn head(report: &Report) -> String {
    let about = &report.about;
    let mut head = String::from("<header>\n<h1>Access report</h1>\n<dl class=\"about\">\n");
    for (term, value) in [
        ("Period", words::period(about.from, about.to)),
        ("Installation", format!("{} ({}, for {})", about.installation, about.issuer, about.audience)),
        ("Made", format!("{} by hallpass {}", words::instant(about.made_at), about.version)),
        ("Made of", made_of(report)),
    ] {
        let _ = writeln!(head, "<div><dt>{term}</dt><dd>{}</dd></div>", outside(&value));
    }
    head += "</dl>\n";
    let tone = words::tone(report.verdict.tone);
    let _ = writeln!(
        head,
        "<div class=\"verdict {tone}\">\n<p>{}.</p>\n<ul>",
        sentence(&report.verdict.headline)
    );
    for note in &report.verdict.notes {
        let _ = writeln!(head, "<li>{}.</li>", sentence(note));
    }
    head + "</ul>\n</div>\n</header>\n"
}

fn made_of(report: &Report) -> String {
    let records = &report.records;
    let numbers = match (records.first, records.last) {
        (Some(first), Some(last)) => format!(", numbers {first} to {last}"),
        _ => String::new(),
    };
    match (records.count, records.closed) {
        (0, _) => "no record of the log; all times are UTC".into(),
        (count, 0) => format!("{} records of the log{numbers}; all times are UTC", grouped(count)),
        (count, closed) => format!(
            "{} records, {} of them in logs that were closed, the others of the log{numbers}; all times are UTC",
            grouped(count),
            grouped(closed)
        ),
    }
}

/// Each figure: what, how much, and what of it.
pub(super) fn figures(report: &Report) -> Vec<(&'static str, String, String)> {
    let totals = &report.totals;
    let is_named = |client: &Option<String>| client.as_ref().is_some_and(|name| name != LEGACY);
    let callers = report.usage.client.iter().filter(|line| is_named(&line.client)).count();
    let count = |kind: &str| report.acts_by_kind.get(kind).copied().unwrap_or(0);
    let of = |part: u64| words::share(part, totals.calls);
    vec![
        ("calls", grouped(totals.calls), format!("by {}", plural(callers as u64, "client"))),
        ("refused", grouped(totals.refused), of(totals.refused)),
        ("failed or cut", grouped(totals.troubled()), of(totals.troubled())),
        ("with the shared secret", grouped(report.attribution.shared_secret), "let in".into()),
        (
            "median time",
            totals.p50_us.map_or("-".into(), words::duration),
            totals.p95_us.map_or(String::new(), |micros| format!("95 %: {}", words::duration(micros))),
        ),
        (
            "sent to servers",
            words::bytes(totals.bytes_in),
            format!("{} back", words::bytes(totals.bytes_out)),
        ),
        (
            "tokens issued",
            grouped(count("issue") + count("adopt")),
            format!("{} rotated", grouped(count("rotate"))),
        ),
        (
            "revocations",
            grouped(count("revoke") + count("disable") + count("revoke-key")),
            format!("{} removed", plural(count("remove"), "client")),
        ),
        (
            "policy changes",
            grouped(count("policy")),
            plural(count("rotate-key") + count("revoke-key") + count("import-key"), "key change"),
        ),
        ("warnings", grouped(count("warning")), String::new()),
    ]
}

/// `1 client`, `2 clients`
fn plural(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

fn figures_html(report: &Report) -> String {
    let mut html = String::from("<ul class=\"figures\">\n");
    for (figure, value, more) in figures(report) {
        let _ = writeln!(
            html,
            "<li><b>{value}</b><span>{figure}</span><span class=\"soft\">{}</span></li>",
            escape(&more)
        );
    }
    html + "</ul>\n"
}

fn anchor(title: &str) -> String {
    title.to_lowercase().replace(' ', "-").replace(',', "")
}

fn contents(tables: &[Table]) -> String {
    let mut html = String::from("<nav aria-label=\"Contents\">\n<h2>Contents</h2>\n<ul>\n");
    for table in tables {
        let rows = if table.rows.is_empty() { "none".into() } else { grouped(table.rows.len() as u64) };
        let _ = writeln!(
            html,
            "<li><a href=\"#{}\">{}</a> <span class=\"soft\">{rows}</span></li>",
            anchor(table.title),
            table.title
        );
    }
    html + "<li><a href=\"#integrity\">Integrity</a></li>\n<li><a href=\"#recompute\">How to recompute it</a></li>\n</ul>\n</nav>\n"
}

fn section(table: &Table) -> String {
    let mut html = format!("<section>\n<h2 id=\"{}\">{}</h2>\n", anchor(table.title), table.title);
    if !table.note.is_empty() {
        let _ = writeln!(html, "<p class=\"soft\">{}</p>", rich(&table.note));
    }
    if table.rows.is_empty() {
        let _ = writeln!(html, "<p>{}</p>\n</section>", table.empty);
        return html;
    }
    html += "<table>\n<thead><tr>";
    for column in &table.columns {
        let _ = write!(html, "<th{} scope=\"col\">{}</th>", class(*column), column.name);
    }
    html += "</tr></thead>\n<tbody>\n";
    for row in table.shown() {
        html += "<tr>";
        for (column, value) in table.columns.iter().zip(row) {
            let (class, name) = (class(*column), column.name);
            let _ = write!(html, "<td{class} data-label=\"{name}\"><div>{}</div></td>", cell(value));
        }
        html += "</tr>\n";
    }
    html += "</tbody>\n</table>\n";
    if let Some(left_out) = table.left_out() {
        let _ = writeln!(html, "<p class=\"soft\">{}</p>", rich(&left_out));
    }
    html + "</section>\n"
}

const fn class(column: Column) -> &'static str {
    if column.number { " class=\"number\"" } else { "" }
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Nothing => "<span class=\"soft none\">-</span>".into(),
        Cell::Words(words) => escape(words),
        Cell::Name(name) => format!("<code>{}</code>", outside(name)),
        Cell::Outside(said) => format!("<bdi>{}</bdi>", outside(said)),
        Cell::Number(0) => "<span class=\"zero\">0</span>".into(),
        Cell::Number(number) => grouped(*number),
        Cell::Micros(micros) => words::duration(*micros),
        Cell::Bytes(bytes) => words::bytes(*bytes),
        Cell::Moment(at_ms) => {
            let text = words::moment(*at_ms);
            format!("<time datetime=\"{}Z\">{text}</time>", text.replace(' ', "T"))
        }
        Cell::Both(first, second) => {
            format!("{}<span class=\"second\">{}</span>", self::cell(first), self::cell(second))
        }
    }
}

/// What the checkpoint shows, what it does not, and how to verify it.
pub(super) fn integrity_words(integrity: Option<&Integrity>) -> Vec<String> {
    let Some(integrity) = integrity else {
        return vec![
            "There is no checkpoint: this installation keeps no log with proofs yet. This report is a count over the records as they are stored now, and does not show that none was changed or removed.".into(),
        ];
    };
    vec![
        format!(
            "The log `{}` holds {} records up to this checkpoint. It is a signed note over the root of a Merkle tree (RFC 6962) of which each record is a leaf: whoever changes, removes or reorders one of them ends with another root.",
            integrity.origin,
            grouped(integrity.size)
        ),
        "This report repeats the checkpoint and does not verify it. Verify it with the public key that you got from elsewhere, on a copy of the log: `hallpass audit verify DIR --vkey KEY`; it says whether the log is whole, or the number of the first record that is not as it was.".into(),
        "Keep this checkpoint. A later log that does not contain it was replaced: `hallpass audit verify DIR --vkey KEY --pin FILE`, with the lines below in the file. Whoever holds the log's key can make another log; only a checkpoint that was kept elsewhere shows that.".into(),
    ]
}

fn integrity(integrity: Option<&Integrity>) -> String {
    let mut html = String::from("<section>\n<h2 id=\"integrity\">Integrity</h2>\n");
    for paragraph in integrity_words(integrity) {
        let _ = writeln!(html, "<p>{}</p>", rich(&paragraph));
    }
    if let Some(integrity) = integrity {
        let _ = writeln!(html, "<pre>{}</pre>", escape(&integrity.checkpoint));
        if let Some(vkey) = &integrity.vkey {
            let _ = writeln!(
                html,
                "<p>The public key, as it stands beside the log:</p>\n<pre>{}</pre>",
                escape(vkey)
            );
        }
    }
    html + "</section>\n"
}

/// Where each number is from.
pub(super) fn recompute(report: &Report) -> Vec<String> {
    let (from, to) = (report.about.from, report.about.to);
    vec![
        format!("Every number comes from the records of the period, one JSON object a line: `hallpass log --json --since {from} --until {to}`."),
        "A call is a record of the kind `call`; it counts as often as its member `count` says, else once. Refused: outcome `refused`. Errors: `error`. Failed: `failed`. Cut: `cut` and `gone`. Percentiles are by the nearest rank over `duration_us`. Every other kind but `close` is an act. State and dates of clients, tokens and keys are the registry's when the report is made.".into(),
        "The same numbers as JSON: `hallpass report --format json` with the same `--from` and `--to`.".into(),
    ]
}

fn how_to_recompute(report: &Report) -> String {
    let mut html = String::from("<section>\n<h2 id=\"recompute\">How to recompute it</h2>\n");
    for paragraph in recompute(report) {
        let _ = writeln!(html, "<p>{}</p>", rich(&paragraph));
    }
    html + "</section>\n"
}
