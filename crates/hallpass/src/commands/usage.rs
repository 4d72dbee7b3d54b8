//! `hallpass usage`

use super::Context;
use super::csv::row;
use super::narrowing::{self, check_names};
use crate::cli::{UsageBy, UsageOf};
use crate::fault::{Doing, Result};
use crate::installation::Installation;
use crate::output::{counted, print_data, table};
use hallpass_core::UnixTime;
use hallpass_core::migration::on_one_line;
use hallpass_core::usage::{Call, Group, Grouping, Numbers, Usage};
use hallpass_store::{EventFilter, Kinds, Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Eight heights of a bar.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Counts the calls in the log.
pub(super) async fn run(context: &Context, asked: &UsageOf) -> Result<()> {
    let filter = EventFilter { kinds: Kinds::Only("call".into()), ..narrowing::filter(&asked.narrowed)? };
    let installation = context.installation().await?;
    installation.audit.catch_up().await;
    check_names(context, &installation, &asked.narrowed).await?;
    let grouping = grouping(&asked.by);
    let usage = count(&installation.store, &filter, grouping).await?;
    let never = never_used(&installation, &usage, asked, grouping).await?;
    if asked.csv {
        csv(&usage);
    } else {
        show(context, &usage, grouping);
        if !never.is_empty() {
            context.output.line(format!("no call: {}", never.join(", ")));
        }
        let rows: Vec<Value> = usage.rows().map(|(group, numbers)| document(group, numbers)).collect();
        context.output.document(&json!({ "usage": rows, "never_used": never }));
    }
    Ok(())
}

async fn count(store: &Store, filter: &EventFilter, grouping: Grouping) -> Result<Usage> {
    let mut usage = Usage::by(grouping);
    let mut pages = store.records(filter).await.doing("the log")?;
    while let Some(page) = pages.next().await.doing("the log")? {
        for (_, record) in page.records() {
            let call: Call<'_> = serde_json::from_str(record).doing("a record of the log")?;
            usage.count(&call);
        }
    }
    Ok(usage)
}

fn grouping(by: &[UsageBy]) -> Grouping {
    Grouping {
        client: by.contains(&UsageBy::Client),
        server: by.contains(&UsageBy::Server),
        tool: by.contains(&UsageBy::Tool),
        day: by.contains(&UsageBy::Day),
    }
}

/// The clients that are registered and made no call of those that were asked for.
async fn never_used(
    installation: &Installation,
    usage: &Usage,
    asked: &UsageOf,
    grouping: Grouping,
) -> Result<Vec<String>> {
    if !grouping.client {
        return Ok(Vec::new());
    }
    let is_asked = |name: &str| asked.narrowed.client.as_ref().is_none_or(|client| client == name);
    let clients = installation.store.clients().await.doing("the clients")?;
    let called = |name: &str| usage.rows().any(|(group, _)| group.client.as_deref() == Some(name));
    let names = clients.into_iter().filter(|client| !client.removed).map(|client| client.name.to_string());
    Ok(names.filter(|name| is_asked(name) && !called(name)).collect())
}

fn show(context: &Context, usage: &Usage, grouping: Grouping) {
    let rows: Vec<Vec<String>> = usage
        .rows()
        .map(|(group, numbers)| {
            let [p50, p95] = numbers.percentiles_us([50, 95]);
            let mut row = cells(group, grouping);
            row.extend([
                numbers.calls.to_string(),
                (numbers.errors + numbers.failed).to_string(),
                numbers.refused.to_string(),
                numbers.cut.to_string(),
                milliseconds(p50),
                milliseconds(p95),
                (numbers.bytes_in + numbers.bytes_out).to_string(),
                seconds(numbers.first_ms),
                seconds(numbers.last_ms),
            ]);
            if !grouping.day {
                row.push(sparkline(&numbers.days));
            }
            row
        })
        .collect();
    if rows.is_empty() {
        context.output.line("no call in the log");
        return;
    }
    let mut header = names(grouping);
    header.extend(["CALLS", "FAILED", "REFUSED", "CUT", "P50", "P95", "BYTES", "FIRST", "LAST"]);
    if !grouping.day {
        header.push("DAYS");
    }
    context.output.line(table(&header, &rows));
    let calls = usage.rows().map(|(_, numbers)| numbers.calls).sum();
    context.output.line(counted(calls, "call"));
}

fn names(grouping: Grouping) -> Vec<&'static str> {
    let all = [
        (grouping.client, "CLIENT"),
        (grouping.server, "SERVER"),
        (grouping.tool, "TOOL"),
        (grouping.day, "DAY"),
    ];
    all.into_iter().filter_map(|(asked, name)| asked.then_some(name)).collect()
}

