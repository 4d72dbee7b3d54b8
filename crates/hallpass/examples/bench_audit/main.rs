//! What the audit log costs: `bench_audit HALLPASS [calls|million]`, the built program and, if not both, which part. Run by
//! `cargo xtask bench audit`. Only ratios of one run mean anything: machines differ and are noisy.
//!
//! `calls`: calls per second and the gateway's processor time for a call, without a log, with `group`, with `each`. `million`:
//! what the commands that read a log of a million records take. With `unlogged HOME` it is the gateway without a log itself.

#![expect(
    clippy::disallowed_methods,
    reason = "it measures time, and writes the configuration of homes that it made"
)]

mod calls;
mod load;
mod million;
mod stage;
mod unlogged;

use hallpass::fault::{Doing as _, Fault, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("error: {fault}");
            if let Some(hint) = fault.next_step() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(2)
        }
    }
}

/// Whether the goals are met.
fn run(arguments: &[PathBuf]) -> Result<bool> {
    match arguments {
        [what, home] if what == Path::new("unlogged") => {
            single()?.block_on(unlogged::serve(home)).map(|()| true)
        }
        [hallpass] => Ok(calls(hallpass)? & million(hallpass)?),
        [hallpass, part] if part == Path::new("calls") => calls(hallpass),
        [hallpass, part] if part == Path::new("million") => million(hallpass),
        _ => Err(Fault::usage("which part: `calls`, `million`, or none for both?")),
    }
}

fn calls(hallpass: &Path) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().doing("cannot start")?;
    runtime.block_on(calls::run(hallpass))
}

fn million(hallpass: &Path) -> Result<bool> {
    single()?.block_on(million::run(hallpass))
}

/// As the program itself runs.
fn single() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().doing("cannot start")
}

/// How busy the machine is, with whatever else it does: of the last minute.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// The middle one.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
