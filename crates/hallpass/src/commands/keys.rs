//! `hallpass keys`

use super::Context;
use super::changes;
use super::roster::{Chosen, plans};
use crate::cli::{Consent, KeysCommand, Wait};
use crate::clock;
use crate::fault::{Doing, Fault, Result, did_you_mean};
use crate::installation::{Installation, new_key};
use crate::output::{distance, table};
use crate::plan::{ClientPlan, Wish};
use hallpass_core::keys::Algorithm;
use hallpass_core::{Event, Outcome, UnixTime};
use hallpass_store::{KeyRow, KeyState, TokenRow};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

/// Runs one of the commands about keys.
pub(super) async fn run(context: &Context, command: &KeysCommand, config: Option<&Path>) -> Result<()> {
    let installation = context.installation().await?;
    match command {
        KeysCommand::List => list(context, &installation).await,
        KeysCommand::Rotate { algorithm, announce, consent } => {
            let settings = context.settings(config)?;
            let wish = Rotation {
                named: algorithm.as_deref().map(find_algorithm).transpose()?,
                default: settings.roster.authority.algorithm.unwrap_or(Algorithm::Es256),
                announce: *announce,
            };
            rotate(context, &installation, wish, *consent).await
        }
        KeysCommand::Revoke { kid, reason, consent, wait } => {
            let stop = Stop { kid, reason, consent: *consent, wait: *wait };
            revoke(context, &installation, stop, config).await
        }
    }
}

fn find_algorithm(name: &str) -> Result<Algorithm> {
    Algorithm::from_name(name).ok_or_else(|| {
        Fault::usage(format!("`{}` is no algorithm that is served", name.escape_debug()))
            .hint("one of ES256, EdDSA, Ed25519, HS256 (exactly so)")
    })
}

async fn list(context: &Context, installation: &Installation) -> Result<()> {
    let keys = installation.store.keys().await.doing("the keys")?;
    let tokens = installation.store.tokens().await.doing("the tokens")?;
    let now = clock::now();
    let (mut rows, mut documents) = (Vec::new(), Vec::new());
    for key in &keys {
        let (live, last) = live_tokens(key, &tokens, now);
        let last_word = last.map_or_else(|| "-".into(), |last| distance(last.seconds(), now.seconds()));
        let made = distance(key.created_at.seconds(), now.seconds());
        let state = if key.former {
            format!("{} (former set-up)", key.state.as_str())
        } else {
            key.state.as_str().into()
        };
        rows.push(vec![
            key.kid.clone(),
            key.algorithm.as_str().into(),
            state,
            made,
            live.to_string(),
            last_word,
        ]);
        documents.push(json!({
            "kid": key.kid, "alg": key.algorithm.as_str(), "state": key.state.as_str(), "former": key.former,
            "created_at": key.created_at.to_string(), "live_tokens": live, "last_token_ends_at": last.map(|last| last.to_string()),
            "reason": key.reason,
        }));
    }
    context.output.line(table(&["KEY (kid)", "ALG", "STATE", "MADE", "LIVE TOKENS", "LAST ONE ENDS"], &rows));
    context.output.document(&json!({ "keys": documents }));
    Ok(())
}

fn live_tokens(key: &KeyRow, tokens: &[TokenRow], now: UnixTime) -> (usize, Option<UnixTime>) {
    let live = tokens.iter().filter(|token| token.kid == key.kid && token.is_good(now));
    live.fold((0, None), |(count, last), token| (count + 1, last.max(Some(token.expires_at))))
}

/// What a rotation shall be.
#[derive(Clone, Copy)]
struct Rotation {
    /// `--algorithm`
    named: Option<Algorithm>,
    default: Algorithm,
    announce: bool,
}

