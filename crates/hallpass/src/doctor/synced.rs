//! Folders that a program carries to other machines. Asks whether some marks are there, and reads no file.

use super::facts::Synced;
use std::path::{Path, PathBuf};

/// The program that carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Dropbox,
    OneDrive,
    ICloud,
    GoogleDrive,
    /// One of those that macOS keeps together.
    CloudStorage,
    Syncthing,
}

impl Service {
    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Dropbox => "Dropbox",
            Self::OneDrive => "OneDrive",
            Self::ICloud => "iCloud",
            Self::GoogleDrive => "Google Drive",
            Self::CloudStorage => "a cloud",
            Self::Syncthing => "Syncthing",
        }
    }
}

/// The innermost such folder around a path without links. `exists`: whether a path is there.
pub(super) fn around(real: &Path, exists: impl Fn(&Path) -> bool) -> Option<Synced> {
    real.ancestors().skip(1).find_map(|folder| {
        let service = service(folder, &exists)?;
        Some(Synced { service, root: folder.to_owned() })
    })
}

fn service(folder: &Path, exists: impl Fn(&Path) -> bool) -> Option<Service> {
    let name = folder.file_name()?.to_str()?;
    let is_in_library = folder.parent().is_some_and(|parent| parent.ends_with("Library"));
    let starts = |word: &str| {
        name.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '-']))
    };
    if exists(&folder.join(".stfolder")) {
        Some(Service::Syncthing)
    } else if starts("Dropbox") || exists(&folder.join(".dropbox.cache")) {
        Some(Service::Dropbox)
    } else if starts("OneDrive") {
        Some(Service::OneDrive)
    } else if is_in_library && name == "Mobile Documents" {
        Some(Service::ICloud)
    } else if is_in_library && name == "CloudStorage" {
        Some(Service::CloudStorage)
    } else if starts("Google Drive") || matches!(name, "GoogleDrive" | "My Drive") {
        Some(Service::GoogleDrive)
    } else {
        None
    }
}

/// Whether Syncthing leaves a path out: `ignore` is its `.stignore`, whose first line that fits decides. Lines with signs
/// that stand for others are not looked at: then it counts as carried.
pub(super) fn is_left_out(ignore: &str, inside: &Path) -> bool {
    let fits = |pattern: &str| match pattern.strip_prefix('/') {
        Some(anchored) => inside.starts_with(anchored),
        None => inside.ancestors().any(|part| part.ends_with(PathBuf::from(pattern))),
    };
    let lines = ignore.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    for line in lines {
        let (mut pattern, mut leaves_out) = (line, true);
        // They may stand before the pattern in any order.
        while let Some((mark, rest)) =
            ["!", "(?d)", "(?i)"].iter().find_map(|mark| Some((mark, pattern.strip_prefix(mark)?)))
        {
            leaves_out &= *mark != "!";
            pattern = rest;
        }
        if !pattern.contains(['*', '?', '[', '{', '#']) && fits(pattern) {
            return leaves_out;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Service, around, is_left_out};
    use std::path::Path;

    #[test]
    fn folders_are_known_by_their_names_and_marks() {
        let marks = ["/home/a/notes/.stfolder", "/home/a/box/.dropbox.cache"];
        let exists = |path: &Path| marks.iter().any(|mark| Path::new(mark) == path);
        for (path, expect) in [
            ("/home/a/Dropbox/x/mcp.json", Some(Service::Dropbox)),
            ("/home/a/Dropbox (Work)/mcp.json", Some(Service::Dropbox)),
            ("/home/a/box/mcp.json", Some(Service::Dropbox)),
            ("/home/a/OneDrive - Firm/mcp.json", Some(Service::OneDrive)),
            ("/Users/a/Library/Mobile Documents/com~apple~CloudDocs/mcp.json", Some(Service::ICloud)),
            ("/Users/a/Library/CloudStorage/Box-Box/mcp.json", Some(Service::CloudStorage)),
            ("/home/a/Google Drive/mcp.json", Some(Service::GoogleDrive)),
            ("/home/a/notes/x/mcp.json", Some(Service::Syncthing)),
            ("/home/a/Dropboxes/mcp.json", None),
            ("/home/a/Mobile Documents/mcp.json", None),
            ("/home/a/.config/mcp.json", None),
        ] {
            assert_eq!(around(Path::new(path), exists).map(|synced| synced.service), expect, "{path}");
        }
    }

    #[test]
    fn the_first_line_that_fits_decides() {
        let path = Path::new("conf/mcp.json");
        for (ignore, expect) in [
            ("/conf/mcp.json\n", true),
            ("// a note\n\n/conf\n", true),
            ("mcp.json", true),
            ("conf/mcp.json", true),
            ("(?d)conf", true),
            ("!/conf/mcp.json\n/conf", false),
            ("(?i)!mcp.json\nmcp.json", false),
            ("/mcp.json", false),
            ("/con", false),
            ("*.json", false),
            ("", false),
        ] {
            assert_eq!(is_left_out(ignore, path), expect, "{ignore:?}");
        }
    }
}
