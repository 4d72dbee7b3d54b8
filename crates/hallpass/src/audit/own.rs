//! What the log says of itself: what a crash had left, what the disk refused; and what a person is told of it.

use crate::fault::Fault;
use hallpass_audit::{Fault as LogFault, Recovery};
use hallpass_core::{Event, Outcome};
use std::path::Path;

/// The record of a recovery.
pub(super) fn recovered(recovery: &Recovery, now_ms: i64) -> Event {
    let (kind, reason) = match recovery {
        Recovery::Torn { bytes, file, .. } => {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            (
                "audit-recovered",
                format!("{bytes} bytes of an unfinished record were cut off and put into torn/{name}"),
            )
        }
        Recovery::SyncFailed { seq, error } => (
            "audit-sync-failed",
            format!("the records from {seq} on were written again to a new file: {error}"),
        ),
    };
    Event { reason: Some(reason), ..Event::new(now_ms, kind, Outcome::Done) }
}

/// Whether the log is not as it was written: no waiting mends that.
pub fn is_damage(fault: &LogFault) -> bool {
    match fault {
        LogFault::Damaged { .. } | LogFault::Checkpoint(_) | LogFault::Conflict { .. } => true,
        LogFault::Io { .. }
        | LogFault::Locked { .. }
        | LogFault::Moved
        | LogFault::Stale
        | LogFault::Unsaid { .. }
        | LogFault::Record(_)
        | LogFault::Lost { .. } => false,
    }
}

/// A log that takes no records, as a person is told.
pub(super) fn fault(folder: &Path, fault: &LogFault) -> Fault {
    let said = Fault::new(fault.to_string());
    let shown = folder.display();
    match fault {
        LogFault::Damaged { .. } | LogFault::Checkpoint(_) | LogFault::Conflict { .. } => said.hint(format!(
            "nothing was changed. `hallpass audit verify` says more; put `{shown}` back from a backup, or go on with a new log that names this one: `hallpass serve --new-log`"
        )),
        LogFault::Locked { .. } => said.hint("wait until it is done, then run this again"),
        LogFault::Io { .. } | LogFault::Lost { .. } if fault.is_full() => {
            said.hint("nothing was changed. make space on that disk; revoking works meanwhile")
        }
        LogFault::Io { .. } | LogFault::Lost { .. } => {
            said.hint(format!("nothing was changed. look at the disk that holds `{shown}`; revoking works meanwhile"))
        }
        LogFault::Record(_) | LogFault::Unsaid { .. } => said,
        LogFault::Moved | LogFault::Stale => said.hint("run it again"),
    }
}
