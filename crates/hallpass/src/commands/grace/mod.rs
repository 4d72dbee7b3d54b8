//! `hallpass grace`: until when the secret that clients shared before is still accepted.

mod end;
mod extend;
mod facts;
mod page;
mod start;
mod status;
mod take_over;
mod text;

use super::Context;
use crate::cli::{Consent, GraceCommand, Wait};
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::output::distance;
pub(super) use take_over::{Known, known, take_over};

use hallpass_core::snapshot::ServerScope;
use hallpass_core::until::{Until, UntilFault};
use hallpass_core::{Event, Outcome, UnixTime};
use hallpass_store::GraceRow;

/// Runs one of the commands about the grace period.
pub(super) async fn run(context: &Context, command: &GraceCommand) -> Result<()> {
    match command {
        GraceCommand::Start(start) => {
            start::run(context, start).await?;
            wait_for_gateway(context, start.wait, start.consent).await
        }
        GraceCommand::Extend { until, reason, consent, wait } => {
            extend::run(context, until, reason.as_deref(), *consent).await?;
            wait_for_gateway(context, *wait, *consent).await
        }
        GraceCommand::End { reason, force, consent, wait } => {
            end::run(context, reason.as_deref(), *force, *consent).await?;
            wait_for_gateway(context, *wait, *consent).await
        }
        GraceCommand::Status { report, format, output } => {
            status::run(context, *report, *format, output.as_deref()).await
        }
    }
}

async fn wait_for_gateway(context: &Context, wait: Wait, consent: Consent) -> Result<()> {
    let wait = wait.unless(consent.dry_run);
    match wait.wait {
        Some(_) => wait.for_gateway(&context.installation().await?).await,
        None => Ok(()),
    }
}

/// What a person typed as the end.
fn read_until(text: &str, now: UnixTime) -> Result<Until> {
    Until::read(text, now).map_err(|fault| {
        let said = Fault::usage(format!("`--until {}` {fault}", text.escape_debug()));
        match fault {
            UntilFault::Unreadable => said.hint(
                "a day (`2026-12-24`, to its end in UTC), an instant (`2026-12-24T18:00:00Z`), or a time from now (`14d`)",
            ),
            UntilFault::Past { .. } => said.hint(format!("it is {now} now, in UTC")),
            UntilFault::TooFar => said.hint("a secret that is accepted for ever is no grace period: name an earlier day"),
        }
    })
}

/// `2026-12-25T00:00:00Z (in 29 days)`
fn instant(at: UnixTime, now: UnixTime) -> String {
    format!("{at} ({})", distance(at.seconds(), now.seconds()))
}

/// A reason is one line of plain text, or none.
fn check_reason(reason: Option<&str>) -> Result<()> {
    let Some(reason) = reason else { return Ok(()) };
    if reason.trim().is_empty() {
        return Err(Fault::usage("the reason is empty")
            .hint("say why, or leave `--reason` away; it is kept in the log"));
    }
    if reason.chars().any(char::is_control) {
        return Err(Fault::usage("the reason holds control characters")
            .hint("one line of plain text: it is shown in lists and logs"));
    }
    Ok(())
}

/// What was done, by whom and why, for the log.
fn act(kind: &'static str, what: &str, reason: Option<&str>) -> Event {
    let reason = reason.map_or_else(|| what.to_owned(), |why| format!("{what}: {why}"));
    Event { reason: Some(reason), ..Event::new(clock::now_ms(), kind, Outcome::Done) }
}

/// `every server`, or their names.
fn servers(scope: &ServerScope) -> String {
    match scope {
        ServerScope::All => "every server".into(),
        ServerScope::Only(servers) if servers.is_empty() => "no server".into(),
        ServerScope::Only(servers) => {
            servers.iter().map(|server| format!("`{server}`")).collect::<Vec<_>>().join(", ")
        }
    }
}

/// What holds besides the end.
fn terms(row: &GraceRow) -> String {
    let mut terms = servers(&row.servers);
    if let Some(policy) = &row.policy {
        terms = terms + "; policy `" + policy.as_str() + "`";
    }
    if row.strict {
        terms += "; refused on the address of a client that has used its own token";
    }
    terms
}

/// `true`: it shall be done. A dry run ends here.
fn agree(context: &Context, consent: Consent) -> Result<bool> {
    if consent.dry_run {
        return Ok(false);
    }
    if consent.yes || context.output.confirm("do this?")? {
        return Ok(true);
    }
    Err(Fault::new("nothing was changed: the answer was no"))
}

async fn stored(installation: &Installation) -> Result<Option<GraceRow>> {
    installation.store.grace().await.doing("the grace period")
}

/// Sets the period over the one that was looked at.
async fn put(
    installation: &Installation,
    row: &GraceRow,
    before: Option<&GraceRow>,
    act: &Event,
) -> Result<()> {
    let before = before.map(|row| row.period);
    if installation.store.put_grace(row, before, act).await.doing("cannot set the grace period")? {
        return Ok(());
    }
    Err(changed_meanwhile())
}

fn changed_meanwhile() -> Fault {
    Fault::new("another command changed the grace period meanwhile: nothing was changed here")
        .hint("`hallpass grace status` shows it; then run this one again")
}
