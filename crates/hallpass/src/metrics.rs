//! Counts what the gateway's events say, and writes that down as Prometheus reads it. Labels are bounded: names of the
//! registry and words of ours, nothing that a caller chose. Knows no clock and opens nothing.

use hallpass_core::uses::WarningKind;
use hallpass_core::{Event, Outcome};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Clients and servers that are counted apart; the rest is counted under [`THE_REST`].
const PAIRS_MOST: usize = 2000;
/// Reasons that are counted apart.
const REASONS_MOST: usize = 100;
const THE_REST: &str = "*";
/// Nobody that could be verified, or no server that was reached.
const NONE: &str = "-";
/// Whoever shows the shared secret. No client can be called that.
const SHARED_SECRET: &str = "~legacy";

type Outcomes = BTreeMap<&'static str, u64>;

/// What happened since the gateway started.
#[derive(Debug, Default)]
pub struct Counts {
    /// By client, then by server.
    calls: BTreeMap<String, BTreeMap<String, Outcomes>>,
    pairs: usize,
    refusals: BTreeMap<String, u64>,
    legacy: BTreeMap<&'static str, u64>,
    warnings: BTreeMap<WarningKind, u64>,
}

impl Counts {
    /// Counts a call.
    pub fn call(&mut self, event: &Event) {
        if !event.is_call() {
            return;
        }
        let outcome = event.outcome.as_str();
        let who = if event.legacy { SHARED_SECRET } else { event.client.as_deref().unwrap_or(NONE) };
        // Who is refused may have made the server's name up.
        let reached = event.server.as_deref().filter(|_| event.outcome != Outcome::Refused);
        self.count_pair(who, reached.unwrap_or(NONE), outcome);
        if event.legacy {
            count(self.legacy.entry(outcome).or_default());
        }
        if event.outcome == Outcome::Refused {
            let reason = event.reason.as_deref().unwrap_or(NONE);
            let has_room = self.refusals.contains_key(reason) || self.refusals.len() < REASONS_MOST;
            count(self.refusals.entry(if has_room { reason } else { THE_REST }.to_owned()).or_default());
        }
    }

    fn count_pair(&mut self, client: &str, server: &str, outcome: &'static str) {
        let has_room = self.knows(client, server) || self.pairs < PAIRS_MOST;
        let (client, server) = if has_room { (client, server) } else { (THE_REST, THE_REST) };
        if !self.knows(client, server) {
            self.calls.entry(client.to_owned()).or_default().insert(server.to_owned(), Outcomes::new());
            self.pairs += 1;
        }
        // What is known costs no copies.
        let outcomes = self.calls.get_mut(client).and_then(|servers| servers.get_mut(server));
        if let Some(outcomes) = outcomes {
            count(outcomes.entry(outcome).or_default());
        }
    }

    fn knows(&self, client: &str, server: &str) -> bool {
        self.calls.get(client).is_some_and(|servers| servers.contains_key(server))
    }

    /// Counts something odd.
    pub fn warning(&mut self, kind: WarningKind) {
        count(self.warnings.entry(kind).or_default());
    }
}

fn count(times: &mut u64) {
    *times = times.saturating_add(1);
}

/// What is so at the moment.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Calls and streams in progress.
    pub in_progress: usize,
    /// Events that wait to be written.
    pub waiting: usize,
    /// The revision in force.
    pub revision: i64,
    /// Seconds since it was last seen to be the newest.
    pub age_s: f64,
    /// Nothing is let in by it any more.
    pub is_stale: bool,
    /// Seconds until the shared secret counts no more; `None`: there is no grace period.
    pub grace_left_s: Option<i64>,
    /// Seconds until each client's token ends.
    pub tokens_left_s: Vec<(String, i64)>,
}

/// The text format 0.0.4, whole.
pub fn text(counts: &Counts, now: &Gauges, version: &str) -> String {
    let mut page = Page::default();
    page.metric("hallpass_build_info", "gauge", "Which version runs.");
    page.sample(&[("version", version)], 1);
    page.metric("hallpass_calls_total", "counter", "Requests by client, server and outcome.");
    for (client, servers) in &counts.calls {
        for (server, outcomes) in servers {
            for (outcome, times) in outcomes {
                page.sample(&[("client", client), ("server", server), ("outcome", outcome)], times);
            }
        }
    }
    page.metric("hallpass_refusals_total", "counter", "Requests that the gateway refused, by reason.");
    for (reason, times) in &counts.refusals {
        page.sample(&[("reason", reason)], times);
    }
    page.metric("hallpass_legacy_calls_total", "counter", "Requests with the shared secret, by outcome.");
    for (outcome, times) in &counts.legacy {
        page.sample(&[("outcome", outcome)], times);
    }
    page.metric("hallpass_warnings_total", "counter", "Odd uses of tokens, by kind.");
    for kind in WarningKind::ALL {
        page.sample(&[("kind", kind.as_str())], counts.warnings.get(&kind).copied().unwrap_or_default());
    }
    page.gauges(now);
    page.0
}

