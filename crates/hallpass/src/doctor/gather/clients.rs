//! What the store knows of each client, and what `hallpass apply` would do about it.

use crate::atomic_file::target_of;
use crate::doctor::facts::{ClientFacts, Place};
use crate::fault::Result;
use crate::installation::Installation;
use crate::plan::{ClientPlan, TokenStep, Wish};
use crate::settings::Settings;
use crate::standing::Standing;
use crate::target::{Besides, Surroundings, Target, UNPLACED};
use hallpass_clients::PlacementKind;
use hallpass_core::UnixTime;
use hallpass_core::snapshot::TokenState;
use hallpass_store::{ClientRow, TokenRow};
use std::path::Path;

/// All that are registered.
pub(super) async fn look(
    installation: &Installation,
    settings: &Settings,
    rows: &[ClientRow],
    now: UnixTime,
) -> Result<Vec<ClientFacts>> {
    // A place that is not verified was agreed to when the client was registered.
    let besides = Besides { shim: false, unverified: true };
    let around = Surroundings::of(settings, &installation.home, &[], besides)?;
    let mut clients = Vec::new();
    for row in rows.iter().filter(|row| !row.removed && row.app != UNPLACED) {
        let known = installation.known(&row.name).await?;
        let newest = known.tokens.iter().find(|token| !token.former);
        let plan = ClientPlan::make(row.clone(), &known, &around, Wish::WhatIsMissing, now);
        clients.push(ClientFacts {
            place: Target::of(row, &around).ok().as_ref().map(place),
            live: newest.filter(|token| is_live(token, now)).cloned(),
            step: plan.and_then(feasible).map_err(|fault| fault.to_string()),
            has_tokens: newest.is_some(),
            row: row.clone(),
        });
    }
    Ok(clients)
}

/// What would be done, if it could be.
fn feasible(plan: ClientPlan) -> Result<(TokenStep, Standing)> {
    plan.preview()?;
    Ok((plan.step, plan.standing))
}

fn is_live(token: &TokenRow, now: UnixTime) -> bool {
    token.state == TokenState::Active && now < token.expires_at
}

fn place(target: &Target) -> Place {
    let behind_links = |file: &Path| target_of(file).unwrap_or_else(|_| file.to_owned());
    Place {
        file: behind_links(&target.file),
        keys: target.paths().into_iter().cloned().collect(),
        token_file: target.shape.token_file().map(|file| behind_links(&file.path)),
        is_led_to_gateway: !matches!(target.kind, PlacementKind::Variable | PlacementKind::EnvFile),
    }
}
