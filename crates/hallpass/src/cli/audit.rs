//! `hallpass audit` as types.

use super::{Consent, reason};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// `hallpass audit`
#[derive(Subcommand, Debug, Clone)]
pub enum AuditCommand {
    /// Whether the log is as it was written
    #[command(
        after_help = "Ends with 0 if it is whole, with 1 if it was tampered with (and says from which record on), with 2 \
                            if it is whole and not anchored as asked, with 64 if nothing can be said: no log, a pin or a \
                            file that cannot be read."
    )]
    Verify(AuditVerify),
    /// A proof of one record, to be shown without the others
    Prove {
        /// The record's number (`seq`)
        #[arg(value_name = "SEQ")]
        seq: u64,
        /// Which log
        #[command(flatten)]
        log: AuditLog,
    },
    /// Check a proof, without the log
    #[command(
        after_help = "Ends with 0 if it is proven, with 1 if it is not, with 64 if nothing can be said: a file or a key that \
                            cannot be read."
    )]
    Check {
        /// The proof, or `-` for standard input
        #[arg(value_name = "PROOF", value_hint = ValueHint::FilePath)]
        proof: PathBuf,
        /// The record that it should be of [default: the one in the proof]
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        record: Option<PathBuf>,
        /// The log's public key, or a file that holds it [default: this home's]
        #[arg(long, value_name = "KEY")]
        vkey: Option<String>,
    },
    /// Sign what there is, and hand the checkpoint out to be kept elsewhere
    Pin {
        /// Write it into a new file instead of printing it
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
    },
    /// Every record as it stands in the log, one a line
    Export(AuditExport),
    /// Let old records go, whole segments of them; what proves the rest stays
    #[command(mut_arg("git_ok", |arg| arg.hide(true)))]
    Prune {
        /// What is older: a day (`2026-01-01`), or an age (`365d`)
        #[arg(long, value_name = "DATE")]
        before: String,
        /// Why; kept in the log
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: Option<String>,
        /// How to go about it
        #[command(flatten)]
        consent: Consent,
    },
    /// Compare what `log`, `usage` and `report` read with the log, and make it anew where it differs
    Reindex,
    /// The hash under which a record keeps an argument's value (`audit.arguments = "hash"`)
    Hash {
        /// A file that holds the value, or `-` for standard input
        #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

/// Which log, and what verifies it.
#[derive(Args, Debug, Clone)]
pub struct AuditLog {
    /// The log's folder [default: this home's]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Its public key, or a file that holds it [default: this home's, else the one in the folder]
    #[arg(long, value_name = "KEY")]
    pub vkey: Option<String>,
}

/// `hallpass audit verify`
#[derive(Args, Debug, Clone)]
pub struct AuditVerify {
    /// The log's folder [default: this home's]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Its public key, or a file that holds it [default: this home's, else the one in the folder]
    #[arg(long, value_name = "KEY")]
    pub vkey: Option<String>,
    /// A checkpoint that was kept elsewhere; can be given more than once
    #[arg(long, value_name = "CHECKPOINT", value_hint = ValueHint::FilePath)]
    pub pin: Vec<PathBuf>,
    /// End with 2 unless a pin vouches for so many records
    #[arg(long, value_name = "RECORDS", num_args = 0..=1, default_missing_value = "1", require_equals = true)]
    pub require_anchor: Option<u64>,
}

/// `hallpass audit export`
#[derive(Args, Debug, Clone)]
pub struct AuditExport {
    /// How the records are written
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub format: ExportFormat,
    /// Only from then on: a day, an instant, or so long ago (`7d`)
    #[arg(long, value_name = "DATE")]
    pub since: Option<String>,
    /// Only before then
    #[arg(long, value_name = "DATE")]
    pub until: Option<String>,
    /// Only this client
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
}

/// How records are written.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// The lines of the log, byte for byte
    Jsonl,
    /// A table for spreadsheets
    Csv,
}
