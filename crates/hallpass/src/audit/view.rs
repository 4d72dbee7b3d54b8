//! Brings the view in the database up to the log: by sequence number, without holes, whoever does it.

use super::Audit;
use crate::fault::{Doing, Fault, Result};
use hallpass_audit::Reader;
use hallpass_core::Event;
use hallpass_store::Added;
use std::collections::BTreeMap;

/// How many records are read and added at once.
const PAGE: usize = 2000;

/// The event that a record tells of.
pub fn event_of(line: &str) -> Option<Event> {
    serde_json::from_str(line).ok()
}

/// Adds to the view what the log has and it has not. Only what is on the disk: the database, which outlives a power cut, must
/// not have what the log has lost then.
pub async fn bring_up(audit: &Audit, signed: Option<&str>) -> Result<()> {
    let next = audit.store.next_logged().await.doing("the log")?;
    let mut pages = Pages::from(audit, audit.seq(next))?;
    while let Some((first, events)) = pages.next()? {
        pages.reader.sync().doing("the log")?;
        match audit.store.add_logged(first, &events, signed).await.doing("the view of the log")? {
            Added::Until(_) => {}
            Added::Missing { from } => {
                return Err(Fault::new(format!("the log lacks the records before row {from} of its view"))
                    .hint("`hallpass audit verify` says more"));
            }
        }
    }
    Ok(())
}

/// What a comparison of the view with the log found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compared {
    /// How many records the log has.
    pub records: u64,
    /// How many of them are not in the view, or otherwise, and how many rows the log does not have.
    pub differing: u64,
}

/// Compares the view with the log, record by record.
pub async fn compare(audit: &Audit) -> Result<Compared> {
    // What a gateway adds meanwhile is left out.
    let end = audit.store.next_logged().await.doing("the view of the log")?;
    let mut pages = Pages::from(audit, 0)?;
    let mut found = Compared::default();
    let mut next = audit.row(0);
    while let Some((first, mut events)) = pages.next()? {
        let left = usize::try_from(end - first).unwrap_or(0);
        let is_last = left <= events.len();
        events.truncate(left);
        let most = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let rows = audit.store.events_after(first - 1, most).await.doing("the view of the log")?;
        let held: BTreeMap<i64, Event> = rows.into_iter().collect();
        let expected = (first..).zip(&events);
        let missing = expected.filter(|(row, event)| held.get(row) != Some(event)).count();
        found.records += events.len() as u64;
        found.differing += missing as u64;
        next = first + i64::try_from(events.len()).unwrap_or(0);
        if is_last {
            break;
        }
    }
    found.differing += u64::try_from(end - next).unwrap_or(0);
    Ok(found)
}

/// Makes the view of this log anew from the log alone.
pub async fn rebuild(audit: &Audit) -> Result<()> {
    audit.store.forget_logged(audit.row(0)).await.doing("the view of the log")?;
    let mut pages = Pages::from(audit, 0)?;
    while let Some((first, events)) = pages.next()? {
        // Also where the first records were pruned.
        audit.store.add_again(first, &events).await.doing("the view of the log")?;
    }
    Ok(())
}

/// The number of the last act in the log behind what the view has; none if there is none.
pub(super) fn last_act_behind(audit: &Audit, next: i64) -> std::io::Result<Option<i64>> {
    let mut reader = Reader::lines_from(audit.folder(), audit.seq(next))?;
    let mut last = None;
    while let Some((_, line)) = reader.next_line()? {
        // Few are acts, and only those have to be read.
        if line.contains("\"act\":") {
            last = event_of(line).and_then(|event| event.act).or(last);
        }
    }
    Ok(last)
}

/// Records with their rows, so many at once.
struct Pages<'a> {
    audit: &'a Audit,
    reader: Reader,
}

impl<'a> Pages<'a> {
    fn from(audit: &'a Audit, seq: u64) -> Result<Self> {
        Ok(Self { audit, reader: Reader::lines_from(audit.folder(), seq).doing("the log")? })
    }

    /// The row of the first, and the records that follow on it.
    fn next(&mut self) -> Result<Option<(i64, Vec<Event>)>> {
        let (mut first, mut events) = (None, Vec::new());
        while events.len() < PAGE {
            let Some((seq, line)) = self.reader.next_line().doing("the log")? else { break };
            let event = event_of(line).ok_or_else(|| {
                Fault::new(format!("record {seq} of the log cannot be read"))
                    .hint("`hallpass audit verify` says more")
            })?;
            first.get_or_insert(self.audit.row(seq));
            events.push(event);
        }
        Ok(first.map(|first| (first, events)))
    }
}
