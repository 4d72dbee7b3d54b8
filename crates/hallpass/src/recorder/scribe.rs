//! Writes the log, on a thread of its own: each group is one write; synced a moment later, or before anybody is told that
//! it is written; signed every second. Knows no database.

use super::hiding::hide;
use super::{Handing, count, reactor};
use crate::audit::{Audit, RECORD_MOST};
use crate::clock;
use crate::fault::{Doing, Result};
use crate::lookout::is_said_for_nothing;
use crate::metrics::Counts;
use crate::output::note;
use hallpass_audit::Fault as LogFault;
use hallpass_core::refusal_flood::RefusalFlood;
use hallpass_core::{Event, Outcome};
use hallpass_gateway::{Entry, LogState, Missed, OnFailure, View, Written};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

/// How many events are written together.
const GROUP_MOST: usize = 2000;
/// So many records at once say that more are on their way.
const GROUP_BUSY: usize = 4;
/// How long is then waited for those: a larger group costs each of its calls less.
const GATHER: Duration = Duration::from_micros(50);
/// How long a record may be written and not synced.
const SYNC_AFTER: Duration = Duration::from_millis(50);
/// How long one may be synced and not signed.
const SIGN_AFTER: Duration = Duration::from_secs(1);
/// How long the log is kept from other processes while no group comes: to take it anew for each costs more than to write.
const KEEP_FOR: Duration = Duration::from_millis(2);
/// How long to wait before a group that could not be written is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// How many refusals that are only counted may wait for the keeper.
const COUNTED_MOST: usize = 10_000;
/// How long the last group is tried.
const LAST_TRIES: u32 = 10;

pub(super) struct Scribe {
    audit: Arc<Audit>,
    state: LogState,
    /// An answer waits until its record is on the disk, not only written.
    each: bool,
    /// What metrics show.
    counts: Arc<Mutex<Counts>>,
    keeper: Handing,
    /// What is in force: a shared secret of a grace period, too.
    view: View,
    /// Since when the log takes nothing, in milliseconds since the epoch.
    failing_since: Option<i64>,
    /// Until when other processes are kept out, if nothing comes.
    kept_until: Option<Instant>,
    sync_at: Option<Instant>,
    sign_at: Option<Instant>,
    /// How many records came at once.
    last_group: usize,
    flood: RefusalFlood,
    /// Refusals that are only counted, until the keeper has room for them.
    counted: Vec<Event>,
    /// What is written and not synced yet, each run of it with the row of its first.
    unsynced: Vec<(i64, Vec<Event>)>,
    /// From which the flood's time is counted.
    started: Instant,
    said: String,
}

impl Scribe {
    pub(super) fn new(
        audit: Arc<Audit>,
        state: LogState,
        each: bool,
        counts: Arc<Mutex<Counts>>,
        keeper: Handing,
        view: View,
    ) -> Self {
        let (failing_since, kept_until, sync_at, sign_at) = (None, None, None, None);
        let (flood, counted, unsynced) = (RefusalFlood::default(), Vec::new(), Vec::new());
        let (started, said) = (Instant::now(), String::new());
        Self {
            audit,
            state,
            each,
            counts,
            keeper,
            view,
            failing_since,
            kept_until,
            sync_at,
            sign_at,
            last_group: 0,
            flood,
            counted,
            unsynced,
            started,
            said,
        }
    }

    pub(super) fn start(self, entries: mpsc::Receiver<Entry>) -> Result<JoinHandle<()>> {
        let reactor = reactor()?;
        let thread = std::thread::Builder::new().name("scribe".into());
        thread.spawn(move || reactor.block_on(self.run(entries))).doing("cannot start the recorder")
    }

