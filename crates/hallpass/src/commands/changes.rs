//! Plan, show, ask, do: the way of every command that places tokens.

use super::Context;
use super::policies::PolicyPlan;
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
        match installation.begin(plan, &authority).await {
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

/// What a person may want who takes over a former set-up.
fn shim_offer(plans: &[ClientPlan]) -> Option<String> {
    let names: Vec<&str> =
        plans.iter().filter(|plan| plan.could_be_shim).map(|plan| plan.client.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "offer: `hallpass apply --shim` puts `hallpass shim` in the place of the Python shim of {}; only `command` changes",
            names.join(", ")
        )
    })
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
        Shape::Variable { shim, .. } => {
            let replaced =
                if plan.standing.foreign { ", in place of what stands there (kept sealed)" } else { "" };
            let shim = shim.as_ref().map_or("", |_| ", and `hallpass shim` as its `command`");
            format!("the token itself{replaced}{shim}; the file becomes 0600")
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

fn with_policies(mut document: Value, policies: &PolicyPlan, changed: bool) -> Value {
    document["policies"] = policies.document();
    if changed {
        document["changed"] = true.into();
    }
    document
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
