//! From a verified caller to the permit for one call. Without a permit nothing is forwarded.

use crate::denial::Denial;
use crate::judge::{Caller, LegacyBearer, TokenBearer, Verified};
use crate::name::{PolicyName, ServerName};
use crate::policy::{Ask, Effect, Policy};
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
    would_refuse: Option<PolicyName>,
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

    /// The policy that would have refused the call if it did more than watch.
    pub fn would_refuse(&self) -> Option<&PolicyName> {
        self.would_refuse.as_ref()
    }
}

/// The policy that a caller is under.
pub fn policy_of(verified: &Verified) -> Option<&Arc<Policy>> {
    match verified.caller() {
        Caller::Client(bearer) => bearer.client().policy.as_ref(),
        Caller::Legacy(bearer) => bearer.secret().grace().terms().policy.as_ref(),
    }
}

/// Whether this caller may make this call. Rates and counts come after it: a refused call must not spend budget.
pub fn authorize(verified: &Verified, call: &Call<'_>) -> Result<Permit, Denial> {
    match verified.caller() {
        Caller::Client(bearer) => check_client(bearer, call)?,
        Caller::Legacy(bearer) => check_legacy(bearer, call)?,
    }
    let would_refuse = match policy_of(verified) {
        Some(policy) => check_policy(policy, verified, call)?,
        None => None,
    };
    Ok(Permit { verified: verified.clone(), server: call.server.clone(), would_refuse })
}

fn check_client(bearer: &TokenBearer, call: &Call<'_>) -> Result<(), Denial> {
    let client = bearer.client();
    // Clients that merge servers by URL would otherwise show one client's token on another's path unnoticed.
    if call.path_client.is_some_and(|path_client| path_client != client.name.as_str()) {
        return Err(Denial::OtherClientsPath { client: client.name.clone() });
    }
    if !client.servers.contains(call.server) {
        return Err(Denial::ServerNotAllowed { client: client.name.clone(), server: call.server.clone() });
    }
    Ok(())
}

fn check_legacy(bearer: &LegacyBearer, call: &Call<'_>) -> Result<(), Denial> {
    if bearer.secret().grace().terms().servers.contains(call.server) {
        Ok(())
    } else {
        Err(Denial::LegacyServerNotAllowed { server: call.server.clone() })
    }
}

/// Refuses what the policy denies; returns its name if it denies and only watches.
fn check_policy(policy: &Policy, verified: &Verified, call: &Call<'_>) -> Result<Option<PolicyName>, Denial> {
    match policy.rule_on(call.server, call.ask).effect {
        Effect::Allow => Ok(None),
        Effect::Deny if policy.is_shadow() => Ok(Some(policy.name().clone())),
        Effect::Deny => Err(Denial::PolicyDenied {
            client: verified.client().map(|client| client.name.clone()),
            policy: policy.name().clone(),
            server: call.server.clone(),
            tool: match call.ask {
                Ask::Tool(tool) => Some(tool.chars().take(TOOL_MOST).collect()),
                Ask::Protocol | Ask::Other => None,
            },
        }),
    }
}

/// As much of a tool's name as an answer repeats, in characters.
const TOOL_MOST: usize = 128;
