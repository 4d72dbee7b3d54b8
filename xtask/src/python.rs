//! Installs what the tests' Python part runs with into `target/python`, from its locked list.

use std::process::Command;

use crate::{
    command::{self, root},
    failure::Failure,
    installed,
};

const OLDEST_MINOR: u32 = 10;
pub(crate) const HINT: &str = "the tests verify our tokens with PyJWT and FastMCP: install Python 3.10 or newer with its venv module (`python3-venv` on Debian)";

pub(crate) fn install() -> Result<(), Failure> {
    let version = check_python()?;
    let list = root().join("tests/python/requirements.txt");
    let folder = root().join("target/python");
    // What was installed was built for one version of Python: another one needs it anew.
    let source = format!("{version}\n{}", installed::read(&list)?);
    installed::keep_up(&folder, &source, || {
        command::show("python3", &["-m", "venv", "--clear", &folder.display().to_string()])?;
        let list = list.display().to_string();
        let arguments = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--no-deps",
            "--only-binary",
            ":all:",
            "-r",
            &list,
        ];
        let pip = folder.join("bin/python");
        command::finish("python", &arguments, Command::new(pip).args(arguments).current_dir(root()))
    })
}

fn check_python() -> Result<String, Failure> {
    let version = command::read("python3", &["--version"])?.trim().to_owned();
    if minor(&version).is_none_or(|minor| minor < OLDEST_MINOR) {
        return Err(Failure::Missing { program: "python3", found: Some(version), hint: HINT });
    }
    // Debian leaves both out of its smallest Python.
    if !command::is_installed("python3", &["-c", "import ensurepip, venv"]) {
        return Err(Failure::Missing { program: "python3 -m venv", found: None, hint: HINT });
    }
    Ok(version)
}

fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("Python 3.")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::minor;

    #[test]
    fn python_tells_its_version_after_its_name() {
        assert_eq!(minor("Python 3.11.7"), Some(11));
        assert_eq!(minor("Python 3.9.2"), Some(9));
        assert_eq!(minor("Python 2.7.18"), None);
    }
}
