//! `hallpass.toml` as it is written, table by table, and the check of each. What one table says of another is not looked at.

use super::{
    AuthoritySettings, ClientSettings, GatewaySettings, LogSettings, Roster, RosterFault, Rotate,
    ServerSettings, is_variable_name, parse_duration,
};
use crate::admin::{RawAdmin, RawWarnings};
use crate::audit_settings::RawAudit;
use crate::claims::LIFETIME_MOST;
use crate::keys::Algorithm;
use crate::name::{Audience, ClientName, Issuer, PolicyName, ServerName, Subject};
use crate::policy::{Policy, PolicySettings};
use core::net::SocketAddr;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// Reads the text and checks each table by itself.
pub(super) fn read(text: &str) -> Result<Roster, RosterFault> {
    let raw: RawRoster = toml::from_str(text).map_err(|fault| syntax(text, &fault))?;
    Ok(Roster {
        follow: raw.follow,
        authority: raw.authority.check()?,
        gateway: raw.gateway.check()?,
        log: raw.log.check()?,
        audit: raw.audit.check()?,
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
    })
}

fn check_policy(name: &str, settings: PolicySettings) -> Result<(PolicyName, PolicySettings), RosterFault> {
    checked_policy(name, &settings).map(|policy| (policy.name().clone(), settings))
}

pub(super) fn checked_policy(name: &str, settings: &PolicySettings) -> Result<Policy, RosterFault> {
    Policy::new(name, settings).map_err(|fault| value(&format!("policy.{name}"), &fault.to_string()))
}

/// Where and what, and nothing of what stands there: somebody may have pasted a secret. The parser's own words would
/// quote the line.
fn syntax(text: &str, fault: &toml::de::Error) -> RosterFault {
    let before = fault.span().and_then(|span| text.get(..span.start));
    let place = before.map(|before| {
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    });
    RosterFault::Syntax { place, what: without_value(fault.message()) }
}

/// `invalid type: string "VALUE", expected a sequence`: the words of serde, without the value.
fn without_value(message: &str) -> String {
    if let Some((_, expected)) =
        message.strip_prefix("unknown variant `").and_then(|rest| rest.rsplit_once("`, expected "))
    {
        return format!("unknown value, expected {expected}");
    }
    let says_a_value = message.starts_with("invalid type: ") || message.starts_with("invalid value: ");
    match message.rsplit_once(", expected ") {
        Some((found, expected)) if says_a_value => {
            let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
            format!("{kind}, expected {expected}")
        }
        Some(_) | None => message.to_owned(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawRoster {
    follow: Option<String>,
    #[serde(default)]
    authority: RawAuthority,
    #[serde(default)]
    gateway: RawGateway,
    #[serde(default)]
    log: RawLog,
    #[serde(default)]
    audit: RawAudit,
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
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawAuthority {
    issuer: Option<String>,
    audience: Option<String>,
    lifetime: Option<String>,
    algorithm: Option<String>,
    rotate: Option<String>,
}

impl RawAuthority {
    fn check(self) -> Result<AuthoritySettings, RosterFault> {
        Ok(AuthoritySettings {
            issuer: checked("authority.issuer", self.issuer, Issuer::new)?,
            audience: checked("authority.audience", self.audience, Audience::new)?,
            lifetime: self.lifetime.map(|text| check_lifetime(&text)).transpose()?,
            algorithm: self.algorithm.map(|name| check_algorithm(&name)).transpose()?,
            rotate: check_rotate(self.rotate.as_deref())?,
        })
    }
}

fn check_rotate(word: Option<&str>) -> Result<Rotate, RosterFault> {
    match word {
        None | Some("auto") => Ok(Rotate::Auto),
        Some("never") => Ok(Rotate::Never),
        Some(_) => Err(value("authority.rotate", "it must be `auto` or `never`")),
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
#[serde(deny_unknown_fields, expecting = "a table")]
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
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawLog {
    format: Option<String>,
    #[serde(default)]
    origin_lines: bool,
}

impl RawLog {
    fn check(self) -> Result<LogSettings, RosterFault> {
        let origin_lines = self.origin_lines;
        match self.format.as_deref() {
            None | Some("text") => Ok(LogSettings { json: false, origin_lines }),
            Some("json") => Ok(LogSettings { json: true, origin_lines }),
            Some(_) => Err(value("log.format", "it must be `text` or `json`")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawClient {
    subject: Option<String>,
    app: String,
    config: Option<String>,
    entry: Option<String>,
    env: Option<String>,
    placement: Option<String>,
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
        if self.env.is_some() && self.placement.is_some() {
            return Err(value(
                &format!("clients.{name}.placement"),
                "`env` says already where the token goes",
            ));
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
            placement: self.placement,
            servers,
            policy: checked(&format!("clients.{name}.policy"), self.policy, PolicyName::new)?,
        };
        Ok((client, settings))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawServer {
    url: Option<String>,
    command: Option<toml::Value>,
    token_env: Option<String>,
    legacy_token_env: Option<String>,
    listen: Option<String>,
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
        let key = |key| format!("servers.{name}.{key}");
        let url = self.url.ok_or_else(|| value(&key("url"), "it is missing"))?;
        if !is_url(&url, &["http://", "https://", "ws://", "wss://"]) {
            return Err(value(
                &key("url"),
                "it must be `http://HOST[:PORT]/PATH`, `https://...`, `ws://...` or `wss://...`, without user, query and fragment",
            ));
        }
        for (variable, env) in [("token_env", &self.token_env), ("legacy_token_env", &self.legacy_token_env)]
        {
            if env.as_deref().is_some_and(|env| env.is_empty() || !is_variable_name(env)) {
                return Err(value(&key(variable), "it is not the name of an environment variable"));
            }
        }
        let (token_env, legacy_token_env) = (self.token_env, self.legacy_token_env);
        let listen = self.listen.map(|text| {
            text.parse()
                .map_err(|_| value(&key("listen"), "it must be an address and a port, like `127.0.0.1:8079`"))
        });
        let settings = ServerSettings { url, token_env, legacy_token_env, listen: listen.transpose()? };
        if !settings.is_web_socket() && settings.legacy_token_env.is_some() {
            return Err(value(&key("legacy_token_env"), "it is for WebSocket servers; use `token_env`"));
        }
        if !settings.is_web_socket() && settings.listen.is_some() {
            return Err(value(&key("listen"), "it is for WebSocket servers; HTTP ones have a path"));
        }
        Ok((server, settings))
    }
}

fn is_url(url: &str, schemes: &[&str]) -> bool {
    let Some(rest) = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)) else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    !host.is_empty() && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"@?#\\\"<>`{}|^".contains(&byte))
}

/// Whether a server's URL leads to this listener, as far as its text says.
pub(super) fn dials(url: &str, listener: SocketAddr) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let port = listener.port();
    let usual = if matches!(scheme, "https" | "wss") { 443 } else { 80 };
    let has_port =
        host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let dialled = if has_port { host } else { format!("{host}:{usual}") };
    let here = listener.ip().is_loopback() || listener.ip().is_unspecified();
    let loopback = ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}"));
    port != 0 && (dialled == listener.to_string() || (here && loopback.contains(&dialled)))
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
