//! Installs the TypeScript client of the end-to-end tests from its lock file.
//! Does nothing when what is there came from that same lock file.

use std::{fs, path::Path, process::Command};

use crate::{
    command::{self, root},
    failure::Failure,
};

const OLDEST_NODE: u32 = 20;
const NODE_HINT: &str = "the end-to-end tests run the TypeScript SDK: install Node.js 20 or newer, with npm";

pub(crate) fn install() -> Result<(), Failure> {
    check_node()?;
    let folder = root().join("tests/typescript");
    let lock = read(&folder.join("package-lock.json"))?;
    // A copy of the lock file stands next to what was installed from it.
    let mark = folder.join("node_modules/.installed-from");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == lock) {
        println!("tests/typescript/node_modules is up to date");
        return Ok(());
    }
    let arguments = ["ci", "--no-audit", "--no-fund"];
    command::finish("npm", &arguments, Command::new("npm").args(arguments).current_dir(&folder))?;
    #[expect(clippy::disallowed_methods, reason = "a mark that may be lost: then npm runs once more")]
    fs::write(&mark, lock).map_err(|error| unusable(&mark, &error))
}

fn check_node() -> Result<(), Failure> {
    command::read("npm", &["--version"])?;
    let version = command::read("node", &["--version"])?.trim().to_owned();
    if major(&version).is_some_and(|major| major >= OLDEST_NODE) {
        return Ok(());
    }
    Err(Failure::Missing { program: "node", found: Some(version), hint: NODE_HINT })
}

fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::File { path: path.display().to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn node_tells_its_version_with_a_v() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("v9.1"), Some(9));
        assert_eq!(major("twenty"), None);
    }
}
