//! `hallpass revoke`

use super::Context;
use super::roster::find_client;
use crate::carry_out::act;
use crate::cli::{Consent, Wait};
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::output::counted;
use hallpass_core::snapshot::TokenState;
use hallpass_core::{Event, UnixTime};
use hallpass_store::TokenRow;
use serde_json::json;

/// Cuts off one client, or one token. In an emergency nobody wants to be asked, so it does not ask.
pub(super) async fn run(
    context: &Context,
    what: &str,
    reason: &str,
    consent: Consent,
    wait: Wait,
) -> Result<()> {
    check_reason(reason)?;
    // Not behind the home's lock: another command may hold it while a person thinks about a question.
    let installation = context.installation_in_need().await?;
    if let Some(jti) = as_jti(&installation, what).await? {
        revoke_token(context, &installation, &jti, reason, consent).await?;
    } else {
        revoke_client(context, &installation, what, reason, consent).await?;
    }
    // Also if nothing was changed: an earlier run may have done it and not seen it confirmed.
    wait.unless(consent.dry_run).for_gateway(&installation).await
}

/// A line of text that lists and logs can show.
pub(super) fn check_reason(reason: &str) -> Result<()> {
    if reason.trim().is_empty() {
        return Err(Fault::usage("the reason is empty")
            .hint("say why: `--reason \"laptop lost\"`; it is kept in the log"));
    }
    if reason.chars().any(char::is_control) {
        return Err(Fault::usage("the reason holds control characters")
            .hint("one line of plain text: it is shown in lists and logs"));
    }
    Ok(())
}

async fn revoke_client(
    context: &Context,
    installation: &Installation,
    what: &str,
    reason: &str,
    consent: Consent,
) -> Result<()> {
    let client = find_client(installation, what).await?;
    let tokens = installation.store.tokens_of(client.name.as_str()).await.doing("the client's tokens")?;
    let now = clock::now();
    let live = tokens.iter().filter(|token| is_live(token, now)).count();
    let revoked = if consent.dry_run {
        0
    } else {
        let event = Event { reason: Some(reason.to_owned()), ..act("revoke", &client.name) };
        installation
            .store
            .revoke_client(client.name.as_str(), clock::now(), reason, &event)
            .await
            .doing("cannot revoke")?
    };
    let name = &client.name;
    let count = if consent.dry_run { live } else { usize::try_from(revoked).unwrap_or(live) };
    context.output.line(match (consent.dry_run, count) {
        (_, 0) => format!("{name}: it has no token in force, nothing to change"),
        (true, _) => format!("{name}: would be cut off ({})", counted(count as u64, "token")),
        (false, _) => {
            format!(
                "{name}: cut off ({}). `hallpass issue {name}` gives it a new one",
                counted(count as u64, "token")
            )
        }
    });
    context.output.document(
        &json!({ "client": name, "revoked": revoked, "dry_run": consent.dry_run, "reason": reason }),
    );
    Ok(())
}

/// What was typed as a `jti`, if it is one. A client's name goes first, also one that looks like a UUID; a token that was
/// taken over may bear any `jti`.
async fn as_jti(installation: &Installation, what: &str) -> Result<Option<String>> {
    if installation.store.client(what).await.doing("the client")?.is_some() {
        return Ok(None);
    }
    if installation.store.token(what).await.doing("the token")?.is_some() {
        return Ok(Some(what.to_owned()));
    }
    Ok(uuid::Uuid::try_parse(what).ok().map(|jti| jti.to_string()))
}

async fn revoke_token(
    context: &Context,
    installation: &Installation,
    jti: &str,
    reason: &str,
    consent: Consent,
) -> Result<()> {
    let token = installation.store.token(jti).await.doing("the token")?;
    let token = token.ok_or_else(|| {
        Fault::new(format!("no token with the `jti` {jti}"))
            .hint("`hallpass show NAME` lists a client's tokens")
    })?;
    let event =
        Event { jti: Some(jti.to_owned()), reason: Some(reason.to_owned()), ..act("revoke", &token.client) };
    let changed = !consent.dry_run
        && installation.store.revoke_token(jti, clock::now(), reason, &event).await.doing("cannot revoke")?;
    context.output.line(match (consent.dry_run, changed) {
        (true, _) => format!("{jti} of {}: would be revoked", token.client),
        (false, true) => format!("{jti} of {}: revoked{}", token.client, others(installation, &token).await?),
        (false, false) => format!("{jti} of {}: was not in force, nothing to change", token.client),
    });
    context.output.document(&json!({
        "client": token.client, "jti": jti, "revoked": i32::from(changed), "dry_run": consent.dry_run, "reason": reason,
    }));
    Ok(())
}

/// What the store's `revoke` ends: also one that has expired, and one that is good although it was superseded.
fn is_live(token: &TokenRow, now: UnixTime) -> bool {
    match token.state {
        TokenState::Active | TokenState::Pending => true,
        TokenState::Superseded { until } => until > now,
        TokenState::Revoked { .. } => false,
    }
}

/// Who revokes one token of a client may think that this was all.
async fn others(installation: &Installation, revoked: &TokenRow) -> Result<String> {
    let client = &revoked.client;
    let tokens = installation.store.tokens_of(client.as_str()).await.doing("the client's tokens")?;
    let now = clock::now();
    let good = tokens.iter().filter(|token| token.jti != revoked.jti && token.is_good(now)).count();
    Ok(match good {
        0 => String::new(),
        _ => format!(
            ". It has {} that is good: `hallpass revoke {client}` ends all",
            counted(good as u64, "token")
        ),
    })
}
