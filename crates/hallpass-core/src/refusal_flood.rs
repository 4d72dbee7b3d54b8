//! Keeps a flood of refusals from flooding the log: some of those that are alike pass, the others are counted, and one
//! record says how many. Nothing is lost but their details. Knows no clock.

use crate::event::{Event, Outcome};
use std::collections::HashMap;

/// How many that are alike pass in a window.
const ALIKE_MOST: u32 = 20;
/// How many pass in a window in all.
const PASS_MOST: u32 = 200;
/// How many kinds are told apart in a window. Beyond that only reasons are.
const ROWS_MOST: usize = 256;
/// How many reasons are told apart beyond that.
const REASONS_MOST: usize = 64;
/// The shortest window. Each that overflows is followed by one of twice its length.
const WINDOW_LEAST_MS: i64 = 1000;
/// The longest: this late comes the record of what was counted, and so much of it a crash can take.
const WINDOW_MOST_MS: i64 = 8000;

/// What has been refused in the present window.
#[derive(Debug)]
pub struct RefusalFlood {
    rows: HashMap<Alike, Row>,
    passed: u32,
    /// When the window began; none while nothing was refused.
    begun_ms: Option<i64>,
    length_ms: i64,
}

/// What refusals have in common that are alike. Absent: they may differ in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Alike {
    reason: Option<String>,
    status: Option<u16>,
    address: Option<String>,
    client: Option<String>,
    jti: Option<String>,
    legacy: bool,
    path_client: Option<String>,
    server: Option<String>,
    method: Option<String>,
    tool: Option<String>,
}

#[derive(Debug, Default)]
struct Row {
    passed: u32,
    counted: u64,
    first_ms: i64,
    last_ms: i64,
    bytes_in: u64,
}

impl Default for RefusalFlood {
    fn default() -> Self {
        Self { rows: HashMap::new(), passed: 0, begun_ms: None, length_ms: WINDOW_LEAST_MS }
    }
}

impl RefusalFlood {
    /// Leaves in the group what may pass, and puts the number of what was counted before in front of it once its window is
    /// over. Returns what is only counted.
    pub fn thin(&mut self, group: &mut Vec<Event>, now_ms: i64) -> Vec<Event> {
        // Also where the clock went back: a window without an end would keep what it counted.
        let is_over = |begun_ms| !(begun_ms..begun_ms + self.length_ms).contains(&now_ms);
        let told = if self.begun_ms.is_some_and(is_over) { self.end_window() } else { Vec::new() };
        let counted = group.extract_if(.., |event| !self.passes(event, now_ms)).collect();
        group.splice(0..0, told);
        counted
    }

    /// When it has something to tell though nothing happens.
    pub fn due_ms(&self) -> Option<i64> {
        let begun_ms = self.begun_ms.filter(|_| self.has_counted())?;
        Some(begun_ms + self.length_ms)
    }

    /// What was counted until now.
    pub fn rest(&mut self) -> Vec<Event> {
        self.end_window()
    }

    fn passes(&mut self, event: &Event, now_ms: i64) -> bool {
        if event.outcome != Outcome::Refused || !event.is_call() || event.count.is_some() {
            return true;
        }
        self.begun_ms.get_or_insert(now_ms);
        let alike = self.known(Alike::of(event));
        let row = self.rows.entry(alike).or_default();
        if row.passed < ALIKE_MOST && self.passed < PASS_MOST {
            row.passed += 1;
            self.passed += 1;
            return true;
        }
        row.count(event);
        false
    }

    /// As exact as there is room for.
    fn known(&self, alike: Alike) -> Alike {
        let room = |rows| self.rows.len() < rows;
        if room(ROWS_MOST) || self.rows.contains_key(&alike) {
            return alike;
        }
        let by_reason = Alike { reason: alike.reason, ..Alike::default() };
        if room(ROWS_MOST + REASONS_MOST) || self.rows.contains_key(&by_reason) {
            return by_reason;
        }
        Alike::default()
    }

    fn has_counted(&self) -> bool {
        self.rows.values().any(|row| row.counted > 0)
    }

    /// Flows over again and again: longer windows, fewer records.
    fn end_window(&mut self) -> Vec<Event> {
        self.length_ms =
            if self.has_counted() { (self.length_ms * 2).min(WINDOW_MOST_MS) } else { WINDOW_LEAST_MS };
        (self.passed, self.begun_ms) = (0, None);
        let counted = self.rows.drain().filter(|(_, row)| row.counted > 0);
        let mut told: Vec<Event> = counted.map(|(alike, row)| row.told(alike)).collect();
        told.sort_by_key(|event| event.at_ms);
        told
    }
}

impl Alike {
    fn of(event: &Event) -> Self {
        // The port is another for each connection.
        let host = |address: &String| {
            address.rsplit_once(':').map_or_else(|| address.clone(), |(host, _)| host.to_owned())
        };
        Self {
            reason: event.reason.clone(),
            status: event.status,
            address: event.address.as_ref().map(host),
            client: event.client.clone(),
            jti: event.jti.clone(),
            legacy: event.legacy,
            path_client: event.path_client.clone(),
            server: event.server.clone(),
            method: event.method.clone(),
            tool: event.tool.clone(),
        }
    }
}

impl Row {
    fn count(&mut self, event: &Event) {
        if self.counted == 0 {
            (self.first_ms, self.last_ms) = (event.at_ms, event.at_ms);
        }
        self.counted += 1;
        self.first_ms = self.first_ms.min(event.at_ms);
        self.last_ms = self.last_ms.max(event.at_ms);
        self.bytes_in = self.bytes_in.saturating_add(event.bytes_in.unwrap_or(0));
    }

    fn told(self, alike: Alike) -> Event {
        Event {
            reason: alike.reason,
            status: alike.status,
            address: alike.address,
            client: alike.client,
            jti: alike.jti,
            legacy: alike.legacy,
            path_client: alike.path_client,
            server: alike.server,
            method: alike.method,
            tool: alike.tool,
            bytes_in: Some(self.bytes_in).filter(|bytes| *bytes > 0),
            count: Some(self.counted),
            until_ms: Some(self.last_ms),
            ..Event::new(self.first_ms, "call", Outcome::Refused)
        }
    }
}
