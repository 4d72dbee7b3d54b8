//! `hallpass apply`

use super::policies::PolicyPlan;
use super::remove::Removal;
use super::roster::{Asked, Chosen, plans, plans_with};
use super::{Context, changes};
use crate::cli::Consent;
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::plan::Wish;
use crate::settings::Settings;
use crate::target::Besides;
use hallpass_core::ClientName;
use std::path::Path;

/// Makes the store and the clients' files match the configuration. `prune`: clients that it does not name are removed.
pub(super) async fn run(
    context: &Context,
    file: Option<&Path>,
    prune: bool,
    besides: Besides,
    consent: Consent,
) -> Result<()> {
    let settings = context.settings(file)?;
    if settings.file.is_none() {
        return Err(Fault::new("there is no hallpass.toml, here or in the home")
            .hint("name one: `hallpass apply FILE`, or start one: `hallpass init`"));
    }
    let installation = context.installation().await?;
    installation.check_authority(&settings).await?;
    let _lock = installation.home.lock()?;
    if !consent.dry_run {
        installation.mend().await?;
    }
    let removals = if prune { unnamed(&installation, &settings).await? } else { Vec::new() };
    let change = Change { removals, besides };
    apply(context, &installation, &settings, change, consent).await
}

/// What changes besides what is missing.
#[derive(Default)]
pub(super) struct Change {
    /// Who goes.
    removals: Vec<Removal>,
    /// What is said besides.
    besides: Besides,
}

/// Plan, show, ask, do. The home is locked and mended by the caller.
pub(super) async fn apply(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
    change: Change,
    consent: Consent,
) -> Result<()> {
    let Change { removals, besides } = change;
    let leaving: Vec<ClientName> = removals.iter().map(|removal| removal.client.name.clone()).collect();
    let chosen = Chosen::Without(&leaving);
    let asked = Asked { chosen, wish: Wish::WhatIsMissing, besides };
    let plans = plans_with(&context.home, Some(installation), settings, asked).await?;
    let policies = PolicyPlan::make(Some(installation), settings, &plans, &leaving).await?;
    if changes::agree_with(context, &policies, &plans, &removals, consent)? {
        changes::carry_out_with(context, installation, settings, &policies, &plans, &removals).await?;
    }
    Ok(())
}

/// What was agreed to already: no plan is shown, nobody is asked. The home is locked by the caller.
pub(super) async fn apply_agreed(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
) -> Result<()> {
    installation.mend().await?;
    let plans = plans(&context.home, Some(installation), settings, Chosen::All, Wish::WhatIsMissing).await?;
    let policies = PolicyPlan::make(Some(installation), settings, &plans, &[]).await?;
    changes::carry_out_with(context, installation, settings, &policies, &plans, &[]).await
}

/// The clients that the configuration does not name.
async fn unnamed(installation: &Installation, settings: &Settings) -> Result<Vec<Removal>> {
    let mut removals = Vec::new();
    for client in installation.store.clients().await.doing("the clients")? {
        if !client.removed && !settings.roster.clients.contains_key(&client.name) {
            removals.push(Removal::plan(installation, client).await?);
        }
    }
    Ok(removals)
}
