//! Plan, show, ask, do: the way of every command that places tokens.

use super::Context;
use super::remove::Removal;
use crate::carry_out::Done;
use crate::cli::Consent;
use crate::fault::{Fault, Result};
use crate::installation::Installation;
use crate::output::print_fault;
use crate::plan::{ClientPlan, Registration, TokenStep, Turn};
use crate::settings::Settings;
use crate::target::Shape;
use hallpass_clients::Reload;
use hallpass_core::ClientName;
use hallpass_store::Overlap;
use serde_json::{Value, json};

/// Refuses what cannot be carried out, shows the plan and asks. `false`: there is nothing to do, or it was a dry run.
pub(super) fn agree(
    context: &Context,
    plans: &[ClientPlan],
    removals: &[Removal],
    consent: Consent,
) -> Result<bool> {
    for plan in plans {
        plan.check_feasible(consent.git_ok)?;
    }
    for removal in removals {
        context.output.line(removal.describe());
    }
    for plan in plans {
        context.output.line(describe(plan));
    }
    let changes = !removals.is_empty() || plans.iter().any(ClientPlan::changes_something);
    if !changes {
        context.output.line("nothing to change");
    }
    if !changes || consent.dry_run {
        context.output.document(&document(plans, removals, consent.dry_run, &Vec::new()));
        return Ok(false);
    }
    if consent.yes || context.output.confirm("do this?")? {
        return Ok(true);
    }
    Err(Fault::new("nothing was changed: the answer was no"))
}

/// Carries the plans out, one client after the other. One that fails does not stop the others.
pub(super) async fn carry_out(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
    plans: &[ClientPlan],
    removals: &[Removal],
) -> Result<()> {
    let authority = installation.authority(settings).await?;
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
    for plan in plans.iter().filter(|plan| plan.changes_something()) {
        let name = &plan.client.name;
        match installation.carry_out(plan, &authority).await {
            Ok(outcome) => {
                context.output.line(format!("{name}: {}", said(plan, &outcome)));
                done.push(name.clone());
            }
            Err(fault) => failed.push(not_done(context, name, &fault)),
        }
    }
    context.output.document(&document(plans, removals, false, &done));
    if failed.is_empty() {
        return Ok(());
    }
    Err(Fault::new(format!("not done for {}: see above", failed.join(", ")))
        .hint("mend the cause, then run the same command again"))
}

fn not_done(context: &Context, name: &ClientName, fault: &Fault) -> String {
    context.output.note(format!("{name}: not done"));
    print_fault(fault);
    name.to_string()
}

fn said(plan: &ClientPlan, done: &Done) -> String {
    match (&done.issued, done.file_changed) {
        (Some(_), _) => match overlapping(plan) {
            Some(turn) => format!("rotated{}; the one before is good until {}", restart(plan), turn.until),
            None => format!("issued and placed{}", restart(plan)),
        },
        (None, true) => format!("put right{}", restart(plan)),
        (None, false) => "registered".into(),
    }
}

fn describe(plan: &ClientPlan) -> String {
    let name = &plan.client.name;
    let registered = match plan.registration {
        Registration::New => "register, ",
        Registration::Changed => "change registration, ",
        Registration::Same => "",
    };
    match &plan.step {
        TokenStep::Keep { expires_at } => format!("{name}: {registered}keep its token (until {expires_at})"),
        TokenStep::KeepPrinted { expires_at } => format!(
            "{name}: {registered}keep the token that a person placed (until {expires_at}; `hallpass issue {name}` places one)"
        ),
        TokenStep::LeftRevoked { at } => {
            format!(
                "{name}: left alone, it was revoked on {at} (`hallpass issue {name}` gives it a new token)"
            )
        }
        TokenStep::PutRight => format!("{name}: {registered}put right {}", place(plan)),
        TokenStep::Issue { why } => {
            format!("{name}: {registered}issue a token ({why}) -> {}{}", place(plan), disabled(plan))
        }
        TokenStep::Rotate(turn) => {
            let place = place(plan);
            format!("{name}: {registered}rotate its token -> {place}\n    {}{}", fate(turn), disabled(plan))
        }
        TokenStep::LeftCrowded { count, until } => format!(
            "{name}: left alone, {count} tokens of its that were superseded are still good, the first until {until} (`hallpass rotate {name} --now` ends them)"
        ),
    }
}

