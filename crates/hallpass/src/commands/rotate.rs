//! `hallpass rotate`

use super::issue::{find, print_token};
use super::roster::{Chosen, find_client, plans};
use super::{Context, changes};
use crate::carry_out::Issue;
use crate::cli::{Consent, Rotation, Wait, Who};
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::plan::{ClientPlan, TokenStep, Turn, Wish, crowded};
use crate::settings::Settings;
use crate::target::UNPLACED;
use hallpass_core::ClientName;
use hallpass_core::roster::parse_duration;
use hallpass_core::snapshot::TokenState;
use hallpass_store::{Overlap, TokenRow};
use std::path::Path;

/// How long the one before stays good unless it is said.
const OVERLAP: i64 = 24 * 3600;
/// The longest overlap, in seconds: what is good for longer is not on its way out.
const OVERLAP_MOST: i64 = 30 * 86_400;
/// Why, in the log.
const WHY: &str = "asked for";

/// What was typed besides the clients.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) rotation: &'a Rotation,
    pub(super) consent: Consent,
    pub(super) wait: Wait,
}

/// Puts new tokens in the places of those that are in force, which stay good for a while.
pub(super) async fn run(context: &Context, who: &Who, asked: Asked<'_>, config: Option<&Path>) -> Result<()> {
    let Asked { rotation, consent, wait } = asked;
    let overlap = overlap(rotation)?;
    let settings = context.settings(config)?;
    let installation = context.installation().await?;
    installation.check_authority(&settings).await?;
    let lock = installation.home.lock()?;
    if !consent.dry_run {
        installation.mend().await?;
    }
    match &who.name {
        Some(name) => {
            let name = find(&installation, &settings, name).await?;
            if rotation.print {
                print(context, &installation, &settings, &name, overlap, consent).await?;
            } else {
                one(context, &installation, &settings, &name, overlap, consent).await?;
            }
        }
        None => all(context, &installation, &settings, overlap, consent).await?,
    }
    drop(lock);
    wait.unless(consent.dry_run).for_gateway(&installation).await
}

/// How long both tokens are good.
fn overlap(rotation: &Rotation) -> Result<Overlap> {
    if rotation.now {
        return Ok(Overlap::NONE);
    }
    let seconds = rotation.overlap.as_deref().map_or(Some(OVERLAP), parse_duration);
    match seconds {
        Some(seconds) if (1..=OVERLAP_MOST).contains(&seconds) => {
            Ok(Overlap { seconds, until_seen: rotation.until_seen })
        }
        _ => Err(Fault::usage("`--overlap` must be from 1s to 30d, like `24h`")
            .hint("`--now` ends the one before at once")),
    }
}

async fn one(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
    name: &ClientName,
    overlap: Overlap,
    consent: Consent,
) -> Result<()> {
    if by_hand(installation, settings).await?.contains(name) {
        return Err(Fault::new(format!(
            "where the token of `{name}` goes is not known here: it was taken over"
        ))
        .hint(format!(
            "`hallpass rotate {name} --print`, or describe it in hallpass.toml: `[clients.{name}]`"
        )));
    }
    let wish = Wish::Rotation { overlap, why: WHY };
    let plans = plans(&context.home, Some(installation), settings, Chosen::One(name), wish).await?;
    for plan in &plans {
        refuse(name, &plan.step)?;
    }
    carry_out(context, installation, settings, &plans, consent).await
}

async fn all(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
    overlap: Overlap,
    consent: Consent,
) -> Result<()> {
    let wish = Wish::Rotation { overlap, why: WHY };
    let plans = plans(&context.home, Some(installation), settings, Chosen::All, wish).await?;
    let by_hand = by_hand(installation, settings).await?;
    for name in &by_hand {
        context.output.note(format!(
            "{name}: left alone, its token is placed by hand (`hallpass rotate {name} --print`)"
        ));
    }
    if plans.is_empty() && by_hand.is_empty() {
        return Err(Fault::new("there is no client yet")
            .hint("name them in hallpass.toml, or `hallpass add NAME --app APP`"));
    }
    carry_out(context, installation, settings, &plans, consent).await
}

/// Who was taken over and is described nowhere: a person places its tokens.
async fn by_hand(installation: &Installation, settings: &Settings) -> Result<Vec<ClientName>> {
    let clients = installation.store.clients().await.doing("the clients")?;
    let described = &settings.roster.clients;
    Ok(clients
        .into_iter()
        .filter(|client| client.app == UNPLACED && !client.removed && !described.contains_key(&client.name))
        .map(|client| client.name)
        .collect())
}

async fn carry_out(
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

/// Who is named is not left alone in silence.
fn refuse(name: &ClientName, step: &TokenStep) -> Result<()> {
    match step {
        TokenStep::LeftRevoked { at } => Err(Fault::new(format!("`{name}` was revoked on {at}"))
            .hint(format!("`hallpass issue {name}` gives it a new token"))),
        TokenStep::KeepPrinted { .. } => {
            Err(Fault::new(format!("the token of `{name}` was printed, and a person placed it")).hint(format!(
                "`hallpass rotate {name} --print` prints a new one beside it; `hallpass issue {name}` places one and ends it"
            )))
        }
        TokenStep::LeftCrowded { count, until } => Err(Fault::new(format!(
            "`{name}` has {count} tokens that were superseded and are still good"
        ))
        .hint(format!(
            "wait until the first ends ({until}), or end them all: `hallpass rotate {name} --now`"
        ))),
        TokenStep::Keep { .. }
        | TokenStep::PutRight
        | TokenStep::Issue { .. }
        | TokenStep::Rotate(_) => Ok(()),
    }
}

/// A new token is handed to the caller; the one before stays good for as long as it takes to put it in its place.
async fn print(
    context: &Context,
    installation: &Installation,
    settings: &Settings,
    name: &ClientName,
    overlap: Overlap,
    consent: Consent,
) -> Result<()> {
    let client = find_client(installation, name.as_str()).await?;
    let rows = installation.store.tokens_of(name.as_str()).await.doing("the client's tokens")?;
    let tokens: Vec<&TokenRow> = rows.iter().filter(|token| !token.former).collect();
    let now = clock::now();
    if let Some(TokenState::Revoked { at }) = tokens.first().map(|token| token.state) {
        return refuse(name, &TokenStep::LeftRevoked { at });
    }
    if let Some(step) = crowded(&tokens, overlap, now) {
        return refuse(name, &step);
    }
    let live = tokens.iter().find(|token| token.state == TokenState::Active && token.is_good(now));
    let how = if let Some(token) = live {
        let turn = Turn::of(token, &tokens, overlap, "printed", now);
        context.output.note(format!(
            "{name}: print a new token, and `hallpass apply` places none while it is good; {}",
            changes::fate(&turn)
        ));
        Issue::of(&turn)
    } else {
        context.output.note(format!("{name}: print a new token; there is none in force before it"));
        Issue::fresh("printed")
    };
    print_token(context, installation, settings, &client, how, false, consent).await
}
