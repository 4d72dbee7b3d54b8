//! `hallpass.toml`: the authority, the gateway, the clients and the servers. Text in, checked settings out; reads no file.

mod raw;

use crate::admin::{AdminSettings, WarningSettings};
use crate::arguments::NamedTool;
use crate::audit_settings::AuditSettings;
use crate::keys::Algorithm;
use crate::name::{Audience, ClientName, Issuer, PolicyName, ServerName, Subject};
use crate::policy::PolicySettings;
use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::fmt;

pub(crate) use raw::value;

/// A checked `hallpass.toml`.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// `follow = "PATH"`: this home's configuration is that file. Nothing else may stand beside it.
    pub follow: Option<String>,
    /// `[authority]`
    pub authority: AuthoritySettings,
    /// `[gateway]`
    pub gateway: GatewaySettings,
    /// `[log]`
    pub log: LogSettings,
    /// `[audit]`
    pub audit: AuditSettings,
    /// `[admin]`
    pub admin: AdminSettings,
    /// `[warnings]`
    pub warnings: WarningSettings,
    /// `[clients.NAME]`
    pub clients: BTreeMap<ClientName, ClientSettings>,
    /// `[servers.NAME]`
    pub servers: BTreeMap<ServerName, ServerSettings>,
    /// `[policy.NAME]`
    pub policies: BTreeMap<PolicyName, PolicySettings>,
}

/// Who issues, for whom, and for how long. What is absent has a default, or was fixed by `hallpass init`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthoritySettings {
    /// The `iss` of every token.
    pub issuer: Option<Issuer>,
    /// The `aud` of every token.
    pub audience: Option<Audience>,
    /// How long a token lives, in seconds.
    pub lifetime: Option<i64>,
    /// What a new signing key signs with.
    pub algorithm: Option<Algorithm>,
    /// Whether the gateway rotates tokens by itself.
    pub rotate: Rotate,
}

/// Whether the gateway rotates tokens by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotate {
    /// Where the placement is read without a restart.
    #[default]
    Auto,
    /// Never.
    Never,
}

/// Where the gateway listens and what it takes for its own name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Address and port.
    pub listen: Option<SocketAddr>,
    /// `Host` values that are accepted besides the address itself and, on loopback, `localhost`.
    pub hosts: Vec<String>,
    /// `Origin` values that are accepted besides the gateway's own.
    pub origins: Vec<String>,
    /// How long calls are let in without a look at the store that succeeded, in seconds.
    pub max_stale: Option<i64>,
}

/// How a call's line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// One JSON object a line instead of text.
    pub json: bool,
    /// The lines of a former daemon of the hello dialect beside our own.
    pub origin_lines: bool,
}

/// One client of the roster. Paths are as written: relative ones are relative to the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// The `sub` claim, if not the default.
    pub subject: Option<Subject>,
    /// Which program it is.
    pub app: String,
    /// The client's configuration file, else the app's own place.
    pub config: Option<String>,
    /// The entry in that file, else the server's name.
    pub entry: Option<String>,
    /// The token itself goes into this variable of the entry's `env`.
    pub env: Option<String>,
    /// How the token is placed. Absent: the best way that the program offers.
    pub placement: Option<String>,
    /// The servers that the client may use. Absent: all.
    pub servers: Option<Vec<ServerName>>,
    /// The policy that it is under. Absent: none.
    pub policy: Option<PolicyName>,
}

/// An MCP server behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Its address: `http://` or `https://` for Streamable HTTP, `ws://` or `wss://` for WebSocket.
    pub url: String,
    /// The environment variable that holds the bearer token which the server itself asks for.
    pub token_env: Option<String>,
    /// The environment variable that holds the shared secret which a server of the hello dialect asks for.
    pub legacy_token_env: Option<String>,
    /// A listener of its own, for clients that dial a WebSocket server without a path.
    pub listen: Option<SocketAddr>,
}

impl ServerSettings {
    /// Whether it is served over WebSocket.
    pub fn is_web_socket(&self) -> bool {
        self.url.starts_with("ws://") || self.url.starts_with("wss://")
    }
}

