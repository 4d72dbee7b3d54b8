//! Runs files of token cases. The work is done by an example of the gateway's crate, which has verifier and listener.
//! Reads no case itself.

use std::{env, path::Path, process::ExitCode};

use crate::{command, failure::Failure};

const RUNNER: [&str; 8] =
    ["run", "--release", "--quiet", "--package", "hallpass-gateway", "--example", "corpus", "--"];

/// All cases in the repository.
const OWN: [&str; 2] = [
    "crates/hallpass-core/tests/data/tokens/cases.json",
    "crates/hallpass-core/tests/data/registry/cases.json",
];

pub(crate) fn own() -> Result<(), Failure> {
    command::cargo(&[&RUNNER[..], &OWN[..]].concat())
}

/// These files, or ours; the runner has the last word on standard output.
pub(crate) fn run(arguments: &[&str]) -> ExitCode {
    let arguments: Vec<String> = arguments.iter().map(|argument| from_here(argument)).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = if arguments.is_empty() { own() } else { command::cargo(&[&RUNNER[..], &arguments].concat()) };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        // It has said so itself, the total last.
        Err(Failure::Ended { .. }) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The runner starts in the workspace's folder, and a path means the one from here.
pub(crate) fn from_here(argument: &str) -> String {
    let path = Path::new(argument);
    match env::current_dir() {
        Ok(here) if !argument.starts_with('-') => here.join(path).display().to_string(),
        Ok(_) | Err(_) => argument.to_owned(),
    }
}
