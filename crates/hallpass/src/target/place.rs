//! Where a client's own file is on this machine. Looks which are there, reads none.

use crate::environment;
use crate::fault::{Fault, Result};
use hallpass_clients::{Candidate, Client, Machine, Os, Scope};
use hallpass_store::ClientRow;
use std::path::{Path, PathBuf};

/// The files that a client may have here, best first for each scope. `project`: the folder of a project, absolute.
pub fn candidates(app: &Client, project: Option<&str>) -> Vec<Candidate> {
    let Some(home) = environment::text("HOME") else { return Vec::new() };
    let variable = |name: &str| environment::text(name);
    let os = if cfg!(target_os = "macos") { Os::Macos } else { Os::Linux };
    app.candidates(&Machine { os, home: &home, variable: &variable, project })
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
