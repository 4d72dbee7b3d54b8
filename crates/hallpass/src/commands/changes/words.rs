//! A plan and what became of it, in words.

use crate::carry_out::Done;
use crate::output::quoted;
use crate::plan::{ClientPlan, Registration, TokenStep, Turn};
use crate::target::{Shape, TokenFile, token_variable};
use hallpass_clients::{PlacementKind, Reload};
use hallpass_store::Overlap;

/// What becomes of a file that gets a literal token.
const CLOSED: &str = "; the file becomes 0600";

pub(super) fn said(plan: &ClientPlan, done: &Done) -> String {
    match (&done.issued, done.file_changed) {
        (Some(_), _) => match overlapping(plan) {
            Some(turn) => format!("rotated{}; the one before is good until {}", restart(plan), turn.until),
            None => format!("issued and placed{}", restart(plan)),
        },
        (None, true) => format!("put right{}", restart(plan)),
        (None, false) => "registered".into(),
    }
}

pub(in crate::commands) fn describe(plan: &ClientPlan) -> String {
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
pub(super) fn shim_offer(plans: &[ClientPlan]) -> Option<String> {
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
pub(super) fn overlapping(plan: &ClientPlan) -> Option<&Turn> {
    let TokenStep::Rotate(turn) = &plan.step else { return None };
    Some(turn).filter(|turn| turn.overlap != Overlap::NONE)
}

/// What becomes of the tokens before.
pub(in crate::commands) fn fate(turn: &Turn) -> String {
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
    let (how, paths) = match &plan.target.shape {
        Shape::ByHand { text, token_file } => return by_hand(plan, text, token_file),
        shape => (how(plan, shape), paths.join(", ")),
    };
    format!("{file}{link}\n    {paths}: {how}{}", unsure(plan))
}

fn how(plan: &ClientPlan, shape: &Shape) -> String {
    let file = shape.token_file().map(|file| file.path.display().to_string()).unwrap_or_default();
    match plan.target.kind {
        PlacementKind::Bridge | PlacementKind::Instructions => {
            format!("a bridge without a secret; the token in {file}")
        }
        PlacementKind::Helper => {
            format!("an address, and a command that gives the token; the token in {file}")
        }
        PlacementKind::TokenFile => format!("an address, and a reference to the token in {file}"),
        PlacementKind::Environment => {
            let variable = token_variable(&plan.client.name);
            format!(
                "an address, and a reference to the variable {variable}\n    before it starts: `set -a; . {}; set +a`",
                quoted(&file)
            )
        }
        PlacementKind::Header => format!("an address, and the token itself in a header{CLOSED}"),
        PlacementKind::Variable | PlacementKind::EnvFile => {
            let replaced =
                if plan.standing.foreign { ", in place of what stands there (kept sealed)" } else { "" };
            let shim = match shape {
                Shape::Variable { shim: Some(_), .. } => ", and `hallpass shim` as its `command`",
                _ => "",
            };
            format!("the token itself{replaced}{shim}{CLOSED}")
        }
    }
}

fn by_hand(plan: &ClientPlan, text: &str, token_file: &TokenFile) -> String {
    let app = &plan.target.app.name;
    let file = token_file.path.display();
    let text = text.trim_end().replace('\n', "\n        ");
    format!(
        "{file}\n    the file of {app} is not edited: put this into it yourself, it holds no secret\n        {text}"
    )
}

/// A word of caution where the table is not sure.
fn unsure(plan: &ClientPlan) -> String {
    let app = plan.target.app;
    if !plan.target.is_guessed() {
        return String::new();
    }
    format!("\n    not verified for {}: look whether it reads this ({})", app.name, app.source)
}

pub(in crate::commands) fn restart(plan: &ClientPlan) -> String {
    let app = plan.target.app;
    let name =
        if hallpass_clients::client(&app.id).is_some() { &app.name } else { "the program that reads it" };
    match (plan.target.shape.is_read_afresh(), app.reload) {
        (true, _) if plan.standing.entries_in_place => match plan.target.kind {
            PlacementKind::Instructions if plan.registration == Registration::New => {
                format!("; put the entry into the file of {name}")
            }
            PlacementKind::Helper => "; it asks for it by itself".into(),
            _ => "; the bridge reads it by itself".into(),
        },
        (true, Reload::Live) => String::new(),
        (_, Reload::Reconnect) => format!("; reconnect the server in {name}"),
        (_, Reload::Live | Reload::Restart | Reload::Unknown) => format!("; restart {name}"),
    }
}
