//! `hallpass report`

use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// How the report is written.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One page for a browser and for paper, with nothing else needed
    Html,
    /// Text, for eyes and for a repository
    Markdown,
    /// For a program: the same numbers
    Json,
}

/// `hallpass report`
#[derive(Args, Debug, Clone)]
pub struct ReportOf {
    /// The beginning: a day, an instant, or so long ago (`30d`)
    #[arg(long, value_name = "DATE", default_value = "30d")]
    pub from: String,
    /// The end: a day (counts to its end), an instant, or so long ago [default: now]
    #[arg(long, value_name = "DATE")]
    pub to: Option<String>,
    /// How it is written [default: by the ending of the file's name, else markdown]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write it there instead of printing it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Replace the file also if it is no report of ours
    #[arg(long, requires = "output")]
    pub force: bool,
}
