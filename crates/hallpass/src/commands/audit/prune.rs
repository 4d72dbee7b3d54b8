//! `hallpass audit prune`: old records go, whole segments of them; what proves the rest stays.

use crate::audit::{bring_up, event_of};
use crate::cli::Consent;
use crate::clock;
use crate::commands::Context;
use crate::commands::period::instant;
use crate::commands::revoke::check_reason;
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::operator;
use hallpass_audit::Reader;
use hallpass_core::{Event, Outcome};
use serde_json::json;

pub(super) async fn run(
    context: &Context,
    before: &str,
    reason: Option<&str>,
    consent: Consent,
) -> Result<()> {
    let before_ms = instant(before, clock::now(), "--before")?.seconds().saturating_mul(1000);
    if before_ms > clock::now_ms() {
        return Err(Fault::usage("`--before` lies ahead").hint("name a day that is over, or an age: `365d`"));
    }
    reason.map_or(Ok(()), check_reason)?;
    let installation = context.installation().await?;
    let audit = &installation.audit;
    audit.check()?;
    let first_kept = first_since(&installation, before_ms)?;
    let stays = audit
        .segments()
        .map_err(|fault| audit.fault(&fault))?
        .into_iter()
        .rfind(|first| *first <= first_kept);
    let first = first_record(&installation)?;
    let stays = stays.filter(|stays| *stays > first);
    let Some(stays) = stays else {
        context.output.line("nothing to prune: no whole segment is that old");
        context.output.document(&json!({ "pruned": 0, "first": first }));
        return Ok(());
    };
    let pruned = stays - first;
    context.output.line(format!(
        "records {first} to {} go for good ({pruned}); their hashes and every checkpoint stay, so that the rest can be verified",
        stays - 1
    ));
    if !consent.dry_run && (consent.yes || context.output.confirm("let them go?")?) {
        prune(&installation, stays, reason).await?;
        context.output.line("done");
    }
    context.output.document(&json!({ "pruned": pruned, "first": stays, "dry_run": consent.dry_run }));
    Ok(())
}

async fn prune(installation: &Installation, stays: u64, reason: Option<&str>) -> Result<()> {
    let audit = &installation.audit;
    let act = Event {
        reason: reason.map(str::to_owned),
        by: Some(operator::who()),
        ..Event::new(clock::now_ms(), "prune", Outcome::Done)
    };
    let record = act.json_line();
    let record = format!("{},\"before_seq\":{stays}}}", record.trim_end_matches('}'));
    let pruned = audit.write(|writing| {
        writing.append(&[&record])?;
        writing.prune(stays)
    });
    pruned.map_err(|fault| audit.fault(&fault))?;
    bring_up(audit, None).await?;
    installation.store.forget_logged_before(audit.row(stays)).await.doing("the view of the log")
}

/// The first record that is not older than that.
fn first_since(installation: &Installation, since_ms: i64) -> Result<u64> {
    let mut reader = Reader::lines_from(installation.audit.folder(), 0).doing("the log")?;
    let mut next = 0;
    while let Some((seq, line)) = reader.next_line().doing("the log")? {
        if event_of(line).is_some_and(|event| event.at_ms >= since_ms) {
            return Ok(seq);
        }
        next = seq + 1;
    }
    Ok(next)
}

fn first_record(installation: &Installation) -> Result<u64> {
    let mut reader = Reader::lines_from(installation.audit.folder(), 0).doing("the log")?;
    Ok(reader.next_line().doing("the log")?.map_or(0, |(seq, _)| seq))
}
