//! The home's audit log as this process writes it: opened when first needed, shared by all who append. What is in a
//! record is decided elsewhere; the format is `hallpass-audit`'s.

mod clockwork;
mod key;
mod own;
mod taking;
mod view;

pub use key::{log_key, origin};
pub use own::is_damage;
pub use view::{bring_up, compare, event_of, rebuild};

use crate::clock;
use crate::fault::{Doing, Fault, Result};
use clockwork::Clockwork;
use hallpass_audit::{Fault as LogFault, Log, LogKey, Opening, Reserve, VerifierKey, Writing};
use hallpass_core::Event;
use hallpass_store::Store;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest event, in bytes of JSON, that a record of the log has room for beside its own members.
pub const RECORD_MOST: usize = 15 << 10;
/// Who writes. One gateway serves a home.
const NODE: &str = "main";
/// How long another process may hold the log.
const PATIENCE: Duration = Duration::from_secs(5);

/// The log of one home. Cheap until something is appended.
pub struct Audit {
    folder: PathBuf,
    store: Store,
    /// Or why it cannot be opened: only what writes needs it.
    key: std::result::Result<LogKey, String>,
    /// The newest checkpoint that the database had seen when the home was opened.
    signed: Option<String>,
    /// The row number in the view of this log's first record.
    base: AtomicI64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    log: Option<Log>,
    clockwork: Clockwork,
    /// Why acts could not be taken into the log; none once they were.
    trouble: Option<String>,
    /// The checkpoint over acts that the view does not show yet.
    unshown: Option<String>,
}

/// What is known of a log once something was appended to it.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The number of the first record of those that were asked for.
    pub first: u64,
}

