//! `hallpass grace status` and the migration report.

use super::facts::gather;
use super::{Context, page, text};
use crate::atomic_file::{self, Original, ReplaceFault};
use crate::cli::ReportFormat;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use hallpass_core::migration::report;
use std::path::Path;

/// Shows where the period stands, or the whole report.
pub(super) async fn run(
    context: &Context,
    full: bool,
    format: Option<ReportFormat>,
    output: Option<&Path>,
) -> Result<()> {
    let format = match (format, context.output.is_json()) {
        (Some(ReportFormat::Text | ReportFormat::Html), true) => {
            return Err(
                Fault::usage("`--json` and another `--format` at once").hint("leave one of them away")
            );
        }
        (None, true) => ReportFormat::Json,
        (Some(format), _) => format,
        (None, false) => ReportFormat::Text,
    };
    let installation = context.installation().await?;
    let now = clock::now();
    let report = report(&gather(&installation, now).await?, now);
    let document = serde_json::to_value(&report).doing("the report")?;
    let written = match format {
        ReportFormat::Text if full => text::full(&report),
        ReportFormat::Text => text::short(&report),
        ReportFormat::Json => format!("{document:#}\n"),
        ReportFormat::Html => page::page(&report),
    };
    match output {
        Some(file) => write(&installation, file, &written)?,
        None if context.output.is_json() => context.output.document(&document),
        None => context.output.line(written.trim_end()),
    }
    if let Some(file) = output {
        context.output.note(format!("written to `{}`", file.display()));
    }
    Ok(())
}

/// 0600 if it is new: it says who works when and from where.
fn write(installation: &Installation, file: &Path, text: &str) -> Result<()> {
    let path = atomic_file::target_of(file)?;
    let original = Original::read(&path)?;
    match atomic_file::replace(&path, &original, text.as_bytes(), false, &installation.tag) {
        Ok(()) => Ok(()),
        Err(ReplaceFault::Changed) => {
            Err(Fault::new(format!("`{}` was changed by somebody else meanwhile", file.display()))
                .hint("run it again"))
        }
        Err(ReplaceFault::Other(fault)) => Err(fault),
    }
}
