//! Writes the log, on a thread of its own: each group is one write; synced a moment later, or before anybody is told that
//! it is written; signed every second. Knows no database.

use super::{Logged, reactor};
use crate::audit::Audit;
use crate::fault::{Doing, Result};
use crate::lookout::is_said_for_nothing;
use crate::output::{note, without_tokens};
use hallpass_audit::Fault as LogFault;
use hallpass_core::Event;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

/// How many events are written together.
const GROUP_MOST: usize = 2000;
/// How long a record may be written and not synced.
const SYNC_AFTER: Duration = Duration::from_millis(50);
/// How long one may be synced and not signed.
const SIGN_AFTER: Duration = Duration::from_secs(1);
/// How long to wait before a group that could not be written is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the last group is tried.
const LAST_TRIES: u32 = 10;

/// What the configuration says of writing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// An answer waits until its record is on the disk, not only written.
    pub each: bool,
}

pub(super) struct Scribe {
    audit: Arc<Audit>,
    rules: Rules,
    keeper: mpsc::Sender<Logged>,
    sync_at: Option<Instant>,
    sign_at: Option<Instant>,
    said: String,
}

impl Scribe {
    pub(super) fn new(audit: Arc<Audit>, rules: Rules, keeper: mpsc::Sender<Logged>) -> Self {
        Self { audit, rules, keeper, sync_at: None, sign_at: None, said: String::new() }
    }

    pub(super) fn start(self, events: mpsc::Receiver<Event>) -> Result<JoinHandle<()>> {
        let reactor = reactor()?;
        let thread = std::thread::Builder::new().name("scribe".into());
        thread.spawn(move || reactor.block_on(self.run(events))).doing("cannot start the recorder")
    }

    async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        let mut group = Vec::with_capacity(GROUP_MOST);
        loop {
            match timeout_at(self.due(), events.recv_many(&mut group, GROUP_MOST)).await {
                Ok(0) => break,
                Ok(_) => self.write(&mut group, events.is_closed()).await,
                Err(_) => {}
            }
            self.finish_what_is_due();
        }
        if let Err(fault) = self.audit.checkpoint(true) {
            note(&format!("the log's last records are not signed yet: {fault}"));
        }
    }

    fn due(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600);
        [self.sync_at, self.sign_at].into_iter().flatten().min().unwrap_or(far)
    }

    /// Tries until it is written: meanwhile events wait, and when too many wait, calls are refused.
    async fn write(&mut self, group: &mut Vec<Event>, is_last: bool) {
        group.iter_mut().for_each(hide_tokens);
        let records: Vec<String> = group.iter_mut().map(record_of).collect();
        let mut tries = 0;
        let first = loop {
            match self.audit.append(&records, self.rules.each) {
                Ok(appended) => break appended.first,
                Err(fault) => self.say(&fault),
            }
            tries += 1;
            if is_last && tries > LAST_TRIES {
                note(&format!("{} records were never written: the log takes none", records.len()));
                group.clear();
                return;
            }
            sleep(PAUSE).await;
        };
        self.said.clear();
        let now = Instant::now();
        if !self.rules.each {
            self.sync_at.get_or_insert(now + SYNC_AFTER);
        }
        self.sign_at.get_or_insert(now + SIGN_AFTER);
        let events = std::mem::replace(group, Vec::with_capacity(GROUP_MOST.min(64)));
        // If it has fallen behind, it reads them from the log.
        let _ = self.keeper.try_send(Logged { first: self.audit.row(first), events });
    }

    fn finish_what_is_due(&mut self) {
        let now = Instant::now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let done = if is_due(self.sign_at) {
            self.audit.checkpoint(false).map(drop)
        } else if is_due(self.sync_at) {
            self.audit.sync()
        } else {
            return;
        };
        match done {
            Ok(()) => {
                self.sync_at = None;
                if is_due(self.sign_at) {
                    self.sign_at = None;
                }
            }
            Err(fault) => {
                self.say(&fault);
                let later = Some(now + PAUSE);
                self.sync_at = self.sync_at.and(later);
                self.sign_at = self.sign_at.and(later);
            }
        }
    }

    fn say(&mut self, fault: &LogFault) {
        let text = format!("the log cannot be written, calls will be refused if this goes on: {fault}");
        if self.said != text {
            note(&text);
            self.said = text;
        }
    }
}

/// The record of an event. What a caller says of itself is looked at afterwards, and kept only where it may be asked for.
fn record_of(event: &mut Event) -> String {
    if !is_said_for_nothing(event) {
        return event.json_line();
    }
    let said = (event.user_agent.take(), event.client_info.take());
    let record = event.json_line();
    (event.user_agent, event.client_info) = said;
    record
}

/// What a caller says of itself may be a token, pasted into the wrong place.
fn hide_tokens(event: &mut Event) {
    let Event { user_agent, client_info, session, tool, method, .. } = event;
    let said = [user_agent, client_info, session, tool, method];
    for text in said.into_iter().flatten().filter(|text| text.contains("eyJ")) {
        *text = without_tokens(text);
    }
}
