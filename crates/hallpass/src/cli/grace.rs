//! `hallpass grace` as types.

use super::{Consent, Roster, Wait, reason};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// `hallpass grace`
#[derive(Subcommand, Debug, Clone)]
pub enum GraceCommand {
    /// Let in, until a date, who shows the secret that clients shared before
    #[command(mut_arg("git_ok", |arg| arg.hide(true)))]
    Start(GraceStart),
    /// Move the end; brings back a period that is over, and sets right what a wrong clock did
    #[command(mut_arg("git_ok", |arg| arg.hide(true)))]
    Extend {
        /// The new end: `2026-12-24` (counts to its end, UTC), `2026-12-24T18:00:00Z`, or `14d` from now
        #[arg(long, value_name = "DATE")]
        until: String,
        /// Why; kept in the log. Needed to bring back what is over
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: Option<String>,
        /// How to go about it
        #[command(flatten)]
        consent: Consent,
        /// Whether to wait
        #[command(flatten)]
        wait: Wait,
    },
    /// Refuse the shared secret from now on, and cut what was opened with it
    #[command(mut_arg("git_ok", |arg| arg.hide(true)))]
    End {
        /// Why; kept in the log
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: Option<String>,
        /// Also if somebody was let in by it in the last 7 days
        #[arg(long)]
        force: bool,
        /// How to go about it
        #[command(flatten)]
        consent: Consent,
        /// Whether to wait
        #[command(flatten)]
        wait: Wait,
    },
    /// Until when it runs, who still uses the secret, and from which day it can end
    Status {
        /// Everybody and everything: the migration report
        #[arg(long)]
        report: bool,
        /// How the report is written
        #[arg(long, value_enum, requires = "report")]
        format: Option<ReportFormat>,
        /// Write the report there instead of printing it
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "report")]
        output: Option<PathBuf>,
    },
}

/// `hallpass grace start`
#[derive(Args, Debug, Clone)]
pub struct GraceStart {
    /// The end: `2026-12-24` (counts to its end, UTC), `2026-12-24T18:00:00Z`, or `14d` from now
    #[arg(long, value_name = "DATE")]
    pub until: String,
    /// Where the secret is
    #[command(flatten)]
    pub secret: SecretPlace,
    /// A server that may be called with it (several times) [default: all]
    #[arg(long = "server", value_name = "SERVER")]
    pub servers: Vec<String>,
    /// The policy that its callers are under [default: none]
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Refuse it on the address of a client that has used its own token
    #[arg(long)]
    pub strict: bool,
    /// Why; kept in the log
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: Option<String>,
    /// How to go about it
    #[command(flatten)]
    pub consent: Consent,
    /// Whether to wait
    #[command(flatten)]
    pub wait: Wait,
    /// Which hallpass.toml
    #[command(flatten)]
    pub roster: Roster,
}

/// Where a secret is. Never in an argument: other programs of this machine can read those.
#[derive(Args, Debug, Clone)]
#[group(required = true, multiple = false)]
pub struct SecretPlace {
    /// The environment variable that holds the secret
    #[arg(long, value_name = "NAME")]
    pub secret_env: Option<String>,
    /// The file that holds the secret and nothing else, or `-` for standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub secret_file: Option<PathBuf>,
}

/// How the migration report is written.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// For a terminal
    Text,
    /// For a program
    Json,
    /// One page for a browser, with nothing else needed
    Html,
}
