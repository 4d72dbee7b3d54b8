//! `hallpass apply`

use super::roster::{Chosen, plans};
use super::{Context, changes, remove};
use crate::cli::Consent;
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::plan::Wish;
use crate::settings::Settings;
use std::path::Path;

/// Makes the store and the clients' files match the configuration.
pub(super) async fn run(context: &Context, file: Option<&Path>, prune: bool, consent: Consent) -> Result<()> {
    let settings = context.settings(file)?;
    if settings.file.is_none() {
        return Err(Fault::new("there is no hallpass.toml, here or in the home")
            .hint("name one: `hallpass apply FILE`, or start one: `hallpass init`"));
    }
    let installation = context.installation().await?;
    installation.check_authority(&settings).await?;
    let _lock = installation.home.lock()?;
    if prune {
        prune_clients(context, &installation, &settings, consent).await?;
    }
    apply(context, &installation, &settings, consent).await
}

/// Plan, show, ask, do. The home is locked by the caller.
pub(super) async fn apply(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
    consent: Consent,
) -> Result<()> {
    if !consent.dry_run {
        installation.mend().await?;
    }
    let plans = plans(&context.home, Some(installation), settings, Chosen::All, Wish::WhatIsMissing).await?;
    if changes::agree(context, &plans, consent)? {
        changes::carry_out(context, installation, settings, &plans).await?;
    }
    Ok(())
}

async fn prune_clients(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
    consent: Consent,
) -> Result<()> {
    for client in installation.store.clients().await.doing("the clients")? {
        if !client.removed && !settings.roster.clients.contains_key(&client.name) {
            remove::remove(context, installation, &client, consent).await?;
        }
    }
    Ok(())
}
