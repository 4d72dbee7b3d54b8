//! Takes the acts that wait in the database into the log: appended, synced, signed, and then in the view. Whoever made a
//! change waits for this before it says that it is done.

use super::{Audit, RECORD_MOST, bring_up, view};
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::operator;
use crate::output::note;
use hallpass_audit::{Fault as LogFault, Writing};
use hallpass_core::{Event, Outcome};
use hallpass_store::{ActLog, Done, StoreFault};
use std::sync::{Arc, Weak};
use tokio::runtime::Handle;

/// How many acts are appended at once.
const PAGE: u32 = 1000;

/// What is left of a reason that is too long, in characters.
const REASON_MOST: usize = 1000;

/// Why acts still wait.
enum Waiting {
    Log(LogFault),
    Store(StoreFault),
}

/// The log as the store knows it. Not kept alive by it.
struct Taking(Weak<Audit>);

impl ActLog for Taking {
    fn ready(&self) -> Done<Result<(), String>> {
        let audit = self.0.upgrade();
        Box::pin(async move {
            let Some(audit) = audit else { return Ok(()) };
            let checked = tokio::task::spawn_blocking(move || audit.check_space()).await;
            match checked {
                Ok(checked) => checked.map_err(|fault| fault.to_string()),
                Err(_) => Err("the log could not be looked at".into()),
            }
        })
    }

    fn actor(&self) -> String {
        operator::who()
    }

    fn take(&self) -> Done<()> {
        let audit = self.0.upgrade();
        Box::pin(async move {
            if let Some(audit) = audit {
                audit.take_acts_or_say_so().await;
            }
        })
    }
}

impl Audit {
    /// From now on every change in the store waits until the log has what it tells of.
    pub fn take_acts_of_store(self: &Arc<Self>) {
        self.store.tell_acts_to(Box::new(Taking(Arc::downgrade(self))));
    }

    /// Takes what waits. If it cannot, the change is in force all the same, and its record waits in the database.
    async fn take_acts_or_say_so(self: &Arc<Self>) {
        let taken = self.take().await;
        let mut open = self.open();
        match taken {
            Ok(None) => open.trouble = None,
            Ok(signed) => (open.trouble, open.unshown) = (None, signed),
            Err(fault) => {
                let said = fault.to_string();
                if open.trouble.as_ref() != Some(&said) {
                    note(&format!("done, and its record waits: {said}"));
                }
                open.trouble = Some(said);
            }
        }
    }

    /// Takes what waits in the database into the log, synced and signed, and brings the view up to it.
    pub async fn take_acts(self: &Arc<Self>) -> Result<()> {
        let signed = self.take().await?;
        bring_up(self, signed.as_deref()).await
    }

    /// Brings the view up to the acts of this process: once for all of them.
    pub async fn show_acts(self: &Arc<Self>) {
        let unshown = self.open().unshown.take();
        if let Some(signed) = unshown {
            // What is not shown now is with the next.
            let _ = bring_up(self, Some(&signed)).await;
        }
    }

    /// Takes what waits into the log, synced and signed. Returns the checkpoint over it; none if nothing waited.
    pub async fn take(self: &Arc<Self>) -> Result<Option<String>> {
        let (audit, runtime) = (Arc::clone(self), Handle::current());
        let taken = tokio::task::spawn_blocking(move || audit.take_waiting(&runtime)).await;
        match taken {
            Ok(Ok(signed)) => Ok(signed),
            Ok(Err(Waiting::Log(fault))) => Err(self.fault(&fault)),
            Ok(Err(Waiting::Store(fault))) => Err(Fault::new(format!("the acts that wait: {fault}"))),
            Err(_) => Err(Fault::new("the acts that wait could not be taken into the log")),
        }
    }

