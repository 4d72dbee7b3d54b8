//! Takes pictures of the report for auditors with Chromium, which Debian has as `chromium`. The work is done by an example of
//! the program's crate, which has the store. Not part of `cargo xtask test`: the browser is large, and pictures are for eyes.

use std::process::ExitCode;

use crate::{
    command::{self, root},
    failure::Failure,
};

const BUILD: [&str; 8] =
    ["build", "--release", "--quiet", "--package", "hallpass", "--bin", "hallpass", "--example=pictures"];
const CHROMIUM: &str = "chromium";
const HINT: &str = "pictures are taken with it: `apt-get install chromium` on Debian";
/// Where they go, if nobody says.
const FOLDER: &str = "target/pictures";

pub(crate) fn run(folder: &[&str]) -> ExitCode {
    match take(folder.first().copied().unwrap_or(FOLDER)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn take(folder: &str) -> Result<(), Failure> {
    if !command::is_installed(CHROMIUM, &["--version"]) {
        return Err(Failure::Missing { program: CHROMIUM, found: None, hint: HINT });
    }
    command::cargo(&BUILD)?;
    let program = root().join("target/release/hallpass");
    let program = program.canonicalize().unwrap_or(program).display().to_string();
    command::show("target/release/examples/pictures", &[&program, CHROMIUM, folder])
}
