//! Feeds what the log takes to the sightings, keeps their rows, and acts on what they notice. Never on a call's path, and
//! never in the way of the log: what it misses it reads from the log later.

use crate::clock;
use crate::metrics::Counts;
use crate::operator;
use crate::output::note;
use hallpass_core::sightings::{FirstSighting, Noticed, Sightings};
use hallpass_core::uses::WarningKind;
use hallpass_core::warnings::Oddity;
use hallpass_core::{Event, Outcome, UnixTime};
use hallpass_gateway::View;
use hallpass_store::{FirstUse, Store, StoreFault, UseRows};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often rows that changed are written.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// How soon the rows of tokens that were used for the first time are written.
const WRITE_SOON: Duration = Duration::from_secs(1);
/// How long to wait before the store is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// First uses that are noted in one transaction: nobody else writes meanwhile.
const FIRST_USES_MOST: usize = 200;
/// How far back in the log is counted what was never counted: the log may be years long.
const BACK_MOST: i64 = 100_000;
/// Events that are read from the log at once.
const PAGE: u32 = 2000;
/// Clients that have been idle for so long are forgotten here, in milliseconds. The store has their rows.
const IDLE_MS: i64 = 86_400_000;

/// What is done about what is seen.
pub struct Lookout {
    store: Store,
    view: View,
    disable: BTreeSet<WarningKind>,
    counts: Arc<Mutex<Counts>>,
    sightings: Sightings,
    /// The row of the last event that the sightings have seen.
    counted: Counted,
    first_uses: Vec<FirstSighting>,
    to_disable: Vec<Oddity>,
    /// What has to be told and is not in the log yet.
    untold: Vec<Event>,
    write_at: Instant,
    retry_at: Instant,
    looked_at: Instant,
    said: String,
}

/// How far the sightings have come in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    /// Not even what was kept has been read.
    NotBegun,
    /// The rows after this one have to be read from the log.
    Behind(i64),
    /// Up to here, and what comes is seen as it comes.
    Until(i64),
}

impl Lookout {
    /// Looks from `view` at what is in force. `disable`: the warnings that disable a client.
    pub fn new(store: Store, view: View, disable: BTreeSet<WarningKind>, counts: Arc<Mutex<Counts>>) -> Self {
        let now = Instant::now();
        Self {
            store,
            view,
            disable,
            counts,
            sightings: Sightings::default(),
            counted: Counted::NotBegun,
            first_uses: Vec::new(),
            to_disable: Vec::new(),
            untold: Vec::new(),
            write_at: now + WRITE_EVERY,
            retry_at: now,
            looked_at: now,
            said: String::new(),
        }
    }

    /// A look at the gateway whose records these are.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// When it wants to be called again though nothing happens.
    pub fn due(&self) -> Instant {
        let has_work = !self.first_uses.is_empty() || !self.to_disable.is_empty() || !self.untold.is_empty();
        let is_behind = !matches!(self.counted, Counted::Until(_));
        let look_again = if self.sightings.is_settled() { self.write_at } else { self.looked_at + PAUSE };
        let due = self.write_at.min(look_again);
        if has_work || is_behind { due.min(self.retry_at) } else { due }
    }

    /// Looks at records of the log, `first` being the row of the first. What callers say of themselves stays with the events
    /// where it may be asked for later.
    pub async fn look(&mut self, first: i64, group: &mut [Event]) {
        self.catch_up().await;
        if let Counted::Until(until) = self.counted {
            // What was read from the view already is not seen twice.
            let known = usize::try_from(until + 1 - first).unwrap_or(0).min(group.len());
            self.notice(&group[known..], until).await;
        }
        group.iter_mut().for_each(forget_what_was_said);
    }

    /// Looks at refusals that the log has only as a number, which is no refusal of its own here.
    pub async fn look_at_counted(&mut self, counted: &[Event]) {
        if let (Counted::Until(until), false) = (self.counted, counted.is_empty()) {
            self.notice(counted, until).await;
        }
    }

    async fn notice(&mut self, events: &[Event], until: i64) {
        let mut noticed = Noticed::default();
        let singles = events.iter().filter(|event| event.count.is_none());
        match self.see(singles, &mut noticed).await {
            Ok(()) => {}
            // Nothing of the group was looked at; it is read from the view later.
            Err(fault) => self.fall_behind(until, &fault),
        }
        let told = self.take(noticed);
        self.untold.extend(told);
    }

