//! Records in, one by one; the report out. Holds what is counted, not the records, but for the acts.

use super::{
    About, Act, Attribution, Counts, DayLine, Integrity, LegacyLine, Records, RefusalLine, Registry, Report,
    Section, UsageBy, UsageLine, Verdict, WouldRefuseLine,
};
use crate::event::{Event, Outcome};
use crate::token_sightings::ip_of;
use crate::usage::{Grouping, Usage};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is counted apart.
const FINEST: Grouping = Grouping { client: true, server: true, tool: true, day: true };
const BY_NOTHING: Grouping = Grouping { client: false, server: false, tool: false, day: false };
/// Stands for a refusal of which the log does not say why.
const NO_REASON: &str = "-";

/// What a caller with the shared secret says of itself, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LegacyCaller {
    path_client: Option<String>,
    client_info: Option<String>,
    user_agent: Option<String>,
    address: Option<String>,
}

/// What was counted so far.
#[derive(Clone, Debug)]
pub struct Gathering {
    usage: Usage,
    records: Records,
    attribution: Attribution,
    acts: Vec<Act>,
    refusals: BTreeMap<String, RefusalLine>,
    would_refuse: BTreeMap<(String, String), u64>,
    legacy: BTreeMap<LegacyCaller, LegacyLine>,
    /// Calls that showed a token, by its handle.
    shown: BTreeMap<String, u64>,
    callers: BTreeSet<String>,
}

impl Default for Gathering {
    fn default() -> Self {
        Self {
            usage: Usage::by(FINEST),
            records: Records::default(),
            attribution: Attribution::default(),
            acts: Vec::new(),
            refusals: BTreeMap::new(),
            would_refuse: BTreeMap::new(),
            legacy: BTreeMap::new(),
            shown: BTreeMap::new(),
            callers: BTreeSet::new(),
        }
    }
}

impl Gathering {
    /// Counts a record of the period. `seq`: its number in the log, none if it is in one that is closed.
    pub fn add(&mut self, seq: Option<u64>, event: &Event) {
        self.records.add(seq);
        match event.kind.as_ref() {
            "call" => self.call(event),
            // The end of a connection: its calls have records of their own.
            "close" => {}
            _ => {
                self.records.acts += 1;
                if event.kind == "gap" {
                    self.records.unrecorded += event.count.unwrap_or(0);
                }
                self.acts.push(Act::of(seq, event));
            }
        }
    }

    fn call(&mut self, event: &Event) {
        self.usage.add(event);
        if let Some(client) = &event.client
            && !self.callers.contains(client)
        {
            self.callers.insert(client.clone());
        }
        if let Some(jti) = &event.jti {
            count(&mut self.shown, jti, event.times());
        }
        if event.outcome == Outcome::Refused {
            self.refused(event);
        } else {
            let attributed = match (&event.client, event.legacy) {
                (Some(_), _) => &mut self.attribution.named,
                (None, true) => &mut self.attribution.shared_secret,
                (None, false) => &mut self.attribution.nobody,
            };
            *attributed += event.times();
        }
        if let (Some(policy), Some(reason)) = (&event.would_refuse, &event.would_reason) {
            *self.would_refuse.entry((policy.clone(), reason.clone())).or_default() += event.times();
        }
        if event.legacy {
            self.legacy(event);
        }
    }

    fn refused(&mut self, event: &Event) {
        let reason = event.reason.as_deref().unwrap_or(NO_REASON);
        if !self.refusals.contains_key(reason) {
            let line = RefusalLine {
                reason: reason.to_owned(),
                count: 0,
                clients: BTreeMap::new(),
                first_ms: event.at_ms,
                last_ms: event.at_ms,
            };
            self.refusals.insert(reason.to_owned(), line);
        }
        let Some(line) = self.refusals.get_mut(reason) else { return };
        line.count += event.times();
        line.first_ms = line.first_ms.min(event.at_ms);
        line.last_ms = line.last_ms.max(event.at_ms);
        if let Some(client) = &event.client {
            count(&mut line.clients, client, event.times());
        }
    }

    fn legacy(&mut self, event: &Event) {
        // Each connection has another port.
        let caller = LegacyCaller {
            path_client: event.path_client.clone(),
            client_info: event.client_info.clone(),
            user_agent: event.user_agent.clone(),
            address: event.address.as_deref().and_then(ip_of).map(|ip| ip.to_string()),
        };
        let line = self.legacy.entry(caller.clone()).or_insert_with(|| LegacyLine {
            path_client: caller.path_client,
            client_info: caller.client_info,
            user_agent: caller.user_agent,
            address: caller.address,
            let_in: 0,
            refused: 0,
            first_ms: event.at_ms,
            last_ms: event.at_ms,
        });
        let counted = if event.outcome == Outcome::Refused { &mut line.refused } else { &mut line.let_in };
        *counted += event.times();
        line.first_ms = line.first_ms.min(event.at_ms);
        line.last_ms = line.last_ms.max(event.at_ms);
    }

