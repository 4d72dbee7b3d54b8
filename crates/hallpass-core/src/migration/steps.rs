//! Who to talk to next, the most pressing first.

use super::{ClientLine, QUIET, Report, Standing, Step, Verdict};

/// How far the clock may be behind the highest time seen before that is worth a word, in seconds.
const CLOCK_DIFFERENCE: i64 = 120;

/// What follows from the report.
pub(super) fn next(report: &Report) -> Vec<Step> {
    let mut steps = Vec::new();
    let running = report.period.as_ref().filter(|period| period.over_since.is_none());
    if let Some(period) = &report.period
        && period.seen.since(report.at) > CLOCK_DIFFERENCE
    {
        steps.push(Step::ClockRanAhead { seen: period.seen });
    }
    steps.extend(report.clients.iter().filter(|line| line.standing == Standing::NotMoved).map(move_on));
    let named = |line: &&ClientLine| line.standing == Standing::Both;
    steps.extend(report.clients.iter().filter(named).map(|line| Step::FindTheOtherCopy {
        client: line.client.clone(),
        address: line.legacy.as_ref().and_then(|legacy| legacy.address.clone()),
    }));
    let nameless = report.callers.iter().enumerate();
    let nameless = nameless.filter(|(_, caller)| caller.path_client.is_none() && caller.is_recent(report.at));
    steps.extend(nameless.map(|(caller, _)| Step::GiveAName { caller }));
    if let Some(period) = running {
        match &report.verdict {
            Verdict::NotYet { .. } if period.until.since(report.at) < QUIET => {
                steps.push(Step::EndsFirst { until: period.until });
            }
            Verdict::From { from } if period.until < *from => {
                steps.push(Step::EndsFirst { until: period.until });
            }
            Verdict::Now => steps.push(Step::End),
            Verdict::NotYet { .. } | Verdict::From { .. } | Verdict::Over { .. } | Verdict::NoPeriod => {}
        }
    }
    let silent = report.clients.iter().filter(|line| line.standing == Standing::Silent);
    if report.period.is_some() {
        steps.extend(silent.map(|line| Step::Ask { client: line.client.clone() }));
    }
    steps
}

fn move_on(line: &ClientLine) -> Step {
    let client = line.client.clone();
    if line.has_token { Step::Restart { client } } else { Step::Issue { client } }
}