    /// Refuses a database that never saw acts of the log: it is an older copy, in which tokens count that were revoked since.
    /// `accept`: go on with it, and have that on record.
    pub async fn check_not_rolled_back(self: &Arc<Self>, accept: bool) -> Result<()> {
        let next = self.store.next_logged().await.doing("the view of the log")?;
        let in_log = view::last_act_behind(self, next).doing("the log")?.unwrap_or(0);
        let known = self.store.last_act().await.doing("the acts")?;
        if in_log <= known {
            return Ok(());
        }
        let missing = in_log - known;
        if !accept {
            return Err(Fault::new(format!("the database is older than the log: it lacks {missing} acts that are on record"))
                .hint("what was revoked since would count again: put the newest `hallpass.db` back; or look at `hallpass audit export`, and go on with this one: `hallpass serve --accept-rollback`"));
        }
        self.store.skip_acts(in_log).await.doing("the acts")?;
        let act = Event {
            by: Some(operator::who()),
            reason: Some(format!("a database that lacks {missing} acts was accepted")),
            ..Event::new(clock::now_ms(), "rollback-accepted", Outcome::Done)
        };
        self.append(&[act.json_line()], true).map(drop).map_err(|fault| self.fault(&fault))
    }

    /// For whoever only reads: what can be taken is, and what cannot is shown later.
    pub async fn catch_up(self: &Arc<Self>) {
        let _ = self.take_acts().await;
    }

    /// Why acts of this process still wait for the log.
    pub fn trouble(&self) -> Option<Fault> {
        let trouble = self.open().trouble.clone()?;
        Some(Fault::new(format!("it is done and in force, but not in the log yet: {trouble}")).hint(
            "the record is kept in the database and goes into the log as soon as that takes records; `hallpass audit verify` says what is wrong with it",
        ))
    }

    /// The checkpoint that covers them; none if none waited.
    fn take_waiting(&self, runtime: &Handle) -> Result<Option<String>, Waiting> {
        if runtime.block_on(self.store.waiting_acts(0, 1)).map_err(Waiting::Store)?.is_empty() {
            return Ok(None);
        }
        self.write(|writing| Ok(self.append_waiting(writing, runtime))).map_err(Waiting::Log)?.map(Some)
    }

    fn append_waiting(&self, writing: &mut Writing<'_>, runtime: &Handle) -> Result<String, Waiting> {
        let mut after = self.last_act_in_log(runtime)?;
        loop {
            let acts = runtime.block_on(self.store.waiting_acts(after, PAGE)).map_err(Waiting::Store)?;
            let Some((last, _)) = acts.last() else { break };
            after = *last;
            let records: Vec<String> = acts.into_iter().map(record_of).collect();
            on_full_disk_too(writing, |writing| writing.append(&records).and_then(|_| writing.sync()))?;
        }
        on_full_disk_too(writing, |writing| writing.checkpoint().map(str::to_owned))
    }

    /// The acts up to this one are in the log, though the view may not know it yet.
    fn last_act_in_log(&self, runtime: &Handle) -> Result<i64, Waiting> {
        // In this order: what is added to the view meanwhile is looked at twice and not missed.
        let next = runtime.block_on(self.store.next_logged()).map_err(Waiting::Store)?;
        let behind = view::last_act_behind(self, next).map_err(|error| {
            Waiting::Log(LogFault::Io { doing: "read", path: self.folder.join("segments"), error })
        })?;
        match behind {
            Some(last) => Ok(last),
            None => runtime.block_on(self.store.last_act_in_view()).map_err(Waiting::Store),
        }
    }
}

/// A reason that is too long for a record is cut: an act that the log does not take would hold up all that come after it.
fn record_of((number, act): (i64, Event)) -> String {
    let mut act = Event { act: Some(number), ..act };
    let record = act.json_line();
    if record.len() <= RECORD_MOST {
        return record;
    }
    act.reason = act.reason.map(|reason| reason.chars().take(REASON_MOST).chain("...".chars()).collect());
    act.json_line()
}

/// Acts have space of their own, which is given up for them.
fn on_full_disk_too<T>(
    writing: &mut Writing<'_>,
    act: impl Fn(&mut Writing<'_>) -> Result<T, LogFault>,
) -> Result<T, Waiting> {
    match act(writing) {
        Err(fault) if fault.is_full() => {
            writing.release_reserve().map_err(Waiting::Log)?;
            act(writing).map_err(Waiting::Log)
        }
        done => done.map_err(Waiting::Log),
    }
}
