//! Looks at the home's own files from outside. Opens none of them.

use super::real;
use crate::doctor::facts::{HomeFacts, ShimLink, Synced};
use crate::doctor::look::program;
use crate::doctor::synced::{self, Service};
use crate::home::Home;
use hallpass_store::PlacementRow;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What others may do there.
pub(super) fn look(home: &Home, own_program: &Path) -> HomeFacts {
    let folder = home.folder();
    let beside = |end: &str| PathBuf::from(format!("{}{end}", home.database().display()));
    let own = [
        folder.to_owned(),
        home.tokens(),
        home.database(),
        beside("-wal"),
        beside("-shm"),
        home.seal_key(),
        home.admin_token(),
    ];
    let open = own.into_iter().filter_map(|path| {
        let mode = fs::metadata(&path).ok()?.mode() & 0o777;
        (mode & 0o077 != 0).then_some((path, mode))
    });
    let around = folder.parent().filter(|around| {
        // Where only an owner may take a name away, nobody puts another home there.
        fs::metadata(around).is_ok_and(|meta| meta.mode() & 0o1002 == 0o002)
    });
    HomeFacts {
        folder: folder.to_owned(),
        real: real(folder),
        open: open.collect(),
        open_around: around.map(Path::to_owned),
        synced: carried(&home.tokens().join("any")),
        shim: shim(home, own_program),
    }
}

fn shim(home: &Home, own_program: &Path) -> Option<ShimLink> {
    let path = home.shim_link();
    let leads_to = fs::read_link(&path).ok()?;
    Some(ShimLink { leads_to: program(&home.folder().join(leads_to), own_program), path })
}

/// The folder around a file that a program carries elsewhere, unless it was told not to.
pub(super) fn carried(file: &Path) -> Option<Synced> {
    let name = file.file_name()?;
    let file = real(file.parent()?).join(name);
    let synced = synced::around(&file, Path::exists)?;
    if synced.service == Service::Syncthing {
        let ignore = fs::read_to_string(synced.root.join(".stignore")).unwrap_or_default();
        if synced::is_left_out(&ignore, file.strip_prefix(&synced.root).ok()?) {
            return None;
        }
    }
    Some(synced)
}

/// Files in the folder of tokens in which no client's token is kept.
pub(super) fn nobodys_token_files(home: &Home, placements: &[PlacementRow]) -> Vec<PathBuf> {
    let kept: Vec<PathBuf> = placements
        .iter()
        .filter_map(|row| row.token_file.as_deref())
        .map(|file| real(Path::new(file)))
        .collect();
    let entries = fs::read_dir(home.tokens()).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()))
        .map(|entry| entry.path())
        .filter(|path| !kept.contains(&real(path)))
        .collect();
    files.sort();
    files
}
