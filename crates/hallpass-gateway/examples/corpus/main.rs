//! Runs files of token cases through the verifier and through a real listener: `corpus [--keys FILE] [FILE...]`.
//! Nothing about a case is built in: profiles, keys, clock, states and limits come from the files.
//!
//! A `token` case goes through the library, and, where a header can carry it, through the listener as well; an `http`
//! case through the listener, over a raw socket; a `ws_first_frame` case through the listener, by a WebSocket client, with
//! a daemon of the hello dialect behind. Besides outcome and reason it is checked that the server behind sees
//! what is accepted and nothing else, that no other connection is opened, that every case is quick and needs little
//! memory, that nothing of a token is in the answer, in the record or before the server behind, and that all callers
//! whose token no key signed get one and the same answer.

mod failure;
mod file;
mod first_frame;
mod library;
mod limits;
mod reason;
mod report;
mod request;
mod run;
mod socket;
mod stage;
mod upstream;
mod watch;
mod wire;

use failure::Failure;
use file::{Corpus, Keys};
use report::{Report, note};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, Failure> {
    let (files, keys) = arguments()?;
    let mut report = Report::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for file in &files {
        runtime.block_on(run_file(file, keys.as_deref(), &mut report))?;
    }
    Ok(report.end())
}

async fn run_file(file: &Path, keys: Option<&Path>, report: &mut Report) -> Result<(), Failure> {
    println!("{}", file.display());
    let corpus = Corpus::read(file)?;
    let keys = Keys::read(&keys.map_or_else(|| Keys::beside(file), Path::to_owned))?;
    corpus.not_read().into_iter().chain(limits::differing(&corpus.limits)).for_each(note);
    run::Run::start(&corpus, &keys).await?.all(report).await;
    Ok(())
}

fn arguments() -> Result<(Vec<PathBuf>, Option<PathBuf>), Failure> {
    let (mut files, mut keys) = (Vec::new(), None);
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--keys") => {
                let Some(file) = arguments.next() else {
                    return Err(Failure::Usage("`--keys` needs a file".into()));
                };
                keys = Some(file.into());
            }
            Some(option) if option.starts_with('-') => {
                return Err(Failure::Usage(format!("no option `{option}`")));
            }
            Some(_) | None => files.push(argument.into()),
        }
    }
    if files.is_empty() {
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../hallpass-core/tests/data/tokens/cases.json");
        files.push(own.into());
    }
    Ok((files, keys))
}
