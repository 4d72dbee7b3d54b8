//! `hallpass grace extend`

use super::{Context, act, agree, check_reason, instant, put, read_until, stored};
use crate::cli::Consent;
use crate::clock;
use crate::fault::{Fault, Result};
use hallpass_core::UnixTime;
use hallpass_store::GraceRow;
use serde_json::json;

/// How far the highest time seen may be ahead of the clock before setting it right is a change, in seconds.
const CLOCK_DIFFERENCE: i64 = 120;

/// Moves the end. From here on the highest time seen is that of this clock again: whoever extends has looked at it.
pub(super) async fn run(
    context: &Context,
    until: &str,
    reason: Option<&str>,
    consent: Consent,
) -> Result<()> {
    let now = clock::now();
    check_reason(reason)?;
    let until = read_until(until, now)?.at;
    let installation = context.installation().await?;
    let Some(before) = stored(&installation).await? else {
        return Err(Fault::new("there is no grace period to extend")
            .hint("`hallpass grace start --until DATE --secret-env NAME` starts one"));
    };
    let over = before.over_since(now);
    if let (Some(since), None) = (over, reason) {
        return Err(Fault::usage(format!(
            "this would bring back what is over since {since}, and no reason is given"
        ))
        .hint("say why: `--reason \"two laptops were away\"`; it is kept in the log"));
    }
    let ahead = before.seen.since(now) > CLOCK_DIFFERENCE;
    let same = over.is_none() && before.until == until && !ahead;
    context.output.line(describe(&before, over, until, same, now));
    if ahead {
        context.output.line(format!(
            "    a clock ran ahead to {}: from now on this machine's time counts, {now}",
            before.seen
        ));
    }
    let changed = !same && agree(context, consent)?;
    if changed {
        let row = GraceRow { until, ended_at: None, seen: now, ..before.clone() };
        let what = format!("until {until}, before {}", over.unwrap_or(before.until));
        put(&installation, &row, Some(&before), &act("grace-extend", &what, reason)).await?;
        context.output.line("grace: done. `hallpass grace status` shows who still uses the secret");
    }
    context.output.document(&json!({
        "changed": changed, "dry_run": consent.dry_run, "until": until.to_string(),
        "before": before.until.to_string(), "brought_back": over.is_some(),
    }));
    Ok(())
}

fn describe(before: &GraceRow, over: Option<UnixTime>, until: UnixTime, same: bool, now: UnixTime) -> String {
    let new = instant(until, now);
    match over {
        Some(since) => format!("grace: bring back what is over since {since}, until {new}"),
        None if same => format!("grace: it runs until {new} already: nothing to change"),
        None if until < before.until => format!("grace: end it sooner, on {new} instead of {}", before.until),
        None => format!("grace: move the end from {} to {new}", before.until),
    }
}
