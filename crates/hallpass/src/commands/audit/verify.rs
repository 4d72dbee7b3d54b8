//! `hallpass audit verify`

use super::{KeyFrom, Named};
use crate::cli::AuditVerify;
use crate::commands::Context;
use crate::fault::{Doing, Fault, Result};
use crate::given_file;
use hallpass_audit::verify::{Outcome, Report, VerifyFault, verify};
use hallpass_audit::{Checkpoint, notes_of};
use serde_json::json;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most bytes of a file with pins: a gateway that signs every minute writes some 100 MB in a year.
const PINS_MOST: u64 = 256 << 20;

/// What was found, and what it was found by.
struct Judged {
    named: Named,
    report: Report,
    /// The log holds but for the checkpoint in the home's database.
    against_database: Option<Older>,
}

/// A log that the home's database knows more of, or other.
struct Older {
    /// How many records the checkpoint in the database signs.
    signed: u64,
    /// How many there are.
    records: u64,
}

impl fmt::Display for Older {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signed, records } = self;
        if signed > records {
            write!(f, "{records} records are there, and this home's database has a checkpoint of {signed}")
        } else {
            write!(f, "the first {signed} records are not those of the checkpoint in this home's database")
        }
    }
}

pub(super) async fn run(context: &Context, asked: &AuditVerify) -> Result<()> {
    let judged = judge(context, asked).await.map_err(Fault::without_verdict)?;
    say(context, asked, &judged);
    match judged.report.exit_code(asked.require_anchor) {
        0 => Ok(()),
        code => Err(Fault::ended(code)),
    }
}

async fn judge(context: &Context, asked: &AuditVerify) -> Result<Judged> {
    let named = Named::find(context, asked.dir.as_deref(), asked.vkey.as_deref()).await?;
    let mut pins = Vec::new();
    for file in &asked.pin {
        pins.extend(checkpoints_in(file)?.into_iter().map(|pin| (file, pin)));
    }
    let texts: Vec<&str> = pins.iter().map(|(_, pin)| pin.as_str()).collect();
    let all: Vec<&str> = texts.iter().copied().chain(named.signed.as_deref()).collect();
    let mut report = verify(&named.folder, &named.key, &all).map_err(|fault| unsaid(&named, &pins, fault))?;
    let against_database = tell_apart(&named, &texts, &mut report)?;
    Ok(Judged { named, report, against_database })
}

/// The database's checkpoint was taken for one more pin, which it is not: whoever can write the log can write the database too.
fn tell_apart(named: &Named, pins: &[&str], report: &mut Report) -> Result<Option<Older>> {
    let open = |note: &str| Checkpoint::open(note, &named.key).ok();
    let Some(known) = named.signed.as_deref().and_then(open) else { return Ok(None) };
    match &mut report.outcome {
        Outcome::Whole { anchored_until, .. } => {
            *anchored_until = pins.iter().copied().filter_map(open).map(|pin| pin.size).max();
            Ok(None)
        }
        Outcome::Tampered { why, .. } if report.pin_is_why => {
            let without = verify(&named.folder, &named.key, pins).doing("the log, once more")?;
            if !matches!(without.outcome, Outcome::Whole { .. }) {
                return Ok(None);
            }
            let older = Older { signed: known.size, records: report.records };
            *why = older.to_string();
            Ok(Some(older))
        }
        Outcome::Tampered { .. } => Ok(None),
    }
}

/// Why there is no verdict.
fn unsaid(named: &Named, pins: &[(&PathBuf, String)], fault: VerifyFault) -> Fault {
    match fault {
        VerifyFault::Pin { index, fault } => match pins.get(index) {
            Some((file, _)) => Fault::usage(format!("`--pin {}` {fault}", file.display()))
                .hint("`hallpass audit pin --output FILE` writes one; it has to be of this log"),
            None => Fault::new(format!("the log's checkpoint in this home's database {fault}"))
                .hint("restore `hallpass.db` from a backup; the log alone: `hallpass audit verify DIR`"),
        },
        fault @ (VerifyFault::NoLog | VerifyFault::Io(_)) => {
            Fault::new(format!("`{}`: {fault}", named.folder.display()))
                .hint("name the folder that holds `segments/` and `checkpoint`")
        }
    }
}

/// The checkpoints in a file: one, or one after the other, or as the gateway prints them (`audit.checkpoint_to`).
fn checkpoints_in(file: &Path) -> Result<Vec<String>> {
    let text = pins_of(file).doing(format!("cannot read `{}`", file.display()))?;
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

fn pins_of(file: &Path) -> io::Result<String> {
    if file == Path::new("-") {
        growing(io::stdin().lock())
    } else {
        growing(given_file::regular_or_open(file)?)
    }
}

fn growing(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    input.take(PINS_MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > PINS_MOST {
        return Err(io::Error::other(format!("it is larger than {PINS_MOST} bytes")));
    }
    Ok(text)
}

fn say(context: &Context, asked: &AuditVerify, judged: &Judged) {
    let Judged { named, report, against_database } = judged;
    let output = context.output;
    output.line(format!("{report}"));
    for note in &report.notes {
        output.line(format!("note: {note}"));
    }
    output.line(format!("key: {}{}", named.key, trust(named.key_from)));
    if against_database.is_some() {
        output.line("this is the database's own checkpoint, no pin: all else holds, so that an older copy of the log was put in its place, or it was written anew");
        output.line(format!(
            "nothing is recorded until that is mended: put the newest `{}` back, or go on with a new log that names this one: `hallpass serve --new-log`",
            named.folder.display()
        ));
    }
    if let Outcome::Whole { anchored_until, size, .. } = &report.outcome {
        output.line(vouched(asked, *anchored_until, *size));
    }
    output.document(&document(judged));
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

fn document(judged: &Judged) -> serde_json::Value {
    let Judged { named, report, against_database } = judged;
    let mut document = match &report.outcome {
        Outcome::Whole { size, signed_until, anchored_until, unsigned } => json!({
            "outcome": "whole", "size": size, "signed_until": signed_until, "anchored_until": anchored_until,
            "unsigned": unsigned,
        }),
        Outcome::Tampered { seq, why } => json!({
            "outcome": "tampered", "first_bad": seq, "why": why, "database_is_why": against_database.is_some(),
        }),
    };
    let notes: Vec<String> = report.notes.iter().map(ToString::to_string).collect();
    document["notes"] = json!(notes);
    document["key"] = json!(named.key.to_string());
    document["key_from"] = json!(named.key_from.as_str());
    document
}
