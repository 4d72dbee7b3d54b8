//! `hallpass.toml`: the authority, the gateway, the clients and the servers. Text in, checked settings out; reads no file.

use crate::admin::{AdminSettings, RawAdmin, RawWarnings, WarningSettings};
use crate::claims::LIFETIME_MOST;
use crate::keys::Algorithm;
use crate::name::{Audience, ClientName, Issuer, PolicyName, ServerName, Subject};
use crate::policy::{Policy, PolicySettings};
use core::net::SocketAddr;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

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
    /// Placement: this variable of the entry's `env`. Absent: the bridge.
    pub env: Option<String>,
    /// The servers that the client may use. Absent: all.
    pub servers: Option<Vec<ServerName>>,
    /// The policy that it is under. Absent: none.
    pub policy: Option<PolicyName>,
}

/// An MCP server behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Its Streamable HTTP address: `http://` or `https://`.
    pub url: String,
    /// The environment variable that holds the bearer token which the server itself asks for.
    pub token_env: Option<String>,
}

/// Why a `hallpass.toml` was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterFault {
    /// Not TOML, an unknown key or a wrong type: the parser's words, with the place.
    Syntax(String),
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
            Self::Syntax(text) => f.write_str(text.trim_end()),
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
                write!(
                    f,
                    "`servers.{server}` is {kind}, which this version does not serve yet: only `http://` and `https://` URLs"
                )
            }
        }
    }
}

impl std::error::Error for RosterFault {}

