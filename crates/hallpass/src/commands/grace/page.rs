//! The migration report as one page for a browser: nothing is fetched, nothing runs, and what callers say of themselves is
//! text and nothing else.

use super::text::{ago, called, callers, period_in_a_line};
use crate::markup::{escape, rich, sentence};
use hallpass_core::UnixTime;
use hallpass_core::migration::{CallerLine, ClientLine, Report, Standing, Usage, Verdict, on_one_line};
use std::fmt::Write as _;

const STYLE: &str = include_str!("page.css");
/// How many of a caller's calls are listed by name.
const CALLED_MOST: usize = 12;

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let mut page = String::with_capacity(32 << 10);
    page += "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    page += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n";
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n";
    let _ = write!(
        page,
        "<title>Leaving the shared secret</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    page += &head(report);
    page += &next(report);
    page += &clients(report);
    page += &all_callers(report);
    page + "</main>\n</body>\n</html>\n"
}

fn head(report: &Report) -> String {
    let mut head = String::from("<h1>Leaving the shared secret</h1>\n");
    let _ = writeln!(head, "<p class=\"soft\">As of {}. All times are UTC.</p>", moment(report.at));
    let tone = match &report.verdict {
        Verdict::Now => " good",
        Verdict::NoPeriod | Verdict::Over { .. } => " quiet",
        Verdict::NotYet { .. } | Verdict::From { .. } => "",
    };
    let verdict = sentence(&report.verdict.to_string());
    let _ = writeln!(head, "<p class=\"verdict{tone}\">{verdict}</p>");
    if let Some(period) = &report.period {
        let _ = writeln!(head, "<p>The grace period {}.</p>", rich(&period_in_a_line(period, report.at)));
    }
    let _ = writeln!(head, "<p class=\"soft\">The rule: {}.</p>", rich(report.rule));
    head += "<ul class=\"counts\">\n";
    for standing in Standing::ALL {
        let (count, class, word) = (report.count(standing), class(standing), standing.as_str());
        let _ = writeln!(head, "<li><b class=\"{class}\">{count}</b><span>{word}</span></li>");
    }
    let recent = report.recent_callers().count();
    let _ = writeln!(
        head,
        "<li><b>{recent}</b><span>{} let in in 7 days</span></li>",
        callers(recent).trim_start_matches(|c: char| c.is_ascii_digit()).trim()
    );
    head + "</ul>\n"
}

fn next(report: &Report) -> String {
    let mut next = String::from("<h2>What to do next</h2>\n");
    if report.next.is_empty() {
        return next + "<p>Nothing: nobody has to be talked to.</p>\n";
    }
    next += "<ol class=\"next\">\n";
    for step in &report.next {
        let _ = writeln!(
            next,
            "<li>{}.<pre><code>{}</code></pre></li>",
            sentence(&step.text(report)),
            escape(&step.command(report))
        );
    }
    next + "</ol>\n"
}

fn clients(report: &Report) -> String {
    let mut clients = String::from("<h2>Clients</h2>\n");
    if report.clients.is_empty() {
        return clients + "<p>No client is registered yet.</p>\n";
    }
    clients += "<table>\n<thead><tr><th>Client</th><th>Stands</th><th>Own token</th><th>Shared secret on its address</th></tr></thead>\n<tbody>\n";
    for line in &report.clients {
        clients += &client(line, report.at);
    }
    clients += "</tbody>\n</table>\n<dl>\n";
    for standing in Standing::ALL {
        let (class, word, meaning) = (class(standing), standing.as_str(), standing.meaning());
        let _ = writeln!(clients, "<dt class=\"{class}\">{word}</dt><dd>{}</dd>", rich(meaning));
    }
    clients + "</dl>\n"
}

