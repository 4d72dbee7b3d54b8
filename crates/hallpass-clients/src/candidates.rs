//! Where a client's files are on one machine: folder and environment come in, paths come out. Looks at no file.

use serde::Deserialize;
use serde_json::Value;

use crate::client::{Client, Variable, client};
use crate::{Found, KeyPath, read};

/// An operating system with its own folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Os {
    /// Linux and other free systems.
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
}

/// What paths depend on.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    /// Its operating system.
    pub os: Os,
    /// The user's home, absolute.
    pub home: &'a str,
    /// The value of an environment variable that is set and not empty.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The folder of the project, absolute, if there is one.
    pub project: Option<&'a str>,
}

/// Which instance of a client reads a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The user's own, in every project.
    User,
    /// One profile of the user.
    Profile,
    /// The client's part on a machine that the user reaches from another one.
    Remote,
    /// One project.
    Project,
}

/// A file that a client would read if it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which instance reads it.
    pub scope: Scope,
    /// Absolute, with the machine's separators; a `*` in a name stands for any run of characters.
    pub path: String,
}

/// Paths for each system.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Places {
    pub(crate) linux: Vec<String>,
    pub(crate) macos: Vec<String>,
    pub(crate) windows: Vec<String>,
}

impl Client {
    /// Where its files may be, best first for each scope.
    pub fn candidates(&self, machine: &Machine<'_>) -> Vec<Candidate> {
        let user = match machine.os {
            Os::Linux => &self.linux,
            Os::Macos => &self.macos,
            Os::Windows => &self.windows,
        };
        // Of the variables that put another file in the place of the usual one, the first that is set counts.
        let first = self.variables.iter().find(|variable| !variable.adds && machine.has(&variable.name));
        let counts =
            |variable: &&Variable| variable.adds || first.is_some_and(|first| first.name == variable.name);
        let moved = self.variables.iter().filter(counts).filter_map(|variable| machine.moved(variable));
        let usual = user.iter().filter(|_| first.is_none()).filter_map(|path| machine.path(path));
        let in_scope = |scope, paths: &[String]| {
            machine.paths(paths).map(move |path| Candidate { scope, path }).collect()
        };
        let others: [Vec<Candidate>; 3] = [
            in_scope(Scope::Profile, self.profiles.on(machine.os)),
            in_scope(Scope::Remote, &self.remote),
            in_scope(Scope::Project, &self.project),
        ];
        let user = moved.chain(usual).map(|path| Candidate { scope: Scope::User, path });
        user.chain(others.into_iter().flatten()).collect()
    }

    /// Files that former versions read: a token there is not seen any more.
    pub fn former_files(&self, machine: &Machine<'_>) -> Vec<String> {
        machine.paths(self.former.on(machine.os)).collect()
    }

    /// Files that it reads instead of the candidates if they are there, and that are not edited.
    pub fn overruling_files(&self, machine: &Machine<'_>) -> Vec<String> {
        machine.paths(self.instead.on(machine.os)).collect()
    }

    /// Whether its file may be written in a newer form, which the text of the file tells.
    pub fn has_newer_form(&self) -> bool {
        self.newer.is_some()
    }

    /// This client, or its newer form if the file with this text is written for that one.
    pub fn form_of(&self, text: &[u8]) -> &Self {
        let newer = self.newer.as_deref().and_then(client);
        newer.filter(|newer| newer.has_servers(text)).unwrap_or(self)
    }

    /// Whether a text has the container, and nothing but objects in it.
    fn has_servers(&self, text: &[u8]) -> bool {
        let (Ok(container), Some(dialect)) = (KeyPath::try_from(self.container().to_vec()), self.dialect())
        else {
            return false;
        };
        let Ok(Found::Present(there)) = read(text, dialect, &container) else { return false };
        there.value.as_ref().and_then(Value::as_object).is_some_and(|map| map.values().all(Value::is_object))
    }
}

impl Places {
    pub(crate) fn on(&self, os: Os) -> &[String] {
        match os {
            Os::Linux => &self.linux,
            Os::Macos => &self.macos,
            Os::Windows => &self.windows,
        }
    }
}

impl Machine<'_> {
    fn paths(&self, paths: &[String]) -> impl Iterator<Item = String> {
        paths.iter().filter_map(|path| self.path(path))
    }

    /// A path of the table on this machine; nothing if it is one of another system, or of a project and there is none.
    fn path(&self, path: &str) -> Option<String> {
        let (root, rest) = path.split_once('/')?;
        let folder = |variable: &str, usual: &str| {
            let set = (self.variable)(variable).filter(|value| self.is_absolute(value));
            set.unwrap_or_else(|| format!("{}/{usual}", self.home))
        };
        let root = match (root, self.os) {
            ("~", Os::Linux | Os::Macos | Os::Windows) => self.home.to_owned(),
            ("$XDG_CONFIG_HOME", Os::Linux | Os::Macos | Os::Windows) => folder("XDG_CONFIG_HOME", ".config"),
            ("%APPDATA%", Os::Windows) => folder("APPDATA", "AppData/Roaming"),
            ("%LOCALAPPDATA%", Os::Windows) => folder("LOCALAPPDATA", "AppData/Local"),
            ("<project>", Os::Linux | Os::Macos | Os::Windows) => self.project?.to_owned(),
            (_, Os::Linux | Os::Macos | Os::Windows) => return None,
        };
        Some(self.joined(&root, &format!("/{rest}")))
    }

    fn has(&self, variable: &str) -> bool {
        (self.variable)(variable).is_some()
    }

    /// The file that a variable names. One that counts from the folder that the client is started in names none.
    fn moved(&self, variable: &Variable) -> Option<String> {
        let value = (self.variable)(&variable.name).filter(|value| self.is_absolute(value))?;
        Some(self.joined(&value, &variable.rest))
    }

    fn is_absolute(&self, path: &str) -> bool {
        match (self.os, path.as_bytes()) {
            (Os::Linux | Os::Macos, [first, ..]) => *first == b'/',
            (Os::Windows, [b'\\', b'\\', ..]) => true,
            (Os::Windows, [drive, b':', b'/' | b'\\', ..]) => drive.is_ascii_alphabetic(),
            (Os::Linux | Os::Macos | Os::Windows, _) => false,
        }
    }

    fn joined(&self, root: &str, rest: &str) -> String {
        match self.os {
            Os::Linux | Os::Macos => format!("{}{rest}", root.trim_end_matches('/')),
            Os::Windows => format!("{}{rest}", root.trim_end_matches(['/', '\\'])).replace('/', "\\"),
        }
    }
}