/// Why a `hallpass.toml` was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterFault {
    /// Not TOML, an unknown key or a wrong type.
    Syntax {
        /// Line and column, from 1, where the parser knows them.
        place: Option<(usize, usize)>,
        /// What is wrong there. Quotes no value.
        what: String,
    },
    /// A name that is none.
    Name {
        /// The table it names: `clients` or `servers`.
        table: &'static str,
        /// The name as written.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A value that is refused.
    Value {
        /// Where: `authority.issuer`.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// Two clients with one subject.
    DuplicateSubject {
        /// The subject.
        subject: String,
        /// The two clients.
        clients: [String; 2],
    },
    /// A client that wants a server which is not there.
    NoSuchServer {
        /// The client.
        client: String,
        /// The server it names.
        server: String,
    },
    /// A client under a policy that is not there.
    NoSuchPolicy {
        /// The client.
        client: String,
        /// The policy it names.
        policy: String,
    },
    /// A kind of server that this version does not serve.
    ServerKind {
        /// The server.
        server: String,
        /// What it is.
        kind: &'static str,
    },
}

impl fmt::Display for RosterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { place: Some((line, column)), what } => {
                write!(f, "line {line}, column {column}: {what}")
            }
            Self::Syntax { place: None, what } => f.write_str(what),
            Self::Name { table, name, why } => {
                write!(
                    f,
                    "`{table}.{}` is not a name: {why} (a-z, 0-9 and `-`, at most 63)",
                    name.escape_debug()
                )
            }
            Self::Value { key, why } => write!(f, "`{key}`: {why}"),
            Self::DuplicateSubject { subject, clients: [one, two] } => {
                write!(f, "`clients.{one}` and `clients.{two}` have the same subject `{subject}`")
            }
            Self::NoSuchServer { client, server } => {
                write!(f, "`clients.{client}.servers` names `{server}`, and there is no `[servers.{server}]`")
            }
            Self::NoSuchPolicy { client, policy } => {
                write!(f, "`clients.{client}.policy` names `{policy}`, and there is no `[policy.{policy}]`")
            }
            Self::ServerKind { server, kind } => {
                write!(f, "`servers.{server}` is {kind}, which this version does not serve yet: only URLs")
            }
        }
    }
}

impl std::error::Error for RosterFault {}

impl Roster {
    /// Reads and checks the text of a `hallpass.toml`.
    pub fn parse(text: &str) -> Result<Self, RosterFault> {
        let roster = raw::read(text)?;
        roster.check_subjects()?;
        roster.check_listeners()?;
        roster.check_servers()?;
        roster.check_policies()?;
        roster.check_audit()?;
        Ok(roster)
    }

    fn check_subjects(&self) -> Result<(), RosterFault> {
        let mut seen = BTreeMap::new();
        for (name, client) in &self.clients {
            let Some(subject) = &client.subject else { continue };
            if let Some(other) = seen.insert(subject, name) {
                let clients = [other.to_string(), name.to_string()];
                return Err(RosterFault::DuplicateSubject { subject: subject.to_string(), clients });
            }
        }
        Ok(())
    }

    /// Two listeners on one address, and a server that is the gateway itself: a call would go round for ever.
    fn check_listeners(&self) -> Result<(), RosterFault> {
        let mut taken: Vec<SocketAddr> =
            self.gateway.listen.into_iter().filter(|own| own.port() != 0).collect();
        for (name, listen) in self.servers.iter().filter_map(|(name, server)| Some((name, server.listen?))) {
            if listen.port() != 0 && taken.contains(&listen) {
                return Err(raw::value(
                    &format!("servers.{name}.listen"),
                    "another listener has that address already",
                ));
            }
            taken.push(listen);
        }
        for (name, server) in &self.servers {
            if taken.iter().any(|own| raw::dials(&server.url, *own)) {
                return Err(raw::value(
                    &format!("servers.{name}.url"),
                    "it is an address of the gateway itself: let the server listen on another port",
                ));
            }
        }
        Ok(())
    }

