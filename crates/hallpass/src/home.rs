//! The home: one folder that holds the configuration, the keys, the database and the token files. Nobody else may read it.

use crate::environment;
use crate::fault::{Doing, Fault, Result};
use etcetera::BaseStrategy;
use hallpass_audit::Reserve;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The name by which this program is the shim, whatever arguments it is started with.
pub const SHIM: &str = "hallpass-shim";

/// An installation's folder. Its files' names are decided here and nowhere else.
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
    is_default: bool,
}

impl Home {
    /// The folder named, else the platform's data folder for `hallpass`.
    pub fn locate(named: Option<&Path>) -> Result<Self> {
        // A client starts the bridge in an environment of its own, which need not have this variable.
        let is_moved = environment::text("XDG_DATA_HOME").is_some();
        if let Some(folder) = named.filter(|folder| !folder.as_os_str().is_empty()) {
            let folder = std::path::absolute(folder).doing(format!("the home `{}`", folder.display()))?;
            let is_default = !is_moved && Self::platform().is_ok_and(|default| default == folder);
            return Ok(Self { folder, is_default });
        }
        Ok(Self { folder: Self::platform()?, is_default: !is_moved })
    }

    fn platform() -> Result<PathBuf> {
        // etcetera falls back to the password database; a home that nobody named should not end up there.
        environment::variable("HOME").ok_or_else(no_home_folder)?;
        let base = etcetera::base_strategy::choose_native_strategy().map_err(|_| no_home_folder())?;
        Ok(base.data_dir().join("hallpass"))
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it is where every command looks without being told.
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    /// `hallpass.toml`
    pub fn roster_file(&self) -> PathBuf {
        self.folder.join("hallpass.toml")
    }

    /// `hallpass.db`
    pub fn database(&self) -> PathBuf {
        self.folder.join("hallpass.db")
    }

    /// `seal.key`: seals the signing keys in the database.
    pub fn seal_key(&self) -> PathBuf {
        self.folder.join("seal.key")
    }

    /// `tokens/NAME`: what a bridge reads.
    pub fn token_file(&self, client: &str) -> PathBuf {
        self.tokens().join(client)
    }

    /// `tokens/`
    pub fn tokens(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    /// `audit/`: the log.
    pub fn audit(&self) -> PathBuf {
        self.folder.join("audit")
    }

    /// `reserve`: space that is given up so that a client can be cut off on a full disk.
    pub fn reserve(&self) -> Reserve {
        Reserve::of(&self.folder)
    }

    /// `endpoint`: where the gateway was last told to listen, for bridges.
    pub fn endpoint(&self) -> PathBuf {
        self.folder.join("endpoint")
    }

    /// `admin.token`: opens the admin listener, and nothing else.
    pub fn admin_token(&self) -> PathBuf {
        self.folder.join("admin.token")
    }

    /// `hallpass-shim`: a link to this program, for entries in which only the `command` is changed.
    pub fn shim_link(&self) -> PathBuf {
        self.folder.join(SHIM)
    }

    /// Sees to it that the link leads to `program`.
    pub fn link_shim(&self, program: &Path) -> Result<()> {
        let link = self.shim_link();
        if fs::read_link(&link).is_ok_and(|leads_to| leads_to == program) {
            return Ok(());
        }
        let fresh = self.folder.join(format!(".{SHIM}.{}", std::process::id()));
        let _ = fs::remove_file(&fresh);
        std::os::unix::fs::symlink(program, &fresh)
            .and_then(|()| fs::rename(&fresh, &link))
            .doing(format!("cannot make the link `{}`", link.display()))
    }

    /// Whether an installation is there.
    pub fn is_made(&self) -> bool {
        self.database().exists()
    }

    /// Whether an installation was in use there whose database is gone.
    pub fn has_lost_its_database(&self) -> bool {
        // The configuration is the last thing that is made: where it is missing, the making was interrupted.
        !self.is_made() && self.seal_key().exists() && self.roster_file().exists()
    }

    /// Makes the folder and `tokens/` in it, both 0700.
    pub fn make_folders(&self) -> Result<()> {
        if self.folder.exists() {
            check_private(&self.folder)?;
        }
        for folder in [self.folder.as_path(), &self.tokens()] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .doing(format!("cannot make `{}`", folder.display()))?;
        }
        self.check_private()
    }

    /// Refuses a folder that is not ours alone: whoever can write there could put keys of theirs in.
    pub fn check_private(&self) -> Result<()> {
        check_private(&self.folder)?;
        check_private(&self.tokens())
    }

    /// The same for a program that can do without a home: what is not there is nobody's.
    pub fn check_private_if_there(&self) -> Result<()> {
        let folders = [self.folder.clone(), self.tokens()];
        folders.iter().filter(|folder| folder.exists()).try_for_each(|folder| check_private(folder))
    }

    /// Waits until no other command changes this home, and keeps others waiting until the lock is dropped.
    pub fn lock(&self) -> Result<Lock> {
        let file = self.lock_file("lock")?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                crate::output::note("waiting for another hallpass command to finish");
                file.lock().doing("cannot lock the home")?;
            }
            Err(TryLockError::Error(error)) => {
                return Err(Fault::new(format!("cannot lock the home: {error}")));
            }
        }
        Ok(Lock { file })
    }

    /// The same without waiting: `None` while another command changes this home.
    pub fn try_lock(&self) -> Result<Option<Lock>> {
        let file = self.lock_file("lock")?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Fault::new(format!("cannot lock the home: {error}"))),
        }
    }

    /// The right to serve this home: one gateway at a time.
    pub fn lock_serving(&self) -> Result<Lock> {
        let mut file = self.lock_file("serve.lock")?;
        match file.try_lock() {
            Ok(()) => {
                // What the one before said of itself is not true of this one.
                file.set_len(0).doing("cannot write the lock file")?;
                Ok(Lock { file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                Err(Fault::new(format!("a gateway already serves this home ({holder})"))
                    .hint("stop that one first, or give this one another `--home`"))
            }
            Err(TryLockError::Error(error)) => Err(Fault::new(format!("cannot lock the home: {error}"))),
        }
    }

    /// What the running gateway wrote of itself (`pid 12, http://...`; nothing while it starts); `None` if none runs.
    pub fn running_gateway(&self) -> Option<String> {
        let mut file = File::open(self.folder.join("serve.lock")).ok()?;
        match file.try_lock_shared() {
            Ok(()) | Err(TryLockError::Error(_)) => None,
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text).ok()?;
                Some(text.trim().to_owned())
            }
        }
    }

    fn lock_file(&self, name: &str) -> Result<File> {
        let path = self.folder.join(name);
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .doing(format!("cannot open `{}`", path.display()))
    }
}

fn check_private(folder: &Path) -> Result<()> {
    let shown = folder.display();
    let meta = fs::metadata(folder).doing(format!("cannot look at `{shown}`"))?;
    if !meta.is_dir() {
        return Err(Fault::new(format!("`{shown}` is not a folder")).hint("name another: `--home DIR`"));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(Fault::new(format!("`{shown}` belongs to another user (uid {})", meta.uid()))
            .hint("run hallpass as that user, or name another `--home`"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(Fault::new(format!("`{shown}` is open to others (mode {:o})", meta.mode() & 0o777))
            .hint(format!("look who put what there, then `chmod 700 {shown}`")));
    }
    Ok(())
}

fn no_home_folder() -> Fault {
    Fault::new("no home folder is known for this user")
        .hint("say where: `--home DIR` or the variable `HALLPASS_HOME`")
}

/// A lock that ends when it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Says who holds it, for those who are refused.
    pub fn describe(&mut self, text: &str) -> Result<()> {
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{text}")
        };
        write(&mut self.file).doing("cannot write the lock file")
    }
}
