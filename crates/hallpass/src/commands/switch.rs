//! `hallpass disable` and `hallpass enable`

use super::Context;
use super::revoke::check_reason;
use super::roster::find_client;
use crate::carry_out::act;
use crate::cli::{Consent, Wait};
use crate::clock;
use crate::fault::{Doing, Result};
use crate::installation::Installation;
use hallpass_core::{ClientName, Event};
use serde_json::json;

/// Switches a client off. It is taken back with one word, so it does not ask.
pub(super) async fn disable(
    context: &Context,
    name: &str,
    reason: &str,
    consent: Consent,
    wait: Wait,
) -> Result<()> {
    check_reason(reason)?;
    // Not behind the home's lock: another command may hold it while a person thinks about a question.
    let installation = context.installation_in_need().await?;
    let client = find_client(&installation, name).await?;
    let event = Event { reason: Some(reason.to_owned()), ..act("disable", &client.name) };
    let changed = if consent.dry_run {
        client.enabled
    } else {
        let disabled = installation.store.disable_client(name, clock::now(), reason, &event).await;
        disabled.doing("cannot disable the client")?
    };
    context.output.line(match (consent.dry_run, changed) {
        (_, false) => format!("{name}: it is disabled already{}", since(&installation, name).await?),
        (true, true) => format!("{name}: would be disabled"),
        (false, true) => format!("{name}: disabled. `hallpass enable {name}` lets it in again"),
    });
    context.output.document(&json!({
        "client": name, "enabled": consent.dry_run && client.enabled, "changed": changed && !consent.dry_run,
        "dry_run": consent.dry_run, "reason": reason,
    }));
    wait.unless(consent.dry_run).for_gateway(&installation).await
}

/// Switches it on again.
pub(super) async fn enable(context: &Context, name: &str, consent: Consent, wait: Wait) -> Result<()> {
    let installation = context.installation().await?;
    let client = find_client(&installation, name).await?;
    let changed = if consent.dry_run {
        !client.enabled
    } else {
        let enabled = installation.store.enable_client(name, &act("enable", &client.name)).await;
        enabled.doing("cannot enable the client")?
    };
    let token = without_token(&installation, &client.name).await?;
    context.output.line(match (consent.dry_run, changed) {
        (_, false) => format!("{name}: it is enabled, nothing to change{token}"),
        (true, true) => format!("{name}: would be enabled{token}"),
        (false, true) => format!("{name}: enabled{token}"),
    });
    context.output.document(&json!({
        "client": name, "enabled": !consent.dry_run || client.enabled, "changed": changed && !consent.dry_run,
        "dry_run": consent.dry_run,
    }));
    wait.unless(consent.dry_run).for_gateway(&installation).await
}

async fn since(installation: &Installation, name: &str) -> Result<String> {
    let Some(disabled) = installation.store.disabled(name).await.doing("the client")? else {
        return Ok(String::new());
    };
    let at = disabled.at.map(|at| format!(" since {at}")).unwrap_or_default();
    let reason = disabled.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    Ok(format!("{at}{reason}, nothing to change"))
}

/// A client that is let in again has what it had, which may be nothing.
async fn without_token(installation: &Installation, name: &ClientName) -> Result<String> {
    let tokens = installation.store.tokens_of(name.as_str()).await.doing("the client's tokens")?;
    let now = clock::now();
    if tokens.iter().any(|token| token.is_good(now)) {
        return Ok(String::new());
    }
    Ok(format!(". It has no token that is good: `hallpass issue {name}` gives it one"))
}
