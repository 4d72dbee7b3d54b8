//! `hallpass grace end`

use super::facts::gather;
use super::text::caller_in_a_line;
use super::{Context, act, agree, changed_meanwhile, check_reason, stored};
use crate::cli::Consent;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use hallpass_core::UnixTime;
use hallpass_core::migration::{CallerLine, Report, report};
use serde_json::json;

/// How many callers are listed before the rest is a number.
const LISTED_MOST: usize = 20;

/// Ends the period now, in the running gateway too.
pub(super) async fn run(
    context: &Context,
    reason: Option<&str>,
    force: bool,
    consent: Consent,
) -> Result<()> {
    let now = clock::now();
    check_reason(reason)?;
    // Not behind the home's lock: a secret that has leaked has to be ended while another command waits for an answer.
    let installation = context.installation().await?;
    let row = stored(&installation).await?;
    let Some(row) = row.filter(|row| row.ended_at.is_none()) else {
        context.output.line("grace: no period runs, nothing to change");
        context
            .output
            .document(&json!({ "changed": false, "dry_run": consent.dry_run, "recent_callers": [] }));
        return Ok(());
    };
    let report = report(&gather(&installation, now).await?, now);
    let recent: Vec<&CallerLine> = report.recent_callers().collect();
    context
        .output
        .line("grace: end it now: the shared secret is refused at once, and what was opened with it is cut");
    list(context, &report, &recent, now);
    // What the clock has ended already is only made final.
    let stops_somebody = !recent.is_empty() && row.over_since(now).is_none();
    if stops_somebody && !force {
        return Err(still_used(recent.len()));
    }
    let changed = agree(context, consent)?;
    if changed {
        let what = match (stops_somebody, row.over_since(now)) {
            (true, _) => "forced over recent use",
            (false, None) => "nobody was let in by it for 7 days",
            (false, Some(_)) => "it was over",
        };
        let act = act("grace-end", what, reason);
        if !installation.store.end_grace(row.period, now, &act).await.doing("cannot end the grace period")? {
            return Err(changed_meanwhile());
        }
        context
            .output
            .line("grace: ended. `hallpass grace extend --until DATE --reason TEXT` would bring it back");
    }
    context
        .output
        .document(&json!({ "changed": changed, "dry_run": consent.dry_run, "recent_callers": recent }));
    Ok(())
}

fn list(context: &Context, report: &Report, recent: &[&CallerLine], now: UnixTime) {
    for caller in recent.iter().take(LISTED_MOST) {
        context.output.line(format!("    {}", caller_in_a_line(caller, now)));
    }
    if recent.len() > LISTED_MOST {
        context.output.line(format!("    and {} more", recent.len() - LISTED_MOST));
    }
    context.output.line(format!("    {}", report.verdict));
}

fn still_used(callers: usize) -> Fault {
    let (callers, verb) =
        if callers == 1 { ("1 caller".into(), "was") } else { (format!("{callers} callers"), "were") };
    Fault::new(format!(
        "{callers} {verb} let in by the shared secret in the last 7 days, and would be refused"
    ))
    .hint("`hallpass grace status --report` says who to talk to; if the secret has leaked, say `--force`")
}