fn cells(group: &Group, grouping: Grouping) -> Vec<String> {
    let all = [
        (grouping.client, &group.client),
        (grouping.server, &group.server),
        (grouping.tool, &group.tool),
        (grouping.day, &group.day),
    ];
    // Callers make up what they call, and a line's end would make another line.
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".into(), on_one_line);
    all.into_iter().filter(|(asked, _)| *asked).map(|(_, value)| text(value)).collect()
}

/// One bar a day, from the first to the last; a day without a call is blank.
fn sparkline(days: &BTreeMap<i64, u64>) -> String {
    let most = days.values().copied().max().unwrap_or(1);
    let (Some((first, _)), Some((last, _))) = (days.first_key_value(), days.last_key_value()) else {
        return String::new();
    };
    (*first..=*last).map(|day| days.get(&day).map_or(' ', |calls| BARS[bar(*calls, most)])).collect()
}

fn bar(calls: u64, most: u64) -> usize {
    let steps = BARS.len() as u64;
    usize::try_from((calls * steps).div_ceil(most).clamp(1, steps) - 1).unwrap_or(0)
}

fn milliseconds(micros: Option<u64>) -> String {
    micros.map_or_else(|| "-".into(), |micros| format!("{}.{}ms", micros / 1000, micros % 1000 / 100))
}

fn seconds(at_ms: i64) -> String {
    UnixTime::from_seconds(at_ms.div_euclid(1000)).to_string()
}

fn document(group: &Group, numbers: &Numbers) -> Value {
    let [p50, p95] = numbers.percentiles_us([50, 95]);
    json!({
        "client": group.client, "server": group.server, "tool": group.tool, "day": group.day,
        "calls": numbers.calls, "errors": numbers.errors, "failed": numbers.failed,
        "refused": numbers.refused, "cut": numbers.cut,
        "p50_us": p50, "p95_us": p95,
        "bytes_in": numbers.bytes_in, "bytes_out": numbers.bytes_out,
        "first_ms": numbers.first_ms, "last_ms": numbers.last_ms,
    })
}

/// The columns of the JSON document.
fn csv(usage: &Usage) {
    const COLUMNS: [&str; 15] = [
        "client",
        "server",
        "tool",
        "day",
        "calls",
        "errors",
        "failed",
        "refused",
        "cut",
        "p50_us",
        "p95_us",
        "bytes_in",
        "bytes_out",
        "first_ms",
        "last_ms",
    ];
    if !print_data(&COLUMNS.join(",")) {
        return;
    }
    for (group, numbers) in usage.rows() {
        let document = document(group, numbers);
        if !print_data(&row(&COLUMNS.map(|column| document[column].clone()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{cells, milliseconds, sparkline};
    use hallpass_core::usage::{Group, Grouping};
    use std::collections::BTreeMap;

    #[test]
    fn a_bar_a_day_and_a_blank_where_nothing_was_called() {
        let days = BTreeMap::from([(20_787, 1), (20_789, 8), (20_790, 4)]);
        assert_eq!(sparkline(&days), "▁ █▄");
        assert_eq!(sparkline(&BTreeMap::new()), "");
    }

    #[test]
    fn what_callers_make_up_stays_on_one_line() {
        let group = Group { tool: Some("x\n=cmd|y\u{202e}\u{9b}".into()), ..Group::default() };
        let by_tool = Grouping { client: false, server: false, tool: true, day: false };
        assert_eq!(cells(&group, by_tool), ["x\\n=cmd|y\\u{202e}\\u{9b}"]);
        assert_eq!((milliseconds(Some(1250)), milliseconds(None)), ("1.2ms".into(), "-".into()));
    }
}