    /// A rule about a server that is not there is a typing mistake, and would leave the real one open.
    fn check_policies(&self) -> Result<(), RosterFault> {
        for (name, settings) in &self.policies {
            let policy = raw::checked_policy(name.as_str(), settings)?;
            let named = policy.rules().iter().filter_map(|rule| rule.only_server());
            for server in named {
                if !self.servers.contains_key(server) {
                    return Err(value(
                        &format!("policy.{name}"),
                        &format!("a rule names `{server}`, and there is no `[servers.{server}]`"),
                    ));
                }
            }
        }
        for (client, settings) in &self.clients {
            let Some(policy) = &settings.policy else { continue };
            if !self.policies.contains_key(policy) {
                return Err(RosterFault::NoSuchPolicy {
                    client: client.to_string(),
                    policy: policy.to_string(),
                });
            }
        }
        Ok(())
    }

    /// A tool of a server that is not there is a typing mistake, and the real one's calls would not be kept.
    fn check_audit(&self) -> Result<(), RosterFault> {
        let mut named = self.audit.arguments_in_full.iter().map(NamedTool::server);
        match named.find(|server| !self.servers.contains_key(*server)) {
            Some(missing) => Err(value(
                "audit.arguments_in_full",
                &format!("it names `{missing}`, and there is no `[servers.{missing}]`"),
            )),
            None => Ok(()),
        }
    }

    fn check_servers(&self) -> Result<(), RosterFault> {
        for (name, client) in &self.clients {
            let wanted = client.servers.iter().flatten();
            if let Some(missing) = wanted.into_iter().find(|server| !self.servers.contains_key(*server)) {
                return Err(RosterFault::NoSuchServer {
                    client: name.to_string(),
                    server: missing.to_string(),
                });
            }
        }
        Ok(())
    }
}

/// Seconds of a text like `90d`, `12h`, `30m` or `45s`.
pub fn parse_duration(text: &str) -> Option<i64> {
    let unit = match text.bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<i64>().ok()?.checked_mul(unit)
}

