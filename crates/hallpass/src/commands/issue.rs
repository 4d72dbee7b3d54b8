//! `hallpass issue`

use super::roster::{Chosen, no_such_client, plans};
use super::{Context, changes};
use crate::carry_out::Issue;
use crate::cli::{Consent, Who};
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::output::print_line;
use crate::plan::{ClientPlan, Wish};
use crate::settings::Settings;
use hallpass_core::ClientName;
use hallpass_store::ClientRow;
use std::path::Path;

/// Issues fresh tokens and places them (or prints the one).
pub(super) async fn run(
    context: &Context,
    who: &Who,
    print: bool,
    consent: Consent,
    config: Option<&Path>,
) -> Result<()> {
    let settings = context.settings(config)?;
    let installation = context.installation().await?;
    installation.check_authority(&settings).await?;
    let _lock = installation.home.lock()?;
    if !consent.dry_run {
        installation.mend().await?;
    }
    let plans = async |chosen, wish| plans(&context.home, Some(&installation), &settings, chosen, wish).await;
    let Some(name) = &who.name else {
        let plans = plans(Chosen::All, Wish::FreshUnlessRevoked).await?;
        if plans.is_empty() {
            return Err(Fault::new("there is no client yet")
                .hint("name them in hallpass.toml, or `hallpass add NAME --app APP`"));
        }
        return issue(context, &installation, &settings, &plans, consent).await;
    };
    let name = find(&installation, &settings, name).await?;
    if print {
        let client = super::roster::find_client(&installation, name.as_str()).await?;
        let was_revoked = installation.is_revoked(&name).await?;
        context.output.note(format!(
            "{name}: issue a token and print it; the one before it ends, and `hallpass apply` places none while this one is good"
        ));
        let how = Issue::fresh("printed");
        return print_token(context, &installation, &settings, &client, how, was_revoked, consent).await;
    }
    let plans = plans(Chosen::One(&name), Wish::FreshToken).await?;
    issue(context, &installation, &settings, &plans, consent).await
}

async fn issue(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
    plans: &[ClientPlan],
    consent: Consent,
) -> Result<()> {
    if changes::agree(context, plans, &[], consent)? {
        changes::carry_out(context, installation, settings, plans, &[]).await?;
    }
    Ok(())
}

/// A client of the store or of the configuration.
pub(super) async fn find(installation: &Installation, settings: &Settings, name: &str) -> Result<ClientName> {
    let stored = installation.store.clients().await.doing("the clients")?;
    let mut known: Vec<ClientName> =
        stored.into_iter().filter(|client| !client.removed).map(|client| client.name).collect();
    known.extend(settings.roster.clients.keys().cloned());
    known.sort();
    known.dedup();
    match known.iter().find(|known| known.as_str() == name) {
        Some(found) => Ok(found.clone()),
        None => Err(no_such_client(name, &known.iter().map(ClientName::as_str).collect::<Vec<_>>())),
    }
}

/// Asks, then issues a token and prints it, unless the client was revoked since it was looked at.
pub(super) async fn print_token(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
    client: &ClientRow,
    how: Issue,
    was_revoked: bool,
    consent: Consent,
) -> Result<()> {
    let name = &client.name;
    if consent.dry_run {
        return Ok(());
    }
    if !consent.yes && !context.output.confirm("do this?")? {
        return Err(Fault::new("nothing was changed: the answer was no"));
    }
    let authority = installation.authority(settings).await?;
    let (token, row) = installation.issue_unplaced(client, &authority, how, was_revoked).await?;
    if context.output.is_json() {
        context.output.document(&serde_json::json!({
            "client": name, "jti": row.jti, "expires_at": row.expires_at.to_string(), "token": token.expose(),
        }));
    } else if !print_line(token.expose()) {
        return Err(Fault::new("the token could not be printed, and nobody has it")
            .hint(format!("`hallpass {} {name} --print` prints another one", how.act())));
    }
    Ok(())
}
