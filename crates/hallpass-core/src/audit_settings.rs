//! `[audit]` of hallpass.toml: how calls are recorded. Whether its servers are there, the roster checks.

use crate::arguments::NamedTool;
use crate::roster::{RosterFault, parse_duration, value};
use serde::Deserialize;
use std::path::PathBuf;

/// The shortest time between two checkpoints that are asked for.
const CHECKPOINT_LEAST: i64 = 10;
/// The longest: one a day is the least that is worth the name.
const CHECKPOINT_MOST: i64 = 86_400;
const HOUR: i64 = 3600;

/// How calls are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// How much of a record is safe before the answer ends.
    pub durability: Durability,
    /// What becomes of calls that cannot be recorded.
    pub on_failure: OnFailure,
    /// What a record says of a call's arguments.
    pub arguments: Arguments,
    /// The tools of whose calls a record holds the arguments themselves.
    pub arguments_in_full: Vec<NamedTool>,
    /// How often a checkpoint is kept and copied out, in seconds.
    pub checkpoint_every: i64,
    /// Where it is copied to. Absent: nowhere.
    pub checkpoint_to: Option<CheckpointTo>,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            on_failure: OnFailure::default(),
            arguments: Arguments::default(),
            arguments_in_full: Vec::new(),
            checkpoint_every: HOUR,
            checkpoint_to: None,
        }
    }
}

/// How much of a record is safe before the answer ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It is written, and synced soon, with others: it outlives the program, and nearly always the machine.
    #[default]
    Group,
    /// It is synced: it outlives a power cut.
    Each,
}

/// What becomes of calls that cannot be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// They are refused, and an answer whose record is not written is broken off.
    #[default]
    Refuse,
    /// They are made, and counted.
    Count,
}

/// What a record says of a call's arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arguments {
    /// Nothing.
    #[default]
    Off,
    /// Hashes under a key of the installation, by which a value that somebody knows can be searched for.
    Hash,
}

/// Where checkpoints are copied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckpointTo {
    /// The gateway's standard output.
    Stdout,
    /// The end of this file.
    File(PathBuf),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct RawAudit {
    durability: Option<String>,
    on_failure: Option<String>,
    arguments: Option<String>,
    #[serde(default)]
    arguments_in_full: Vec<String>,
    checkpoint_every: Option<String>,
    checkpoint_to: Option<String>,
}

impl RawAudit {
    pub(crate) fn check(self) -> Result<AuditSettings, RosterFault> {
        Ok(AuditSettings {
            durability: match self.durability.as_deref() {
                None | Some("group") => Durability::Group,
                Some("each") => Durability::Each,
                Some(_) => return Err(value("audit.durability", "it must be `group` or `each`")),
            },
            on_failure: match self.on_failure.as_deref() {
                None | Some("refuse") => OnFailure::Refuse,
                Some("count") => OnFailure::Count,
                Some(_) => return Err(value("audit.on_failure", "it must be `refuse` or `count`")),
            },
            arguments: match self.arguments.as_deref() {
                None | Some("off") => Arguments::Off,
                Some("hash") => Arguments::Hash,
                Some(_) => return Err(value("audit.arguments", "it must be `off` or `hash`")),
            },
            arguments_in_full: self
                .arguments_in_full
                .iter()
                .map(|tool| named(tool))
                .collect::<Result<_, _>>()?,
            checkpoint_every: self.checkpoint_every.map_or(Ok(HOUR), |text| check_every(&text))?,
            checkpoint_to: self.checkpoint_to.map(|text| check_to(&text)).transpose()?,
        })
    }
}

fn named(tool: &str) -> Result<NamedTool, RosterFault> {
    NamedTool::parse(tool).ok_or_else(|| {
        let why = format!(
            "`{}` is no tool: write `server/tool`, or `server/*` for all of a server's",
            tool.escape_debug()
        );
        value("audit.arguments_in_full", &why)
    })
}

fn check_every(text: &str) -> Result<i64, RosterFault> {
    parse_duration(text)
        .filter(|seconds| (CHECKPOINT_LEAST..=CHECKPOINT_MOST).contains(seconds))
        .ok_or_else(|| value("audit.checkpoint_every", "it must be from 10s to 1d, like `1h`"))
}

fn check_to(text: &str) -> Result<CheckpointTo, RosterFault> {
    match text {
        "stdout" => Ok(CheckpointTo::Stdout),
        path if path.starts_with('/') && !path.ends_with('/') => Ok(CheckpointTo::File(path.into())),
        _ => Err(value("audit.checkpoint_to", "it must be `stdout` or the path of a file, from `/` on")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Arguments, AuditSettings, CheckpointTo, Durability, OnFailure};
    use crate::roster::Roster;

    #[test]
    fn what_is_not_said_has_a_default() {
        assert_eq!(Roster::parse("").unwrap().audit, AuditSettings::default());
        assert_eq!(Roster::parse("[audit]").unwrap().audit, AuditSettings::default());
        assert_eq!(AuditSettings::default().checkpoint_every, 3600);
    }

    #[test]
    fn all_of_it_is_read() {
        let audit = Roster::parse(
            r#"
            [audit]
            durability = "each"
            on_failure = "count"
            arguments = "hash"
            arguments_in_full = ["docs/pay", "docs/*"]
            checkpoint_every = "10m"
            checkpoint_to = "/var/log/hallpass.checkpoints"
            [servers.docs]
            url = "http://127.0.0.1:9000/mcp"
            "#,
        )
        .unwrap()
        .audit;
        assert_eq!((audit.durability, audit.on_failure), (Durability::Each, OnFailure::Count));
        assert_eq!((audit.arguments, audit.checkpoint_every), (Arguments::Hash, 600));
        assert_eq!(audit.checkpoint_to, Some(CheckpointTo::File("/var/log/hallpass.checkpoints".into())));
        let named: Vec<String> = audit.arguments_in_full.iter().map(ToString::to_string).collect();
        assert_eq!(named, ["docs/pay", "docs/*"]);
    }

    #[test]
    fn every_mistake_is_named() {
        for (text, expect) in [
            ("durability = \"none\"", "`audit.durability`: it must be `group` or `each`"),
            ("on_failure = \"ignore\"", "`audit.on_failure`: it must be `refuse` or `count`"),
            ("arguments = \"full\"", "`audit.arguments`: it must be `off` or `hash`"),
            ("arguments_in_full = [\"docs\"]", "`audit.arguments_in_full`: `docs` is no tool"),
            ("arguments_in_full = [\"docs/\"]", "`docs/` is no tool"),
            ("arguments_in_full = [\"*/x\"]", "`*/x` is no tool"),
            ("arguments_in_full = [\"docs/x\"]", "no `[servers.docs]`"),
            ("checkpoint_every = \"1s\"", "`audit.checkpoint_every`: it must be from 10s to 1d"),
            ("checkpoint_every = \"often\"", "`audit.checkpoint_every`"),
            ("checkpoint_to = \"here\"", "`audit.checkpoint_to`: it must be `stdout` or"),
            ("checkpoint_to = \"/tmp/\"", "`audit.checkpoint_to`"),
            ("keep = \"90d\"", "unknown field `keep`"),
        ] {
            let fault = Roster::parse(&format!("[audit]\n{text}")).unwrap_err().to_string();
            assert!(fault.contains(expect), "{text}\n{fault}");
        }
    }
}