/// The turn of a plan after which two tokens are good for a while.
fn overlapping(plan: &ClientPlan) -> Option<&Turn> {
    let TokenStep::Rotate(turn) = &plan.step else { return None };
    Some(turn).filter(|turn| turn.overlap != Overlap::NONE)
}

/// What becomes of the tokens before.
pub(super) fn fate(turn: &Turn) -> String {
    let older = turn.older;
    if turn.overlap == Overlap::NONE {
        let ends = match older {
            0 => String::new(),
            1 => ", and so does 1 older one".into(),
            _ => format!(", and so do {older} older ones"),
        };
        return format!("the one before ends at once{ends}");
    }
    let seen = if turn.overlap.until_seen { "the new one is first used, at the latest until " } else { "" };
    let kept = match older {
        0 => String::new(),
        1 => "; 1 older one keeps its end".into(),
        _ => format!("; {older} older ones keep their ends"),
    };
    format!("the one before is good until {seen}{}{kept}", turn.until)
}

fn disabled(plan: &ClientPlan) -> String {
    if plan.client.enabled {
        return String::new();
    }
    format!("\n    it is disabled: its tokens are refused until `hallpass enable {}`", plan.client.name)
}

fn place(plan: &ClientPlan) -> String {
    let file = plan.target.file.display();
    let link = match crate::atomic_file::target_of(&plan.target.file) {
        Ok(target) if target != plan.target.file => format!(" (a link to {})", target.display()),
        _ => String::new(),
    };
    let paths: Vec<String> = plan.target.paths().iter().map(ToString::to_string).collect();
    let how = match &plan.target.shape {
        Shape::Variable(_) => {
            let replaced =
                if plan.standing.foreign { ", in place of what stands there (kept sealed)" } else { "" };
            format!("the token itself{replaced}; the file becomes 0600")
        }
        Shape::Bridge { token_file, .. } => {
            format!("a bridge without a secret; the token in {}", token_file.display())
        }
    };
    format!("{file}{link}\n    {}: {how}", paths.join(", "))
}

fn restart(plan: &ClientPlan) -> String {
    let name = if plan.target.app.id == "json" { "the program that reads it" } else { plan.target.app.name };
    match (&plan.target.shape, plan.target.app.reload) {
        (Shape::Bridge { .. }, _) if plan.standing.entries_in_place => {
            "; the bridge reads it by itself".into()
        }
        (Shape::Bridge { .. }, Reload::Live) => String::new(),
        (_, Reload::Reconnect) => format!("; reconnect the server in {name}"),
        (_, Reload::Live | Reload::Restart | Reload::Unknown) => format!("; restart {name}"),
    }
}

fn document(plans: &[ClientPlan], removals: &[Removal], dry_run: bool, done: &[ClientName]) -> Value {
    let clients: Vec<Value> = plans.iter().map(|plan| client_document(plan, done)).collect();
    let removed: Vec<Value> = removals
        .iter()
        .map(|removal| removal.document(done.contains(&removal.client.name), dry_run))
        .collect();
    json!({ "dry_run": dry_run, "changed": !done.is_empty(), "clients": clients, "removed": removed })
}

fn client_document(plan: &ClientPlan, done: &[ClientName]) -> Value {
    let (action, why) = match &plan.step {
        TokenStep::Keep { .. } => ("keep", None),
        TokenStep::KeepPrinted { .. } => ("keep_printed", None),
        TokenStep::LeftRevoked { .. } => ("left_revoked", None),
        TokenStep::PutRight => ("put_right", None),
        TokenStep::Issue { why } => ("issue", Some(*why)),
        TokenStep::Rotate(turn) => ("rotate", Some(turn.why)),
        TokenStep::LeftCrowded { .. } => ("left_crowded", None),
    };
    let turn = overlapping(plan);
    json!({
        "client": plan.client.name,
        "action": action,
        "why": why,
        "registration": match plan.registration {
            Registration::New => "new",
            Registration::Changed => "changed",
            Registration::Same => "same",
        },
        "file": plan.target.file,
        "entries": plan.target.paths().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "done": done.contains(&plan.client.name),
        "before_good_until": turn.map(|turn| turn.until.to_string()),
        "until_seen": turn.is_some_and(|turn| turn.overlap.until_seen),
    })
}
