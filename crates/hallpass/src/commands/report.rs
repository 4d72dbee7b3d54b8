//! `hallpass report`

use super::Context;
use super::period::instant;
use crate::atomic_file::{self, Original, ReplaceFault};
use crate::cli::{Format, ReportOf};
use crate::clock;
use crate::fault::{Fault, Result};
use crate::output::{print_line, quoted};
use crate::report;
use hallpass_core::UnixTime;
use std::path::{Path, PathBuf};

const DAY: i64 = 86_400;

/// Where the report goes, as it was looked at before anything was counted.
struct Destination {
    path: PathBuf,
    original: Original,
}

/// Writes or prints the report.
pub(super) async fn run(context: &Context, asked: &ReportOf) -> Result<()> {
    let now = clock::now();
    let (from, to) = period(asked, now)?;
    let format = format(context, asked)?;
    let destination = asked.output.as_deref().map(|file| look(file, asked.force)).transpose()?;
    let installation = context.installation().await?;
    installation.audit.catch_up().await;
    let report = report::gather(&installation, from, to, now).await?;
    let text = match format {
        Format::Html => report::html(&report),
        Format::Markdown => report::markdown(&report),
        Format::Json => report::json(&report)?,
    };
    match (destination, asked.output.as_deref()) {
        (Some(destination), Some(file)) => {
            write(&destination, &text, &installation.tag, file)?;
            context.output.note(format!("written to `{}`", file.display()));
        }
        _ => drop(print_line(text.trim_end())),
    }
    Ok(())
}

/// The first instant of the period, and the first after it. Whoever says "to the 24th" means that the 24th is part of it.
fn period(asked: &ReportOf, now: UnixTime) -> Result<(UnixTime, UnixTime)> {
    let from = instant(&asked.from, now, "--from")?;
    let to = match asked.to.as_deref() {
        None => now.plus(1),
        Some(text) => match UnixTime::from_date(text) {
            Some(day) => day.plus(DAY),
            None => instant(text, now, "--to")?,
        },
    };
    if from >= to {
        return Err(Fault::usage(format!("`--from` ({from}) is not before the end ({to})"))
            .hint("for one whole day say it twice: `--from 2026-12-24 --to 2026-12-24`"));
    }
    Ok((from, to))
}

fn format(context: &Context, asked: &ReportOf) -> Result<Format> {
    match (asked.format, context.output.is_json()) {
        (Some(Format::Html | Format::Markdown), true) => {
            Err(Fault::usage("`--json` and another `--format` at once").hint("leave one of them away"))
        }
        (Some(format), _) => Ok(format),
        (None, true) => Ok(Format::Json),
        (None, false) => Ok(asked.output.as_deref().map_or(Format::Markdown, format_of)),
    }
}

/// By the ending of the file's name.
fn format_of(file: &Path) -> Format {
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "json" => Format::Json,
        "md" | "markdown" => Format::Markdown,
        _ => Format::Html,
    }
}

/// Refuses what is somebody else's before anything is counted.
fn look(file: &Path, force: bool) -> Result<Destination> {
    let path = atomic_file::target_of(file)?;
    let original = Original::read(&path)?;
    if original.exists() && !original.bytes.is_empty() && !force && !report::is_ours(&original.bytes) {
        return Err(Fault::new(format!("`{}` is there, and is no report", file.display())).hint(format!(
            "choose another name, or replace it: `--output {} --force`",
            quoted(&file.display().to_string())
        )));
    }
    Ok(Destination { path, original })
}

/// 0600 if it is new: it says who works when and from where.
fn write(destination: &Destination, text: &str, tag: &str, shown: &Path) -> Result<()> {
    match atomic_file::replace(&destination.path, &destination.original, text.as_bytes(), false, tag) {
        Ok(()) => Ok(()),
        Err(ReplaceFault::Changed) => {
            Err(Fault::new(format!("`{}` was changed by somebody else meanwhile", shown.display()))
                .hint("run it again"))
        }
        Err(ReplaceFault::Other(fault)) => Err(fault),
    }
}
