//! Replaces a file so that at every instant it is the old one or the new one. Knows nothing of what is in it.

mod folder;
mod lock_folder;

use crate::fault::{Doing, Fault, Result};
use crate::output::quoted;
use folder::Folder;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawMode};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// The largest configuration file that is looked at.
const MOST: u64 = 8 << 20;

/// A file as it was read: enough to tell later whether somebody changed it.
#[derive(Clone, PartialEq, Eq)]
pub struct Original {
    /// What it holds; empty if it is not there.
    pub bytes: Vec<u8>,
    identity: Option<(u64, u64)>,
    mode: u32,
    owner: u32,
    group: u32,
    /// How many names it has.
    names: u64,
}

/// Why the file could not be replaced.
#[derive(Debug)]
pub enum ReplaceFault {
    /// Somebody else changed it between reading and writing.
    Changed,
    /// Anything else.
    Other(Fault),
}

impl From<Fault> for ReplaceFault {
    fn from(fault: Fault) -> Self {
        Self::Other(fault)
    }
}

impl Original {
    /// Reads the file. One that is not there counts as empty; a link, a folder, a pipe or a giant is refused.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_in(CWD, path, path)
    }

    /// `name` in a folder that is open; `shown`: how it is called.
    fn read_in(folder: BorrowedFd<'_>, name: &Path, shown: &Path) -> Result<Self> {
        let shown = shown.display();
        // Looked at before it is opened: opening a device may do something.
        match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => check_kind(FileType::from_raw_mode(stat.st_mode), &shown)?,
            Err(Errno::NOENT) => return Ok(Self::absent()),
            Err(error) => return Err(Fault::new(format!("cannot look at `{shown}`: {error}"))),
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(Self::absent()),
            Err(Errno::LOOP) => return Err(not_a_file("a symlink", &shown)),
            Err(error) => return Err(Fault::new(format!("cannot read `{shown}`: {error}"))),
        };
        let meta = file.metadata().doing(format!("cannot look at `{shown}`"))?;
        check_kind(FileType::from_raw_mode(meta.mode() as RawMode), &shown)?;
        if meta.len() > MOST {
            return Err(Fault::new(format!("`{shown}` is larger than {MOST} bytes")));
        }
        let mut bytes = Vec::new();
        file.take(MOST + 1).read_to_end(&mut bytes).doing(format!("cannot read `{shown}`"))?;
        let identity = Some((meta.dev(), meta.ino()));
        let (owner, group, names) = (meta.uid(), meta.gid(), meta.nlink());
        Ok(Self { bytes, identity, mode: meta.mode() & 0o777, owner, group, names })
    }

    fn absent() -> Self {
        Self { bytes: Vec::new(), identity: None, mode: 0o600, owner: 0, group: 0, names: 1 }
    }

    /// Whether the file is there.
    pub fn exists(&self) -> bool {
        self.identity.is_some()
    }

    /// Whether others than the owner may read it.
    pub fn is_open_to_others(&self) -> bool {
        self.exists() && self.mode & 0o077 != 0
    }

    fn permits_writing(&self, path: &Path) -> Result<()> {
        let shown = path.display();
        if self.exists() && self.mode & 0o200 == 0 {
            return Err(Fault::new(format!("`{shown}` is read-only"))
                .hint(format!("`chmod u+w {}` if it may be changed", quoted(&shown.to_string()))));
        }
        if self.exists() && self.owner != effective_user() {
            return Err(Fault::new(format!("`{shown}` belongs to another user (uid {})", self.owner))
                .hint("run hallpass as the user whose client it is"));
        }
        if self.names > 1 {
            return Err(Fault::new(format!(
                "`{shown}` has {} names (hard links), and only this one would change",
                self.names
            ))
            .hint(format!(
                "make it a file of its own: `cp -p {file} {own} && mv {own} {file}`",
                file = quoted(&shown.to_string()),
                own = quoted(&format!("{shown}.own"))
            )));
        }
        Ok(())
    }
}

/// How many symlinks may lead to one another.
const LINKS_MOST: usize = 16;

/// The file behind symlinks: that one is written, every link stays a link. Two ways to one file give one answer.
pub fn target_of(path: &Path) -> Result<PathBuf> {
    check_way(folder_of(path), LINKS_MOST)?;
    let mut file = in_real_folder(path);
    for _ in 0..LINKS_MOST {
        match fs::symlink_metadata(&file) {
            Ok(meta) if meta.is_symlink() => {}
            Ok(_) => return Ok(file),
            Err(_) if file == in_real_folder(path) => return Ok(file),
            Err(_) => break,
        }
        let folder = folder_of(&file);
        // Whoever may write there could make the link lead anywhere.
        Folder::of(&file)?;
        let next = fs::read_link(&file).doing(format!("cannot read the symlink `{}`", file.display()))?;
        let next = folder.join(next);
        check_way(folder_of(&next), LINKS_MOST)?;
        file = in_real_folder(&next);
    }
    Err(Fault::new(format!("`{}` is a symlink that leads nowhere", path.display()))
        .hint("make the link lead to the client's configuration file, or take it away"))
}

