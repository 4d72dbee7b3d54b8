//! `hallpass init`

use super::{Context, adopt, grace};
use crate::cli::Consent;
use crate::clock;
use crate::fault::{Fault, Result};
use crate::former::Former;
use crate::installation::{Founding, Installation};
use crate::settings::Settings;
use hallpass_core::UnixTime;
use hallpass_core::keys::Algorithm;
use serde_json::json;
use std::path::Path;

/// Makes the home, alone or as the heir of a former set-up. It touches nothing outside the home, so it does not ask.
pub(super) async fn run(
    context: &Context,
    consent: Consent,
    config: Option<&Path>,
    from_env: Option<&Path>,
) -> Result<()> {
    let settings = context.settings(config)?;
    let former = from_env.map(Former::read).transpose()?;
    if let Some(former) = &former {
        former.check_against(&settings)?;
    }
    let founding = match &former {
        Some(former) => Founding {
            issuer: former.issuer.clone(),
            audience: former.audience.clone(),
            secret: Some(former.secret.clone()),
            ..Founding::plan(&settings)?
        },
        None => Founding::plan(&settings)?,
    };
    let made = !context.home.is_made();
    let now = clock::now();
    let known = if made {
        describe_founding(context, &founding);
        None
    } else {
        check_made(context, &settings, former.as_ref(), now).await?
    };
    let grace = match &known {
        Some(known) => Some(known.until),
        None => former.as_ref().and_then(|former| former.grace_until(now)),
    };
    if let Some(former) = &former {
        describe(context, former, known.as_ref(), grace);
        describe_signing(context, &founding, made);
    }
    if !consent.dry_run && (made || former.is_some()) {
        let installation = Installation::found(&context.home, &founding, &settings).await?;
        if let Some(former) = &former {
            let _lock = installation.home.lock()?;
            adopt::take_over(context, &installation, &settings, former, now).await?;
        }
        context.output.line("done. Next: name your clients and servers in hallpass.toml, then `hallpass up`");
    }
    context.output.document(&json!({
        "home": context.home.folder(), "made": made && !consent.dry_run, "dry_run": consent.dry_run,
        "issuer": founding.issuer, "audience": founding.audience, "algorithm": founding.algorithm.as_str(),
        "grace_until": grace.map(|until| until.to_string()),
        "former_tokens": former.map(|former| former.tokens.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()),
    }));
    Ok(())
}

fn describe_founding(context: &Context, founding: &Founding) {
    context.output.line(format!(
        "a home at `{}`: hallpass.toml, a database, an {} signing key (sealed by seal.key)\n    issuer `{}`, audience `{}`",
        context.home.folder().display(),
        founding.algorithm.as_str(),
        founding.issuer,
        founding.audience
    ));
}

/// A home that is there has to be of the same authority. Returns the grace period that it holds.
async fn check_made(
    context: &Context,
    settings: &Settings,
    former: Option<&Former>,
    now: UnixTime,
) -> Result<Option<grace::Known>> {
    let installation = context.installation().await?;
    installation.check_authority(settings).await?;
    let snapshot = installation.snapshot().await?;
    let authority = snapshot.authority();
    if former.is_some_and(|former| former.issuer != authority.issuer || former.audience != authority.audience)
    {
        return Err(Fault::new("this home has another issuer or audience than the former set-up")
            .hint("every token carries them: use another `--home`"));
    }
    if let Some(former) = former {
        adopt::knows_secret(&installation, former).await?;
    }
    context.output.line(format!("the home `{}` is there already", context.home.folder().display()));
    if former.is_none() {
        context.output.line("nothing to change");
    }
    grace::known(&installation, former, now).await
}

/// What HS256 means here, said before it is done.
fn describe_signing(context: &Context, founding: &Founding, made: bool) {
    context.output.line(match (founding.algorithm, made) {
        (Algorithm::Hs256, true) => {
            "    the former secret also signs new tokens: whoever holds it can mint tokens for every server that verifies with it"
        }
        (Algorithm::Hs256, false) => "    the signing key stays as it is (`hallpass keys list`)",
        (Algorithm::Es256 | Algorithm::EdDsa | Algorithm::Ed25519, _) => {
            "    servers that verify with the former secret themselves do not accept new tokens (`authority.algorithm = \"HS256\"` keeps it as the signing key)"
        }
    });
}

fn describe(context: &Context, former: &Former, known: Option<&grace::Known>, until: Option<UnixTime>) {
    let names: Vec<&str> = former.tokens.iter().map(|(name, _)| name.as_str()).collect();
    context.output.line(format!(
        "    the former secret verifies tokens that are taken over, and no others: {}",
        if names.is_empty() {
            "none is named in the file (`hallpass adopt FILE` takes one over)".into()
        } else {
            names.join(", ")
        }
    ));
    context.output.line(match (known, until) {
        (Some(known), _) => known_period(known),
        (None, Some(until)) => format!(
            "    the shared token is accepted until {until}, for callers without a token (`hallpass grace status` shows them)"
        ),
        (None, None) if former.grace_days > 0 => "    no grace period: the shared token is empty".into(),
        (None, None) => "    no grace period".into(),
    });
}

fn known_period(known: &grace::Known) -> String {
    let until = known.until;
    if known.other_secret {
        return format!(
            "    a grace period for another secret was set before (until {until}): the shared token of the file is not accepted"
        );
    }
    match known.over_since {
        Some(since) => format!("    the grace period is over since {since}: it is not brought back"),
        None => format!("    the grace period ends on {until}: it was set before and is not moved"),
    }
}
