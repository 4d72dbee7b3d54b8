//! The writer: one log, opened by as many processes as like, appended to by one at a time. Makes no event, asks no clock.

mod catch_up;
mod load;
mod new_log;
mod prune;
mod rescue;
mod signing;
mod writing;

pub(crate) use load::MOST_IN_CHECKPOINT;
pub(crate) use signing::MOST_IN_KEPT;
pub use writing::Writing;

use crate::checkpoint::Checkpoint;
use crate::fault::Fault;
use crate::hash::Hash;
use crate::lock::{Asked, Lock};
use crate::medium::{Disk, Medium};
use crate::note::{LogKey, VerifierKey};
use crate::reserve::Reserve;
use crate::segments::{self, Place};
use crate::tiles::Tiles;
use crate::verify::walk::State;
use crate::{files, record};
use std::fmt;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A segment ends before it gets longer than this.
const MOST_IN_SEGMENT: u64 = 64 << 20;

const DAY_MS: i64 = 86_400_000;

/// How a log is opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// Who writes. Stands in every record.
    pub node: &'a str,
    /// Milliseconds since the epoch.
    pub now_ms: i64,
    /// The newest checkpoint that the caller knows of, from wherever it keeps it: the log has to keep to it.
    pub last_signed: Option<&'a str>,
    /// How long to wait for another process that writes.
    pub patience: Duration,
}

/// What a crash or a failing disk left and what was done about it. To be recorded by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// A line that was not finished was cut off and put aside.
    Torn {
        /// Which record it would have been.
        seq: u64,
        /// How long it was.
        bytes: u64,
        /// Where it is now.
        file: PathBuf,
    },
    /// Syncing failed; the records were written again, to a new file.
    SyncFailed {
        /// The first of them.
        seq: u64,
        /// What the system said.
        error: String,
    },
}

/// A log that can be appended to.
pub struct Log {
    dir: PathBuf,
    key: LogKey,
    node: String,
    medium: Box<dyn Medium>,
    lock: Lock,
    reserve: Reserve,
    tiles: Tiles,
    state: State,
    segment: Option<Segment>,
    pending: Pending,
    /// Up to which record this process knows that the disk has them.
    synced: u64,
    signed: Signed,
    trouble: Trouble,
    /// The lock was kept when writing ended last: nobody else can have written since.
    is_kept: bool,
}

/// The one that is appended to.
struct Segment {
    first: u64,
    file: File,
    inode: u64,
    length: u64,
    /// The day of its first record, if that can be told.
    day: Option<i64>,
}

/// What is written and not synced yet.
#[derive(Default)]
struct Pending {
    seq: u64,
    offset: u64,
    bytes: Vec<u8>,
}

/// The newest checkpoint.
struct Signed {
    text: String,
    checkpoint: Checkpoint,
}

/// What has to be done before the next record, because something failed.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    /// What is in memory is not what is in the file.
    stale: bool,
    /// The file's end must not be believed and could not be cut off yet: from where, and where it ended.
    cut: Option<(Place, u64)>,
    /// Syncing the file failed once: nothing may be appended to it.
    spent: bool,
}

impl Trouble {
    fn is_none(self) -> bool {
        let Self { stale, cut, spent } = self;
        !stale && cut.is_none() && !spent
    }
}

impl Log {
    /// Opens the log in `dir`; a folder that is empty or not there becomes one. Says what a crash had left.
    pub fn open(dir: &Path, key: LogKey, how: Opening<'_>) -> Result<(Self, Vec<Recovery>), Fault> {
        Self::open_on(Box::new(Disk), dir, key, how)
    }

    /// The same, by way of a [`Medium`] that may fail.
    pub fn open_on(
        medium: Box<dyn Medium>,
        dir: &Path,
        key: LogKey,
        how: Opening<'_>,
    ) -> Result<(Self, Vec<Recovery>), Fault> {
        check_node(how.node)?;
        files::make_folders(dir).map_err(Fault::io("make", dir))?;
        let lock = locked(dir, how.patience)?;
        Self::open_held(None, lock, medium, dir, key, how)
    }

