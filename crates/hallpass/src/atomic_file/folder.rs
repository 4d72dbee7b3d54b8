//! A folder held open: whatever happens to the way that led to it, names are looked up in it and nowhere else.

use super::{Original, ReplaceFault, effective_user};
use crate::fault::{Doing, Fault, Result};
use crate::output::quoted;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const ROOT: u32 = 0;
/// How often two programs may change a file in turn before ours gives up.
const EXCHANGES: usize = 16;

/// An open folder.
pub(super) struct Folder {
    open: File,
    shown: PathBuf,
}

impl Folder {
    /// Opens the folder of `path`, which has to be without links, and refuses one in which a file could be swapped under
    /// our hands: one that others own, or where everybody may write.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let shown = super::folder_of(path).to_owned();
        let open = open_folder(&shown).map_err(|error| match error {
            Errno::LOOP | Errno::NOTDIR => {
                Fault::new(format!("the way to `{}` leads over a link now", shown.display()))
                    .hint("somebody has put it there meanwhile: look at it, then run the command again")
            }
            error => Fault::new(format!("the folder `{}` cannot be used: {error}", shown.display()))
                .hint("start the client once, or make the folder"),
        })?;
        let folder = Self { open: File::from(open), shown };
        folder.check()?;
        Ok(folder)
    }

    fn check(&self) -> Result<()> {
        let shown = self.shown.display();
        let meta = self.open.metadata().doing(format!("cannot look at `{shown}`"))?;
        if meta.uid() != effective_user() && meta.uid() != ROOT {
            return Err(Fault::new(format!(
                "the folder `{shown}` belongs to another user (uid {})",
                meta.uid()
            ))
            .hint("run hallpass as the user whose client it is"));
        }
        if meta.mode() & 0o002 != 0 {
            let word = quoted(&shown.to_string());
            return Err(
                Fault::new(format!("everybody may write in `{shown}`")).hint(format!("`chmod o-w {word}`"))
            );
        }
        Ok(())
    }

    /// Whether files can be made in it.
    pub(super) fn check_writable(&self) -> Result<()> {
        rustix::fs::accessat(&self.open, ".", rustix::fs::Access::WRITE_OK, AtFlags::EACCESS).map_err(
            |error| {
                Fault::new(format!("cannot write in `{}`: {error}", self.shown.display()))
                    .hint("the new file is made beside the old one: make the folder writable for you")
            },
        )
    }

    /// What stands there under that name.
    pub(super) fn read(&self, name: &OsStr) -> Result<Original> {
        Original::read_in(self.open.as_fd(), Path::new(name), &self.shown.join(name))
    }

    /// A new file beside `name`, which others cannot read.
    pub(super) fn temporary(&self, name: &OsStr, tag: &str) -> Result<Temporary<'_>> {
        let mark = uuid::Uuid::now_v7().simple();
        let own = OsString::from(format!(".{}.hallpass-{tag}-{mark}.tmp", name.to_string_lossy()));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.open, &own, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| Fault::new(format!("cannot write in `{}`: {error}", self.shown.display())))?;
        Ok(Temporary { folder: self, name: own, file: File::from(file) })
    }

    /// Takes a name away, if it is there.
    pub(super) fn unlink(&self, name: &OsStr) -> Result<()> {
        match rustix::fs::unlinkat(&self.open, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => {
                Err(Fault::new(format!("cannot delete `{}`: {error}", self.shown.join(name).display())))
            }
        }
    }

    pub(super) fn sync(&self) -> Result<()> {
        self.open.sync_all().doing(format!("cannot sync `{}`", self.shown.display()))
    }

    fn rename(&self, from: &OsStr, to: &OsStr, flags: RenameFlags) -> rustix::io::Result<()> {
        rustix::fs::renameat_with(&self.open, from, &self.open, to, flags)
    }
}

#[cfg(target_os = "linux")]
fn open_folder(path: &Path) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS;
    match rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), resolve) {
        // An older kernel, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => rustix::fs::open(path, flags | OFlags::NOFOLLOW, Mode::empty()),
        opened => opened,
    }
}

#[cfg(not(target_os = "linux"))]
fn open_folder(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// A file that takes another's place, or goes away.
pub(super) struct Temporary<'a> {
    folder: &'a Folder,
    name: OsString,
    file: File,
}

impl Temporary<'_> {
    /// Writes all of it, down to the disk.
    pub(super) fn fill(&mut self, bytes: &[u8], mode: u32, original: &Original) -> Result<()> {
        let shown = self.folder.shown.join(&self.name);
        let shown = shown.display();
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

    /// Takes the place of `name`, if that still is what was read. There is no moment at which somebody's change could be
    /// lost: the two files are exchanged, and what comes back is looked at.
    pub(super) fn replace(self, name: &OsStr, original: &Original) -> Result<(), ReplaceFault> {
        let shown = self.folder.shown.join(name);
        let failed =
            |error| ReplaceFault::Other(Fault::new(format!("cannot replace `{}`: {error}", shown.display())));
        if self.folder.read(name)? != *original {
            return Err(ReplaceFault::Changed);
        }
        let way = if original.exists() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        match self.folder.rename(&self.name, name, way) {
            Ok(()) if original.exists() => self.settle(name, original)?,
            Ok(()) => {}
            Err(Errno::EXIST | Errno::NOENT) => return Err(ReplaceFault::Changed),
            // A file system that cannot do it: as well as it can.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                self.folder.rename(&self.name, name, RenameFlags::empty()).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(self.folder.sync()?)
    }

    /// After an exchange: what came back is what was read, or whatever is newest goes back to its place.
    fn settle(&self, name: &OsStr, original: &Original) -> Result<(), ReplaceFault> {
        let ours = self.file.metadata().doing("cannot look at the new file")?;
        // A link that somebody put there cannot be read, and is put back as well.
        let came_back = || self.folder.read(&self.name).ok();
        let mut back = came_back();
        if back.as_ref() == Some(original) {
            return Ok(());
        }
        let mut expected = Some((ours.dev(), ours.ino()));
        for _ in 0..EXCHANGES {
            match self.folder.rename(&self.name, name, RenameFlags::EXCHANGE) {
                Ok(()) => {}
                // Somebody took the file away, and that is the newest word.
                Err(Errno::NOENT) => break,
                Err(error) => {
                    let shown = self.folder.shown.join(name);
                    return Err(Fault::new(format!("cannot put back `{}`: {error}", shown.display())).into());
                }
            }
            let came = came_back();
            if came.as_ref().and_then(|came| came.identity) == expected {
                break;
            }
            // Newer still than what was just put back.
            expected = back.and_then(|back| back.identity);
            back = came;
        }
        Err(ReplaceFault::Changed)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        let _ = self.folder.unlink(&self.name);
    }
}
