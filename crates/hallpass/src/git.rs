//! Asks git, and changes nothing: whether it would commit a file, and whatever else others ask.

use crate::environment;
use std::path::Path;
use std::process::{Command, Stdio};

/// What git thinks of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitView {
    /// It is in no work tree.
    Outside,
    /// It is ignored and not tracked: it would not be committed.
    Ignored,
    /// It is tracked, or would be added: a secret in it would be published.
    WouldCommit,
}

/// Looks for a work tree around `file` and asks git about it. Without git on the machine, a work tree counts as one that
/// would commit the file: that is the safe reading.
pub fn view(file: &Path) -> GitView {
    let Some(folder) = file.parent() else { return GitView::Outside };
    if !folder.ancestors().any(|ancestor| ancestor.join(".git").exists()) {
        return GitView::Outside;
    }
    // A file's name is no pattern.
    if ask(folder, &["--literal-pathspecs", "ls-files", "--error-unmatch", "--"], file) {
        return GitView::WouldCommit;
    }
    // Without the index, which would be searched by pattern: what is in it was just asked for.
    if ask(folder, &["check-ignore", "--quiet", "--no-index", "--"], file) {
        GitView::Ignored
    } else {
        GitView::WouldCommit
    }
}

fn ask(folder: &Path, question: &[&str], file: &Path) -> bool {
    let mut command = command(folder);
    let asked = command.args(question).arg(file).stdin(Stdio::null()).stdout(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Git in a folder, reading only, its complaints unheard.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    // What the caller's shell says of another repository, index, configuration or way to read paths is about something
    // else: a hook or a script that runs us has set it for its own.
    for name in environment::names_with("GIT_") {
        command.env_remove(name);
    }
    command
        .arg("-C")
        .arg(folder)
        // The repository is not ours: nothing that its configuration names may run.
        .args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"])
        // `log` would start `gpg.program`, and fetch what a partial clone lacks by whatever starts for that.
        .args(["-c", "log.showSignature=false", "-c", "protocol.allow=never"])
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stderr(Stdio::null());
    command
}
