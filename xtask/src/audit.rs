//! Measures what the audit log costs. The work is done by an example of the program's crate, which has the recorder and the
//! store. Not part of `cargo xtask test`: what it says depends on what else the machine does.

use std::process::ExitCode;

use crate::{
    command::{self, root},
    failure::Failure,
};

const BUILD: [&str; 8] =
    ["build", "--release", "--quiet", "--package", "hallpass", "--bin", "hallpass", "--example=bench_audit"];

pub(crate) fn run(part: &[&str]) -> ExitCode {
    match measure(part) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(part: &[&str]) -> Result<(), Failure> {
    command::cargo(&BUILD)?;
    let program = root().join("target/release/hallpass");
    let program = program.canonicalize().unwrap_or(program).display().to_string();
    command::show("target/release/examples/bench_audit", &[&[&*program], part].concat())
}
