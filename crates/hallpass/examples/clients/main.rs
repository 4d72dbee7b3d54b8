//! Holds the files that Hallpass writes for clients against the clients themselves: `clients HALLPASS MODULES`, the built
//! program and the npm folder of `tests/clients`.
//!
//! For each program, each way of placing a token is an entry of its own in the program's own file, written by `hallpass
//! add`. The program has to list them all, connect to all, and be named in the log; then each client is revoked, and the
//! program has to say that it failed. Nobody logs in, and no model is asked. One line a program; the last line counts.

mod codex;
mod listing;
mod log;
mod programs;
mod running;
mod stage;
mod trial;

use std::path::Path;
use std::process::ExitCode;

use hallpass::fault::{Fault, Result};
use stage::Stage;
use trial::{Trial, Verdict};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(counts) => {
            println!("{counts}");
            if counts.failed == 0 && counts.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(fault) => {
            eprintln!("error: {fault}");
            if let Some(hint) = fault.next_step() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<Counts> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [hallpass, modules] = arguments.as_slice() else {
        return Err(Fault::new("no program or no npm folder is named").hint("`cargo xtask clients`"));
    };
    let (hallpass, modules) = (Path::new(hallpass), Path::new(modules));
    let mut stage = Stage::set(hallpass).await?;
    let mut counts = Counts::default();
    for program in &programs::ALL {
        let (name, verdict) = Trial { program, modules, stage: &mut stage }.hold().await;
        println!("{name}: {verdict}");
        match verdict {
            Verdict::Reads(_) => counts.passed += 1,
            Verdict::FallsShort(_) => counts.failed += 1,
            Verdict::Skipped(_) => counts.skipped += 1,
        }
    }
    Ok(counts)
}

/// How many programs did.
#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}
