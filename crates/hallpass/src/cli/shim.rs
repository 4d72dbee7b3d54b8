//! `hallpass shim`. Parses and does nothing.

use clap::{Args, ValueHint};
use std::path::PathBuf;

/// What the shim is told besides its predecessor's variables.
#[derive(Args, Debug, Clone, Default)]
pub struct Shim {
    /// Read the client's token from this file, afresh for each call [default: `EXAI_JWT_TOKEN_FILE`, else the token in
    /// `EXAI_JWT_TOKEN`]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,
    /// Send the token unencrypted to a daemon on another machine: whoever is on the way can read it
    #[arg(long)]
    pub cleartext_ok: bool,
}
