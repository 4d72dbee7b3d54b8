//! Holds the files that Hallpass writes against real clients, which npm installs. The work is done by an example of the
//! program's crate, which has the sample server. Starts no client itself.

use std::process::ExitCode;

use crate::{
    command::{self, root},
    failure::Failure,
    npm,
};

const FOLDER: &str = "tests/clients";
const BUILD: [&str; 8] =
    ["build", "--release", "--quiet", "--package", "hallpass", "--bin", "hallpass", "--example=clients"];

pub(crate) fn run() -> ExitCode {
    match install_and_run() {
        Ok(()) => ExitCode::SUCCESS,
        // It has said so itself, the counts last.
        Err(Failure::Ended { .. }) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn install_and_run() -> Result<(), Failure> {
    npm::install(FOLDER)?;
    command::cargo(&BUILD)?;
    let absolute = |path: &str| {
        let path = root().join(path);
        path.canonicalize().unwrap_or(path).display().to_string()
    };
    let (hallpass, modules) =
        (absolute("target/release/hallpass"), absolute(&format!("{FOLDER}/node_modules")));
    command::show("target/release/examples/clients", &[&hallpass, &modules])
}
