//! Runs folders of configuration samples. The work is done by an example of the clients' crate, which has the editors.
//! Reads no sample itself.

use std::process::ExitCode;

use crate::{command, corpus::from_here, failure::Failure};

const RUNNER: [&str; 8] =
    ["run", "--release", "--quiet", "--package", "hallpass-clients", "--example", "configs", "--"];

/// The samples in the repository.
const OWN: &str = "crates/hallpass-clients/tests/client-configs";

pub(crate) fn own() -> Result<(), Failure> {
    command::cargo(&[&RUNNER[..], &[OWN]].concat())
}

/// This folder, or ours; the runner has the last word on standard output.
pub(crate) fn run(arguments: &[&str]) -> ExitCode {
    let folder = match arguments {
        [] => Ok(OWN.to_owned()),
        [folder] => Ok(from_here(folder)),
        [_, ..] => Err(()),
    };
    let Ok(folder) = folder else {
        eprintln!("error: one folder at a time\nhint: `cargo xtask configs DIR`");
        return ExitCode::from(2);
    };
    match command::cargo(&[&RUNNER[..], &[&folder]].concat()) {
        Ok(()) => ExitCode::SUCCESS,
        // It has said so itself, the counts last.
        Err(Failure::Ended { .. }) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