    /// The report, with what the registry and the log's checkpoint say.
    pub fn report(self, about: About, registry: Registry, integrity: Option<Integrity>) -> Report {
        let warnings = self.acts.iter().filter(|act| act.kind == "warning").count();
        let mut acts_by_kind = BTreeMap::new();
        for act in &self.acts {
            debug_assert_eq!(act.section, Section::of(&act.kind));
            count(&mut acts_by_kind, &act.kind, 1);
        }
        Report {
            verdict: Verdict::of(self.attribution, self.records, warnings, integrity.as_ref()),
            records: self.records,
            totals: totals(&self.usage),
            attribution: self.attribution,
            days: days(&self.usage),
            usage: usage(&self.usage),
            never_used: never_used(&registry, &self.callers),
            credentials: credentials(registry.tokens, &about, &self.shown),
            clients: registry.clients,
            keys: registry.keys,
            grace: registry.grace,
            acts_by_kind,
            acts: self.acts,
            refusals: by_frequency(self.refusals),
            would_refuse: self
                .would_refuse
                .into_iter()
                .map(|((policy, reason), count)| WouldRefuseLine { policy, reason, count })
                .collect(),
            legacy: latest_first(self.legacy),
            integrity,
            about,
        }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str, times: u64) {
    match counts.get_mut(name) {
        Some(count) => *count += times,
        None => drop(counts.insert(name.to_owned(), times)),
    }
}

fn totals(usage: &Usage) -> Counts {
    usage.rolled_up(BY_NOTHING).rows().next().map(|(_, numbers)| numbers.into()).unwrap_or_default()
}

fn days(usage: &Usage) -> Vec<DayLine> {
    usage
        .rolled_up(Grouping { day: true, ..BY_NOTHING })
        .rows()
        .map(|(group, numbers)| DayLine {
            day: group.day.clone().unwrap_or_default(),
            counts: numbers.into(),
        })
        .collect()
}

fn usage(usage: &Usage) -> UsageBy {
    let by = |grouping| {
        let mut lines: Vec<UsageLine> = usage
            .rolled_up(grouping)
            .rows()
            .map(|(group, numbers)| UsageLine {
                client: group.client.clone(),
                server: group.server.clone(),
                tool: group.tool.clone(),
                counts: numbers.into(),
            })
            .collect();
        lines.sort_by_key(|line| Reverse(line.counts.calls));
        lines
    };
    UsageBy {
        client: by(Grouping { client: true, ..BY_NOTHING }),
        server: by(Grouping { server: true, ..BY_NOTHING }),
        tool: by(Grouping { server: true, tool: true, ..BY_NOTHING }),
        client_and_server: by(Grouping { client: true, server: true, ..BY_NOTHING }),
    }
}

fn never_used(registry: &Registry, callers: &BTreeSet<String>) -> Vec<String> {
    let registered = registry.clients.iter().filter(|client| client.state != "removed");
    registered.filter(|client| !callers.contains(&client.name)).map(|client| client.name.clone()).collect()
}

fn credentials(
    tokens: Vec<super::Credential>,
    about: &About,
    shown: &BTreeMap<String, u64>,
) -> Vec<super::Credential> {
    let mut credentials: Vec<_> =
        tokens.into_iter().filter(|token| token.counted_in(about.from, about.to)).collect();
    for credential in &mut credentials {
        credential.calls = shown.get(&credential.jti).copied().unwrap_or(0);
    }
    credentials.sort_by(|a, b| (&a.client, a.issued_at, &a.jti).cmp(&(&b.client, b.issued_at, &b.jti)));
    credentials
}

fn by_frequency(refusals: BTreeMap<String, RefusalLine>) -> Vec<RefusalLine> {
    let mut lines: Vec<_> = refusals.into_values().collect();
    lines.sort_by_key(|line| Reverse(line.count));
    lines
}

fn latest_first(legacy: BTreeMap<LegacyCaller, LegacyLine>) -> Vec<LegacyLine> {
    let mut lines: Vec<_> = legacy.into_values().collect();
    lines.sort_by_key(|line| Reverse(line.last_ms));
    lines
}
