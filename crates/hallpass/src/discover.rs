//! Which MCP clients are on this machine, by the files and folders that they leave. Reads no file.

use crate::atomic_file::target_of;
use crate::target::{candidates, expanded};
use hallpass_clients::{Client, Scope, clients};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A client's file that is there, or that would be read if it were.
#[derive(Clone, Debug)]
pub struct Found {
    /// The program.
    pub app: &'static Client,
    /// Its file, absolute.
    pub file: PathBuf,
    /// A name for the client, unless another has it.
    pub name: String,
}

/// What is on this machine. `project`: the folder of a project, whose own files count too.
pub fn discover(project: Option<&Path>) -> Vec<Found> {
    let mut seen = HashSet::new();
    let found = clients().iter().flat_map(|app| instances(app, project));
    // Some programs read the file of another: the first has it.
    found.filter(|found| seen.insert(target_of(&found.file).unwrap_or_else(|_| found.file.clone()))).collect()
}

fn instances(app: &'static Client, project: Option<&Path>) -> Vec<Found> {
    let mut found = Vec::new();
    let mut user = Vec::new();
    for candidate in candidates(app, project.and_then(Path::to_str)) {
        for file in expanded(Path::new(&candidate.path)) {
            match candidate.scope {
                Scope::User => user.push(file),
                scope if file.is_file() => {
                    let name = instance_name(app, scope, &file, project);
                    found.push(Found { app, file, name });
                }
                Scope::Profile | Scope::Remote | Scope::Project => {}
            }
        }
    }
    // A client reads one of the places of a user, or all of them: one entry is enough.
    let there =
        user.iter().find(|file| file.is_file()).or_else(|| user.iter().find(|file| has_own_folder(file)));
    found.extend(there.map(|file| Found { app, file: file.clone(), name: app.id.clone() }));
    found.sort_by(|one, other| one.name.len().cmp(&other.name.len()).then(one.name.cmp(&other.name)));
    found
}

/// Whether the folder of the file is there and says that the program was started once: `~/.cursor` does, `~` does not.
fn has_own_folder(file: &Path) -> bool {
    let Some(folder) = file.parent() else { return false };
    let home = crate::environment::variable("HOME").map(PathBuf::from).unwrap_or_default();
    let shared = [home.clone(), home.join(".config"), home.join("Library/Application Support")];
    let moved = crate::environment::variable("XDG_CONFIG_HOME").map(PathBuf::from);
    folder.is_dir() && !shared.iter().chain(moved.iter()).any(|shared| shared == folder)
}

fn instance_name(app: &Client, scope: Scope, file: &Path, project: Option<&Path>) -> String {
    let of = |path: Option<&Path>| {
        path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let rest = match scope {
        Scope::User => String::new(),
        Scope::Profile => of(file.parent()),
        Scope::Remote => "remote".into(),
        Scope::Project => of(project),
    };
    name_of(&format!("{}-{rest}", app.id))
}

/// The text as a client's name: a-z, 0-9 and single `-`, at most 63 characters.
fn name_of(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(63).collect();
    name.trim_end_matches('-').to_owned()
}

/// A name that nobody has: `name`, else with a number behind it.
pub fn free_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2_u32..).map(|number| {
        let number = format!("-{number}");
        format!("{}{number}", &name[..name.len().min(63 - number.len())])
    });
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{free_name, name_of};
    use hallpass_core::ClientName;

    #[test]
    fn names_are_names_whatever_a_folder_is_called() {
        for (text, expect) in [
            ("vscode--1a2B_c3", "vscode-1a2b-c3"),
            ("claude-code-Über uns", "claude-code-ber-uns"),
            ("codex-", "codex"),
        ] {
            assert_eq!(name_of(text), expect);
            assert!(ClientName::new(expect).is_ok());
        }
        let long = name_of(&format!("vscode-{}", "x".repeat(90)));
        assert!(long.len() == 63 && ClientName::new(&long).is_ok());
        assert!(ClientName::new(&free_name(&long, |name| name == long)).is_ok());
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let taken = ["codex", "codex-2"];
        assert_eq!(free_name("codex", |name| taken.contains(&name)), "codex-3");
        assert_eq!(free_name("goose", |name| taken.contains(&name)), "goose");
    }
}
