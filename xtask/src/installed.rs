//! Installs what tests run with, and does it again only when what it is installed from has changed.
//! Knows no package manager.

use std::{fs, path::Path};

use crate::failure::Failure;

/// `folder` holds what was made from the text `source`: a copy of that stands in it. `install` makes it anew.
pub(crate) fn keep_up(
    folder: &Path,
    source: &str,
    install: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mark = folder.join(".installed-from");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == source) {
        println!("{} is up to date", folder.display());
        return Ok(());
    }
    install()?;
    #[expect(clippy::disallowed_methods, reason = "a mark that may be lost: then it is installed once more")]
    fs::write(&mark, source).map_err(|error| unusable(&mark, &error))
}

/// The list or lock file that it is installed from.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::File { path: path.display().to_string(), reason: error.to_string() }
}
