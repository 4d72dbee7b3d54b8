//! Where a client's own file is on this machine: looks which are there.

use crate::atomic_file::{Original, target_of};
use crate::environment;
use crate::fault::{Fault, Result};
use hallpass_clients::{Candidate, Client, Machine, Os, Scope};
use hallpass_store::ClientRow;
use std::path::{Path, PathBuf};

/// The files that a client may have here, best first for each scope. `project`: the folder of a project, absolute.
pub fn candidates(app: &Client, project: Option<&str>) -> Vec<Candidate> {
    on_this_machine(project, |machine| app.candidates(machine))
}

/// Files that former versions of a client read: a token there is nobody's any more.
pub fn former_files(app: &Client) -> Vec<String> {
    on_this_machine(None, |machine| app.former_files(machine))
}

fn on_this_machine<T: Default>(project: Option<&str>, ask: impl FnOnce(&Machine<'_>) -> T) -> T {
    let Some(home) = environment::text("HOME") else { return T::default() };
    let variable = |name: &str| environment::text(name);
    let os = if cfg!(target_os = "macos") { Os::Macos } else { Os::Linux };
    ask(&Machine { os, home: &home, variable: &variable, project })
}

/// Refuses a file of the client's own that it does not read, because another one is there.
pub(super) fn check_is_read(app: &Client, file: &Path) -> Result<()> {
    let instead = on_this_machine(None, |machine| app.overruling_files(machine));
    let Some(instead) = instead.into_iter().find(|instead| Path::new(instead).exists()) else {
        return Ok(());
    };
    if !candidates(app, None).iter().any(|candidate| Path::new(&candidate.path) == file) {
        return Ok(());
    }
    Err(Fault::new(format!("{} reads `{instead}` instead of `{}`", app.name, file.display()))
        .hint("that one is not edited: take it away, or name another file that the client reads (`config`, `--config`)"))
}

/// What stands in the file; nothing if it cannot be read, which is told where it is edited.
pub(super) fn text(file: &Path) -> Vec<u8> {
    target_of(file).and_then(|file| Original::read(&file)).map(|original| original.bytes).unwrap_or_default()
}

/// The user's own file of a client: the first that is there, else the first that could be.
pub(super) fn own(app: &Client, client: &ClientRow) -> Result<PathBuf> {
    let files: Vec<PathBuf> = candidates(app, None)
        .into_iter()
        .filter(|candidate| candidate.scope == Scope::User && !candidate.path.contains('*'))
        .map(|candidate| candidate.path.into())
        .collect();
    let there = files.iter().find(|file| file.exists());
    there.or(files.first()).cloned().ok_or_else(|| {
        Fault::new(format!("{} has no configuration file of its own that is known", app.name))
            .hint(format!("name the file: `config = \"...\"` in [clients.{}], or `--config`", client.name))
    })
}

/// The files that a path leads to: a `*` stands for any run of characters in one name.
pub fn expanded(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in path.components() {
        let part = part.as_os_str();
        let Some((before, after)) = part.to_str().and_then(|name| name.split_once('*')) else {
            for path in &mut found {
                path.push(part);
            }
            continue;
        };
        found = found.iter().flat_map(|folder| matching(folder, before, after)).collect();
    }
    found
}

fn matching(folder: &Path, before: &str, after: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let fits = |name: &str| {
        name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
    };
    let mut names: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(fits))
        .map(|entry| entry.path())
        .collect();
    names.sort();
    names
}
