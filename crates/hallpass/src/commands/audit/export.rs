//! `hallpass audit export`: the records as they stand in the log, or as a table.

use crate::audit::event_of;
use crate::cli::{AuditExport, ExportFormat};
use crate::clock;
use crate::commands::Context;
use crate::commands::csv;
use crate::commands::period::Period;
use crate::fault::{Doing, Fault, Result};
use crate::output::print_data;
use hallpass_audit::Reader;
use hallpass_core::Event;
use serde_json::json;

const COLUMNS: &str = "seq,time,kind,outcome,client,jti,server,method,tool,reason,by,status,duration_us,bytes_in,bytes_out,legacy,count,address,request_id";

pub(super) async fn run(context: &Context, asked: &AuditExport) -> Result<()> {
    let filter = Filter::of(asked)?;
    let installation = context.installation().await?;
    // A log that takes nothing is what has to be looked at.
    if let Err(fault) = installation.audit.take_acts().await {
        context.output.note(format!("note: what waits for the log is not in it: {fault}"));
    }
    let mut reader = Reader::lines_from(installation.audit.folder(), 0).doing("the log")?;
    if asked.format == ExportFormat::Csv && !print_data(COLUMNS) {
        return Ok(());
    }
    while let Some((seq, line)) = reader.next_line().doing("the log")? {
        let Some(row) = filter.row(asked.format, seq, line)? else { continue };
        if !print_data(&row) {
            break;
        }
    }
    Ok(())
}

struct Filter<'a> {
    period: Period,
    client: Option<&'a str>,
}

impl<'a> Filter<'a> {
    fn of(asked: &'a AuditExport) -> Result<Self> {
        let period = Period::read(asked.since.as_deref(), asked.until.as_deref(), clock::now())?;
        Ok(Self { period, client: asked.client.as_deref() })
    }

    /// The record as it is to be printed, if it is asked for.
    fn row(&self, format: ExportFormat, seq: u64, line: &str) -> Result<Option<String>> {
        let is_all = self.period == Period::default() && self.client.is_none();
        if is_all && format == ExportFormat::Jsonl {
            return Ok(Some(line.to_owned()));
        }
        let event = event_of(line).ok_or_else(|| {
            Fault::new(format!("record {seq} of the log cannot be read"))
                .hint("`hallpass audit verify` says more")
        })?;
        let is_asked = self.period.since_ms().is_none_or(|since| event.at_ms >= since)
            && self.period.until_ms().is_none_or(|until| event.at_ms < until)
            && self.client.is_none_or(|client| event.client.as_deref() == Some(client));
        Ok(is_asked.then(|| match format {
            ExportFormat::Jsonl => line.to_owned(),
            ExportFormat::Csv => row(seq, &event),
        }))
    }
}

fn row(seq: u64, event: &Event) -> String {
    csv::row(&[
        json!(seq),
        json!(event.time()),
        json!(event.kind),
        json!(event.outcome.as_str()),
        json!(event.client),
        json!(event.jti),
        json!(event.server),
        json!(event.method),
        json!(event.tool),
        json!(event.reason),
        json!(event.by),
        json!(event.status),
        json!(event.duration_us),
        json!(event.bytes_in),
        json!(event.bytes_out),
        json!(event.legacy.then_some(true)),
        json!(event.count),
        json!(event.address),
        json!(event.request_id),
    ])
}
