//! `hallpass setup` and `hallpass add`

use super::Consent;
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// `hallpass setup`
#[derive(Args, Debug, Clone)]
pub struct Setup {
    /// Only these: names of clients or of programs, like `codex,cursor`
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Also the files of the project in the current folder that are there (`.mcp.json`, `.cursor/mcp.json` and the like)
    #[arg(long)]
    pub project: bool,
    /// Also programs whose place is not verified (docs/clients.md)
    #[arg(long)]
    pub unverified: bool,
    /// How to go about it
    #[command(flatten)]
    pub consent: Consent,
}

/// `hallpass add`
#[derive(Args, Debug, Clone)]
pub struct Add {
    /// The client's name: a-z, 0-9 and `-`, at most 63
    pub name: String,
    /// Which program it is, like claude-code, codex, cursor, vscode (docs/clients.md has all); `json` or `env` for any
    /// file
    #[arg(long)]
    pub app: String,
    /// The client's configuration file [default: the app's own place]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// The entry in that file [default: the server's name]
    #[arg(long)]
    pub entry: Option<String>,
    /// Put the token into this variable of the entry's `env` [default: a bridge entry without a secret]
    #[arg(long, value_name = "VARIABLE", conflicts_with = "placement")]
    pub env: Option<String>,
    /// How the token gets to it: bridge, helper, token-file, environment, header [default: the best that it offers]
    #[arg(long, value_name = "WAY")]
    pub placement: Option<String>,
    /// Write its file although its place is not verified
    #[arg(long)]
    pub unverified: bool,
    /// A server that it may use (several times) [default: all]
    #[arg(long = "server", value_name = "SERVER")]
    pub servers: Vec<String>,
    /// The policy that it is under [default: the one that it was registered with, else none]
    #[arg(long, value_name = "POLICY", conflicts_with = "no_policy")]
    pub policy: Option<String>,
    /// It is under no policy any more
    #[arg(long)]
    pub no_policy: bool,
    /// The `sub` claim of its tokens
    #[arg(long)]
    pub subject: Option<String>,
    /// How to go about it
    #[command(flatten)]
    pub consent: Consent,
}
