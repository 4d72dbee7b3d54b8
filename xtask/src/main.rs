//! The project's chores, run as `cargo xtask ...`.
//! Nothing here is part of the program, and nothing here decides what is right: the steps do.

mod audit;
mod clients;
mod command;
mod configs;
mod corpus;
mod design;
mod docs;
mod failure;
mod faketime;
mod installed;
mod npm;
mod pictures;
mod policy;
mod python;
mod spdx;
mod steps;
mod tree;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["test", names @ ..] => steps::test(names),
        ["bench", "audit", part @ ..] => audit::run(part),
        ["bench", what @ ..] => bench(what),
        ["corpus", files @ ..] => corpus::run(files),
        ["configs", folder @ ..] => configs::run(folder),
        ["clients"] => clients::run(),
        ["docs"] => docs::write(),
        ["pictures", folder @ ..] => pictures::run(folder),
        [] | ["help" | "--help" | "-h", ..] => {
            print!("{}", help());
            ExitCode::SUCCESS
        }
        [unknown, ..] => {
            eprintln!("error: no chore named `{unknown}`\nhint: `cargo xtask help` lists them");
            ExitCode::from(2)
        }
    }
}

/// A workspace of its own: what is measured against is no dependency of the product.
fn bench(what: &[&str]) -> ExitCode {
    // What runs the program itself runs the one that stands here.
    let built = if what == ["tokens"] { Ok(()) } else { build_the_program() };
    let arguments =
        [&["run", "--release", "--quiet", "--manifest-path", "bench/Cargo.toml", "--"], what].concat();
    match built.and_then(|()| command::cargo(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// What is measured from outside has to be the present one.
fn build_the_program() -> Result<(), failure::Failure> {
    command::cargo(&["build", "--release", "--quiet", "-p", "hallpass"])
}

fn help() -> String {
    let usage = "\
cargo xtask test            every check, in this order; the first that fails ends it
cargo xtask test STEP...    only these
cargo xtask bench tokens    what verifying a token costs, beside others in the same run
cargo xtask bench revoke    how soon a revocation by another process binds, with 1,000 open streams (ROUNDS: another number than 100)
cargo xtask bench audit     what the audit log costs calls, beside none in the same run, and commands over a million records
                            (`calls` or `million`: only that)
cargo xtask corpus FILE...  token cases through the verifier and a real listener; without FILE ours;
                            `--keys FILE` if their keys are not in `keys.json` beside them
cargo xtask configs DIR     samples of clients' files through the editors; without DIR ours
cargo xtask clients         real clients, installed by npm (1.1 GB), read the files that Hallpass writes for them
cargo xtask docs            makes docs/clients.md from the tables of clients
cargo xtask pictures DIR    the report for auditors in Chromium, light, dark, narrow, wide and on paper; without DIR target/pictures
cargo xtask help            this text

Steps:
";
    let steps = steps::STEPS.iter().map(|step| format!("  {:<8} {}\n", step.name, step.about));
    steps.fold(usage.to_owned(), |text, step| text + &step)
}