/// The path without links and `..` on the way to the file. A folder that is not there stays as it is written.
fn in_real_folder(path: &Path) -> PathBuf {
    match (fs::canonicalize(folder_of(path)), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Refuses a way to a folder over a link that somebody else could make lead anywhere. A way that leads nowhere is told by
/// whoever goes it.
fn check_way(folder: &Path, links_left: usize) -> Result<()> {
    let mut way = PathBuf::new();
    for part in folder.components() {
        if part == Component::ParentDir {
            let Ok(above) = fs::canonicalize(way.join("..")) else { return Ok(()) };
            way = above;
            continue;
        }
        let next = way.join(part);
        let Ok(link) = fs::read_link(&next) else {
            way = next;
            continue;
        };
        let real = folder_of(&next);
        if fs::metadata(real).is_ok_and(|meta| meta.mode() & 0o002 != 0) {
            let (link, real) = (next.display(), real.display());
            return Err(Fault::new(format!(
                "the way leads over the link `{link}`, and everybody may write in `{real}`"
            ))
            .hint("name the file by the folder that it is in"));
        }
        let Some(links_left) = links_left.checked_sub(1) else { return Ok(()) };
        check_way(&way.join(link), links_left)?;
        way = fs::canonicalize(&next).unwrap_or(next);
    }
    Ok(())
}

/// Puts `bytes` in the place of what was read, in one step that loses nobody's change. `path` is one of [`target_of`].
/// `secret`: the file becomes 0600; else it keeps its mode. `tag` marks temporary files as this installation's.
pub fn replace(
    path: &Path,
    original: &Original,
    bytes: &[u8],
    secret: bool,
    tag: &str,
) -> Result<(), ReplaceFault> {
    original.permits_writing(path)?;
    lock_folder::wait(path)?;
    let (folder, name) = (Folder::of(path)?, name_of(path)?);
    let mode = if secret { 0o600 } else { original.mode };
    let mut temporary = folder.temporary(name, tag)?;
    temporary.fill(bytes, mode, original)?;
    temporary.replace(name, original)
}

/// Refuses now what [`replace`] would refuse: a read-only or foreign file, a folder where nothing can be written.
pub fn check_writable(path: &Path) -> Result<()> {
    Original::read(path)?.permits_writing(path)?;
    Folder::of(path)?.check_writable()
}

/// Takes away a file that is as it was read.
pub fn delete_unchanged(path: &Path, original: &Original) -> Result<(), ReplaceFault> {
    original.permits_writing(path)?;
    lock_folder::wait(path)?;
    let (folder, name) = (Folder::of(path)?, name_of(path)?);
    if folder.read(name)? != *original {
        return Err(ReplaceFault::Changed);
    }
    folder.unlink(name)?;
    Ok(folder.sync()?)
}

/// Takes away a file that we made, if it is still there.
pub fn delete(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(folder_of(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Fault::new(format!("cannot delete `{}`: {error}", path.display()))),
    }
}

/// Deletes temporary files that an interrupted run of this installation left in `folder`. Returns how many.
pub fn sweep(folder: &Path, tag: &str) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let mark = format!(".hallpass-{tag}-");
    let ours = entries.flatten().filter(|entry| {
        entry
            .file_name()
            .to_str()
            .and_then(|name| name.strip_suffix(".tmp"))
            .is_some_and(|name| name.starts_with('.') && name.contains(&mark))
    });
    ours.filter(|entry| fs::remove_file(entry.path()).is_ok()).count()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn name_of(path: &Path) -> Result<&OsStr> {
    path.file_name().ok_or_else(|| Fault::new(format!("`{}` names no file", path.display())))
}

fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .doing(format!("cannot sync `{}`", folder.display()))
}

fn check_kind(kind: FileType, shown: &std::path::Display<'_>) -> Result<()> {
    match kind {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(not_a_file("a folder", shown)),
        FileType::Symlink => Err(not_a_file("a symlink", shown)),
        _ => Err(not_a_file("something special (a pipe, a socket or a device)", shown)),
    }
}

fn not_a_file(kind: &str, shown: &std::path::Display<'_>) -> Fault {
    Fault::new(format!("`{shown}` is {kind}, not a file")).hint("name the client's configuration file itself")
}

/// The uid that this process acts as: that of a file it makes.
fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::{Original, ReplaceFault, replace, sweep, target_of};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_file_with_a_secret_becomes_private_and_another_keeps_its_mode() {
        let folder = folder();
        let path = folder.path().join("mcp.json");
        for (secret, mode) in [(false, 0o644), (true, 0o600)] {
            fs::File::create(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            let original = Original::read(&path).unwrap();
            replace(&path, &original, b"new", secret, "t").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn somebody_elses_change_is_never_overwritten() {
        let folder = folder();
        let path = folder.path().join("mcp.json");
        let original = Original::read(&path).unwrap();
        std::os::unix::fs::symlink("/nowhere", folder.path().join("other")).unwrap();
        fs::File::create(&path).unwrap();
        assert!(matches!(replace(&path, &original, b"new", true, "t"), Err(ReplaceFault::Changed)));
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert!(target_of(&folder.path().join("other")).is_err());
    }

    #[test]
    fn only_our_own_leftovers_are_swept() {
        let folder = folder();
        for name in [".mcp.json.hallpass-t-1.tmp", ".mcp.json.hallpass-u-1.tmp", "mcp.json", ".x.tmp"] {
            fs::File::create(folder.path().join(name)).unwrap();
        }
        assert_eq!(sweep(folder.path(), "t"), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn folders_and_pipes_are_refused_at_once() {
        let folder = folder();
        assert!(Original::read(folder.path()).is_err());
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(Original::read(&pipe).is_err());
    }
}