/// The next key signs from now on; the one before verifies until its last token ends. No call fails.
async fn rotate(
    context: &Context,
    installation: &Installation,
    wish: Rotation,
    consent: Consent,
) -> Result<()> {
    let Rotation { named, default, announce } = wish;
    let algorithm = named.unwrap_or(default);
    let _lock = installation.home.lock()?;
    let keys = installation.store.keys().await.doing("the keys")?;
    let next = keys.iter().find(|key| key.state == KeyState::Next);
    let active = keys.iter().find(|key| key.state == KeyState::Active).map(|key| key.kid.clone());
    if let (true, Some(next)) = (announce, next) {
        return Err(Fault::new(format!("`{}` is announced already", next.kid))
            .hint("`hallpass keys rotate` makes it sign"));
    }
    if let (Some(next), Some(named)) =
        (next, named.filter(|named| next.is_some_and(|next| next.algorithm != *named)))
    {
        return Err(Fault::new(format!(
            "`{}` is announced and is an {} key, not {}",
            next.kid,
            next.algorithm.as_str(),
            named.as_str()
        ))
        .hint("`hallpass keys rotate` makes it sign; then rotate again"));
    }
    let kid = next.map_or_else(|| next_kid(installation, &keys), |next| next.kid.clone());
    let what = if announce {
        "publish it now, sign with it after the next `hallpass keys rotate`"
    } else {
        "sign with it from now on"
    };
    context.output.line(format!("{kid}: {what}"));
    if let (false, Some(active)) = (announce, &active) {
        context.output.line(format!("{active}: verify only, until its last token ends"));
    }
    if next.map_or(algorithm, |next| next.algorithm) == Algorithm::Hs256 {
        context.output.line("    its secret never leaves this home: servers that verify with a former secret will refuse its tokens");
    }
    if !consent.dry_run {
        agree(context, consent)?;
        let act = act("rotate-key", &kid);
        if next.is_some() {
            installation.store.promote_key(&kid, &act).await.doing("cannot rotate")?;
        } else {
            let state = if announce { KeyState::Next } else { KeyState::Active };
            let row = new_key(&kid, algorithm, state, &installation.seal)?;
            installation.store.add_key(&row, Some(&act)).await.doing("cannot rotate")?;
        }
        context.output.line("done. Tokens that are in use stay good; new ones are signed with the new key");
    }
    context.output.document(&json!({
        "kid": kid, "announced": announce, "before": active, "dry_run": consent.dry_run,
    }));
    Ok(())
}

/// What was typed to stop a key.
#[derive(Clone, Copy)]
struct Stop<'a> {
    kid: &'a str,
    reason: &'a str,
    consent: Consent,
    wait: Wait,
}

