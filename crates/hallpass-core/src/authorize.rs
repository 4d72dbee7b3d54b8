//! From a verified caller to the permit for one call. Without a permit nothing is forwarded.

use crate::denial::Denial;
use crate::judge::{Caller, TokenBearer, Verified};
use crate::name::ServerName;
use crate::policy::{Ask, Effect, Policy, Ruling};
use crate::snapshot::ServerScope;
use std::sync::Arc;

/// The call that a caller wants to make.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The server it goes to.
    pub server: &'a ServerName,
    /// The client whose path was dialled (`/c/CLIENT/...`), if any.
    pub path_client: Option<&'a str>,
    /// What it asks for there.
    pub ask: Ask<'a>,
}

/// The right to make one call on one server.
#[derive(Debug)]
pub struct Permit {
    verified: Verified,
    server: ServerName,
    would_refuse: Option<Box<Denial>>,
}

impl Permit {
    /// Who calls.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// The server that may be called.
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// What the caller would have been told if its policy did more than watch.
    pub fn would_refuse(&self) -> Option<&Denial> {
        self.would_refuse.as_deref()
    }
}

/// The policy that a caller is under.
pub fn policy_of(verified: &Verified) -> Option<&Arc<Policy>> {
    match verified.caller() {
        Caller::Client(bearer) => bearer.client().policy.as_ref(),
        Caller::Legacy(bearer) => bearer.secret().grace().terms().policy.as_ref(),
    }
}

/// The policy by which lists of the server's tools have to be filtered for a caller, if they have to be.
pub fn narrowing<'v>(verified: &'v Verified, server: &ServerName) -> Option<&'v Arc<Policy>> {
    policy_of(verified).filter(|policy| !policy.is_shadow() && policy.narrows_tools_of(server))
}

/// What the servers and the policy of a caller say of something it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'p> {
    /// The server is none of its servers.
    OutOfScope,
    /// Its policy has ruled.
    Ruled(&'p Policy, Ruling<'p>),
    /// It is under no policy, and that is one of its servers.
    Free,
}

/// Looks at servers first, then at the policy. The one place that does: what is tested and what is listed is decided on
/// like what is called.
pub fn decide<'p>(
    servers: &ServerScope,
    policy: Option<&'p Policy>,
    server: &ServerName,
    ask: Ask<'_>,
) -> Decision<'p> {
    match policy {
        _ if !servers.contains(server) => Decision::OutOfScope,
        Some(policy) => Decision::Ruled(policy, policy.rule_on(server, ask)),
        None => Decision::Free,
    }
}

/// Whether this caller may make this call. Rates and counts come after it: a refused call must not spend budget.
pub fn authorize(verified: &Verified, call: &Call<'_>) -> Result<Permit, Denial> {
    let servers = match verified.caller() {
        Caller::Client(bearer) => {
            check_path(bearer, call)?;
            &bearer.client().servers
        }
        Caller::Legacy(bearer) => &bearer.secret().grace().terms().servers,
    };
    let policy = policy_of(verified).map(Arc::as_ref);
    let would_refuse = match decide(servers, policy, call.server, call.ask) {
        Decision::OutOfScope => return Err(out_of_scope(verified, call)),
        Decision::Free => None,
        Decision::Ruled(policy, ruling) => match ruling.effect {
            Effect::Allow => None,
            Effect::Deny if policy.is_shadow() => Some(Box::new(denied(policy, verified, call))),
            Effect::Deny => return Err(denied(policy, verified, call)),
        },
    };
    Ok(Permit { verified: verified.clone(), server: call.server.clone(), would_refuse })
}

/// Clients that merge servers by URL would otherwise show one client's token on another's path unnoticed.
fn check_path(bearer: &TokenBearer, call: &Call<'_>) -> Result<(), Denial> {
    let client = &bearer.client().name;
    match call.path_client {
        Some(path_client) if path_client != client.as_str() => {
            Err(Denial::OtherClientsPath { client: client.clone() })
        }
        Some(_) | None => Ok(()),
    }
}

fn out_of_scope(verified: &Verified, call: &Call<'_>) -> Denial {
    let server = call.server.clone();
    match verified.client() {
        Some(client) => Denial::ServerNotAllowed { client: client.name.clone(), server },
        None => Denial::LegacyServerNotAllowed { server },
    }
}

fn denied(policy: &Policy, verified: &Verified, call: &Call<'_>) -> Denial {
    Denial::PolicyDenied {
        client: verified.client().map(|client| client.name.clone()),
        policy: policy.name().clone(),
        server: call.server.clone(),
        tool: match call.ask {
            Ask::Tool(tool) => Some(tool.chars().take(TOOL_MOST).collect()),
            Ask::Protocol | Ask::Other => None,
        },
    }
}

/// As much of a tool's name as an answer repeats, in characters.
const TOOL_MOST: usize = 128;
