//! What a command ends with when it does not succeed: what happened, and what to type next.

use hallpass_store::StoreFault;
use std::any::Any;
use std::fmt;

/// A command's failure.
#[derive(Debug)]
pub struct Fault {
    message: String,
    hint: Option<String>,
    exit_code: u8,
    was_said: bool,
}

/// What every command returns.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    /// Refused or failed, exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, exit_code: 1, was_said: false }
    }

    /// Wrong usage, exit code 64.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit_code: 64, ..Self::new(message) }
    }

    /// A person is needed, exit code 3. What for was printed already.
    pub fn person_needed() -> Self {
        Self { exit_code: 3, was_said: true, ..Self::new("a person is needed") }
    }

    /// Something is wrong, exit code 1. What it is was printed already.
    pub fn findings() -> Self {
        Self { was_said: true, ..Self::new("something is wrong") }
    }

    /// A verdict with an exit code of its own. What it is was printed already.
    pub fn ended(exit_code: u8) -> Self {
        Self { exit_code, ..Self::findings() }
    }

    /// The same where a command ends with a verdict and came to none: exit code 64, so that none is read from it.
    #[must_use]
    pub fn without_verdict(self) -> Self {
        Self { exit_code: 64, ..self }
    }

    /// Whether everything about it was printed already.
    pub fn was_said(&self) -> bool {
        self.was_said
    }

    /// The same with a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// The next step, if there is one to name.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Adds what was being done to an error of another kind.
pub trait Doing<T> {
    /// `doing: error`
    fn doing(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display + 'static> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| {
            let fault = Fault::new(format!("{what}: {error}"));
            // Whatever a command was doing: the store's troubles have the same way out.
            match (&error as &dyn Any).downcast_ref().and_then(store_hint) {
                Some(hint) => fault.hint(hint),
                None => fault,
            }
        })
    }
}

/// What helps with a store that was opened well and failed afterwards.
fn store_hint(fault: &StoreFault) -> Option<&'static str> {
    match fault {
        StoreFault::Locked => Some("wait until it has ended, then run this command again"),
        StoreFault::Replaced => Some(
            "somebody moved or replaced `hallpass.db` just now: run this command again once the right one is in its place",
        ),
        StoreFault::NotRecorded(_) => {
            Some("`hallpass audit verify` says what the log is like; revoking and disabling work meanwhile")
        }
        StoreFault::BehindLog => {
            Some("put the newest database back; if there is none, revoke again what was revoked since")
        }
        StoreFault::Missing
        | StoreFault::AlreadyThere
        | StoreFault::Newer { .. }
        | StoreFault::Older
        | StoreFault::Damaged(_)
        | StoreFault::OthersCanRead { .. }
        | StoreFault::OtherOwner
        | StoreFault::DuplicateSubject { .. }
        | StoreFault::UnknownClient { .. }
        | StoreFault::KeyStopped { .. }
        | StoreFault::SetBack { .. }
        | StoreFault::Foreign
        | StoreFault::Failed(_) => None,
    }
}

/// `hint: did you mean ...`, or the list of what there is.
pub fn did_you_mean(wanted: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|name| (strsim::jaro_winkler(wanted, name), *name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((likeness, name)) if likeness > 0.8 => format!("did you mean `{name}`?"),
        _ if known.is_empty() => "there is none yet".into(),
        _ => format!("there are: {}", known.join(", ")),
    }
}
