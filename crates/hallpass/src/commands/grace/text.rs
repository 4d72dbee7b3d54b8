//! The migration report for a terminal: the short screen, and everything.

use crate::output::{distance, table};
use hallpass_core::UnixTime;
use hallpass_core::migration::{CallerLine, ClientLine, Period, Report, Standing, Usage, on_one_line};
use std::collections::BTreeMap;

/// How many steps the short screen shows.
const STEPS_SHORT: usize = 5;
/// How many callers it shows.
const CALLERS_SHORT: usize = 10;
/// How many of a caller's calls stand in a line.
const CALLED_MOST: usize = 3;

/// Until when, who lately, from which day, and the first steps.
pub(super) fn short(report: &Report) -> String {
    let mut lines = head(report);
    let recent: Vec<&CallerLine> = report.recent_callers().collect();
    if !recent.is_empty() {
        lines.push(String::new());
        lines.push("Let in by the shared secret in the last 7 days:".into());
        lines.extend(
            recent
                .iter()
                .take(CALLERS_SHORT)
                .map(|caller| format!("  {}", caller_in_a_line(caller, report.at))),
        );
        if recent.len() > CALLERS_SHORT {
            lines.push(format!(
                "  and {} more (`hallpass grace status --report`)",
                recent.len() - CALLERS_SHORT
            ));
        }
    }
    lines.extend(steps(report, STEPS_SHORT));
    lines.join("\n")
}

/// Everybody and everything.
pub(super) fn full(report: &Report) -> String {
    let mut lines = vec![format!("Who still uses the shared secret: {}", report.at), String::new()];
    lines.extend(head(report));
    lines.push(format!("rule     {}", report.rule));
    lines.extend(steps(report, usize::MAX));
    let rows: Vec<Vec<String>> = report.clients.iter().map(|line| client_row(line, report.at)).collect();
    lines.push("\nClients:".into());
    lines.push(table(&["CLIENT", "APP", "STANDS", "OWN TOKEN", "SHARED SECRET ON ITS ADDRESS"], &rows));
    if report.period.is_some() {
        lines.push("\nCallers who showed the shared secret:".into());
        let rows: Vec<Vec<String>> = report.callers.iter().map(caller_row).collect();
        let header =
            ["LAST", "FIRST", "LET IN", "REFUSED", "ADDRESS OF", "PROGRAM", "USER AGENT", "FROM", "CALLED"];
        lines.push(if rows.is_empty() { "nobody yet".into() } else { table(&header, &rows) });
    }
    lines.push(String::new());
    lines.extend(Standing::ALL.map(|standing| format!("{}: {}", standing.as_str(), standing.meaning())));
    lines.join("\n")
}

/// `old-editor/1 at 10.0.0.5, on the address of `ann`: 12 calls, the last 3 hours ago`
pub(super) fn caller_in_a_line(caller: &CallerLine, now: UnixTime) -> String {
    let path = caller.path_client.as_ref();
    let path = path.map_or_else(String::new, |client| format!(", on the address of `{client}`"));
    let last = caller.last_let_in.unwrap_or(caller.usage.last);
    format!("{}{path}: {}, the last {}", caller.who(), calls(caller.usage.calls), ago(last, now))
}

/// The period in a line: `runs until 2026-12-25T00:00:00Z (in 29 days), every server`.
pub(super) fn period_in_a_line(period: &Period, now: UnixTime) -> String {
    let mut line = match period.over_since {
        Some(since) if since < period.until => {
            format!("ended on {since}, before its time ({})", period.until)
        }
        Some(since) => format!("over since {since}"),
        None => format!("runs until {} ({})", period.until, distance(period.until.seconds(), now.seconds())),
    };
    match &period.servers {
        None => line += ", for every server",
        Some(servers) if servers.is_empty() => line += ", for no server",
        Some(servers) => {
            let names: Vec<String> = servers.iter().map(|server| format!("`{server}`")).collect();
            line = line + ", for " + &names.join(", ");
        }
    }
    if let Some(policy) = &period.policy {
        line = line + ", policy `" + policy.as_str() + "`";
    }
    if period.strict {
        line += ", refused on the address of a client that has used its own token";
    }
    line
}

fn head(report: &Report) -> Vec<String> {
    let Some(period) = &report.period else {
        return vec![
            "grace    none: no shared secret lets anybody in".into(),
            "         `hallpass grace start --until DATE --secret-env NAME` starts a grace period".into(),
        ];
    };
    let last = report
        .last_let_in
        .map_or_else(|| "nobody yet".into(), |at| format!("the last {}", ago(at, report.at)));
    let counts = Standing::ALL.map(|standing| format!("{} {}", report.count(standing), standing.as_str()));
    vec![
        format!("grace    {}", period_in_a_line(period, report.at)),
        format!("end      {}", report.verdict),
        format!("clients  {}", counts.join(", ")),
        format!("let in   {} in the last 7 days, {last}", callers(report.recent_callers().count())),
    ]
}

fn steps(report: &Report, most: usize) -> Vec<String> {
    if report.next.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "Next:".into()];
    for step in report.next.iter().take(most) {
        lines.push(format!("  {}", step.text(report)));
        lines.push(format!("      {}", step.command(report)));
    }
    if report.next.len() > most {
        lines.push(format!("  and {} more (`hallpass grace status --report`)", report.next.len() - most));
    }
    lines
}

fn client_row(line: &ClientLine, now: UnixTime) -> Vec<String> {
    let token = match (&line.token, line.has_token) {
        (Some(usage), _) => used(usage, now),
        (None, true) => "never used".into(),
        (None, false) => "none in force".into(),
    };
    let legacy = line.legacy.as_ref().map_or_else(|| "-".into(), |usage| used(usage, now));
    vec![line.client.to_string(), line.app.clone(), line.standing.as_str().into(), token, legacy]
}

fn caller_row(caller: &CallerLine) -> Vec<String> {
    let usage = &caller.usage;
    let said = |text: &Option<String>| text.as_deref().map_or_else(|| "-".into(), on_one_line);
    let from = usage.address.clone().unwrap_or_else(|| "(others, together)".into());
    vec![
        usage.last.to_string(),
        usage.first.to_string(),
        usage.calls.to_string(),
        usage.refused.to_string(),
        caller.path_client.as_ref().map_or_else(|| "-".into(), ToString::to_string),
        said(&usage.client_info),
        said(&usage.user_agent),
        from,
        called(&caller.called, CALLED_MOST),
    ]
}

/// `docs/echo 12, docs/search 3 and 2 more`, the most frequent first.
pub(super) fn called(called: &BTreeMap<String, u64>, most: usize) -> String {
    let mut all: Vec<(&String, &u64)> = called.iter().collect();
    all.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    let shown: Vec<String> =
        all.iter().take(most).map(|(what, times)| format!("{} {times}", on_one_line(what))).collect();
    let rest = all.len().saturating_sub(most);
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    shown.join(", ") + &rest
}

/// `3 hours ago, 12 calls`
pub(super) fn used(usage: &Usage, now: UnixTime) -> String {
    let refused = if usage.refused > 0 { format!(", {} refused", usage.refused) } else { String::new() };
    format!("{}, {}{refused}", ago(usage.last, now), calls(usage.calls))
}

pub(super) fn ago(at: UnixTime, now: UnixTime) -> String {
    distance(at.seconds(), now.seconds())
}

fn calls(count: u64) -> String {
    format!("{count} call{}", if count == 1 { "" } else { "s" })
}

pub(super) fn callers(count: usize) -> String {
    format!("{count} caller{}", if count == 1 { "" } else { "s" })
}
