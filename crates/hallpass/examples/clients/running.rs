//! Runs a program to its end, with nothing of the user's environment. Knows no program.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use hallpass::environment;
use hallpass::fault::{Doing as _, Fault, Result};
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Longer than any of them takes.
const PATIENCE: Duration = Duration::from_mins(1);
/// Nobody listens there: whatever a program wants of the world, it gets no answer.
const NOWHERE: &str = "http://127.0.0.1:9";
const LOOPBACK: &str = "127.0.0.1,localhost";
/// A token is longer, and what else is said in one word is not.
const LONGEST_WORD: usize = 160;

/// A command whose folders are all below `user`.
pub(crate) fn command(program: impl AsRef<Path>, user: &Path) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env_clear().current_dir(user.join("work")).kill_on_drop(true);
    command.env("PATH", environment::variable("PATH").unwrap_or_default());
    command.env("HOME", user).env("TMPDIR", user.join("tmp")).env("NO_COLOR", "1");
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(proxy, NOWHERE).env(proxy.to_lowercase(), NOWHERE);
    }
    command.env("NO_PROXY", LOOPBACK).env("no_proxy", LOOPBACK);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The same for a program that may start others and leave them behind: all of them are a process group.
pub(crate) fn foreign(program: impl AsRef<Path>, user: &Path) -> Command {
    let mut command = command(program, user);
    command.process_group(0);
    command
}

/// What it printed, whatever its exit code.
pub(crate) async fn finish(mut command: Command) -> Result<Output> {
    let shown = PathBuf::from(command.as_std().get_program());
    let shown = shown.display();
    let child = command.spawn().doing(format!("cannot start `{shown}`"))?;
    let group = group(&child);
    let ended = timeout(PATIENCE, child.wait_with_output()).await;
    let Ok(output) = ended else {
        end(group);
        return Err(Fault::new(format!("`{shown}` does not end within {} s", PATIENCE.as_secs())));
    };
    output.doing(format!("`{shown}`"))
}

/// The process group of one that [`foreign`] made: it has the number of its first process.
pub(crate) fn group(child: &Child) -> Option<Pid> {
    Pid::from_raw(child.id()?.cast_signed())
}

/// Ends what a program has started along with it.
pub(crate) fn end(group: Option<Pid>) {
    if let Some(group) = group {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
}

/// For a person to read: without control characters, and without words so long that one could be a token.
pub(crate) fn readable(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words =
        plain.split_whitespace().map(|word| if word.len() > LONGEST_WORD { "[a long word]" } else { word });
    words.collect::<Vec<_>>().join(" ")
}
