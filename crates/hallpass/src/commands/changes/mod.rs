//! Plan, show, ask, do: the way of every command that places tokens.

mod documents;
mod words;

pub(super) use words::{describe, fate, restart};

use super::Context;
use super::policies::PolicyPlan;
use super::remove::Removal;
use crate::carry_out::Begun;
use crate::cli::Consent;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::mint::Authority;
use crate::output::print_fault;
use crate::plan::{ClientPlan, Registration};
use crate::settings::Settings;
use documents::{document, with_policies};
use hallpass_core::ClientName;
use hallpass_store::Placing;
use words::{said, shim_offer};

/// Refuses what cannot be carried out, shows the plan and asks. `false`: there is nothing to do, or it was a dry run.
pub(super) fn agree(
    context: &Context,
    plans: &[ClientPlan],
    removals: &[Removal],
    consent: Consent,
) -> Result<bool> {
    agree_with(context, &PolicyPlan::default(), plans, removals, consent)
}

/// The same where policies change too.
pub(super) fn agree_with(
    context: &Context,
    policies: &PolicyPlan,
    plans: &[ClientPlan],
    removals: &[Removal],
    consent: Consent,
) -> Result<bool> {
    for plan in plans {
        plan.check_feasible(consent.git_ok)?;
    }
    for line in policies.lines() {
        context.output.line(line);
    }
    for removal in removals {
        context.output.line(removal.describe());
    }
    for plan in plans {
        context.output.line(describe(plan));
    }
    if let Some(offer) = shim_offer(plans) {
        context.output.line(offer);
    }
    ask(context, policies, plans, removals, consent)
}

/// Asks about what was shown. `false`: there is nothing to do, or it was a dry run.
pub(super) fn ask(
    context: &Context,
    policies: &PolicyPlan,
    plans: &[ClientPlan],
    removals: &[Removal],
    consent: Consent,
) -> Result<bool> {
    let changes = policies.changes_something()
        || !removals.is_empty()
        || plans.iter().any(ClientPlan::changes_something);
    if !changes {
        context.output.line("nothing to change");
    }
    if !changes || consent.dry_run {
        let document = document(plans, removals, consent.dry_run, &Vec::new());
        context.output.document(&with_policies(document, policies, false));
        return Ok(false);
    }
    if consent.yes || context.output.confirm("do this?")? {
        return Ok(true);
    }
    Err(Fault::new("nothing was changed: the answer was no"))
}

/// Carries the plans out and nothing else.
pub(super) async fn carry_out(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
    plans: &[ClientPlan],
    removals: &[Removal],
) -> Result<()> {
    carry_out_with(context, installation, settings, &PolicyPlan::default(), plans, removals).await
}

/// Carries the plans out, one client after the other. One that fails does not stop the others.
pub(super) async fn carry_out_with(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
    policies: &PolicyPlan,
    plans: &[ClientPlan],
    removals: &[Removal],
) -> Result<()> {
    let authority = installation.authority(settings).await?;
    // First: no client may be registered under one that is not there, or is as it was.
    for said in policies.put(installation).await? {
        context.output.line(said);
    }
    let mut done = Vec::new();
    let mut failed = Vec::new();
    for removal in removals {
        let name = &removal.client.name;
        match removal.carry_out(installation).await {
            Ok(said) => {
                context.output.line(said);
                done.push(name.clone());
            }
            Err(fault) => failed.push(not_done(context, name, &fault)),
        }
    }
    let (mut under_way, mut begun) = (Vec::new(), Vec::new());
    for plan in plans.iter().filter(|plan| plan.changes_something()) {
        match begin(installation, plan, &authority).await {
            Ok(token) => {
                under_way.push(plan);
                begun.push(token);
            }
            Err(fault) => failed.push(not_done(context, &plan.client.name, &fault)),
        }
    }
    // Once for all of them: the gateway needs a moment.
    installation.make_known(&begun).await?;
    for (plan, token) in under_way.into_iter().zip(begun) {
        let name = &plan.client.name;
        match installation.finish(plan, token).await {
            Ok(outcome) => {
                context.output.line(format!("{name}: {}", said(plan, &outcome)));
                done.push(name.clone());
            }
            Err(fault) => failed.push(not_done(context, name, &fault)),
        }
    }
    for said in policies.drop_unused(installation).await? {
        context.output.line(said);
    }
    let document = document(plans, removals, false, &done);
    context.output.document(&with_policies(document, policies, policies.changes_something()));
    if failed.is_empty() {
        return Ok(());
    }
    Err(Fault::new(format!("not done for {}: see above", failed.join(", ")))
        .hint("mend the cause, then run the same command again"))
}

/// What `hallpass undo` will take back is noted first.
async fn begin(installation: &Installation, plan: &ClientPlan, authority: &Authority) -> Result<Begun> {
    note_placing(installation, plan).await?;
    installation.begin(plan, authority).await
}

async fn note_placing(installation: &Installation, plan: &ClientPlan) -> Result<()> {
    if plan.registration == Registration::Same {
        return Ok(());
    }
    let name = &plan.client.name;
    let before = installation.store.client(name.as_str()).await.doing("the client")?;
    let placing = Placing {
        run: installation.run.clone(),
        client: name.clone(),
        before: before.filter(|before| !before.removed),
        at: clock::now(),
    };
    installation.store.note_placing(&placing).await.doing("cannot note what is being done")
}

fn not_done(context: &Context, name: &ClientName, fault: &Fault) -> String {
    context.output.note(format!("{name}: not done"));
    print_fault(fault);
    name.to_string()
}
