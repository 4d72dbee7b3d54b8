//! `hallpass audit export`: the records as they stand in the log, or as a table.

use crate::audit::event_of;
use crate::cli::{AuditExport, ExportFormat};
use crate::clock;
use crate::commands::Context;
use crate::commands::period::instant;
use crate::fault::{Doing, Fault, Result};
use crate::output::print_line;
use hallpass_audit::Reader;
use hallpass_core::Event;

const COLUMNS: &str = "seq,time,kind,outcome,client,jti,server,method,tool,reason,by,status,duration_us,bytes_in,bytes_out,legacy,count,address,request_id";

pub(super) async fn run(context: &Context, asked: &AuditExport) -> Result<()> {
    let filter = Filter::of(asked)?;
    let installation = context.installation().await?;
    installation.audit.take_acts().await?;
    let mut reader = Reader::lines_from(installation.audit.folder(), 0).doing("the log")?;
    if asked.format == ExportFormat::Csv && !print_line(COLUMNS) {
        return Ok(());
    }
    while let Some((seq, line)) = reader.next_line().doing("the log")? {
        let Some(row) = filter.row(asked.format, seq, line)? else { continue };
        if !print_line(&row) {
            break;
        }
    }
    Ok(())
}

struct Filter<'a> {
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    client: Option<&'a str>,
}

impl<'a> Filter<'a> {
    fn of(asked: &'a AuditExport) -> Result<Self> {
        let read = |name: &str, text: &Option<String>| {
            text.as_deref().map(|text| instant_ms(name, text)).transpose()
        };
        Ok(Self {
            since_ms: read("--since", &asked.since)?,
            until_ms: read("--until", &asked.until)?,
            client: asked.client.as_deref(),
        })
    }

    /// The record as it is to be printed, if it is asked for.
    fn row(&self, format: ExportFormat, seq: u64, line: &str) -> Result<Option<String>> {
        let is_all = self.since_ms.is_none() && self.until_ms.is_none() && self.client.is_none();
        if is_all && format == ExportFormat::Jsonl {
            return Ok(Some(line.to_owned()));
        }
        let event = event_of(line).ok_or_else(|| {
            Fault::new(format!("record {seq} of the log cannot be read"))
                .hint("`hallpass audit verify` says more")
        })?;
        let is_asked = self.since_ms.is_none_or(|since| event.at_ms >= since)
            && self.until_ms.is_none_or(|until| event.at_ms < until)
            && self.client.is_none_or(|client| event.client.as_deref() == Some(client));
        Ok(is_asked.then(|| match format {
            ExportFormat::Jsonl => line.to_owned(),
            ExportFormat::Csv => csv(seq, &event),
        }))
    }
}

/// A day, an instant, or a time ago, in milliseconds since the epoch.
pub(super) fn instant_ms(option: &str, text: &str) -> Result<i64> {
    instant(text, clock::now(), option).map(|at| at.seconds().saturating_mul(1000))
}

fn csv(seq: u64, event: &Event) -> String {
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let status = event.status.map(|status| status.to_string());
    let cells = [
        Some(seq.to_string()),
        Some(event.time()),
        Some(event.kind.to_string()),
        Some(event.outcome.as_str().to_owned()),
        event.client.clone(),
        event.jti.clone(),
        event.server.clone(),
        event.method.clone(),
        event.tool.clone(),
        event.reason.clone(),
        event.by.clone(),
        status,
        number(event.duration_us),
        number(event.bytes_in),
        number(event.bytes_out),
        event.legacy.then(|| "true".to_owned()),
        number(event.count),
        event.address.clone(),
        event.request_id.clone(),
    ];
    cells.map(|cell| quoted(&cell.unwrap_or_default())).join(",")
}

/// A cell of RFC 4180. What a spreadsheet would take for a formula gets an apostrophe in front: tools and methods are what
/// callers make up.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        for (cell, expect) in [
            ("echo", "echo"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("@x,y", "\"'@x,y\""),
        ] {
            assert_eq!(quoted(cell), expect);
        }
    }
}
