//! The checks and their order: what is quick and often wrong comes first.
//! The first that does not hold ends the run, for what follows would only repeat it.

use std::{
    process::{Command, ExitCode},
    time::Instant,
};

use crate::{
    command::{self, cargo, root},
    configs, corpus, design, docs,
    failure::Failure,
    faketime, npm, policy, python,
};

pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    run: fn() -> Result<(), Failure>,
}

pub(crate) const STEPS: [Step; 14] = [
    Step { name: "fmt", about: "the code is formatted", run: fmt },
    Step {
        name: "design",
        about: "the core does no I/O, the gateway has no store and no key, the audit log stands alone",
        run: design,
    },
    Step { name: "policy", about: "licences and bans of `deny.toml`", run: policy },
    Step { name: "clippy", about: "no lint is broken", run: clippy },
    Step { name: "doc", about: "the documentation builds without a warning", run: doc },
    Step { name: "npm", about: "the TypeScript client of the end-to-end tests is installed", run: npm },
    Step { name: "python", about: "the Python libraries that verify our tokens are installed", run: python },
    Step {
        name: "faketime",
        about: "what holds the clock in tests is installed where that may be done",
        run: faketime,
    },
    Step { name: "build", about: "the program and every test are built", run: build },
    // Before the tests: it is quick, and the first thing a stranger runs.
    Step { name: "tour", about: "the tour holds what it shows", run: tour },
    Step { name: "corpus", about: "every token case of the corpus ends as it should", run: corpus::own },
    Step {
        name: "configs",
        about: "every sample of a client's file is edited as it should be",
        run: configs::own,
    },
    Step { name: "pages", about: "docs/clients.md says what the tables of clients say", run: docs::check },
    Step { name: "test", about: "every test, end-to-end and documentation included", run: test_all },
];

/// All steps, or the named ones in the order of [`STEPS`].
pub(crate) fn test(names: &[&str]) -> ExitCode {
    if let Some(unknown) = names.iter().find(|name| !STEPS.iter().any(|step| step.name == **name)) {
        eprintln!("error: no step named `{unknown}`\nhint: `cargo xtask help` lists them");
        return ExitCode::from(2);
    }
    let begun = now();
    for step in STEPS.iter().filter(|step| names.is_empty() || names.contains(&step.name)) {
        if !holds(step) {
            return ExitCode::FAILURE;
        }
    }
    println!("every step holds, in {:.1} s", begun.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}

fn holds(step: &Step) -> bool {
    println!("==> {}: {}", step.name, step.about);
    let begun = now();
    let outcome = (step.run)();
    let took = begun.elapsed().as_secs_f64();
    match outcome {
        Ok(()) => println!("<== {} holds, {took:.1} s\n", step.name),
        Err(ref failure) => eprintln!(
            "<== {name} does not hold, {took:.1} s\nerror: {failure}\nhint: `cargo xtask test {name}` runs this step alone",
            name = step.name
        ),
    }
    outcome.is_ok()
}

fn fmt() -> Result<(), Failure> {
    cargo(&["fmt", "--all", "--check"])
}

fn design() -> Result<(), Failure> {
    design::check()
}

fn policy() -> Result<(), Failure> {
    policy::check()
}

fn clippy() -> Result<(), Failure> {
    cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn doc() -> Result<(), Failure> {
    let arguments = ["doc", "--release", "--no-deps", "--workspace"];
    let mut command = Command::new("cargo");
    command.args(arguments).env("RUSTDOCFLAGS", "-D warnings").current_dir(root());
    command::finish("cargo", &arguments, &mut command)
}

fn npm() -> Result<(), Failure> {
    npm::install("tests/typescript")
}

fn python() -> Result<(), Failure> {
    python::install()
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a step like the others; what cannot be installed is skipped by name"
)]
fn faketime() -> Result<(), Failure> {
    faketime::install();
    Ok(())
}

fn build() -> Result<(), Failure> {
    cargo(&["test", "--release", "--workspace", "--no-run"])
}

fn tour() -> Result<(), Failure> {
    command::show("target/release/hallpass", &["tour"])
}

fn test_all() -> Result<(), Failure> {
    cargo(&["test", "--release", "--workspace"])
}

fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a step's duration is shown to a person, and decides nothing"
    )]
    Instant::now()
}