/// Stops a key and all its tokens at once, then gives the clients that lost theirs new ones. The stop does not ask: in an
/// emergency nobody wants to be asked. The new tokens are written into files of other programs, and that does.
async fn revoke(
    context: &Context,
    installation: &Installation,
    stop: Stop<'_>,
    config: Option<&Path>,
) -> Result<()> {
    let Stop { kid, reason, consent, wait } = stop;
    if reason.trim().is_empty() {
        return Err(Fault::usage("the reason is empty").hint("say why: `--reason \"copied from a backup\"`"));
    }
    if reason.chars().any(char::is_control) {
        return Err(Fault::usage("the reason holds control characters")
            .hint("one line of plain text: it is shown in lists and logs"));
    }
    // Neither behind the home's lock (another command may hold it while a person thinks about a question) nor behind
    // the configuration, which may be broken: the stop needs none of them.
    let keys = installation.store.keys().await.doing("the keys")?;
    let names: Vec<&str> = keys.iter().map(|key| key.kid.as_str()).collect();
    let Some(key) = keys.iter().find(|key| key.kid == kid) else {
        return Err(
            Fault::new(format!("no key named `{}`", kid.escape_debug())).hint(did_you_mean(kid, &names))
        );
    };
    if key.state == KeyState::Retired {
        context.output.line(format!("{kid}: it is retired already, nothing to change"));
        context.output.document(&json!({ "kid": kid, "stopped": 0, "dry_run": consent.dry_run }));
        return wait.unless(consent.dry_run).for_gateway(installation).await;
    }
    let tokens = installation.store.tokens().await.doing("the tokens")?;
    let now = clock::now();
    let lost: BTreeSet<String> = tokens
        .iter()
        // Those whose newest token another key signed lose only what was superseded.
        .filter(|token| {
            token.kid == kid && token.is_good(now) && token.good_beside_its_successor(now).is_none()
        })
        .map(|token| token.client.to_string())
        .collect();
    context
        .output
        .line(format!("{kid}: stop it and its tokens at once; new tokens for {} clients", lost.len()));
    if consent.dry_run {
        context.output.document(&json!({ "kid": kid, "stopped": 0, "clients": lost, "dry_run": true }));
        return Ok(());
    }
    if key.state == KeyState::Active {
        // First, so that there is a key at every instant: without one the gateway could not even read what is in force.
        add_successor(installation, key.algorithm).await?;
    }
    let event = Event { reason: Some(format!("{kid}: {reason}")), ..act("revoke-key", kid) };
    let stopped = installation
        .store
        .revoke_key(kid, clock::now(), reason, &event)
        .await
        .doing("cannot revoke the key")?;
    context.output.line(format!("{kid}: stopped, with {stopped} tokens"));
    // Before the new tokens, which may wait for an answer.
    let confirmed = wait.for_gateway(installation).await;
    if lost.is_empty() {
        context.output.document(&json!({ "kid": kid, "stopped": stopped, "dry_run": false }));
        return confirmed;
    }
    reissue(context, installation, config, &lost, consent).await.map_err(|fault| {
        Fault::new(format!(
            "`{kid}` is stopped for good, and {} without a token now: {fault}",
            if lost.len() == 1 { "1 client is".into() } else { format!("{} clients are", lost.len()) }
        ))
        .hint("`hallpass apply --yes` gives them new ones; `hallpass status` shows who waits")
    })?;
    confirmed
}

async fn reissue(
    context: &Context,
    installation: &Installation,
    config: Option<&Path>,
    lost: &BTreeSet<String>,
    consent: Consent,
) -> Result<()> {
    let settings = context.settings(config)?;
    let _lock = installation.home.lock()?;
    let all = plans(&context.home, Some(installation), &settings, Chosen::All, Wish::WhatIsMissing).await?;
    let plans: Vec<ClientPlan> =
        all.into_iter().filter(|plan| lost.contains(plan.client.name.as_str())).collect();
    for name in
        lost.iter().filter(|name| !plans.iter().any(|plan| plan.client.name.as_str() == name.as_str()))
    {
        context.output.note(format!("{name}: its token is placed by hand: `hallpass issue {name} --print`"));
    }
    if changes::agree(context, &plans, &[], consent)? {
        changes::carry_out(context, installation, &settings, &plans, &[]).await?;
    }
    Ok(())
}

/// A new active key. Another command may take its name first: then it gets the next one.
async fn add_successor(installation: &Installation, algorithm: Algorithm) -> Result<()> {
    let mut tries = 3;
    loop {
        let keys = installation.store.keys().await.doing("the keys")?;
        let row = new_key(&next_kid(installation, &keys), algorithm, KeyState::Active, &installation.seal)?;
        let act = act("rotate-key", &row.kid);
        tries -= 1;
        match installation.store.add_key(&row, Some(&act)).await {
            Err(_) if tries > 0 => {}
            added => return added.doing("cannot make a new key"),
        }
    }
}

fn next_kid(installation: &Installation, keys: &[KeyRow]) -> String {
    let mut number = 1;
    let name = |number| format!("hp-{}-{number}", installation.tag);
    while keys.iter().any(|key| key.kid == name(number)) {
        number += 1;
    }
    name(number)
}

fn act(kind: &'static str, key: &str) -> Event {
    Event { reason: Some(key.to_owned()), ..Event::new(clock::now_ms(), kind, Outcome::Done) }
}

fn agree(context: &Context, consent: Consent) -> Result<()> {
    if consent.yes || context.output.confirm("do this?")? {
        return Ok(());
    }
    Err(Fault::new("nothing was changed: the answer was no"))
}
