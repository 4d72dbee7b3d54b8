//! From rows to the report: where each client stands, and from which day the period can end.

use super::steps::next;
use super::{
    CallerLine, ClientFacts, ClientLine, Period, QUIET, RULE, Report, Sources, Standing, Usage, Verdict,
};
use crate::name::ClientName;
use crate::time::UnixTime;
use crate::uses::{LegacyUse, TokenUse};
use std::collections::BTreeSet;

/// Puts the report together.
pub fn report(sources: &Sources, now: UnixTime) -> Report {
    let started_ms = sources.period.as_ref().map_or(i64::MAX, |period| millis(period.started_at));
    // What was used before it was another secret's.
    let legacy: Vec<&LegacyUse> =
        sources.legacy_uses.iter().filter(|usage| usage.last_ms >= started_ms).collect();
    let mut clients: Vec<ClientLine> =
        sources.clients.iter().map(|facts| client_line(facts, sources, &legacy, now)).collect();
    clients.sort_by(|one, other| (one.standing, &one.client).cmp(&(other.standing, &other.client)));
    let mut callers: Vec<CallerLine> =
        legacy.iter().map(|usage| caller_line(usage, &sources.token_uses)).collect();
    callers.sort_by(|one, other| {
        let key = |line: &CallerLine| {
            (std::cmp::Reverse(line.usage.last), line.path_client.clone(), line.usage.address.clone())
        };
        key(one).cmp(&key(other))
    });
    let last_let_in = callers.iter().filter_map(|caller| caller.last_let_in).max();
    let verdict = verdict(sources.period.as_ref(), &clients, last_let_in, now);
    let mut report = Report {
        at: now,
        period: sources.period.clone(),
        verdict,
        rule: RULE,
        last_let_in,
        clients,
        callers,
        next: Vec::new(),
    };
    report.next = next(&report);
    report
}

fn client_line(facts: &ClientFacts, sources: &Sources, legacy: &[&LegacyUse], now: UnixTime) -> ClientLine {
    let of_tokens = sources.token_uses.iter().filter(|usage| usage.client == facts.name);
    let token = of_tokens.map(token_usage).reduce(together);
    let on_path = legacy.iter().filter(|usage| usage.caller.path_client.as_ref() == Some(&facts.name));
    let legacy = on_path.map(|usage| legacy_usage(usage)).reduce(together);
    let standing = match (&token, &legacy) {
        _ if !facts.enabled => Standing::Disabled,
        (None, None) => Standing::Silent,
        (None, Some(_)) => Standing::NotMoved,
        (Some(token), Some(legacy)) if legacy.last > token.first && now.since(legacy.last) < QUIET => {
            Standing::Both
        }
        (Some(_), _) => Standing::Moved,
    };
    let (client, app) = (facts.name.clone(), facts.app.clone());
    ClientLine { client, app, standing, has_token: facts.has_token, token, legacy }
}

fn caller_line(usage: &LegacyUse, token_uses: &[TokenUse]) -> CallerLine {
    let caller = &usage.caller;
    // A program's name alone says little: all windows of one editor have it.
    let same = |token: &&TokenUse| {
        caller.client_info.is_some()
            && token.client_info == caller.client_info
            && token.user_agent == caller.user_agent
            && token.address == caller.address
    };
    let looks_like: BTreeSet<&ClientName> =
        token_uses.iter().filter(same).map(|token| &token.client).collect();
    CallerLine {
        path_client: caller.path_client.clone(),
        is_the_rest: caller.is_the_rest(),
        usage: legacy_usage(usage),
        last_let_in: usage.let_in_ms.map(seconds),
        called: usage.called.clone(),
        looks_like: looks_like.into_iter().cloned().collect(),
    }
}

fn verdict(
    period: Option<&Period>,
    clients: &[ClientLine],
    last_let_in: Option<UnixTime>,
    now: UnixTime,
) -> Verdict {
    let Some(period) = period else { return Verdict::NoPeriod };
    if let Some(since) = period.over_since {
        return Verdict::Over { since };
    }
    let unmoved = clients.iter().filter(|line| line.standing == Standing::NotMoved);
    let unmoved: Vec<ClientName> = unmoved.map(|line| line.client.clone()).collect();
    if !unmoved.is_empty() {
        return Verdict::NotYet { unmoved };
    }
    // A period that has just begun has not been watched for 7 days.
    let quiet_since = last_let_in.unwrap_or(period.started_at).max(period.started_at);
    let from = quiet_since.plus(QUIET);
    if from <= now { Verdict::Now } else { Verdict::From { from } }
}

fn token_usage(usage: &TokenUse) -> Usage {
    Usage {
        first: seconds(usage.first_ms),
        last: seconds(usage.last_ms),
        calls: usage.calls,
        refused: 0,
        address: usage.address.clone(),
        user_agent: usage.user_agent.clone(),
        client_info: usage.client_info.clone(),
    }
}

fn legacy_usage(usage: &LegacyUse) -> Usage {
    Usage {
        first: seconds(usage.first_ms),
        last: seconds(usage.last_ms),
        calls: usage.calls,
        refused: usage.refused,
        address: usage.caller.address.clone(),
        user_agent: usage.caller.user_agent.clone(),
        client_info: usage.caller.client_info.clone(),
    }
}

/// Two as one: the later one is what is shown.
fn together(one: Usage, other: Usage) -> Usage {
    let (first, calls) = (one.first.min(other.first), one.calls.saturating_add(other.calls));
    let refused = one.refused.saturating_add(other.refused);
    let later = if other.last > one.last { other } else { one };
    Usage { first, calls, refused, ..later }
}

fn seconds(millis: i64) -> UnixTime {
    UnixTime::from_seconds(millis.div_euclid(1000))
}

fn millis(at: UnixTime) -> i64 {
    at.seconds().saturating_mul(1000)
}
