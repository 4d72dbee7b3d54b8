//! What follows once records are in the log: they are printed, looked at, added to the view. Nobody waits for it.

use super::anchor::{Anchor, Anchoring};
use super::printer::{Lines, Printer};
use super::{Logged, count};
use crate::audit::{Audit, bring_up};
use crate::lookout::Lookout;
use crate::output::note;
use hallpass_core::Event;
use hallpass_store::{Added, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The shortest rest after a group.
const REST_LEAST: Duration = Duration::from_millis(10);
/// The longest.
const REST_MOST: Duration = Duration::from_millis(100);
/// So many records at once are many: then the more are added at once, the less each costs.
const BUSY: usize = 32;
/// How long to wait before something that failed is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// How often in a row the view cannot be written before that is said: whoever reads the database says it, too.
const TRIES_UNSAID: u32 = 20;
/// How often the last groups are tried.
const LAST_TRIES: u32 = 4;
/// How many records are added to the view together.
const TOGETHER_MOST: usize = 4000;

pub(super) struct Keeper {
    audit: Arc<Audit>,
    store: Store,
    lines: Lines,
    lookout: Lookout,
    printer: Printer,
    anchor: Anchor,
    /// The row that is expected next.
    next: Option<i64>,
    /// Acts wait in the database that the log did not take when they were done.
    acts_at: Instant,
    /// Nothing came by since acts were looked for: what is not in the view yet is not on its way here.
    is_idle: bool,
    said: String,
}

impl Keeper {
    pub(super) fn new(
        audit: Arc<Audit>,
        store: Store,
        lines: Lines,
        anchoring: Anchoring,
        lookout: Lookout,
    ) -> Self {
        let anchor = Anchor::new(Arc::clone(&audit), anchoring);
        let (printer, acts_at) = (Printer::start(), Instant::now() + PAUSE);
        Self {
            audit,
            store,
            lines,
            lookout,
            printer,
            anchor,
            next: None,
            acts_at,
            is_idle: true,
            said: String::new(),
        }
    }

    /// Until the scribe ends.
    pub(super) async fn run(mut self, mut logged: mpsc::UnboundedReceiver<Logged>) {
        loop {
            let due = self.lookout.due().min(self.acts_at).min(self.anchor.due());
            match tokio::time::timeout_at(due, logged.recv()).await {
                Ok(None) => break,
                Ok(Some(group)) => {
                    self.is_idle = false;
                    let begun = Instant::now();
                    let groups = together(group, &mut logged);
                    let is_busy = groups.iter().map(|group| group.events.len()).sum::<usize>() >= BUSY;
                    self.keep(groups, &logged).await;
                    // Whoever else writes looks for the lock now and then and stands in no queue: without a rest a command
                    // that revokes finds it taken again and again while clients call without pause.
                    let rest = if is_busy { REST_MOST } else { begun.elapsed().clamp(REST_LEAST, REST_MOST) };
                    tokio::time::sleep(rest).await;
                }
                Err(_) => self.lookout.act().await,
            }
            self.tell().await;
            self.take_acts().await;
            self.anchor.drop_if_due(&self.printer).await;
        }
        self.lookout.last_look();
        self.tell().await;
        self.acts_at = Instant::now();
        self.take_acts().await;
        self.anchor.drop(&self.printer).await;
        self.lookout.end().await;
        self.printer.end().await;
    }

    /// Prints a group, looks at it and adds it to the view.
    async fn keep(&mut self, groups: Vec<Logged>, logged: &mpsc::UnboundedReceiver<Logged>) {
        for Logged { first, mut events, counted, .. } in groups {
            self.lookout.look_at_counted(&counted).await;
            if events.is_empty() {
                continue;
            }
            if self.next.is_some_and(|next| next < first) && self.was_ours(first).await {
                self.lookout.missed_some();
            }
            self.printer.print(&events, self.lines);
            self.lookout.look(first, &mut events).await;
            let next = first + count(&events);
            self.next = Some(next);
            if self.add(first, &events, logged).await {
                // Not what else the view has by now: some of that may be on its way here.
                self.lookout.logged(next - 1).await;
            }
        }
    }

    /// Whether calls are among the records that did not come by here. Acts of other processes never do.
    async fn was_ours(&self, first: i64) -> bool {
        let after = self.next.unwrap_or(first) - 1;
        let Ok(between) =
            self.store.events_after(after, u32::try_from(first - after - 1).unwrap_or(u32::MAX)).await
        else {
            return true;
        };
        i64::try_from(between.len()).unwrap_or(0) < first - after - 1
            || between.iter().any(|(id, event)| *id < first && event.is_call())
    }

    /// Adds a group to the view, trying until it is there; at the end not for long: the next start reads it from the log.
    async fn add(&mut self, first: i64, events: &[Event], logged: &mpsc::UnboundedReceiver<Logged>) -> bool {
        for tries in 1_u32.. {
            let added = match self.store.add_logged(first, events, None).await {
                Ok(Added::Until(_)) => return true,
                Ok(Added::Missing { .. }) => {
                    bring_up(&self.audit, None).await.map_err(|fault| fault.to_string())
                }
                Err(fault) => Err(fault.to_string()),
            };
            let Err(why) = added else { continue };
            if tries == TRIES_UNSAID {
                self.say(format!("the log is written, and its view in the database is behind: {why}"));
            }
            if logged.is_closed() && tries >= LAST_TRIES {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        false
    }

    /// Puts into the log what the lookout noticed.
    async fn tell(&mut self) {
        let events = self.lookout.untold();
        if events.is_empty() {
            return;
        }
        let records: Vec<String> = events.iter().map(Event::json_line).collect();
        let audit = Arc::clone(&self.audit);
        match tokio::task::spawn_blocking(move || audit.append(&records, true)).await {
            Ok(Ok(appended)) => {
                self.printer.print(&events, self.lines);
                // If calls were written meanwhile, it is added with them.
                let _ = self.store.add_logged(self.audit.row(appended.first), &events, None).await;
            }
            Ok(Err(_)) | Err(_) => self.lookout.not_told(events),
        }
    }

    /// What another process, or this one, could not put into the log when it was done.
    async fn take_acts(&mut self) {
        if Instant::now() < self.acts_at {
            return;
        }
        self.acts_at = Instant::now() + PAUSE;
        self.audit.keep_space();
        let is_idle = std::mem::replace(&mut self.is_idle, true);
        let signed = match self.audit.take().await {
            Ok(signed) => signed,
            Err(fault) => return self.say(format!("acts wait for the log: {fault}")),
        };
        self.said.clear();
        if is_idle || signed.is_some() {
            // What is not in the view now comes with the next.
            let _ = bring_up(&self.audit, signed.as_deref()).await;
        }
    }

    fn say(&mut self, text: String) {
        if self.said != text {
            note(&text);
            self.said = text;
        }
    }
}

/// The group and those that wait behind it, as few as there are records to add at once.
fn together(group: Logged, logged: &mut mpsc::UnboundedReceiver<Logged>) -> Vec<Logged> {
    let mut all = vec![group];
    let mut records = all[0].events.len();
    while records < TOGETHER_MOST {
        let Ok(group) = logged.try_recv() else { break };
        records += group.events.len() + group.counted.len();
        let last = all.len() - 1;
        if group.events.is_empty() {
            all[last].counted.extend(group.counted);
        } else if all[last].first + count(&all[last].events) == group.first {
            all[last].events.extend(group.events);
            all[last].counted.extend(group.counted);
        } else {
            all.push(group);
        }
    }
    all
}
