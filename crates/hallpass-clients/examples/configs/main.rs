//! Runs a folder of configuration samples through the editors: `configs DIR`.
//! Nothing about a sample is built in: clients, operations and outcomes come from `manifest.toml` and the notes beside
//! the samples. Each shortfall is a line; the last line counts.

mod operation;
mod samples;
mod trial;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("error: no folder is named\nhint: `cargo xtask configs DIR`");
        return ExitCode::from(2);
    };
    match run(Path::new(&folder)) {
        Ok(counts) => {
            println!("{counts}");
            if counts.short == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// How many samples behaved.
#[derive(Default)]
struct Counts {
    edited: usize,
    refused: usize,
    skipped: usize,
    short: usize,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { edited, refused, skipped, short } = self;
        let all = edited + refused + skipped + short;
        write!(f, "{all} samples: {edited} edited, {refused} refused, {skipped} skipped, {short} fall short")
    }
}

fn run(folder: &Path) -> Result<Counts, String> {
    let mut counts = Counts::default();
    for sample in samples::of(folder)? {
        let name = &sample.name;
        match sample.plan {
            samples::Plan::Skip(why) => {
                println!("skipped: {name}: {why}");
                counts.skipped += 1;
            }
            samples::Plan::Try(ref wanted) => {
                let (outcome, shortfalls) = trial::hold(wanted);
                for shortfall in &shortfalls {
                    println!("FALLS SHORT: {name}: {shortfall}");
                }
                match (shortfalls.is_empty(), outcome) {
                    (false, _) => counts.short += 1,
                    (true, trial::Outcome::Edited) => counts.edited += 1,
                    (true, trial::Outcome::Refused) => counts.refused += 1,
                }
            }
        }
    }
    Ok(counts)
}