/// Whether an environment variable may be called that.
pub fn is_variable_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::{Roster, parse_duration};

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, expect) in
            [("90d", Some(7_776_000)), ("1s", Some(1)), ("2h", Some(7200)), ("5m", Some(300))]
        {
            assert_eq!(parse_duration(text), expect, "{text}");
        }
        for bad in ["", "d", "90", "-1d", "1.5h", "9999999999999999999d", "1w", "1 d", "+1d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_whole_roster_is_read() {
        let roster = Roster::parse(
            r#"
            [authority]
            issuer = "exai-mcp-server"
            lifetime = "90d"
            [gateway]
            listen = "127.0.0.1:4255"
            [clients.claude]
            app = "claude-desktop"
            servers = ["docs"]
            [servers.docs]
            url = "http://127.0.0.1:9000/mcp"
            "#,
        )
        .unwrap();
        assert_eq!(roster.authority.lifetime, Some(7_776_000));
        assert_eq!(roster.clients.len(), 1);
        assert_eq!(roster.servers.len(), 1);
    }

    #[test]
    fn a_mistake_is_placed_and_what_stands_there_is_not_repeated() {
        for (text, expect) in [
            ("SECRET", "line 1, column 7: key with no value, expected `=`"),
            (
                "[gateway]\nlisten = SECRET",
                "line 2, column 10: string values must be quoted, expected literal string",
            ),
            (
                "[gateway]\nhosts = \"SECRET, expected \"",
                "line 2, column 9: invalid type: string, expected a sequence",
            ),
            ("[authority]\n\u{e9} = 1\nissuer = 7355608", "line 2, column 1: invalid unquoted key"),
            ("[authority]\nissuer = 7355608", "line 2, column 10: invalid type: integer, expected a string"),
            (
                "[authority]\n# \u{e9}\n  port = \"SECRET\"",
                "line 3, column 3: unknown field `port`, expected one of `issuer`",
            ),
            ("clients = \"SECRET\"", "line 1, column 11: invalid type: string, expected a map"),
            (
                "[policy.a]\ndefault = \"SECRET\"",
                "line 2, column 11: unknown value, expected `allow` or `deny`",
            ),
        ] {
            let fault = Roster::parse(text).unwrap_err().to_string();
            assert!(fault.starts_with(expect), "{text}\n{fault}");
            assert!(!fault.contains("SECRET") && !fault.contains("7355608"), "{text}\n{fault}");
        }
    }

    #[test]
    fn every_mistake_is_named() {
        for (text, expect) in [
            ("[authority]\nissuer = \"\"", "`authority.issuer`: it is empty"),
            ("[authority]\nlifetime = \"10y\"", "`authority.lifetime`"),
            ("[authority]\nlifetime = \"400d\"", "from 60s to 366d"),
            ("[authority]\nalgorithm = \"RS256\"", "`authority.algorithm`"),
            ("[authority]\nrotate = \"off\"", "`authority.rotate`: it must be `auto` or `never`"),
            ("[gateway]\nlisten = \"4255\"", "`gateway.listen`"),
            ("[gateway]\norigins = [\"*\"]", "`gateway.origins`"),
            ("[gateway]\nport = 1", "unknown field `port`"),
            ("[admin]\nlisten = \"metrics\"", "`admin.listen`"),
            ("[admin]\nhosts = [\"*:4256\"]", "`admin.hosts`"),
            ("[warnings]\ndisable = [\"two_adresses\"]", "`warnings.disable`: `two_adresses`"),
            ("[warnings]\ndisable = [\"unknown_token\"]", "nobody to disable"),
            ("[clients.\"a/b\"]\napp = \"vscode\"", "`clients.a/b` is not a name"),
            ("[clients.a]\napp = \"vscode\"\nservers = [\"x\"]", "no `[servers.x]`"),
            ("[clients.a]\napp = \"vscode\"\npolicy = \"x\"", "no `[policy.x]`"),
            ("[policy.a]\nrules = [\"deny x\"]", "no `[servers.x]`"),
            ("[policy.a]\nrules = [\"permit *\"]", "`policy.a`: the rule `permit *`"),
            ("[policy.a]\nrule = []", "unknown field `rule`"),
            ("[policy.a]\nrate = \"fast\"", "`policy.a`: `rate`"),
            ("[gateway]\nmax_stale = \"1h\"", "`gateway.max_stale`"),
            (
                "[clients.a]\napp = \"x\"\nsubject = \"s\"\n[clients.b]\napp = \"x\"\nsubject = \"s\"",
                "same subject `s`",
            ),
            ("[servers.a]\nurl = \"ftp://127.0.0.1:8079\"", "`servers.a.url`"),
            ("[servers.a]\nurl = \"ws://u:p@h\"", "`servers.a.url`"),
            ("[servers.a]\nurl = \"http://h/mcp\"\nlegacy_token_env = \"X\"", "`servers.a.legacy_token_env`"),
            ("[servers.a]\nurl = \"ws://h\"\nlegacy_token_env = \"\"", "`servers.a.legacy_token_env`"),
            ("[servers.a]\nurl = \"http://h/mcp\"\nlisten = \"127.0.0.1:1\"", "`servers.a.listen`"),
            ("[servers.a]\nurl = \"ws://h\"\nlisten = \"8079\"", "`servers.a.listen`"),
            ("[servers.a]\nurl = \"ws://127.0.0.1:8079\"\nlisten = \"127.0.0.1:8079\"", "itself"),
            ("[servers.a]\nurl = \"ws://LOCALHOST:8079/x\"\nlisten = \"127.0.0.1:8079\"", "itself"),
            (
                "[servers.a]\nurl = \"ws://h\"\nlisten = \"127.0.0.1:1\"\n[servers.b]\nurl = \"ws://h\"\nlisten = \"127.0.0.1:1\"",
                "already",
            ),
            (
                "[gateway]\nlisten = \"127.0.0.1:1\"\n[servers.a]\nurl = \"ws://h\"\nlisten = \"127.0.0.1:1\"",
                "already",
            ),
            ("[servers.a]\ncommand = [\"npx\"]", "`servers.a` is a command"),
            ("[servers.a]\nurl = \"http://u:p@h/mcp\"", "`servers.a.url`"),
            ("[servers.a]", "`servers.a.url`: it is missing"),
            ("[clients.a]\napp = \"x\"\nenv = \"A B\"", "`clients.a.env`"),
            ("not toml", "expected"),
        ] {
            let fault = Roster::parse(text).unwrap_err().to_string();
            assert!(fault.contains(expect), "{text}\n{fault}");
        }
    }
}
