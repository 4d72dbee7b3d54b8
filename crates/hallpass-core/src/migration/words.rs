//! The report's words, the same on every page: what is, and what to do about it. No backtick stands in them that is not
//! around a name or a command.

use super::{CallerLine, QUIET, Report, Standing, Step, Verdict};
use std::fmt;

impl Standing {
    /// In a few words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotMoved => "not moved",
            Self::Both => "uses both",
            Self::Silent => "silent",
            Self::Moved => "moved",
            Self::Disabled => "disabled",
        }
    }

    /// What it means.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NotMoved => "seen with the shared secret, never with a token of its own",
            Self::Both => {
                "uses its own token, and the secret was shown on its address since, in the last 7 days"
            }
            Self::Silent => "never seen with either",
            Self::Moved => "uses its own token",
            Self::Disabled => "disabled: neither counts",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPeriod => f.write_str("there is no grace period: no shared secret lets anybody in"),
            Self::Over { since } => write!(f, "it is over since {since}"),
            Self::NotYet { unmoved } => {
                let (verb, names) = (if unmoved.len() == 1 { "has" } else { "have" }, names(unmoved));
                write!(f, "it cannot end yet: {names} {verb} not moved")
            }
            Self::From { from } => {
                write!(f, "it can end from {from} on, if nobody is let in by the secret before then")
            }
            Self::Now => write!(
                f,
                "it can end now: whoever was seen with the secret has moved, and nobody was let in by it for {} days",
                QUIET / 86_400
            ),
        }
    }
}

impl CallerLine {
    /// Who it is, as far as anybody can tell.
    pub fn who(&self) -> String {
        if self.is_the_rest {
            return "others, counted together".into();
        }
        let program = self.usage.client_info.as_deref().or(self.usage.user_agent.as_deref());
        let program = program.map_or_else(|| "a program without a name".into(), on_one_line);
        format!("{program} at {}", self.usage.address.as_deref().unwrap_or("an unknown address"))
    }
}

impl Step {
    /// What is the matter.
    pub fn text(&self, report: &Report) -> String {
        match self {
            Self::Restart { client } => format!(
                "`{client}` has a token of its own and has never used it: restart the program, so that it reads its configuration"
            ),
            Self::Issue { client } => {
                format!("`{client}` has no token in force: give it one, then restart the program")
            }
            Self::FindTheOtherCopy { client, address } => format!(
                "`{client}` uses its own token, and something at {} still shows the secret on its address: look for a copy of its former configuration",
                address.as_deref().unwrap_or("several addresses")
            ),
            Self::GiveAName { caller } => report.callers.get(*caller).map_or_else(String::new, nameless),
            Self::Ask { client } => {
                format!("`{client}` was never seen: ask its owner whether it is in use, and remove it if not")
            }
            Self::EndsFirst { until } => format!(
                "the period ends on {until}, sooner than it should by the rule: talk to those above now, or move the end"
            ),
            Self::ClockRanAhead { seen } => format!(
                "a clock ran ahead to {seen}, and by that time the period ends: if that was wrong, set the end again"
            ),
            Self::End => "nobody needs the secret any more".into(),
        }
    }

    /// What to type.
    pub fn command(&self) -> String {
        match self {
            Self::Restart { client } => format!("hallpass show {client}"),
            Self::Issue { client } => format!("hallpass issue {client}"),
            Self::FindTheOtherCopy { .. } => "hallpass log -f".into(),
            Self::GiveAName { .. } => "hallpass add NAME --app APP".into(),
            Self::Ask { client } => format!("hallpass remove {client}"),
            Self::EndsFirst { .. } | Self::ClockRanAhead { .. } => {
                "hallpass grace extend --until DATE --reason TEXT".into()
            }
            Self::End => "hallpass grace end".into(),
        }
    }
}

/// What a caller says of itself, with nothing in it that steers a terminal or turns the reading direction.
pub fn on_one_line(said: &str) -> String {
    let mut line = String::with_capacity(said.len());
    for c in said.chars() {
        match c {
            '"' | '\'' | '\\' => line.push(c),
            // A backtick would look like the end of a name or a command.
            '`' => line.push('\''),
            _ => line.extend(c.escape_debug()),
        }
    }
    line
}

fn nameless(caller: &CallerLine) -> String {
    let who = caller.who();
    if caller.looks_like.is_empty() {
        return format!("{who} is let in on no client's address: find out whose it is, and make it a client");
    }
    format!(
        "{who} is let in on no client's address and looks like {}: look for a copy of a former configuration there",
        names(&caller.looks_like)
    )
}

fn names<T: fmt::Display>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