impl Audit {
    /// The log in `folder`. Opens nothing yet.
    pub async fn of(folder: PathBuf, store: &Store, key: Result<LogKey>) -> Result<Self> {
        let key = key.map_err(|fault| fault.to_string());
        let signed = store.signed_checkpoint().await.map_err(|fault| unreadable(&fault))?;
        let base = AtomicI64::new(store.log_base().await.map_err(|fault| unreadable(&fault))?);
        Ok(Self { folder, store: store.clone(), key, signed, base, open: Mutex::default() })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The row in the view of a record of this log.
    pub fn row(&self, seq: u64) -> i64 {
        self.base.load(Ordering::Relaxed).saturating_add_unsigned(seq)
    }

    /// The number in this log of a record in the view; none for one of a log that is closed.
    pub fn number(&self, row: i64) -> Option<u64> {
        u64::try_from(row - self.row(0)).ok()
    }

    /// The same, or this log's first: from where on the view has to be looked at.
    fn seq(&self, row: i64) -> u64 {
        self.number(row).unwrap_or(0)
    }

    /// What verifies its checkpoints.
    pub fn verifier(&self) -> Result<VerifierKey> {
        self.key().map(|key| key.verifier()).map_err(|fault| self.fault(&fault))
    }

    fn key(&self) -> Result<LogKey, LogFault> {
        self.key.clone().map_err(|why| LogFault::Io {
            doing: "sign",
            path: self.folder.clone(),
            error: std::io::Error::other(why),
        })
    }

    /// The first record of each segment, oldest first.
    pub fn segments(&self) -> Result<Vec<u64>, LogFault> {
        self.write(|writing| writing.segments())
    }

    /// Whether records can be written now: opens the log, mends what a crash left, and says what is wrong if it cannot.
    pub fn check(&self) -> Result<()> {
        self.write(|_| Ok(())).map_err(|fault| self.fault(&fault))
    }

    /// The same, and whether there is space for what is to come.
    pub fn check_space(&self) -> Result<()> {
        self.check()?;
        if Reserve::of(&self.folder).is_disk_full() {
            return Err(Fault::new(format!(
                "there is hardly any space left for `{}`",
                self.folder.display()
            )));
        }
        Ok(())
    }

    /// Appends and, if `sync`, does not return before it is on the disk.
    pub fn append(&self, records: &[String], sync: bool) -> Result<Appended, LogFault> {
        self.write(|writing| append(writing, records, sync))
    }

    /// The same for one group of many: other processes get the log only if they wait for it when the next group comes, or
    /// after [`Audit::let_go`], which has to follow soon.
    pub fn append_and_keep(&self, records: &[String], sync: bool) -> Result<Appended, LogFault> {
        self.write_and(true, |writing| append(writing, records, sync))
    }

    /// Lets other processes in after [`Audit::append_and_keep`].
    pub fn let_go(&self) {
        if let Some(log) = &mut self.open().log {
            log.let_go();
        }
    }

    /// Does not return before everything that was appended is on the disk.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method alone is not general enough in its lifetime"
    )]
    pub fn sync(&self) -> Result<(), LogFault> {
        self.write(|writing| writing.sync())
    }

    /// Signs what there is, and returns the checkpoint. `keep`: for good, beside the newest.
    pub fn checkpoint(&self, keep: bool) -> Result<String, LogFault> {
        self.write(|writing| {
            let signed = if keep { writing.keep_checkpoint()? } else { writing.checkpoint()? };
            Ok(signed.to_owned())
        })
    }

    /// Does something with the log while nobody else writes. Records first what has to be said of the log itself.
    pub fn write<T>(&self, act: impl FnOnce(&mut Writing<'_>) -> Result<T, LogFault>) -> Result<T, LogFault> {
        self.write_and(false, act)
    }

    fn write_and<T>(
        &self,
        keep: bool,
        act: impl FnOnce(&mut Writing<'_>) -> Result<T, LogFault>,
    ) -> Result<T, LogFault> {
        let done = self.write_if_there(keep, act);
        if matches!(done, Err(LogFault::Moved)) {
            // Another process began a new one: that is the log from here on.
            self.open().log = None;
        }
        done
    }

    fn write_if_there<T>(
        &self,
        keep: bool,
        act: impl FnOnce(&mut Writing<'_>) -> Result<T, LogFault>,
    ) -> Result<T, LogFault> {
        let mut open = self.open();
        let Open { log, clockwork, .. } = &mut *open;
        let now_ms = clock::now_ms();
        let mut said = Vec::new();
        let log = if let Some(log) = log {
            log
        } else {
            said.extend(clockwork::put_back(&self.folder, now_ms));
            let (opened, recoveries) = Log::open(&self.folder, self.key()?, self.opening(now_ms))?;
            said.extend(recoveries.iter().map(|recovery| own::recovered(recovery, now_ms)));
            self.keep_space();
            log.insert(opened)
        };
        let mut writing = log.begin(now_ms, PATIENCE)?;
        said.extend(clockwork.jumped(now_ms));
        said.extend(writing.take_recoveries().iter().map(|recovery| own::recovered(recovery, now_ms)));
        say(&mut writing, &said)?;
        let done = act(&mut writing);
        // The disk may have failed just now, and what was done about it is done.
        let recoveries = writing.take_recoveries();
        let said: Vec<Event> = recoveries.iter().map(|recovery| own::recovered(recovery, now_ms)).collect();
        let _ = say(&mut writing, &said);
        if keep && done.is_ok() {
            writing.keep();
        }
        done
    }

    /// Closes the log that is there, which takes no records, and begins another that names it. Returns where it is now.
    pub async fn begin_new(&self) -> Result<PathBuf> {
        self.let_go();
        let (log, closed) = {
            let now_ms = clock::now_ms();
            let begun = self.key().and_then(|key| Log::begin_new(&self.folder, key, self.opening(now_ms)));
            let (log, _, closed) = begun.map_err(|fault| self.fault(&fault))?;
            (log, closed)
        };
        // Not before: were the old one still there, the view would take it for the new one and have it twice.
        let base = self.store.begin_log(log.last_signed()).await.doing("the new log")?;
        self.base.store(base, Ordering::Relaxed);
        self.open().log = Some(log);
        Ok(closed)
    }

    /// Space beside the database, for what cuts somebody off when the disk is full. Without it everything else works.
    pub fn keep_space(&self) {
        if let Some(home) = self.folder.parent() {
            let _ = Reserve::of(home).take();
        }
    }

    fn opening(&self, now_ms: i64) -> Opening<'_> {
        Opening { node: NODE, now_ms, last_signed: self.signed.as_deref(), patience: PATIENCE }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a person is told.
    pub fn fault(&self, fault: &LogFault) -> Fault {
        own::fault(&self.folder, fault)
    }
}

fn append(writing: &mut Writing<'_>, records: &[String], sync: bool) -> Result<Appended, LogFault> {
    let appended = writing.append(records)?;
    if sync {
        writing.sync()?;
    }
    Ok(Appended { first: appended.start })
}

/// Records what the log says of itself.
fn say(writing: &mut Writing<'_>, events: &[Event]) -> Result<(), LogFault> {
    if events.is_empty() {
        return Ok(());
    }
    writing.append(&events.iter().map(Event::json_line).collect::<Vec<_>>()).map(drop)
}

fn unreadable(fault: &hallpass_store::StoreFault) -> Fault {
    Fault::new(format!("what the database knows of the log: {fault}"))
}
