//! `hallpass audit verify`

use super::{KeyFrom, Named, text_of};
use crate::cli::AuditVerify;
use crate::commands::Context;
use crate::fault::{Fault, Result};
use hallpass_audit::notes_of;
use hallpass_audit::verify::{Outcome, Report, VerifyFault, verify};
use serde_json::json;
use std::path::Path;

pub(super) async fn run(context: &Context, asked: &AuditVerify) -> Result<()> {
    let named = Named::find(context, asked.dir.as_deref(), asked.vkey.as_deref()).await?;
    let mut pins = Vec::new();
    for file in &asked.pin {
        pins.extend(checkpoints_in(file)?.into_iter().map(|pin| (file, pin)));
    }
    let texts: Vec<&str> = pins.iter().map(|(_, pin)| pin.as_str()).collect();
    let shown = named.folder.display();
    let report = verify(&named.folder, &named.key, &texts).map_err(|fault| match fault {
        VerifyFault::Pin { index, fault } => {
            Fault::usage(format!("`--pin {}` {fault}", pins[index].0.display()))
                .hint("`hallpass audit pin --output FILE` writes one; it has to be of this log")
        }
        fault @ (VerifyFault::NoLog | VerifyFault::Io(_)) => Fault::new(format!("`{shown}`: {fault}"))
            .hint("name the folder that holds `segments/` and `checkpoint`"),
    })?;
    say(context, asked, &named, &report);
    match report.exit_code(asked.require_anchor) {
        0 => Ok(()),
        code => Err(Fault::ended(code)),
    }
}

/// The checkpoints in a file: one, or one after the other, or as the gateway prints them (`audit.checkpoint_to`).
fn checkpoints_in(file: &Path) -> Result<Vec<String>> {
    let text = text_of(file)?;
    let printed = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line["checkpoint"].as_str().map(str::to_owned)
    };
    let printed: Vec<String> = text.lines().filter_map(printed).collect();
    let found =
        if printed.is_empty() { notes_of(&text).into_iter().map(str::to_owned).collect() } else { printed };
    if found.is_empty() {
        return Err(Fault::usage(format!("`--pin {}` holds no checkpoint", file.display()))
            .hint("`hallpass audit pin --output FILE` writes one"));
    }
    Ok(found)
}

fn say(context: &Context, asked: &AuditVerify, named: &Named, report: &Report) {
    let output = context.output;
    output.line(format!("{report}"));
    for note in &report.notes {
        output.line(format!("note: {note}"));
    }
    output.line(format!("key: {}{}", named.key, trust(named.key_from)));
    if let Outcome::Whole { anchored_until, size, .. } = &report.outcome {
        output.line(vouched(asked, *anchored_until, *size));
    }
    output.document(&document(named, report));
}

fn trust(from: KeyFrom) -> &'static str {
    match from {
        KeyFrom::Given => " (as given)",
        KeyFrom::Home => " (from this home's database)",
        KeyFrom::Folder => {
            " (from the folder itself: whoever could change the log could change that too; name the key with `--vkey`)"
        }
    }
}

fn vouched(asked: &AuditVerify, anchored: Option<u64>, size: u64) -> String {
    match (anchored, asked.require_anchor) {
        (Some(until), Some(wanted)) if until < wanted => {
            format!("anchored outside up to record {until} only, {wanted} was asked for")
        }
        (Some(until), _) if until == size => "anchored outside: no record can have been taken from the end".into(),
        (Some(until), _) => format!(
            "anchored outside up to record {until}: what was taken from the end behind it cannot be seen"
        ),
        (None, _) => "not anchored outside: whoever holds the log's key could have cut its end off or written it anew; `--pin FILE` checks against a checkpoint that was kept elsewhere (`hallpass audit pin`)".into(),
    }
}

fn document(named: &Named, report: &Report) -> serde_json::Value {
    let mut document = match &report.outcome {
        Outcome::Whole { size, signed_until, anchored_until, unsigned } => json!({
            "outcome": "whole", "size": size, "signed_until": signed_until, "anchored_until": anchored_until,
            "unsigned": unsigned,
        }),
        Outcome::Tampered { seq, why } => json!({ "outcome": "tampered", "first_bad": seq, "why": why }),
    };
    let notes: Vec<String> = report.notes.iter().map(ToString::to_string).collect();
    document["notes"] = json!(notes);
    document["key"] = json!(named.key.to_string());
    document["key_from"] = json!(named.key_from.as_str());
    document
}
