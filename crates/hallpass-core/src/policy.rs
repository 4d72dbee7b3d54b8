//! What a client may call and how much of it: decides by rules, first match wins. Counts nothing and knows no clock.

use crate::name::{NameFault, PolicyName, ServerName};
use crate::rate::Rate;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest rule, in characters.
const RULE_MOST: usize = 256;
/// More rules than this are no policy that a person can read.
const RULES_MOST: usize = 1000;

/// What a rule, or the absence of one, says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The call is made.
    Allow,
    /// The call is refused.
    Deny,
}

/// What a message asks for, as far as a policy can tell messages apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<'a> {
    /// One of the protocol's own messages (`initialize`, `ping`, `tools/list`, notifications, answers): nobody who may
    /// call anything can do without them.
    Protocol,
    /// A tool is called.
    Tool(&'a str),
    /// Whatever else a server offers: resources, prompts, completions, methods that we do not know.
    Other,
}

impl<'a> Ask<'a> {
    /// What a message with this method asks for (`None`: no method, so it is an answer or no message at all); `target`
    /// is its `params.name`.
    pub fn of(method: Option<&str>, target: Option<&'a str>) -> Self {
        match method {
            None
            | Some(
                "initialize"
                | "ping"
                | "server/discover"
                | "tools/list"
                | "logging/setLevel"
                | "subscriptions/listen"
                // A task comes from a call that was allowed, and its id is the server's secret.
                | "tasks/get"
                | "tasks/result"
                | "tasks/cancel"
                | "tasks/update",
            ) => Self::Protocol,
            Some(method) if method.starts_with("notifications/") => Self::Protocol,
            // A call without a name names no tool that any rule could mean but one for all.
            Some("tools/call") => Self::Tool(target.unwrap_or_default()),
            Some(_) => Self::Other,
        }
    }
}

/// A policy as it is written in `[policy.NAME]` and kept in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySettings {
    /// `allow SERVER`, `deny SERVER`, `allow SERVER/TOOL`, `deny SERVER/TOOL`; `*` stands for any characters.
    #[serde(default)]
    pub rules: Vec<String>,
    /// What holds where no rule matches.
    #[serde(default = "allow", skip_serializing_if = "is_allow")]
    pub default: Effect,
    /// Calls a time, like `60/m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// How many calls may come at once before the rate counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// How many calls may wait for their answers at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u32>,
    /// Refuse nothing, and record what would be refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
}

fn allow() -> Effect {
    Effect::Allow
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_allow(effect: &Effect) -> bool {
    *effect == Effect::Allow
}

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyFault {
    /// The policy's name is none.
    Name(NameFault),
    /// A rule that cannot be read.
    Rule {
        /// The rule as written.
        rule: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Too many rules.
    TooMany,
    /// Another key's value.
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(fault) => write!(f, "its name: {fault}"),
            Self::Rule { rule, why } => write!(f, "the rule `{}`: {why}", rule.escape_debug()),
            Self::TooMany => write!(f, "more than {RULES_MOST} rules"),
            Self::Value { key, why } => write!(f, "`{key}`: {why}"),
        }
    }
}

impl std::error::Error for PolicyFault {}

/// One line of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    text: Box<str>,
    effect: Effect,
    server: Pattern,
    /// `None`: the whole server.
    tool: Option<Pattern>,
}

