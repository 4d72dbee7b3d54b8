//! `hallpass undo`

use super::remove::Removal;
use super::{Context, changes};
use crate::cli::Consent;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::output::print_fault;
use crate::plan::{ClientPlan, Wish};
use crate::settings::Settings;
use crate::target::{Besides, Surroundings};
use hallpass_core::ClientName;
use hallpass_store::Placing;
use serde_json::{Value, json};

/// Takes back what the newest command did that registered clients or changed where their tokens are.
pub(super) async fn run(context: &Context, consent: Consent) -> Result<()> {
    let settings = context.settings(None)?;
    let installation = context.installation().await?;
    let _lock = installation.home.lock()?;
    if !consent.dry_run {
        installation.mend().await?;
    }
    let placings = installation.store.newest_placings().await.doing("what was done")?;
    let Some(first) = placings.first() else {
        context
            .output
            .line("there is nothing to take back: no client was registered or changed since the last `undo`");
        context.output.document(&json!({ "dry_run": consent.dry_run, "clients": [] }));
        return Ok(());
    };
    context.output.line(format!("what was done on {}:", first.at));
    let besides = Besides { shim: false, unverified: true };
    let around = Surroundings::of(&settings, &context.home, &[], besides)?;
    let (mut steps, mut failed) = (Vec::new(), Vec::new());
    for placing in placings {
        match way(&installation, &around, &placing).await {
            Ok(way) => steps.push(Step { placing, way }),
            // One that cannot be taken back stops no other.
            Err(fault) => failed.push(not_taken_back(context, &placing.client, &fault)),
        }
    }
    for step in &steps {
        context.output.line(step.describe());
    }
    if consent.dry_run || steps.is_empty() {
        context.output.document(&document(&steps, &[], consent.dry_run));
        return left(&failed);
    }
    if !consent.yes && !context.output.confirm("take it back?")? {
        return Err(Fault::new("nothing was changed: the answer was no"));
    }
    let mut done = Vec::new();
    // Last in, first out: each place was written into the text that the ones before it had left.
    for step in steps.iter().rev() {
        let name = &step.placing.client;
        match step.carry_out(&installation, &settings).await {
            Ok(said) => {
                context.output.line(said);
                done.push(name.as_str());
            }
            Err(fault) => failed.push(not_taken_back(context, name, &fault)),
        }
    }
    context.output.document(&document(&steps, &done, false));
    let named: Vec<&str> = done
        .into_iter()
        .filter(|name| settings.roster.clients.keys().any(|client| client.as_str() == *name))
        .collect();
    if !named.is_empty() {
        context.output.note(format!(
            "hallpass.toml still describes {}: the next `hallpass apply` does it again",
            named.join(", ")
        ));
    }
    left(&failed)
}

fn not_taken_back(context: &Context, client: &ClientName, fault: &Fault) -> String {
    context.output.note(format!("{client}: not taken back"));
    print_fault(fault);
    client.to_string()
}

fn left(failed: &[String]) -> Result<()> {
    if failed.is_empty() {
        return Ok(());
    }
    Err(Fault::new(format!("not taken back for {}: see above", failed.join(", ")))
        .hint("mend the cause, then `hallpass undo` again"))
}

/// What is done for one client.
struct Step {
    placing: Placing,
    way: Way,
}

enum Way {
    /// It was registered then: it goes.
    Remove(Box<Removal>),
    /// It was registered before, otherwise: it becomes what it was.
    Restore(Box<ClientPlan>),
    /// It is gone already.
    Forget,
}

/// How one client's part is taken back. Refuses what would fail half-way.
async fn way(installation: &Installation, around: &Surroundings<'_>, placing: &Placing) -> Result<Way> {
    let known = installation.known(&placing.client).await?;
    let registered = known.client.clone().filter(|client| !client.removed);
    match (registered, &placing.before) {
        (None, _) => Ok(Way::Forget),
        (Some(client), None) => Ok(Way::Remove(Box::new(Removal::plan(installation, client).await?))),
        (Some(client), Some(before)) => {
            let before = hallpass_store::ClientRow { enabled: client.enabled, ..before.clone() };
            let plan = ClientPlan::make(before, &known, around, Wish::WhatIsMissing, clock::now())?;
            // What git would commit now, it would have committed then.
            plan.check_feasible(true)?;
            Ok(Way::Restore(Box::new(plan)))
        }
    }
}

impl Step {
    fn describe(&self) -> String {
        match &self.way {
            Way::Remove(removal) => removal.describe(),
            Way::Restore(plan) => format!("as it was before: {}", changes::describe(plan)),
            Way::Forget => format!("{}: it is gone already", self.placing.client),
        }
    }

    async fn carry_out(&self, installation: &Installation, settings: &Settings) -> Result<String> {
        let name = &self.placing.client;
        let said = match &self.way {
            Way::Remove(removal) => removal.carry_out(installation).await?,
            Way::Restore(plan) => {
                let authority = installation.authority(settings).await?;
                installation.carry_out(plan, &authority).await?;
                format!("{name}: as it was before{}", changes::restart(plan))
            }
            Way::Forget => format!("{name}: it is gone already"),
        };
        installation.store.forget_placing(&self.placing.run, name).await.doing("cannot note it")?;
        Ok(said)
    }
}

fn document(steps: &[Step], done: &[&str], dry_run: bool) -> Value {
    let clients: Vec<Value> = steps
        .iter()
        .map(|step| {
            let action = match step.way {
                Way::Remove(_) => "remove",
                Way::Restore(_) => "restore",
                Way::Forget => "forget",
            };
            let name = step.placing.client.as_str();
            json!({ "client": name, "action": action, "done": done.contains(&name) })
        })
        .collect();
    json!({ "dry_run": dry_run, "clients": clients })
}
