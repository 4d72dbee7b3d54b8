//! A plan and what became of it, for a program.

use super::words::{overlapping, restart};
use crate::commands::policies::PolicyPlan;
use crate::commands::remove::Removal;
use crate::plan::{ClientPlan, Registration, TokenStep};
use hallpass_core::ClientName;
use serde_json::{Value, json};

pub(super) fn document(
    plans: &[ClientPlan],
    removals: &[Removal],
    dry_run: bool,
    done: &[ClientName],
) -> Value {
    let clients: Vec<Value> = plans.iter().map(|plan| client_document(plan, done)).collect();
    let removed: Vec<Value> = removals
        .iter()
        .map(|removal| removal.document(done.contains(&removal.client.name), dry_run))
        .collect();
    json!({ "dry_run": dry_run, "changed": !done.is_empty(), "clients": clients, "removed": removed })
}

pub(super) fn with_policies(mut document: Value, policies: &PolicyPlan, changed: bool) -> Value {
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
        "placement": plan.target.kind.word(),
        "then": restart(plan).trim_start_matches("; "),
        "entries": plan.target.paths().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "done": done.contains(&plan.client.name),
        "before_good_until": turn.map(|turn| turn.until.to_string()),
        "until_seen": turn.is_some_and(|turn| turn.overlap.until_seen),
    })
}