impl Rule {
    fn parse(text: &str) -> Result<Self, PolicyFault> {
        let fault = |why| PolicyFault::Rule { rule: text.to_owned(), why };
        if text.chars().count() > RULE_MOST {
            return Err(fault("it is too long"));
        }
        if text.chars().any(char::is_control) {
            return Err(fault("it holds a control character"));
        }
        let (effect, what) = match text.split_once(' ') {
            Some(("allow", what)) => (Effect::Allow, what),
            Some(("deny", what)) => (Effect::Deny, what),
            Some(_) | None => {
                return Err(fault("it must be `allow` or `deny`, a space, and SERVER or SERVER/TOOL"));
            }
        };
        // A server's name holds no slash, a tool's may.
        let (server, tool) = match what.split_once('/') {
            Some((server, tool)) => (server, Some(tool)),
            None => (what, None),
        };
        let is_server = !server.is_empty()
            && server.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'*'));
        if !is_server {
            return Err(fault("a server is a-z, 0-9, `-`, and `*` for any characters"));
        }
        if tool == Some("") {
            return Err(fault("the tool is missing after the slash"));
        }
        Ok(Self { text: text.into(), effect, server: Pattern::new(server), tool: tool.map(Pattern::new) })
    }

    /// The line as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it says.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The server it names, if it names one and not several. For the check that the server is there.
    pub fn only_server(&self) -> Option<&str> {
        self.server.literal()
    }

    /// Whether this line decides about `ask` on `server`.
    fn decides(&self, server: &ServerName, ask: Ask<'_>) -> bool {
        if !self.server.matches(server.as_str()) {
            return false;
        }
        match (ask, &self.tool) {
            (_, None) => true,
            (Ask::Tool(tool), Some(pattern)) => pattern.matches(tool),
            // Who may call one tool of a server may speak to it.
            (Ask::Protocol, Some(_)) => self.effect == Effect::Allow,
            (Ask::Other, Some(_)) => false,
        }
    }
}

/// What a policy says of one call, and which of its lines said so (`None`: its default).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling<'p> {
    /// Allowed or denied.
    pub effect: Effect,
    /// The line that decided.
    pub rule: Option<&'p Rule>,
}

/// A policy that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    name: PolicyName,
    rules: Vec<Rule>,
    default: Effect,
    rate: Option<Rate>,
    in_flight: Option<u32>,
    shadow: bool,
}

impl Policy {
    /// Checks what was written.
    pub fn new(name: &str, settings: &PolicySettings) -> Result<Self, PolicyFault> {
        if settings.rules.len() > RULES_MOST {
            return Err(PolicyFault::TooMany);
        }
        if settings.in_flight == Some(0) {
            return Err(PolicyFault::Value {
                key: "in_flight",
                why: "0 would let nothing through: deny the servers instead",
            });
        }
        Ok(Self {
            name: PolicyName::new(name).map_err(PolicyFault::Name)?,
            rules: settings.rules.iter().map(|rule| Rule::parse(rule)).collect::<Result<_, _>>()?,
            default: settings.default,
            rate: rate_of(settings)?,
            in_flight: settings.in_flight,
            shadow: settings.shadow,
        })
    }

    /// Its name.
    pub fn name(&self) -> &PolicyName {
        &self.name
    }

    /// Its lines.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How many calls a time, if that is limited.
    pub fn rate(&self) -> Option<&Rate> {
        self.rate.as_ref()
    }

    /// How many calls may wait for their answers at once, if that is limited.
    pub fn in_flight(&self) -> Option<u32> {
        self.in_flight
    }

    /// Whether it refuses nothing and only records.
    pub fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// What it says of `ask` on `server`: the first line that decides, else the default.
    pub fn rule_on(&self, server: &ServerName, ask: Ask<'_>) -> Ruling<'_> {
        match self.rules.iter().find(|rule| rule.decides(server, ask)) {
            Some(rule) => Ruling { effect: rule.effect, rule: Some(rule) },
            None => Ruling { effect: self.default, rule: None },
        }
    }

    /// Whether it shows the same tools as another, so that what one let through is as good as what the other would.
    pub fn shows_same_tools_as(&self, other: &Self) -> bool {
        (&self.rules, self.default, self.shadow) == (&other.rules, other.default, other.shadow)
    }

    /// Whether some tools of `server` could be refused while the server itself may be spoken to: then lists of tools
    /// have to be filtered.
    pub fn narrows_tools_of(&self, server: &ServerName) -> bool {
        let about = |rule: &&Rule| rule.server.matches(server.as_str());
        let whole = self.rules.iter().filter(about).find(|rule| rule.tool.is_none());
        let mut tools = self.rules.iter().filter(about).take_while(|rule| rule.tool.is_some());
        let end = whole.map_or(self.default, Rule::effect);
        tools.any(|rule| rule.effect != end || end == Effect::Deny)
    }
}

fn rate_of(settings: &PolicySettings) -> Result<Option<Rate>, PolicyFault> {
    let fault = |key, why| PolicyFault::Value { key, why };
    let Some(text) = &settings.rate else {
        return match settings.burst {
            None => Ok(None),
            Some(_) => Err(fault("burst", "it goes with `rate`")),
        };
    };
    let rate = Rate::parse(text, settings.burst);
    rate.map(Some).ok_or_else(|| {
        fault("rate", "it must be a number a time, like `10/s`, `60/m` or `1000/h`; `burst` at least 1")
    })
}

/// A text with `*` for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(Box<str>);

impl Pattern {
    fn new(text: &str) -> Self {
        Self(text.into())
    }