#[derive(Default)]
struct Page(String, &'static str);

impl Page {
    fn gauges(&mut self, now: &Gauges) {
        self.metric("hallpass_calls_in_progress", "gauge", "Calls and streams in progress.");
        self.sample(&[], now.in_progress);
        self.metric("hallpass_events_waiting", "gauge", "Records that wait to be written into the log.");
        self.sample(&[], now.waiting);
        self.metric("hallpass_snapshot_revision", "gauge", "The revision of the store that is in force.");
        self.sample(&[], now.revision);
        let help = "Seconds since what is in force was last seen to be the newest.";
        self.metric("hallpass_snapshot_age_seconds", "gauge", help);
        self.sample(&[], format!("{:.3}", now.age_s));
        let help = "1 if that is so long ago that every request is refused.";
        self.metric("hallpass_snapshot_stale", "gauge", help);
        self.sample(&[], u8::from(now.is_stale));
        if let Some(seconds) = now.grace_left_s {
            let help = "Seconds until the shared secret counts no more; 0 once it is over.";
            self.metric("hallpass_grace_seconds_left", "gauge", help);
            self.sample(&[], seconds.max(0));
        }
        let help = "Seconds until the client's newest token ends; negative once it has.";
        self.metric("hallpass_token_seconds_left", "gauge", help);
        for (client, seconds) in &now.tokens_left_s {
            self.sample(&[("client", client)], seconds);
        }
    }

    fn metric(&mut self, name: &'static str, kind: &str, help: &str) {
        self.1 = name;
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0 += self.1;
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Gauges, PAIRS_MOST, text};
    use hallpass_core::uses::WarningKind;
    use hallpass_core::{Event, Outcome};

    fn call(client: Option<&str>, server: &str, outcome: Outcome) -> Event {
        Event {
            client: client.map(Into::into),
            server: Some(server.into()),
            reason: (outcome == Outcome::Refused).then(|| "revoked".into()),
            user_agent: Some("SECRET-AGENT".into()),
            ..Event::new(0, "call", outcome)
        }
    }

    fn samples(page: &str, name: &str) -> Vec<String> {
        page.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
    }

    #[test]
    fn the_page_is_as_prometheus_reads_it() {
        let mut counts = Counts::default();
        counts.call(&call(Some("ann"), "docs", Outcome::Ok));
        counts.call(&call(Some("ann"), "docs", Outcome::Ok));
        counts.call(&call(Some("ann"), "made-up", Outcome::Refused));
        counts.call(&call(None, "made-up", Outcome::Refused));
        counts.call(&Event { legacy: true, ..call(None, "docs", Outcome::Error) });
        counts.call(&Event { kind: "issue".into(), ..call(Some("ann"), "docs", Outcome::Done) });
        counts.warning(WarningKind::TwoPrograms);
        let now = Gauges {
            in_progress: 2,
            waiting: 3,
            revision: 41,
            age_s: 0.0514,
            is_stale: true,
            grace_left_s: Some(-5),
            tokens_left_s: vec![("ann".into(), 60), ("bob".into(), -7)],
        };
        let page = text(&counts, &now, "1.2.3");
        let expect = include_str!("../tests/data/metrics.txt");
        assert_eq!(page, expect);
    }

    #[test]
    fn there_is_no_end_of_grace_without_grace() {
        let page = text(&Counts::default(), &Gauges::default(), "1");
        assert!(!page.contains("grace"), "{page}");
    }

    #[test]
    fn labels_are_bounded_and_no_call_is_lost() {
        let mut counts = Counts::default();
        for n in 0..2 * PAIRS_MOST {
            counts.call(&call(Some(&format!("client-{n}")), "docs", Outcome::Ok));
        }
        let page = text(&counts, &Gauges::default(), "1");
        let lines = samples(&page, "hallpass_calls_total{");
        assert_eq!(lines.len(), PAIRS_MOST + 1);
        let rest = format!("hallpass_calls_total{{client=\"*\",server=\"*\",outcome=\"ok\"}} {PAIRS_MOST}");
        assert!(lines.contains(&rest), "{lines:?}");
        for n in 0..300 {
            let reason = Some(format!("made-up-{n}"));
            counts.call(&Event { reason, ..call(None, "docs", Outcome::Refused) });
        }
        let page = text(&counts, &Gauges::default(), "1");
        assert_eq!(samples(&page, "hallpass_refusals_total{").len(), 101);
        assert!(!page.contains("SECRET-AGENT"));
    }
}
