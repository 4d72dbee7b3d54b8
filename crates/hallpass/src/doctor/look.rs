//! Looks at one file: what it is, who may read it, what it holds. Opens regular files only, and follows links as commands do
//! that would write.

use super::facts::{Program, ProgramState, Trouble};
use crate::atomic_file::{Original, target_of};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Links that lead to one another.
const LINKS_MOST: usize = 16;

/// What a file is, and what is in it.
pub(super) struct Looked {
    /// Behind links.
    pub(super) real: PathBuf,
    /// `None`: it could be read.
    pub(super) trouble: Option<Trouble>,
    /// Permission bits.
    pub(super) mode: u32,
    /// Its folder, if everybody may write there.
    pub(super) open_folder: Option<PathBuf>,
    /// What it holds.
    pub(super) bytes: Vec<u8>,
}

/// `None`: there is nothing, or a folder.
pub(super) fn look(path: &Path) -> Option<Looked> {
    let real = match target_of(path) {
        Ok(real) => real,
        Err(fault) => {
            let trouble = trouble_of_link(path, &fault.to_string());
            return Some(Looked::with(path.to_owned(), trouble));
        }
    };
    match fs::symlink_metadata(&real) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            let trouble = unreadable(&real, error.to_string());
            Some(Looked::with(real, trouble))
        }
        Ok(meta) if meta.is_dir() => None,
        Ok(meta) if !meta.is_file() => Some(Looked::with(real, Trouble::Special)),
        Ok(meta) => Some(read(real, meta.mode() & 0o777)),
    }
}

fn read(real: PathBuf, mode: u32) -> Looked {
    let open_folder = real.parent().filter(|folder| is_open_folder(folder)).map(Path::to_owned);
    let (bytes, trouble) = match Original::read(&real) {
        Ok(original) => (original.bytes, None),
        Err(fault) => (Vec::new(), Some(unreadable(&real, fault.to_string()))),
    };
    Looked { real, trouble, mode, open_folder, bytes }
}

impl Looked {
    fn with(real: PathBuf, trouble: Trouble) -> Self {
        Self { real, trouble: Some(trouble), mode: 0, open_folder: None, bytes: Vec::new() }
    }
}

/// Why a link is not followed.
fn trouble_of_link(path: &Path, why: &str) -> Trouble {
    let mut file = path.to_owned();
    for _ in 0..LINKS_MOST {
        let Ok(next) = fs::read_link(&file) else { break };
        let folder = file.parent().unwrap_or(Path::new("."));
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        if is_open_folder(&folder) {
            return Trouble::OpenLink(folder);
        }
        file = folder.join(next);
    }
    match fs::symlink_metadata(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Trouble::LinkToNowhere,
        Ok(meta) if meta.is_symlink() => Trouble::LinkToNowhere,
        Ok(_) | Err(_) => unreadable(&file, why.to_owned()),
    }
}

/// What stops us from reading is the file, or the folder that hides it.
fn unreadable(path: &Path, why: String) -> Trouble {
    let own_uid = rustix::process::geteuid().as_raw();
    let there = path.ancestors().find_map(|path| Some((path, fs::symlink_metadata(path).ok()?)));
    let (stopped_by, is_folder, is_own) =
        there.map_or((path, false, true), |(path, meta)| (path, meta.is_dir(), meta.uid() == own_uid));
    Trouble::Unreadable { why, stopped_by: stopped_by.to_owned(), is_folder, is_own, own_uid }
}

/// Whether everybody may write in a folder.
pub(super) fn is_open_folder(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|meta| meta.is_dir() && meta.mode() & 0o002 != 0)
}

/// What stands at a program's path. `own`: this program, without links.
pub(super) fn program(path: &Path, own: &Path) -> Program {
    let real = fs::canonicalize(path);
    let state = match real.as_ref().map(|real| (real, fs::metadata(real))) {
        Ok((real, Ok(_))) if real == own => ProgramState::Own,
        Ok((_, Ok(meta))) if meta.is_file() && meta.mode() & 0o111 != 0 => ProgramState::Other,
        Ok((_, Ok(_))) => ProgramState::NotExecutable,
        Ok((_, Err(_))) | Err(_) => ProgramState::Missing,
    };
    Program { path: path.to_owned(), state }
}

/// The line, from 1, in which a client is named behind `--client`.
pub(super) fn line_of_client(bytes: &[u8], client: &str) -> usize {
    let mut from = 0;
    while let Some(place) = memchr::memmem::find(&bytes[from..], b"--client").map(|place| from + place) {
        let near = &bytes[place..bytes.len().min(place + 256)];
        if memchr::memmem::find(near, client.as_bytes()).is_some() {
            return line_at(bytes, place);
        }
        from = place + 1;
    }
    1
}

/// The line, from 1, in which a text stands.
pub(super) fn line_of(bytes: &[u8], text: &str) -> usize {
    memchr::memmem::find(bytes, text.as_bytes()).map_or(1, |place| line_at(bytes, place))
}

fn line_at(bytes: &[u8], place: usize) -> usize {
    memchr::memchr_iter(b'\n', &bytes[..place]).count() + 1
}
