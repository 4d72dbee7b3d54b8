//! Who uses the shared secret, as well as callers can be told apart, in a bounded number of rows: everything that tells
//! them apart is what they say of themselves. Time comes from the events.

use crate::event::{Event, Outcome};
use crate::name::ClientName;
use crate::uses::{LegacyCaller, LegacyUse};
use std::collections::{HashMap, VecDeque};

/// Callers with rows of their own on one path.
pub const CALLERS_OF_A_PATH_MOST: usize = 256;
/// Callers with rows of their own on all paths.
pub const CALLERS_MOST: usize = 1024;
/// What is listed of a caller's calls by name.
pub const CALLED_MOST: usize = 64;
/// Under which name the rest of a caller's calls is counted. No server is called that.
pub const THE_REST: &str = "*";
/// Connections whose program is remembered.
const CONNECTIONS_MOST: usize = 1024;

/// The rows about the shared secret's callers.
#[derive(Debug, Default)]
pub struct LegacyCallers {
    rows: HashMap<LegacyCaller, Row>,
    of_path: HashMap<Option<ClientName>, usize>,
    own_rows: usize,
    programs: Programs,
}

#[derive(Debug)]
struct Row {
    usage: LegacyUse,
    dirty: bool,
}

impl LegacyCallers {
    /// Takes the rows that were kept.
    pub fn know(&mut self, kept: Vec<LegacyUse>) {
        for usage in kept {
            self.programs.learn(&usage.caller);
            self.make_row(Row { usage, dirty: false });
        }
    }

    /// Counts a call with the shared secret. `address` is the caller's without the port; `ended_ms` when it ended.
    pub fn count(&mut self, event: &Event, address: Option<&str>, ended_ms: i64) {
        let own = self.programs.complete(event, caller_of(event, address));
        let key = if self.has_room_for(&own) { own } else { LegacyCaller::the_rest(own.path_client) };
        if let Some(row) = self.rows.get_mut(&key) {
            return row.count(event, ended_ms);
        }
        let usage = LegacyUse {
            caller: key,
            first_ms: event.at_ms,
            last_ms: ended_ms,
            let_in_ms: None,
            calls: 0,
            refused: 0,
            called: [].into(),
        };
        let mut row = Row { usage, dirty: true };
        row.count(event, ended_ms);
        self.make_row(row);
    }

    fn has_room_for(&self, caller: &LegacyCaller) -> bool {
        if caller.is_the_rest() || self.rows.contains_key(caller) {
            return true;
        }
        let on_path = self.of_path.get(&caller.path_client).copied().unwrap_or_default();
        on_path < CALLERS_OF_A_PATH_MOST && self.own_rows < CALLERS_MOST
    }

    fn make_row(&mut self, row: Row) {
        let caller = row.usage.caller.clone();
        if !caller.is_the_rest() {
            *self.of_path.entry(caller.path_client.clone()).or_default() += 1;
            self.own_rows += 1;
        }
        self.rows.insert(caller, row);
    }

    /// The rows that changed since [`LegacyCallers::written`].
    pub fn dirty(&self) -> Vec<LegacyUse> {
        self.rows.values().filter(|row| row.dirty).map(|row| row.usage.clone()).collect()
    }

    /// All that is dirty was kept.
    pub fn written(&mut self) {
        for row in self.rows.values_mut() {
            row.dirty = false;
        }
    }
}

impl Row {
    fn count(&mut self, event: &Event, ended_ms: i64) {
        self.dirty = true;
        let usage = &mut self.usage;
        usage.first_ms = usage.first_ms.min(event.at_ms);
        usage.last_ms = ended_ms;
        if event.outcome == Outcome::Refused {
            usage.refused = usage.refused.saturating_add(1);
            return;
        }
        usage.let_in_ms = Some(ended_ms);
        usage.calls = usage.calls.saturating_add(1);
        let Some(called) = called(event) else { return };
        let is_listed = usage.called.contains_key(&called) || usage.called.len() < CALLED_MOST;
        let name = if is_listed { called } else { THE_REST.to_owned() };
        let times = usage.called.entry(name).or_default();
        *times = times.saturating_add(1);
    }
}

fn called(event: &Event) -> Option<String> {
    let what = event.tool.as_deref().or(event.method.as_deref())?;
    Some(format!("{}/{what}", event.server.as_deref()?))
}

fn caller_of(event: &Event, address: Option<&str>) -> LegacyCaller {
    // A path that is no client's tells nobody apart: it is what a caller chose to type.
    let is_path = event.reason.as_deref() != Some("no_such_path");
    let path = event.path_client.as_deref().filter(|_| is_path);
    let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    LegacyCaller {
        path_client: path.and_then(|name| ClientName::new(name).ok()),
        client_info: said(&event.client_info),
        user_agent: said(&event.user_agent),
        address: Some(address.filter(|address| !address.is_empty()).unwrap_or("-").to_owned()),
    }
}

/// Which program it is. In revisions with sessions only the first message says so: the others of the same connection,
/// else those that look alike in every other way, are taken for the program that was seen there last.
#[derive(Debug, Default)]
struct Programs {
    /// By a caller without its program.
    alike: HashMap<LegacyCaller, String>,
    /// By address and port.
    connections: HashMap<String, LegacyCaller>,
    oldest: VecDeque<String>,
}

impl Programs {
    fn learn(&mut self, caller: &LegacyCaller) {
        let Some(program) = &caller.client_info else { return };
        let alike = without_program(caller);
        if self.alike.len() < CALLERS_MOST || self.alike.contains_key(&alike) {
            self.alike.insert(alike, program.clone());
        }
    }

    fn complete(&mut self, event: &Event, caller: LegacyCaller) -> LegacyCaller {
        if caller.client_info.is_some() {
            self.learn(&caller);
            if let Some(connection) = &event.address {
                self.remember(connection, &caller);
            }
            return caller;
        }
        let connection = event.address.as_deref().and_then(|address| self.connections.get(address));
        match connection.filter(|known| without_program(known) == caller) {
            Some(known) => known.clone(),
            None => LegacyCaller { client_info: self.alike.get(&caller).cloned(), ..caller },
        }
    }

    fn remember(&mut self, connection: &str, caller: &LegacyCaller) {
        if self.connections.insert(connection.to_owned(), caller.clone()).is_some() {
            return;
        }
        self.oldest.push_back(connection.to_owned());
        if self.oldest.len() > CONNECTIONS_MOST
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.connections.remove(&oldest);
        }
    }
}

fn without_program(caller: &LegacyCaller) -> LegacyCaller {
    LegacyCaller { client_info: None, ..caller.clone() }
}
