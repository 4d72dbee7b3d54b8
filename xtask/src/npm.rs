//! Installs what npm has for the tests from its lock file: the TypeScript client, and real clients.

use std::process::Command;

use crate::{
    command::{self, root},
    failure::Failure,
    installed,
};

const OLDEST_NODE: u32 = 20;
pub(crate) const NODE_HINT: &str = "the TypeScript SDK of the end-to-end tests and real clients run on it: install Node.js 20 or newer, with npm";

/// `folder`: one with a lock file, in the workspace.
pub(crate) fn install(folder: &str) -> Result<(), Failure> {
    check_node()?;
    let folder = root().join(folder);
    let lock = installed::read(&folder.join("package-lock.json"))?;
    installed::keep_up(&folder.join("node_modules"), &lock, || {
        let arguments = ["ci", "--no-audit", "--no-fund"];
        command::finish("npm", &arguments, Command::new("npm").args(arguments).current_dir(&folder))
    })
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
