//! Every regular file below a folder. Follows no link, and enters nothing that is no disk.

use std::io;
use std::path::Path;

/// What the system makes up while it is read.
const MADE_UP: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Calls `each` for every file below `start`, or for `start` itself, and `unread` for what cannot be looked at.
pub(super) fn walk(start: &Path, mut each: impl FnMut(&Path), mut unread: impl FnMut(&Path, &io::Error)) {
    let mut folders = Vec::new();
    match std::fs::metadata(start) {
        Ok(meta) if meta.is_dir() => folders.push(start.to_owned()),
        Ok(_) => each(start),
        Err(error) => unread(start, &error),
    }
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                unread(&folder, &error);
                continue;
            }
        };
        for entry in entries {
            match entry.and_then(|entry| entry.file_type().map(|kind| (entry.path(), kind))) {
                Ok((path, kind)) if kind.is_dir() && !is_left_out(&path) => folders.push(path),
                Ok((path, kind)) if kind.is_file() => each(&path),
                Ok(_) => {}
                Err(error) => unread(&folder, &error),
            }
        }
    }
}

/// Git's objects are compressed: they are asked of git, if at all.
fn is_left_out(folder: &Path) -> bool {
    let is_git_s = folder.file_name().is_some_and(|name| name == "objects")
        && folder.parent().is_some_and(|parent| parent.join("HEAD").is_file());
    is_git_s || MADE_UP.iter().any(|made_up| folder == Path::new(made_up))
}