    /// What is counted of warnings, and of calls by whoever sees each.
    pub fn counts(&self) -> Arc<Mutex<Counts>> {
        Arc::clone(&self.counts)
    }

    /// Records went by that were not shown: they are read from the view.
    pub fn missed_some(&mut self) {
        if let Counted::Until(until) = self.counted {
            self.counted = Counted::Behind(until);
        }
    }

    /// The group is in the view, which has everything up to this row.
    pub async fn logged(&mut self, last: i64) {
        if let Counted::Until(until) = &mut self.counted {
            *until = last.max(*until);
        }
        self.act().await;
    }

    /// Does what is due: acts on what was noticed, writes what changed.
    pub async fn act(&mut self) {
        self.looked_at = Instant::now();
        self.catch_up().await;
        self.settle(clock::now_ms());
        self.note_first_uses().await;
        self.disable().await;
        if Instant::now() >= self.write_at {
            self.write().await;
        }
    }

    /// Hands over what has to be told.
    pub fn untold(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.untold)
    }

    /// Takes back what could not be told yet.
    pub fn not_told(&mut self, events: Vec<Event>) {
        self.untold.splice(0..0, events);
    }

    /// Judges what was to be looked at again: there is no later.
    pub fn last_look(&mut self) {
        self.settle(i64::MAX);
    }

    /// Writes all that is left. What cannot be written is read from the log at the next start.
    pub async fn end(mut self) {
        self.act().await;
        self.write().await;
    }

    /// Reads what was kept, and what the log has that is not counted in it.
    async fn catch_up(&mut self) {
        if matches!(self.counted, Counted::Until(_)) || Instant::now() < self.retry_at {
            return;
        }
        if let Err(fault) = self.read_on().await {
            self.trouble("the uses of tokens cannot be read, and will be read from the log later", &fault);
        }
    }

    async fn read_on(&mut self) -> Result<(), StoreFault> {
        let mut after = match self.counted {
            Counted::Behind(after) | Counted::Until(after) => after,
            Counted::NotBegun => self.begin().await?,
        };
        self.counted = Counted::Behind(after);
        loop {
            let page = self.store.events_after(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            let mut noticed = Noticed::default();
            self.see(page.iter().map(|(_, event)| event), &mut noticed).await?;
            after = *last;
            self.counted = Counted::Behind(after);
            let told = self.take(noticed);
            self.untold.extend(told);
        }
        self.counted = Counted::Until(after);
        self.said.clear();
        Ok(())
    }

    async fn begin(&mut self) -> Result<i64, StoreFault> {
        let (legacy, unknown) = (self.store.legacy_uses().await?, self.store.warnings_about_nobody().await?);
        let newest = self.store.newest_event().await?;
        let counted = self.store.uses_counted_until().await?.unwrap_or(0);
        self.sightings.begin(legacy, unknown);
        Ok(counted.max(newest - BACK_MOST))
    }

    /// Shows events to the sightings; none of them if what was kept about their tokens cannot be read.
    async fn see<'a>(
        &mut self,
        events: impl Iterator<Item = &'a Event> + Clone,
        noticed: &mut Noticed,
    ) -> Result<(), StoreFault> {
        let unknown = self.sightings.unknown_in(events.clone());
        if !unknown.is_empty() {
            let kept = self.store.kept_uses(&unknown, clock::now()).await?;
            self.sightings.know(&unknown, kept);
        }
        let snapshot = self.view.snapshot();
        for event in events {
            self.sightings.see(event, &snapshot, noticed);
        }
        Ok(())
    }

    fn fall_behind(&mut self, until: i64, fault: &StoreFault) {
        self.counted = Counted::Behind(until);
        self.trouble("the uses of tokens cannot be read, and will be read from the log later", fault);
    }

    /// Takes what has to be done, and returns what has to be told.
    fn take(&mut self, noticed: Noticed) -> Vec<Event> {
        if !noticed.first_uses.is_empty() {
            self.write_at = self.write_at.min(Instant::now() + WRITE_SOON);
        }
        self.first_uses.extend(noticed.first_uses);
        {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            for odd in &noticed.odd {
                counts.warning(odd.kind);
            }
        }
        for odd in noticed.odd {
            let is_asked = self.to_disable.iter().any(|other| other.client == odd.client);
            if self.disable.contains(&odd.kind) && !is_asked {
                self.to_disable.push(odd);
            }
        }
        if !noticed.told.is_empty() {
            // What was told is not told again after a crash.
            self.write_at = Instant::now();
        }
        noticed.told
    }

    /// What was unknown a while ago may have been issued since.
    fn settle(&mut self, now_ms: i64) {
        if !self.sightings.is_settled() {
            let mut noticed = Noticed::default();
            self.sightings.settle(now_ms, &self.view.snapshot(), &mut noticed);
            let told = self.take(noticed);
            self.untold.extend(told);
        }
    }

    async fn note_first_uses(&mut self) {
        if self.first_uses.is_empty() || Instant::now() < self.retry_at {
            return;
        }
        let some = self.first_uses.len().min(FIRST_USES_MOST);
        let uses: Vec<FirstUse<'_>> = self.first_uses[..some]
            .iter()
            .map(|first| FirstUse { client: first.client.as_str(), jti: &first.jti, at: first.at })
            .collect();
        match self.store.note_first_uses(&uses).await {
            Ok(_) => drop(self.first_uses.drain(..some)),
            Err(fault) => self.trouble("the first use of a token cannot be noted yet", &fault),
        }
    }

    async fn disable(&mut self) {
        while let Some(odd) = self.to_disable.pop() {
            if Instant::now() < self.retry_at {
                self.to_disable.push(odd);
                return;
            }
            let Some(client) = &odd.client else { continue };
            let reason = format!("{}: {}", odd.kind.as_str(), odd.detail);
            let at = UnixTime::from_seconds(odd.at_ms.div_euclid(1000));
            let act = Event {
                client: Some(client.as_str().to_owned()),
                jti: Some(odd.jti.clone()),
                reason: Some(reason.clone()),
                by: Some(operator::who()),
                ..Event::new(odd.at_ms, "disable", Outcome::Done)
            };
            match self.store.disable_client(client.as_str(), at, &reason, &act).await {
                Ok(true) => {
                    note(&format!("the client `{client}` was disabled by a warning ({reason})"));
                    self.sightings.forget_places(client);
                }
                // Disabled already, or removed meanwhile.
                Ok(false) | Err(StoreFault::UnknownClient { .. }) => {}
                Err(fault) => {
                    self.trouble("a client cannot be disabled yet", &fault);
                    self.to_disable.push(odd);
                }
            }
        }
    }

    async fn write(&mut self) {
        self.write_at = Instant::now() + WRITE_EVERY;
        let Counted::Until(until) = self.counted else { return };
        // What hangs on them would not come again after a crash: the log counts as read then.
        if !self.first_uses.is_empty() || !self.to_disable.is_empty() {
            return;
        }
        let dirty = self.sightings.dirty();
        if dirty.is_empty() {
            return;
        }
        let rows = UseRows {
            tokens: &dirty.tokens,
            legacy: &dirty.legacy,
            warnings: &dirty.warnings,
            counted_until: Some(until),
        };
        match self.store.put_uses(rows).await {
            Ok(()) => {
                self.sightings.written();
                self.sightings.forget_idle(clock::now_ms() - IDLE_MS);
            }
            Err(fault) => self.trouble("the uses of tokens cannot be written", &fault),
        }
    }

    /// Says it once, and leaves the store alone for a moment.
    fn trouble(&mut self, what: &str, fault: &StoreFault) {
        self.retry_at = Instant::now() + PAUSE;
        let text = format!("{what}: {fault}");
        if text != self.said {
            note(&text);
            self.said = text;
        }
    }
}

/// Not kept with each call of a client: its token says who it is, and its row what it said last.
pub fn forget_what_was_said(event: &mut Event) {
    if is_said_for_nothing(event) {
        event.user_agent = None;
        event.client_info = None;
    }
}

/// Whether what the caller says of itself is not kept with the event.
pub fn is_said_for_nothing(event: &Event) -> bool {
    event.is_call() && !event.legacy && event.outcome != Outcome::Refused
}
