//! `hallpass up`

use super::policies::PolicyPlan;
use super::roster::{Chosen, plans};
use super::{Context, apply, changes, serve};
use crate::cli::{Consent, Listen};
use crate::fault::{Fault, Result};
use crate::installation::{Founding, Installation};
use crate::plan::Wish;
use crate::settings::Settings;
use std::path::Path;

/// Makes the home if it is not there, applies the configuration, serves.
pub(super) async fn run(
    context: &Context,
    consent: Consent,
    listen: &Listen,
    config: Option<&Path>,
) -> Result<()> {
    let settings = context.settings(config)?;
    let (installation, agreed) = if context.home.is_made() || context.home.has_lost_its_database() {
        (context.installation().await?, false)
    } else {
        match found(context, &settings, consent).await? {
            Some(installation) => (installation, true),
            None => return Ok(()),
        }
    };
    installation.check_authority(&settings).await?;
    {
        let _lock = installation.home.lock()?;
        if agreed {
            apply::apply_agreed(context, &installation, &settings).await?;
        } else {
            if !consent.dry_run {
                installation.mend().await?;
            }
            apply::apply(context, &installation, &settings, apply::Change::default(), consent).await?;
        }
    }
    if consent.dry_run {
        return Ok(());
    }
    if let Some(running) = context.home.running_gateway() {
        context.output.note(format!("the gateway already runs ({running})"));
        return Ok(());
    }
    serve::serve(context, installation, &settings, listen).await
}

/// Shows the whole plan and asks before anything is made. `None` after a dry run.
async fn found(context: &Context, settings: &Settings, consent: Consent) -> Result<Option<Installation>> {
    let founding = Founding::plan(settings)?;
    context.output.line(format!(
        "a home at `{}` (issuer `{}`, audience `{}`)",
        context.home.folder().display(),
        founding.issuer,
        founding.audience
    ));
    let plans = plans(&context.home, None, settings, Chosen::All, Wish::WhatIsMissing).await?;
    let policies = PolicyPlan::make(None, settings, &plans, &[]).await?;
    let nothing = plans.is_empty() && !policies.changes_something();
    let agreed = nothing || changes::agree_with(context, &policies, &plans, &[], consent)?;
    if consent.dry_run {
        return Ok(None);
    }
    if !agreed {
        return Err(Fault::new("nothing was changed"));
    }
    context.found(&founding, settings).await.map(Some)
}