    fn open_held(
        former: Option<&str>,
        lock: Lock,
        medium: Box<dyn Medium>,
        dir: &Path,
        key: LogKey,
        how: Opening<'_>,
    ) -> Result<(Self, Vec<Recovery>), Fault> {
        for folder in [dir.join("segments"), dir.join("tile"), dir.join("torn")] {
            files::make_folders(&folder).map_err(Fault::io("make", &folder))?;
        }
        let mut log = Self::unread(medium, dir, key, how.node, lock);
        let recoveries = log.load(how.last_signed, how.now_ms)?;
        let mut writing = Writing::held(&mut log, how.now_ms);
        writing.begin_log(former)?;
        drop(writing);
        // A disk that is full already is no reason not to start.
        let _ = log.reserve.take();
        Ok((log, recoveries))
    }

    fn unread(medium: Box<dyn Medium>, dir: &Path, key: LogKey, node: &str, lock: Lock) -> Self {
        let checkpoint = Checkpoint { size: 0, root: Hash::of_empty_tree() };
        Self {
            dir: dir.to_owned(),
            key,
            node: node.to_owned(),
            medium,
            lock,
            reserve: Reserve::of(dir),
            tiles: Tiles::of(dir),
            state: State::default(),
            segment: None,
            pending: Pending::default(),
            synced: 0,
            signed: Signed { text: String::new(), checkpoint },
            trouble: Trouble::default(),
            is_kept: false,
        }
    }

    /// Takes the log for oneself, waiting for others up to `patience`, and reads what they appended.
    /// Dropping what is returned lets others in.
    /// If the log was kept ([`Writing::keep`]) and nobody waits for it, there is nothing to wait for and nothing to read.
    pub fn begin(&mut self, now_ms: i64, patience: Duration) -> Result<Writing<'_>, Fault> {
        if self.is_kept && self.trouble.is_none() && !self.lock.is_wanted() {
            return Ok(Writing::held(self, now_ms));
        }
        self.let_go();
        ask(&self.lock, &self.dir, patience)?;
        let mut writing = Writing::held(self, now_ms);
        writing.catch_up()?;
        Ok(writing)
    }

    /// Lets others in after [`Writing::keep`].
    pub fn let_go(&mut self) {
        if std::mem::take(&mut self.is_kept) {
            self.lock.release();
        }
    }

    /// Whether it was kept.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// How many records there are, as far as this process knows.
    pub fn size(&self) -> u64 {
        self.state.tree.size()
    }

    /// The root over them.
    pub fn root(&self) -> Hash {
        self.state.tree.root()
    }

    /// The newest checkpoint, as far as this process knows: the signed text, to be kept elsewhere too.
    pub fn last_signed(&self) -> &str {
        &self.signed.text
    }

    /// What verifies it.
    pub fn verifier(&self) -> VerifierKey {
        self.key.verifier()
    }

    /// Whether space is kept for security acts.
    pub fn has_reserve(&self) -> bool {
        self.reserve.is_held()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn segment_path(&self, first: u64) -> PathBuf {
        segments::path(&self.dir, first)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("dir", &self.dir).field("size", &self.size()).finish_non_exhaustive()
    }
}

fn check_node(node: &str) -> Result<(), Fault> {
    if record::is_plain(node) { Ok(()) } else { Err(Fault::Record(record::RecordFault::Node)) }
}

fn locked(dir: &Path, patience: Duration) -> Result<Lock, Fault> {
    let lock = Lock::of(dir).map_err(Fault::io("open", dir))?;
    ask(&lock, dir, patience)?;
    Ok(lock)
}

fn ask(lock: &Lock, dir: &Path, patience: Duration) -> Result<(), Fault> {
    match lock.ask(patience).map_err(Fault::io("lock", dir))? {
        Asked::Held => Ok(()),
        Asked::Busy { holder } => Err(Fault::Locked { holder }),
        Asked::Moved => Err(Fault::Moved),
    }
}

impl Segment {
    fn of(first: u64, file: File, length: u64, day: Option<i64>) -> std::io::Result<Self> {
        let inode = file.metadata()?.ino();
        Ok(Self { first, file, inode, length, day })
    }
}