    async fn run(mut self, mut entries: mpsc::Receiver<Entry>) {
        let mut taken = Vec::with_capacity(GROUP_MOST);
        loop {
            match timeout_at(self.due(), entries.recv_many(&mut taken, GROUP_MOST)).await {
                Ok(0) => break,
                Ok(_) => {
                    self.gather(&mut taken, &mut entries);
                    self.take(taken.drain(..), &entries).await;
                }
                Err(_) => self.take([].into_iter(), &entries).await,
            }
            self.let_go_if_due();
            self.finish_what_is_due();
        }
        let rest = self.flood.rest();
        self.log(rest, Vec::new(), &entries).await;
        match self.audit.checkpoint(true) {
            Ok(_) => self.hand_on(),
            Err(fault) => note(&format!("the log's last records are not signed yet: {fault}")),
        }
    }

    /// Waits a moment for more, if the last group says that more will come.
    fn gather(&mut self, taken: &mut Vec<Entry>, entries: &mut mpsc::Receiver<Entry>) {
        if self.last_group >= GROUP_BUSY {
            std::thread::sleep(GATHER);
            while taken.len() < GROUP_MOST {
                let Ok(entry) = entries.try_recv() else { break };
                taken.push(entry);
            }
        }
        self.last_group = taken.len();
    }

    fn due(&self) -> Instant {
        let far = Instant::now() + Duration::from_hours(1);
        let told_ms = self.flood.due_ms().and_then(|due_ms| u64::try_from(due_ms).ok());
        let tell_at = told_ms.map(|due_ms| self.started + Duration::from_millis(due_ms));
        [self.kept_until, self.sync_at, self.sign_at, tell_at].into_iter().flatten().min().unwrap_or(far)
    }

    /// Takes what came, without what is too many of it.
    async fn take(&mut self, taken: impl Iterator<Item = Entry>, entries: &mpsc::Receiver<Entry>) {
        let (mut events, waiting): (Vec<Event>, Vec<Option<Written>>) =
            taken.map(|Entry { event, written }| (event, written)).unzip();
        self.count(&events);
        let now_ms = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let mut counted = self.flood.thin(&mut events, now_ms);
        self.hide_in(&mut counted);
        self.counted.append(&mut counted);
        self.counted.truncate(COUNTED_MOST);
        self.log(events, waiting, entries).await;
    }

