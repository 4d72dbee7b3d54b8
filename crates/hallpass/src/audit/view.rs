//! Brings the view in the database up to the log: by sequence number, without holes, whoever does it.

use super::Audit;
use crate::fault::{Doing, Fault, Result};
use hallpass_audit::Reader;
use hallpass_core::Event;
use hallpass_store::{Added, Store};

/// How many records are read and added at once.
const PAGE: usize = 2000;
/// The setting that holds the row number of the log's first record.
const BASE: &str = "log_base";

/// The event that a record tells of.
pub fn event_of(line: &str) -> Option<Event> {
    serde_json::from_str(line).ok()
}

pub(super) async fn base(store: &Store) -> Result<i64> {
    let base = store.setting(BASE).await.doing("the log's place in the database")?;
    base.map_or(Ok(0), |base| base.parse().doing("the log's place in the database"))
}

/// The view goes on behind what it has of the log that is closed.
pub(super) async fn rebase(store: &Store) -> Result<()> {
    let next = store.next_logged().await.doing("the log")?;
    store.put_setting(BASE, &next.to_string()).await.doing("the log's place in the database")
}

/// Adds to the view what the log has and it has not.
pub async fn bring_up(audit: &Audit, signed: Option<&str>) -> Result<()> {
    let next = audit.store.next_logged().await.doing("the log")?;
    let seq = u64::try_from(next - audit.base).unwrap_or(0);
    let mut reader = Reader::lines_from(audit.folder(), seq).doing("the log")?;
    loop {
        let page = page(&mut reader)?;
        let Some((first, _)) = page.first() else { return Ok(()) };
        let first = audit.row(*first);
        let events: Vec<Event> = page.into_iter().map(|(_, event)| event).collect();
        match audit.store.add_logged(first, &events, signed).await.doing("the view of the log")? {
            Added::Until(_) => {}
            Added::Missing { from } => {
                return Err(Fault::new(format!("the log lacks the records before row {from} of its view"))
                    .hint("`hallpass audit verify` says more"));
            }
        }
    }
}

/// Makes the view of this log anew from the log alone.
pub async fn rebuild(audit: &Audit) -> Result<()> {
    audit.store.forget_logged(audit.base).await.doing("the view of the log")?;
    bring_up(audit, None).await
}

/// The number of the last act in the log behind what the view has; none if there is none.
pub(super) fn last_act_behind(audit: &Audit, next: i64) -> std::io::Result<Option<i64>> {
    let seq = u64::try_from(next - audit.base).unwrap_or(0);
    let mut reader = Reader::lines_from(audit.folder(), seq)?;
    let mut last = None;
    while let Some((_, line)) = reader.next_line()? {
        // Few are acts, and only those have to be read.
        if line.contains("\"act\":") {
            last = event_of(line).and_then(|event| event.act).or(last);
        }
    }
    Ok(last)
}

fn page(reader: &mut Reader) -> Result<Vec<(u64, Event)>> {
    let mut page = Vec::new();
    while page.len() < PAGE {
        let Some((seq, line)) = reader.next_line().doing("the log")? else { break };
        let event = event_of(line).ok_or_else(|| {
            Fault::new(format!("record {seq} of the log cannot be read"))
                .hint("`hallpass audit verify` says more")
        })?;
        page.push((seq, event));
    }
    Ok(page)
}
