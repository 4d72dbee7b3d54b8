//! Plan, show, ask, do: the way of every command that places tokens.

use super::Context;
use crate::cli::Consent;
use crate::fault::{Fault, Result};
use crate::installation::Installation;
use crate::output::print_fault;
use crate::plan::{ClientPlan, Registration, TokenStep};
use crate::settings::Settings;
use crate::target::Shape;
use hallpass_clients::Reload;
use serde_json::{Value, json};

/// Refuses what cannot be carried out, shows the plan and asks. `false`: there is nothing to do, or it was a dry run.
pub(super) fn agree(context: &Context, plans: &[ClientPlan], consent: Consent) -> Result<bool> {
    for plan in plans {
        plan.check_feasible(consent.git_ok)?;
    }
    for plan in plans {
        context.output.line(describe(plan));
    }
    let changes = plans.iter().any(ClientPlan::changes_something);
    if !changes {
        context.output.line("nothing to change");
    }
    if !changes || consent.dry_run {
        context.output.document(&document(plans, consent.dry_run, changes, &[]));
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
) -> Result<()> {
    let authority = installation.authority(settings).await?;
    let mut failed = Vec::new();
    for plan in plans.iter().filter(|plan| plan.changes_something()) {
        let name = &plan.client.name;
        match installation.carry_out(plan, &authority).await {
            Ok(done) => {
                let said = if done.issued.is_some() { "issued and placed" } else { "put right" };
                context.output.line(format!("{name}: {said}{}", restart(plan)));
            }
            Err(fault) => {
                context.output.note(format!("{name}: not done"));
                print_fault(&fault);
                failed.push(name.to_string());
            }
        }
    }
    context.output.document(&document(plans, false, true, &failed));
    if failed.is_empty() {
        return Ok(());
    }
    Err(Fault::new(format!("not done for {}: see above", failed.join(", "))).hint("mend the cause, then run the same command again"))
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
        TokenStep::LeftRevoked { at } => {
            format!("{name}: left alone, it was revoked on {at} (`hallpass issue {name}` gives it a new token)")
        }
        TokenStep::PutRight => format!("{name}: {registered}put right {}", place(plan)),
        TokenStep::Issue { why } => format!("{name}: {registered}issue a token ({why}) -> {}", place(plan)),
    }
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
            let replaced = if plan.standing.foreign { ", in place of what stands there (kept sealed)" } else { "" };
            format!("the token itself{replaced}; the file becomes 0600")
        }
        Shape::Bridge { token_file, .. } => format!("a bridge without a secret; the token in {}", token_file.display()),
    };
    format!("{file}{link}\n    {}: {how}", paths.join(", "))
}

fn restart(plan: &ClientPlan) -> String {
    let name = plan.target.app.name;
    match (&plan.target.shape, plan.target.app.reload) {
        (Shape::Bridge { .. }, _) if plan.standing.entries_in_place => "; the bridge reads it by itself".into(),
        (Shape::Bridge { .. }, Reload::Live) => String::new(),
        (_, Reload::Reconnect) => format!("; reconnect the server in {name}"),
        (_, Reload::Live | Reload::Restart | Reload::Unknown) => format!("; restart {name}"),
    }
}

fn document(plans: &[ClientPlan], dry_run: bool, changes: bool, failed: &[String]) -> Value {
    let clients: Vec<Value> = plans.iter().map(|plan| client_document(plan, failed)).collect();
    json!({ "dry_run": dry_run, "changed": changes && !dry_run, "clients": clients })
}

fn client_document(plan: &ClientPlan, failed: &[String]) -> Value {
    let (action, why) = match &plan.step {
        TokenStep::Keep { .. } => ("keep", None),
        TokenStep::LeftRevoked { .. } => ("left_revoked", None),
        TokenStep::PutRight => ("put_right", None),
        TokenStep::Issue { why } => ("issue", Some(*why)),
    };
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
        "done": plan.changes_something() && !failed.contains(&plan.client.name.to_string()),
    })
}
