//! Runs a command in the workspace's folder, its output in sight or in hand.
//! No shell, and nothing is retried.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::failure::Failure;

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Runs with the terminal's own output, so that nothing a tool says is lost.
pub(crate) fn show(program: &'static str, arguments: &[&str]) -> Result<(), Failure> {
    finish(program, arguments, Command::new(program).args(arguments).current_dir(root()))
}

pub(crate) fn cargo(arguments: &[&str]) -> Result<(), Failure> {
    show("cargo", arguments)
}

/// As [`show`], for a command that was prepared further.
pub(crate) fn finish(
    program: &'static str,
    arguments: &[&str],
    command: &mut Command,
) -> Result<(), Failure> {
    println!("$ {program} {}", arguments.join(" "));
    let status = command.status().map_err(|_| missing(program))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Ended { command: format!("{program} {}", arguments.join(" ")), status })
}

/// Standard output as text.
pub(crate) fn read(program: &'static str, arguments: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).stderr(Stdio::inherit());
    let output = command.output().map_err(|_| missing(program))?;
    if !output.status.success() {
        let command = format!("{program} {}", arguments.join(" "));
        return Err(Failure::Ended { command, status: output.status });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program of this name starts and says its version.
pub(crate) fn is_installed(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn missing(program: &'static str) -> Failure {
    let hint = match program {
        "node" | "npm" => crate::npm::NODE_HINT,
        "python3" => crate::python::HINT,
        _ => "`cargo xtask test` needs it",
    };
    Failure::Missing { program, found: None, hint }
}
