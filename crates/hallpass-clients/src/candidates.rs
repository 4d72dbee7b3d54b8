//! Where a client's files are on one machine: folder and environment come in, paths come out. Looks at no file.

use crate::client::Client;

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

impl Client {
    /// Where its files may be, best first for each scope.
    pub fn candidates(&self, machine: &Machine<'_>) -> Vec<Candidate> {
        let user = match machine.os {
            Os::Linux => &self.linux,
            Os::Macos => &self.macos,
            Os::Windows => &self.windows,
        };
        let moved: Vec<_> = self
            .variables
            .iter()
            .filter_map(|variable| {
                let value = (machine.variable)(&variable.name)?;
                Some((machine.separated(&format!("{value}{}", variable.rest)), variable.adds))
            })
            .collect();
        let replaced = moved.iter().any(|(_, adds)| !adds);
        let usual = user.iter().filter(|_| !replaced).filter_map(|path| machine.path(path));
        let found = |scope, paths: &[String]| -> Vec<Candidate> {
            paths.iter().filter_map(|path| Some(Candidate { scope, path: machine.path(path)? })).collect()
        };
        let mut all: Vec<_> = moved
            .iter()
            .map(|(path, _)| path.clone())
            .chain(usual)
            .map(|path| Candidate { scope: Scope::User, path })
            .collect();
        all.extend(found(Scope::Profile, &self.profiles));
        all.extend(found(Scope::Remote, &self.remote));
        all.extend(found(Scope::Project, &self.project));
        all
    }
}

impl Machine<'_> {
    /// A path of the table on this machine; nothing if it is one of another system, or of a project and there is none.
    fn path(&self, path: &str) -> Option<String> {
        let (root, rest) = path.split_once('/')?;
        let root = match (root, self.os) {
            ("~", Os::Linux | Os::Windows) if rest.starts_with("Library/Application Support/") => {
                return None;
            }
            ("~", Os::Linux | Os::Macos | Os::Windows) => self.home.to_owned(),
            ("$XDG_CONFIG_HOME", Os::Linux) => {
                self.variable("XDG_CONFIG_HOME").unwrap_or_else(|| format!("{}/.config", self.home))
            }
            ("%APPDATA%", Os::Windows) => {
                self.variable("APPDATA").unwrap_or_else(|| format!("{}/AppData/Roaming", self.home))
            }
            ("%LOCALAPPDATA%", Os::Windows) => {
                self.variable("LOCALAPPDATA").unwrap_or_else(|| format!("{}/AppData/Local", self.home))
            }
            ("<project>", Os::Linux | Os::Macos | Os::Windows) => self.project?.to_owned(),
            (_, Os::Linux | Os::Macos | Os::Windows) => return None,
        };
        Some(self.separated(&format!("{}/{rest}", root.trim_end_matches('/'))))
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }

    fn separated(&self, path: &str) -> String {
        match self.os {
            Os::Linux | Os::Macos => path.to_owned(),
            Os::Windows => path.replace('/', "\\"),
        }
    }
}
