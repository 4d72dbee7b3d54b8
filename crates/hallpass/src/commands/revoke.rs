//! `hallpass revoke`

use super::Context;
use super::roster::find_client;
use crate::carry_out::act;
use crate::cli::Consent;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use hallpass_core::Event;
use hallpass_core::snapshot::TokenState;
use serde_json::json;

/// Cuts off one client, or one token. In an emergency nobody wants to be asked, so it does not ask.
pub(super) async fn run(context: &Context, what: &str, reason: &str, consent: Consent) -> Result<()> {
    if reason.trim().is_empty() {
        return Err(Fault::usage("the reason is empty")
            .hint("say why: `--reason \"laptop lost\"`; it is kept in the log"));
    }
    if reason.chars().any(char::is_control) {
        return Err(Fault::usage("the reason holds control characters")
            .hint("one line of plain text: it is shown in lists and logs"));
    }
    // Not behind the home's lock: another command may hold it while a person thinks about a question.
    let installation = context.installation().await?;
    if let Some(jti) = as_jti(&installation, what).await? {
        return revoke_token(context, &installation, &jti, reason, consent).await;
    }
    let client = find_client(&installation, what).await?;
    let tokens = installation.store.tokens_of(client.name.as_str()).await.doing("the client's tokens")?;
    let live =
        tokens.iter().filter(|token| matches!(token.state, TokenState::Active | TokenState::Pending)).count();
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
    context.output.line(match (consent.dry_run, live) {
        (_, 0) => format!("{name}: it has no token in force, nothing to change"),
        (true, _) => format!("{name}: would be cut off ({})", plural(live)),
        (false, _) => {
            format!("{name}: cut off ({}). `hallpass issue {name}` gives it a new one", plural(live))
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
        (false, true) => format!("{jti} of {}: revoked", token.client),
        (false, false) => format!("{jti} of {}: was not in force, nothing to change", token.client),
    });
    context.output.document(&json!({
        "client": token.client, "jti": jti, "revoked": i32::from(changed), "dry_run": consent.dry_run, "reason": reason,
    }));
    Ok(())
}

fn plural(count: usize) -> String {
    format!("{count} token{}", if count == 1 { "" } else { "s" })
}