fn client(line: &ClientLine, now: UnixTime) -> String {
    let token = match (&line.token, line.has_token) {
        (Some(usage), _) => used(usage, now),
        (None, true) => "never used".into(),
        (None, false) => "none in force".into(),
    };
    let legacy = line.legacy.as_ref().map_or_else(|| "never".into(), |usage| used(usage, now));
    let cells = [
        (
            "Client",
            format!(
                "<div><code>{}</code><span class=\"soft\">{}</span></div>",
                line.client,
                escape(&line.app)
            ),
        ),
        (
            "Stands",
            format!("<span class=\"stands {}\">{}</span>", class(line.standing), line.standing.as_str()),
        ),
        ("Own token", token),
        ("Shared secret", legacy),
    ];
    row(&cells)
}

fn all_callers(report: &Report) -> String {
    if report.period.is_none() {
        return String::new();
    }
    let mut all = String::from("<h2>Who showed the shared secret</h2>\n");
    all += "<p class=\"soft\">As well as callers can be told apart: the name, the program and the user agent are what they say of themselves.</p>\n";
    if report.callers.is_empty() {
        return all + "<p>Nobody yet.</p>\n";
    }
    all += "<table>\n<thead><tr><th>Who</th><th>On the address of</th><th>Last, first</th><th class=\"number\">Let in</th><th class=\"number\">Refused</th><th>Called</th></tr></thead>\n<tbody>\n";
    for line in &report.callers {
        all += &caller(line, report.at);
    }
    all + "</tbody>\n</table>\n"
}

fn caller(line: &CallerLine, now: UnixTime) -> String {
    let mut who = format!("<div>{}", escape(&line.who()));
    // Where there is no name, the user agent stands for it already.
    if let (Some(agent), Some(_)) = (&line.usage.user_agent, &line.usage.client_info) {
        let _ = write!(who, "<span class=\"soft\">{}</span>", escape(&on_one_line(agent)));
    }
    if !line.looks_like.is_empty() {
        let names: Vec<String> = line.looks_like.iter().map(|name| format!("<code>{name}</code>")).collect();
        let _ = write!(who, "<span class=\"soft\">looks like {}</span>", names.join(", "));
    }
    who += "</div>";
    let path = line.path_client.as_ref();
    let path = path.map_or_else(|| "no client".into(), |client| format!("<code>{client}</code>"));
    let times = format!(
        "<div>{}<span class=\"soft\">{}</span></div>",
        since(line.usage.last, now),
        since(line.usage.first, now)
    );
    row(&[
        ("Who", who),
        ("Address of", path),
        ("Last, first", times),
        ("Let in", line.usage.calls.to_string()),
        ("Refused", line.usage.refused.to_string()),
        ("Called", escape(&called(&line.called, CALLED_MOST))),
    ])
}

fn row(cells: &[(&str, String)]) -> String {
    let mut row = String::from("<tr>");
    for (label, cell) in cells {
        let number = if matches!(*label, "Let in" | "Refused") { " class=\"number\"" } else { "" };
        let _ = write!(row, "<td{number} data-label=\"{label}\">{cell}</td>");
    }
    row + "</tr>\n"
}

fn used(usage: &Usage, now: UnixTime) -> String {
    let refused = if usage.refused > 0 { format!(", {} refused", usage.refused) } else { String::new() };
    let mut from: Vec<String> = Vec::new();
    from.extend(usage.client_info.as_deref().or(usage.user_agent.as_deref()).map(on_one_line));
    from.extend(usage.address.as_deref().map(|address| format!("at {address}")));
    let (last, calls, from) = (since(usage.last, now), usage.calls, escape(&from.join(" ")));
    format!("<div>{last}, {calls} calls{refused}<span class=\"soft\">{from}</span></div>")
}

/// `3 hours ago`, with the instant behind it.
fn since(at: UnixTime, now: UnixTime) -> String {
    format!("<time datetime=\"{at}\" title=\"{at}\">{}</time>", ago(at, now))
}

/// `2026-12-25 00:00`
fn moment(at: UnixTime) -> String {
    let text = at.to_string();
    format!("<time datetime=\"{at}\">{} {}</time>", &text[..10], &text[11..16])
}

const fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::NotMoved => "not-moved",
        Standing::Both => "both",
        Standing::Silent => "silent",
        Standing::Moved => "moved",
        Standing::Disabled => "disabled",
    }
}