impl Roster {
    /// Reads and checks the text of a `hallpass.toml`.
    pub fn parse(text: &str) -> Result<Self, RosterFault> {
        let raw: RawRoster = toml::from_str(text).map_err(|fault| RosterFault::Syntax(fault.to_string()))?;
        let roster = Self {
            follow: raw.follow,
            authority: raw.authority.check()?,
            gateway: raw.gateway.check()?,
            log: raw.log.check()?,
            admin: raw.admin.check()?,
            warnings: raw.warnings.check()?,
            clients: raw
                .clients
                .into_iter()
                .map(|(name, client)| client.check(&name))
                .collect::<Result<_, _>>()?,
            servers: raw
                .servers
                .into_iter()
                .map(|(name, server)| server.check(&name))
                .collect::<Result<_, _>>()?,
            policies: raw
                .policy
                .into_iter()
                .map(|(name, policy)| check_policy(&name, policy))
                .collect::<Result<_, _>>()?,
        };
        roster.check_subjects()?;
        roster.check_servers()?;
        roster.check_policies()?;
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

    /// A rule about a server that is not there is a typing mistake, and would leave the real one open.
    fn check_policies(&self) -> Result<(), RosterFault> {
        for (name, settings) in &self.policies {
            let policy = Policy::new(name.as_str(), settings)
                .map_err(|fault| value(&format!("policy.{name}"), &fault.to_string()))?;
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

fn check_policy(name: &str, settings: PolicySettings) -> Result<(PolicyName, PolicySettings), RosterFault> {
    let policy =
        Policy::new(name, &settings).map_err(|fault| value(&format!("policy.{name}"), &fault.to_string()))?;
    Ok((policy.name().clone(), settings))
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoster {
    follow: Option<String>,
    #[serde(default)]
    authority: RawAuthority,
    #[serde(default)]
    gateway: RawGateway,
    #[serde(default)]
    log: RawLog,
    #[serde(default)]
    admin: RawAdmin,
    #[serde(default)]
    warnings: RawWarnings,
    #[serde(default)]
    clients: BTreeMap<String, RawClient>,
    #[serde(default)]
    servers: BTreeMap<String, RawServer>,
    #[serde(default)]
    policy: BTreeMap<String, PolicySettings>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawAuthority {
    issuer: Option<String>,
    audience: Option<String>,
    lifetime: Option<String>,
    algorithm: Option<String>,
}

impl RawAuthority {
    fn check(self) -> Result<AuthoritySettings, RosterFault> {
        Ok(AuthoritySettings {
            issuer: checked("authority.issuer", self.issuer, Issuer::new)?,
            audience: checked("authority.audience", self.audience, Audience::new)?,
            lifetime: self.lifetime.map(|text| check_lifetime(&text)).transpose()?,
            algorithm: self.algorithm.map(|name| check_algorithm(&name)).transpose()?,
        })
    }
}

fn check_algorithm(name: &str) -> Result<Algorithm, RosterFault> {
    Algorithm::from_name(name).ok_or_else(|| {
        value("authority.algorithm", "it must be `ES256`, `EdDSA`, `Ed25519` or `HS256`, exactly so")
    })
}

fn check_lifetime(text: &str) -> Result<i64, RosterFault> {
    match parse_duration(text) {
        Some(seconds) if (60..=LIFETIME_MOST).contains(&seconds) => Ok(seconds),
        Some(_) => Err(value("authority.lifetime", "it must be from 60s to 366d")),
        None => Err(value("authority.lifetime", "it must be a number with s, m, h or d, like `90d`")),
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawGateway {
    listen: Option<String>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    origins: Vec<String>,
    max_stale: Option<String>,
}

impl RawGateway {
    fn check(self) -> Result<GatewaySettings, RosterFault> {
        for (key, entries) in [("gateway.hosts", &self.hosts), ("gateway.origins", &self.origins)] {
            if entries.iter().any(|entry| entry.is_empty() || entry.contains('*')) {
                return Err(value(key, "each entry must be one exact value: empty ones and `*` are refused"));
            }
        }
        let listen = self.listen.map(|text| {
            text.parse().map_err(|_| {
                value("gateway.listen", "it must be an address and a port, like `127.0.0.1:4255`")
            })
        });
        let max_stale = self.max_stale.map(|text| check_max_stale(&text)).transpose()?;
        Ok(GatewaySettings {
            listen: listen.transpose()?,
            hosts: self.hosts,
            origins: self.origins,
            max_stale,
        })
    }
}

fn check_max_stale(text: &str) -> Result<i64, RosterFault> {
    parse_duration(text)
        .filter(|seconds| (1..=300).contains(seconds))
        .ok_or_else(|| value("gateway.max_stale", "it must be from 1s to 300s, like `15s`"))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawLog {
    format: Option<String>,
}

impl RawLog {
    fn check(self) -> Result<LogSettings, RosterFault> {
        match self.format.as_deref() {
            None | Some("text") => Ok(LogSettings { json: false }),
            Some("json") => Ok(LogSettings { json: true }),
            Some(_) => Err(value("log.format", "it must be `text` or `json`")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClient {
    subject: Option<String>,
    app: String,
    config: Option<String>,
    entry: Option<String>,
    env: Option<String>,
    servers: Option<Vec<String>>,
    policy: Option<String>,
}

impl RawClient {
    fn check(self, name: &str) -> Result<(ClientName, ClientSettings), RosterFault> {
        let client = ClientName::new(name).map_err(|why| RosterFault::Name {
            table: "clients",
            name: name.into(),
            why: why.to_string(),
        })?;
        for (key, text) in [("config", &self.config), ("entry", &self.entry), ("env", &self.env)] {
            if text.as_deref() == Some("") {
                return Err(value(&format!("clients.{name}.{key}"), "it is empty"));
            }
        }
        if self.env.as_deref().is_some_and(|env| !is_variable_name(env)) {
            return Err(value(
                &format!("clients.{name}.env"),
                "it is not the name of an environment variable",
            ));
        }
        let key = format!("clients.{name}.servers");
        let server =
            |text: &String| ServerName::new(text).map_err(|why| value(&key, &format!("`{text}`: {why}")));
        let servers =
            self.servers.map(|names| names.iter().map(server).collect::<Result<_, _>>()).transpose()?;
        let subject = checked(&format!("clients.{name}.subject"), self.subject, Subject::new)?;
        let settings = ClientSettings {
            subject,
            app: self.app,
            config: self.config,
            entry: self.entry,
            env: self.env,
            servers,
            policy: checked(&format!("clients.{name}.policy"), self.policy, PolicyName::new)?,
        };
        Ok((client, settings))
    }
}

/// Whether an environment variable may be called that.
pub fn is_variable_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServer {
    url: Option<String>,
    command: Option<toml::Value>,
    token_env: Option<String>,
    legacy_token_env: Option<String>,
}

impl RawServer {
    fn check(self, name: &str) -> Result<(ServerName, ServerSettings), RosterFault> {
        let server = ServerName::new(name).map_err(|why| RosterFault::Name {
            table: "servers",
            name: name.into(),
            why: why.to_string(),
        })?;
        let kind = |kind| RosterFault::ServerKind { server: name.into(), kind };
        if self.command.is_some() {
            return Err(kind("a command"));
        }
        let key = format!("servers.{name}.url");
        let url = self.url.ok_or_else(|| value(&key, "it is missing"))?;
        if url.starts_with("ws://") || url.starts_with("wss://") {
            return Err(kind("a WebSocket server"));
        }
        if self.legacy_token_env.is_some() {
            return Err(value(
                &format!("servers.{name}.legacy_token_env"),
                "it is for WebSocket servers; use `token_env`",
            ));
        }
        if !is_http_url(&url) {
            return Err(value(
                &key,
                "it must be `http://HOST[:PORT]/PATH` or `https://...`, without user, query and fragment",
            ));
        }
        if self.token_env.as_deref().is_some_and(|env| env.is_empty() || !is_variable_name(env)) {
            return Err(value(
                &format!("servers.{name}.token_env"),
                "it is not the name of an environment variable",
            ));
        }
        Ok((server, ServerSettings { url, token_env: self.token_env }))
    }
}

fn is_http_url(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    !host.is_empty() && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"@?#\\\"<>`{}|^".contains(&byte))
}

fn checked<T, F: fmt::Display>(
    key: &str,
    text: Option<String>,
    check: impl Fn(&str) -> Result<T, F>,
) -> Result<Option<T>, RosterFault> {
    text.map(|text| check(&text).map_err(|why| value(key, &why.to_string()))).transpose()
}

pub(crate) fn value(key: &str, why: &str) -> RosterFault {
    RosterFault::Value { key: key.into(), why: why.into() }
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
    fn every_mistake_is_named() {
        for (text, expect) in [
            ("[authority]\nissuer = \"\"", "`authority.issuer`: it is empty"),
            ("[authority]\nlifetime = \"10y\"", "`authority.lifetime`"),
            ("[authority]\nlifetime = \"400d\"", "from 60s to 366d"),
            ("[authority]\nalgorithm = \"RS256\"", "`authority.algorithm`"),
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
            ("[servers.a]\nurl = \"ws://127.0.0.1:8079\"", "`servers.a` is a WebSocket server"),
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