    fn literal(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&self.0)
    }

    /// In time that grows with the product of the lengths at worst: a tool's name is an attacker's text.
    fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut at, mut in_text) = (0, 0);
        // Where to go on if the present attempt fails: behind the last star, one more byte given to it.
        let mut back: Option<(usize, usize)> = None;
        while in_text < text.len() {
            if pattern.get(at) == Some(&b'*') {
                at += 1;
                back = Some((at, in_text));
            } else if pattern.get(at) == Some(&text[in_text]) {
                at += 1;
                in_text += 1;
            } else if let Some((star, given)) = back {
                at = star;
                in_text = given + 1;
                back = Some((star, in_text));
            } else {
                return false;
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::{Ask, Effect, Pattern, Policy, PolicySettings};
    use crate::name::ServerName;

    fn policy(rules: &[&str], default: Effect) -> Policy {
        let settings = PolicySettings {
            rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            default,
            rate: None,
            burst: None,
            in_flight: None,
            shadow: false,
        };
        Policy::new("p", &settings).unwrap()
    }

    #[test]
    fn a_star_stands_for_any_run() {
        for (pattern, text, expect) in [
            ("*", "", true),
            ("read_*", "read_file", true),
            ("read_*", "read", false),
            ("*_file", "read_file", true),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("echo", "echo", true),
            ("echo", "Echo", false),
            ("*ä*", "xäx", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), expect, "{pattern} {text}");
        }
        let long = "a".repeat(100_000);
        assert!(!Pattern::new("*a*a*a*a*b").matches(&long));
    }

    #[test]
    fn the_first_line_that_matches_decides() {
        let server = ServerName::new("docs").unwrap();
        let policy = policy(&["deny docs/delete_*", "allow docs/*", "deny *"], Effect::Allow);
        let said = |ask| {
            let ruling = policy.rule_on(&server, ask);
            (ruling.effect, ruling.rule.map(|rule| rule.text().to_owned()))
        };
        assert_eq!(said(Ask::Tool("delete_all")), (Effect::Deny, Some("deny docs/delete_*".into())));
        assert_eq!(said(Ask::Tool("read")), (Effect::Allow, Some("allow docs/*".into())));
        assert_eq!(said(Ask::Protocol), (Effect::Allow, Some("allow docs/*".into())));
        assert_eq!(said(Ask::Other), (Effect::Deny, Some("deny *".into())));
    }

    #[test]
    fn lists_are_filtered_where_a_tool_could_be_refused() {
        let server = ServerName::new("docs").unwrap();
        for (rules, default, expect) in [
            (&[][..], Effect::Allow, false),
            (&["deny docs/delete"], Effect::Allow, true),
            (&["allow docs/read"], Effect::Deny, true),
            (&["allow docs/read", "allow docs"], Effect::Deny, false),
            (&["deny files/*"], Effect::Allow, false),
            (&["allow docs", "deny docs/delete"], Effect::Deny, false),
            (&["deny *"], Effect::Allow, false),
        ] {
            assert_eq!(policy(rules, default).narrows_tools_of(&server), expect, "{rules:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in
            ["", "allow", "allow ", "permit docs", "allow Docs", "deny docs/", "allow docs\n/x", "ALLOW docs"]
        {
            let settings = PolicySettings {
                rules: vec![bad.to_owned()],
                default: Effect::Allow,
                rate: None,
                burst: None,
                in_flight: None,
                shadow: false,
            };
            assert!(Policy::new("p", &settings).is_err(), "{bad:?}");
        }
    }
}
