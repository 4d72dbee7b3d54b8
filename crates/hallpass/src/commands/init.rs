//! `hallpass init`

use super::adopt::Registered;
use super::take_over::{self, Copied};
use super::{Context, grace};
use crate::cli::Consent;
use crate::clock;
use crate::fault::{Fault, Result};
use crate::former::Former;
use crate::installation::Founding;
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
    let founding = found_by(&settings, former.as_ref())?;
    let now = clock::now();
    let made = !context.home.is_made();
    let standing = if made {
        Standing::new(now)
    } else {
        Standing::of(context, &settings, former.as_ref(), now).await?
    };
    let grace = match &standing.grace {
        Some(known) => Some(known.until),
        None => former.as_ref().and_then(|former| former.grace_until(now)),
    };
    describe(context, &founding, made, former.is_none());
    let mut copies = Vec::new();
    if let Some(former) = &former {
        copies = Copied::plan(former, &standing.registered, &settings, now)?;
        describe_former(context, former, standing.grace.as_ref(), grace);
        describe_signing(context, &founding, made);
        for copied in &copies {
            copied.describe(context);
        }
    }
    if !consent.dry_run && (made || former.is_some()) {
        let installation = context.found(&founding, &settings).await?;
        if let Some(former) = &former {
            let _lock = installation.home.lock()?;
            // What was shown may be overtaken: others were at work while the lock was waited for.
            let registered = Registered::of(&installation).await?.with_cut_off(now);
            copies = Copied::plan(former, &registered, &settings, now)?;
            take_over::carry_out(&installation, former, &copies, now).await?;
            for copied in &copies {
                copied.describe_done(context);
            }
        }
        context.output.line("done. Next: name your clients and servers in hallpass.toml, then `hallpass up`");
    }
    context.output.document(&json!({
        "home": context.home.folder(), "made": made && !consent.dry_run, "dry_run": consent.dry_run,
        "issuer": founding.issuer, "audience": founding.audience, "algorithm": founding.algorithm.as_str(),
        "grace_until": grace.map(|until| until.to_string()),
        "former_tokens": former.map(|_| copies.iter().map(Copied::document).collect::<Vec<_>>()),
    }));
    Ok(())
}

fn found_by(settings: &Settings, former: Option<&Former>) -> Result<Founding> {
    let plain = Founding::plan(settings)?;
    Ok(match former {
        Some(former) => Founding {
            issuer: former.issuer.clone(),
            audience: former.audience.clone(),
            secret: Some(former.secret.clone()),
            ..plain
        },
        None => plain,
    })
}

/// What a former set-up is taken over into.
struct Standing {
    registered: Registered,
    /// A grace period that is there already.
    grace: Option<grace::Known>,
}

impl Standing {
    fn new(now: UnixTime) -> Self {
        Self { registered: Registered::nothing(now), grace: None }
    }

    /// A home that is there has to be of the same authority.
    async fn of(
        context: &Context,
        settings: &Settings,
        former: Option<&Former>,
        now: UnixTime,
    ) -> Result<Self> {
        let installation = context.installation().await?;
        installation.check_authority(settings).await?;
        if former.is_some() {
            installation.check_seal().await?;
        }
        let snapshot = installation.snapshot().await?;
        let authority = snapshot.authority();
        if former
            .is_some_and(|former| former.issuer != authority.issuer || former.audience != authority.audience)
        {
            return Err(Fault::new("this home has another issuer or audience than the former set-up")
                .hint("every token carries them: use another `--home`"));
        }
        let mut registered = Registered::of(&installation).await?;
        if let Some(former) = former
            && !take_over::knows_secret(&installation, former).await?
        {
            registered = registered.with_cut_off(now);
        }
        Ok(Self { registered, grace: grace::known(&installation, former, now).await? })
    }
}

fn describe(context: &Context, founding: &Founding, made: bool, alone: bool) {
    let home = context.home.folder().display();
    if made {
        context.output.line(format!(
            "a home at `{home}`: hallpass.toml, a database, an {} signing key (sealed by seal.key)\n    issuer `{}`, audience `{}`",
            founding.algorithm.as_str(),
            founding.issuer,
            founding.audience
        ));
    } else {
        context.output.line(format!("the home `{home}` is there already"));
        if alone {
            context.output.line("nothing to change");
        }
    }
}

/// What HS256 means here, said before it is done.
fn describe_signing(context: &Context, founding: &Founding, made: bool) {
    context.output.line(match (founding.algorithm, made) {
        (_, false) => "    the signing key stays as it is (`hallpass keys list`)",
        (Algorithm::Hs256, true) => {
            "    the former secret also signs new tokens: whoever holds it can mint tokens for every server that verifies with it"
        }
        (Algorithm::Es256 | Algorithm::EdDsa | Algorithm::Ed25519, true) => {
            "    servers that verify with the former secret themselves do not accept new tokens (`authority.algorithm = \"HS256\"` keeps it as the signing key)"
        }
    });
}

fn describe_former(
    context: &Context,
    former: &Former,
    known: Option<&grace::Known>,
    until: Option<UnixTime>,
) {
    context.output.line(if former.tokens.is_empty() {
        "    the former secret verifies tokens that are taken over, and no others: none is named in the file (`hallpass adopt FILE` takes one over)"
    } else {
        "    the former secret verifies tokens that are taken over, and no others"
    });
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
