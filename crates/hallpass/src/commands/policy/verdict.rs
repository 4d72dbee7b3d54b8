//! What is said of one call, in words. Decides nothing: the core has.

use hallpass_core::ServerName;
use hallpass_core::authorize::Decision;
use hallpass_core::policy::{Effect, Policy, Rule, Ruling};

/// Of whom the question is.
pub(super) enum Subject {
    Client(String),
    Policy,
}

impl Subject {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Policy => "policy",
        }
    }
}

/// The answer.
pub(super) struct Verdict<'p> {
    pub(super) allowed: bool,
    pub(super) decided_by: &'static str,
    pub(super) line: Option<(usize, &'p Rule)>,
    pub(super) text: String,
    /// Where it could be changed.
    pub(super) place: String,
}

impl<'p> Verdict<'p> {
    pub(super) fn of(decision: Decision<'p>, subject: &Subject, server: &ServerName) -> Self {
        let name = match subject {
            Subject::Client(name) => name.as_str(),
            Subject::Policy => "",
        };
        match decision {
            Decision::OutOfScope => Self {
                allowed: false,
                decided_by: "servers",
                line: None,
                text: format!("deny: `{server}` is none of the `servers` of `{name}`"),
                place: format!("`servers` of `[clients.{name}]`"),
            },
            Decision::Free => Self {
                allowed: true,
                decided_by: "no_policy",
                line: None,
                text: format!("allow: `{name}` is under no policy"),
                place: String::new(),
            },
            Decision::Ruled(policy, ruling) => Self::ruled(policy, ruling),
        }
    }

    fn ruled(policy: &'p Policy, ruling: Ruling<'p>) -> Self {
        let line = ruling.rule.map(|decided| {
            let before = policy.rules().iter().take_while(|rule| !std::ptr::eq(*rule, decided)).count();
            (before + 1, decided)
        });
        let said = match line {
            Some((number, rule)) => {
                format!("`{}`, rule {number} of `[policy.{}]`", rule.text(), policy.name())
            }
            None => format!("no rule matches, the default of `[policy.{}]`", policy.name()),
        };
        let watched = ruling.effect == Effect::Deny && policy.is_shadow();
        let text = if watched {
            format!("allow: `[policy.{}]` only watches; deny would be: {said}", policy.name())
        } else {
            format!("{}: {said}", word(ruling.effect))
        };
        Self {
            allowed: watched || ruling.effect == Effect::Allow,
            decided_by: if line.is_some() { "rule" } else { "default" },
            line,
            text,
            place: format!("`[policy.{}]`", policy.name()),
        }
    }
}

pub(super) fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    }
}
