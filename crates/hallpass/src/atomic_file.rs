//! Replaces a file so that at every instant it is the old one or the new one. Knows nothing of what is in it.

use crate::fault::{Doing, Fault, Result};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const ROOT: u32 = 0;
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
    /// Reads the file. One that is not there counts as empty; a folder, a pipe or a giant is refused.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let meta = match fs::symlink_metadata(path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { bytes: Vec::new(), identity: None, mode: 0o600, owner: 0, group: 0 });
            }
            Err(error) => return Err(Fault::new(format!("cannot look at `{shown}`: {error}"))),
        };
        // Looked at before it is opened: opening a pipe would wait for ever.
        if !meta.is_file() {
            return Err(Fault::new(format!("`{shown}` is {}, not a file", kind_of(&meta)))
                .hint("name the client's configuration file itself"));
        }
        if meta.len() > MOST {
            return Err(Fault::new(format!("`{shown}` is larger than {MOST} bytes")));
        }
        let file = File::open(path).doing(format!("cannot read `{shown}`"))?;
        let meta = file.metadata().doing(format!("cannot look at `{shown}`"))?;
        let mut bytes = Vec::new();
        file.take(MOST + 1).read_to_end(&mut bytes).doing(format!("cannot read `{shown}`"))?;
        let identity = Some((meta.dev(), meta.ino()));
        Ok(Self { bytes, identity, mode: meta.mode() & 0o777, owner: meta.uid(), group: meta.gid() })
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
                .hint(format!("`chmod u+w {shown}` if it may be changed")));
        }
        if self.exists() && self.owner != effective_user() {
            return Err(Fault::new(format!("`{shown}` belongs to another user (uid {})", self.owner))
                .hint("run hallpass as the user whose client it is"));
        }
        Ok(())
    }
}

/// How many symlinks may lead to one another.
const LINKS_MOST: usize = 16;

/// The file behind symlinks: that one is written, every link stays a link. Two ways to one file give one answer.
pub fn target_of(path: &Path) -> Result<PathBuf> {
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
        check_folder(folder)?;
        let next = fs::read_link(&file).doing(format!("cannot read the symlink `{}`", file.display()))?;
        file = in_real_folder(&folder.join(next));
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

/// Puts `bytes` in the place of what was read: temporary file beside it, fsync, compare, rename, fsync of the folder.
/// `secret`: the file becomes 0600; else it keeps its mode. `tag` marks temporary files as this installation's.
pub fn replace(
    path: &Path,
    original: &Original,
    bytes: &[u8],
    secret: bool,
    tag: &str,
) -> Result<(), ReplaceFault> {
    original.permits_writing(path)?;
    let folder = folder_of(path);
    check_folder(folder)?;
    let mode = if secret { 0o600 } else { original.mode };
    let mut temporary = Temporary::create(folder, path, tag)?;
    temporary.fill(bytes, mode, original)?;
    if Original::read(path)? != *original {
        return Err(ReplaceFault::Changed);
    }
    temporary.rename_to(path)?;
    sync_folder(folder)?;
    Ok(())
}

/// Refuses now what [`replace`] would refuse: a read-only or foreign file, a folder where nothing can be written.
pub fn check_writable(path: &Path) -> Result<()> {
    Original::read(path)?.permits_writing(path)?;
    let folder = folder_of(path);
    check_folder(folder)?;
    rustix::fs::accessat(rustix::fs::CWD, folder, rustix::fs::Access::WRITE_OK, rustix::fs::AtFlags::EACCESS)
        .map_err(|error| {
            Fault::new(format!("cannot write in `{}`: {error}", folder.display()))
                .hint("the new file is made beside the old one: make the folder writable for you")
        })
}

/// Takes away a file that is as it was read.
pub fn delete_unchanged(path: &Path, original: &Original) -> Result<(), ReplaceFault> {
    original.permits_writing(path)?;
    check_folder(folder_of(path))?;
    if Original::read(path)? != *original {
        return Err(ReplaceFault::Changed);
    }
    Ok(delete(path)?)
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
        entry.file_name().to_str().is_some_and(|name| {
            name.starts_with('.')
                && name.contains(&mark)
                && Path::new(name).extension().is_some_and(|end| end == "tmp")
        })
    });
    ours.filter(|entry| fs::remove_file(entry.path()).is_ok()).count()
}

struct Temporary {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Temporary {
    fn create(folder: &Path, beside: &Path, tag: &str) -> Result<Self> {
        let name = beside.file_name().unwrap_or_default().to_string_lossy();
        let path = folder.join(format!(".{name}.hallpass-{tag}-{}.tmp", uuid::Uuid::now_v7().simple()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| Fault::new(format!("cannot write in `{}`: {error}", folder.display())))?;
        Ok(Self { path, file, renamed: false })
    }

    fn fill(&mut self, bytes: &[u8], mode: u32, original: &Original) -> Result<()> {
        let shown = self.path.display();
        // Group first, mode second: changing the owner clears bits, and the file is 0600 until it is complete.
        if original.exists()
            && self.file.metadata().is_ok_and(|meta| meta.gid() != original.group)
            && mode & 0o070 != 0
        {
            std::os::unix::fs::fchown(&self.file, None, Some(original.group))
                .doing(format!("cannot set the group of `{shown}`"))?;
        }
        self.file.write_all(bytes).doing(format!("cannot write `{shown}`"))?;
        self.file
            .set_permissions(Permissions::from_mode(mode))
            .doing(format!("cannot set the mode of `{shown}`"))?;
        self.file.sync_all().doing(format!("cannot sync `{shown}`"))
    }

    fn rename_to(&mut self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path).doing(format!("cannot replace `{}`", path.display()))?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// In a folder that others own, or where everybody may write, the file could be swapped under our hands.
fn check_folder(folder: &Path) -> Result<()> {
    let shown = folder.display();
    let meta = fs::metadata(folder).map_err(|error| {
        Fault::new(format!("the folder `{shown}` cannot be used: {error}"))
            .hint("start the client once, or make the folder")
    })?;
    if meta.uid() != effective_user() && meta.uid() != ROOT {
        return Err(Fault::new(format!("the folder `{shown}` belongs to another user (uid {})", meta.uid()))
            .hint("run hallpass as the user whose client it is"));
    }
    if meta.mode() & 0o002 != 0 {
        return Err(
            Fault::new(format!("everybody may write in `{shown}`")).hint(format!("`chmod o-w {shown}`"))
        );
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .doing(format!("cannot sync `{}`", folder.display()))
}

fn kind_of(meta: &fs::Metadata) -> &'static str {
    if meta.is_dir() {
        "a folder"
    } else if meta.is_symlink() {
        "a symlink"
    } else {
        "something special (a pipe, a socket or a device)"
    }
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
