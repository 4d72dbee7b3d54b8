//! Takes the gateway's events: into the log first, then printed, looked at, and added to the view. Off the calls' path.
//!
//! Two hands. The `scribe` writes the log, and whoever waits for a record waits for it alone. The `keeper` does what the
//! database is needed for, when it can: what it misses it reads from the log later.

mod anchor;
mod hiding;
mod keeper;
mod printer;
mod scribe;

pub use anchor::Anchoring;
pub use printer::Lines;

use crate::audit::Audit;
use crate::fault::{Doing, Result};
use crate::lookout::Lookout;
use hallpass_core::Event;
use hallpass_gateway::{Entry, LogState};
use hallpass_store::Store;
use keeper::Keeper;
use scribe::Scribe;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

/// How many events may wait. When the log takes none, calls are refused once this many wait.
const WAITING_MOST: usize = 4096;
/// How many records may wait for the keeper. What finds no room it reads from the log.
const UNKEPT_MOST: usize = 20_000;

/// Records that are in the log and on the disk: the view must never be ahead of a log that lost its last records.
#[derive(Debug)]
struct Logged {
    /// The row in the view of the first.
    first: i64,
    events: Vec<Event>,
    /// Refusals that the log has only as a number.
    counted: Vec<Event>,
    /// Their share of what may wait, given back with them.
    _share: OwnedSemaphorePermit,
}

/// How groups get to the keeper.
struct Handing {
    groups: mpsc::UnboundedSender<Logged>,
    room: Arc<Semaphore>,
}

impl Handing {
    /// If there is no room, `counted` stays as it was.
    fn over(&self, first: i64, events: Vec<Event>, counted: &mut Vec<Event>) {
        let most = u32::try_from(events.len() + counted.len()).unwrap_or(u32::MAX);
        if let Ok(share) = Arc::clone(&self.room).try_acquire_many_owned(most) {
            let counted = std::mem::take(counted);
            // Without the keeper nothing is kept.
            let _ = self.groups.send(Logged { first, events, counted, _share: share });
        }
    }
}

fn count(events: &[Event]) -> i64 {
    i64::try_from(events.len()).unwrap_or(i64::MAX)
}

/// Where the gateway's events go, and where the recorder takes them from.
pub fn channel() -> (mpsc::Sender<Entry>, mpsc::Receiver<Entry>) {
    mpsc::channel(WAITING_MOST)
}

/// What the configuration says of the record.
#[derive(Clone, Debug)]
pub struct Rules {
    /// An answer waits until its record is on the disk, not only written.
    pub each: bool,
    /// How events are printed.
    pub lines: Lines,
    /// When checkpoints are kept, and where.
    pub anchoring: Anchoring,
}

/// Starts the recorder. It ends when every sender is dropped and all that waited is written.
pub fn start(
    entries: mpsc::Receiver<Entry>,
    audit: Arc<Audit>,
    state: LogState,
    store: Store,
    rules: Rules,
    lookout: Lookout,
) -> Result<JoinHandle<()>> {
    let (groups, logged) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(UNKEPT_MOST));
    let handing = Handing { groups, room };
    let scribe =
        Scribe::new(Arc::clone(&audit), state, rules.each, lookout.counts(), handing, lookout.view());
    let scribe = scribe.start(entries)?;
    let keeper = Keeper::new(audit, store, rules.lines, rules.anchoring, lookout);
    Ok(tokio::spawn(async move {
        keeper.run(logged).await;
        // It ended before the keeper did: that is how the keeper knows.
        let _ = scribe.join();
    }))
}

/// A thread of its own with a reactor of its own: what is written to a disk must not hold up anything else.
fn reactor() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().doing("cannot start the recorder")
}