    /// Before anybody has an answer: who has one finds it counted.
    fn count(&self, events: &[Event]) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            counts.call(event);
        }
    }

    /// Writes a group, and says so to those who wait for it. Handed on once it is synced.
    async fn log(
        &mut self,
        mut events: Vec<Event>,
        waiting: Vec<Option<Written>>,
        entries: &mpsc::Receiver<Entry>,
    ) {
        if events.is_empty() {
            self.hand_on_counted();
            return;
        }
        self.hide_in(&mut events);
        let records: Vec<String> = events.iter_mut().map(record_of).collect();
        let Some(first) = self.write(&records, entries).await else { return };
        Written::all(waiting.into_iter().flatten());
        self.keep_until_synced(self.audit.row(first), events);
        let now = Instant::now();
        if self.each {
            self.hand_on();
        } else {
            self.sync_at.get_or_insert(now + SYNC_AFTER);
        }
        self.sign_at.get_or_insert(now + SIGN_AFTER);
        self.is_over();
    }

    /// What callers said, without credentials.
    fn hide_in(&self, events: &mut [Event]) {
        let in_force = self.view.snapshot();
        let is_shared =
            |text: &str| in_force.grace().is_some_and(|grace| grace.recognise_text(text).is_some());
        for event in events.iter_mut() {
            hide(event, &is_shared);
        }
    }

    fn keep_until_synced(&mut self, first: i64, mut events: Vec<Event>) {
        match self.unsynced.last_mut() {
            Some((row, run)) if *row + count(run) == first => run.append(&mut events),
            // The first, or another process appended in between.
            _ => self.unsynced.push((first, events)),
        }
    }

    /// Everything up to here is on the disk. If the keeper has fallen behind, it reads the events from the log.
    fn hand_on(&mut self) {
        for (first, events) in self.unsynced.drain(..) {
            self.keeper.over(first, events, &mut self.counted);
        }
        self.hand_on_counted();
    }

    /// What is only counted is not in the log, and waits for the keeper.
    fn hand_on_counted(&mut self) {
        if !self.counted.is_empty() {
            self.keeper.over(0, Vec::new(), &mut self.counted);
        }
    }

    /// Tries until they are written: meanwhile events wait, and calls are refused or counted.
    async fn write(&mut self, records: &[String], entries: &mpsc::Receiver<Entry>) -> Option<u64> {
        let mut tries = 0;
        loop {
            match self.audit.append_and_keep(records, self.each) {
                Ok(appended) => {
                    self.kept_until = Some(Instant::now() + KEEP_FOR);
                    return Some(appended.first);
                }
                Err(fault) => self.fails(&fault),
            }
            tries += 1;
            if entries.is_closed() && tries > LAST_TRIES {
                note(&format!("{} records were never written: the log takes none", records.len()));
                return None;
            }
            sleep(PAUSE).await;
        }
    }

    fn fails(&mut self, fault: &LogFault) {
        self.failing_since.get_or_insert_with(clock::now_ms);
        self.state.fails();
        self.say(fault);
    }

    /// The log takes records again: what it has missed is the first thing that it is told.
    fn is_over(&mut self) {
        let Some(since_ms) = self.failing_since else { return };
        let missed = self.state.take_missed();
        let gap = gap(missed, since_ms, clock::now_ms());
        match self.audit.append(&[gap.json_line()], true) {
            Ok(appended) => {
                self.failing_since = None;
                self.said.clear();
                self.state.works();
                note("the log can be written again");
                self.keep_until_synced(self.audit.row(appended.first), vec![gap]);
                self.hand_on();
                self.sign_at.get_or_insert(Instant::now() + SIGN_AFTER);
            }
            Err(fault) => {
                self.state.give_back(missed);
                self.fails(&fault);
                // Tried again though no call comes, which is refused meanwhile.
                self.sync_at.get_or_insert(Instant::now() + PAUSE);
            }
        }
    }

    /// Whoever waits meanwhile gets the log at the next group.
    fn let_go_if_due(&mut self) {
        if self.kept_until.is_some_and(|until| until <= Instant::now()) {
            self.kept_until = None;
            self.audit.let_go();
        }
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
                self.hand_on();
                self.is_over();
            }
            Err(fault) => {
                self.fails(&fault);
                let later = Some(now + PAUSE);
                self.sync_at = self.sync_at.and(later);
                self.sign_at = self.sign_at.and(later);
            }
        }
    }

    fn say(&mut self, fault: &LogFault) {
        let meanwhile = match self.state.on_failure() {
            OnFailure::Refuse => "calls are refused",
            OnFailure::Count => "calls are made without a record, and counted",
        };
        let text = format!("the log cannot be written, {meanwhile}: {fault}");
        if self.said != text {
            note(&text);
            self.said = text;
        }
    }
}

/// The record of a time in which the log took nothing.
fn gap(missed: Missed, since_ms: i64, now_ms: i64) -> Event {
    let seconds = (now_ms - since_ms).max(0) / 1000;
    let Missed { unrecorded, refused } = missed;
    let reason = format!(
        "the log took no records for {seconds} s: {unrecorded} without a record, {refused} calls refused"
    );
    Event { reason: Some(reason), count: Some(unrecorded), ..Event::new(now_ms, "gap", Outcome::Done) }
}

/// The record of an event. What a caller says of itself is looked at afterwards, and kept only where it may be asked for.
fn record_of(event: &mut Event) -> String {
    if !is_said_for_nothing(event) {
        return fitting(event);
    }
    let said = (event.user_agent.take(), event.client_info.take());
    let record = fitting(event);
    (event.user_agent, event.client_info) = said;
    record
}

/// What callers say is short, and what it comes to in JSON is not quite known: a record that the log would not take goes
/// without it, and says so.
fn fitting(event: &mut Event) -> String {
    let record = event.json_line();
    if record.len() <= RECORD_MOST {
        return record;
    }
    (event.user_agent, event.client_info, event.arguments, event.arguments_hash) = (None, None, None, None);
    event.arguments_cut = true;
    event.json_line()
}
