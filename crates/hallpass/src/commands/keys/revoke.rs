//! `hallpass keys revoke`: the stop, which waits for nobody, and then the new tokens, which ask.

use super::{act, next_kid};
use crate::cli::{Consent, Wait};
use crate::clock;
use crate::commands::roster::{Chosen, plans};
use crate::commands::{Context, changes};
use crate::fault::{Doing, Fault, Result, did_you_mean};
use crate::installation::{Installation, new_key};
use crate::output::counted;
use crate::plan::{self, ClientPlan};
use hallpass_core::Event;
use hallpass_core::keys::Algorithm;
use hallpass_store::{KeyRow, KeyState};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

/// What was typed to stop a key.
#[derive(Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) kid: &'a str,
    pub(super) reason: &'a str,
    pub(super) consent: Consent,
    pub(super) wait: Wait,
}

/// Stops a key and all its tokens at once, then gives the clients that lost theirs new ones. The stop does not ask: in an
/// emergency nobody wants to be asked. The new tokens are written into files of other programs, and that does.
pub(super) async fn run(
    context: &Context,
    installation: &Installation,
    wish: Wish<'_>,
    config: Option<&Path>,
) -> Result<()> {
    let Wish { kid, reason, consent, wait } = wish;
    check_reason(reason)?;
    // Neither behind the home's lock (another command may hold it while a person thinks about a question) nor behind
    // the configuration, which may be broken: the stop needs none of them.
    let stop = Stop::plan(installation, kid).await?;
    stop.describe(context);
    if stop.keys.is_empty() || consent.dry_run {
        stop.document(context, 0, &BTreeSet::new(), consent.dry_run);
        return wait.unless(consent.dry_run).for_gateway(installation).await;
    }
    let stopped = stop.carry_out(installation, reason).await?;
    context.output.line(format!(
        "{}: stopped, with {}",
        stop.names().join(" and "),
        counted(stopped, "token")
    ));
    // Before the new tokens, which may wait for an answer.
    let confirmed = wait.for_gateway(installation).await;
    let quiet = Context { output: context.output.without_documents(), ..context.clone() };
    let reissued = reissue(&quiet, installation, config, &stop.lost, consent).await;
    let waiting = without_a_token(installation, &stop.lost).await?;
    stop.document(context, stopped, &waiting, false);
    reissued.map_err(|fault| {
        let clients =
            if waiting.len() == 1 { "1 client is".into() } else { format!("{} clients are", waiting.len()) };
        Fault::new(format!(
            "`{kid}` is stopped for good, and {clients} without a token now; no new ones: {fault}"
        ))
        .hint("`hallpass apply --yes` gives them new ones; `hallpass status` shows who waits")
    })?;
    confirmed
}

fn check_reason(reason: &str) -> Result<()> {
    if reason.trim().is_empty() {
        return Err(Fault::usage("the reason is empty").hint("say why: `--reason \"copied from a backup\"`"));
    }
    if reason.chars().any(char::is_control) {
        return Err(Fault::usage("the reason holds control characters")
            .hint("one line of plain text: it is shown in lists and logs"));
    }
    Ok(())
}

/// What a revocation stops.
struct Stop {
    /// As it was named.
    kid: String,
    /// The key, and every other that is the same secret under another name; none if all are retired.
    keys: Vec<KeyRow>,
    /// The clients with a live token of one of them.
    lost: BTreeSet<String>,
}

impl Stop {
    async fn plan(installation: &Installation, kid: &str) -> Result<Self> {
        let keys = installation.store.keys().await.doing("the keys")?;
        let Some(key) = keys.iter().find(|key| key.kid == kid) else {
            let names: Vec<&str> = keys.iter().map(|key| key.kid.as_str()).collect();
            return Err(
                Fault::new(format!("no key named `{}`", kid.escape_debug())).hint(did_you_mean(kid, &names))
            );
        };
        let opened = key.verifying_key(&installation.seal).ok();
        let is_same = |other: &KeyRow| {
            other.kid == kid || opened.as_ref().is_some_and(|key| installation.is_kept_as(key, other))
        };
        let in_use = keys.iter().filter(|other| other.state != KeyState::Retired && is_same(other));
        let mut keys: Vec<KeyRow> = in_use.cloned().collect();
        // The one that was named goes first.
        keys.sort_by_key(|key| key.kid != kid);
        let tokens = installation.store.tokens().await.doing("the tokens")?;
        let now = clock::now();
        let hangs = |token_kid: &str| keys.iter().any(|key| key.kid == token_kid);
        // Those whose newest token another key signed lose only what was superseded.
        let lost = tokens.iter().filter(|token| {
            hangs(&token.kid) && token.is_good(now) && token.good_beside_its_successor(now).is_none()
        });
        let lost = lost.map(|token| token.client.to_string()).collect();
        Ok(Self { kid: kid.to_owned(), keys, lost })
    }

    fn names(&self) -> Vec<&str> {
        self.keys.iter().map(|key| key.kid.as_str()).collect()
    }

    fn describe(&self, context: &Context) {
        let Some((key, others)) = self.keys.split_first() else {
            return context.output.line(format!("{}: it is retired already, nothing to change", self.kid));
        };
        let lost = counted(self.lost.len() as u64, "client");
        context.output.line(format!("{}: stop it and its tokens at once; new tokens for {lost}", key.kid));
        for other in others.iter().chain((key.kid != self.kid).then_some(key)) {
            let adopted = if other.former { ", those that were taken over included" } else { "" };
            context.output.line(format!(
                "{}: the same secret, so it is stopped too, with its tokens{adopted}",
                other.kid
            ));
        }
        if self.keys.iter().any(|key| key.state == KeyState::Active && key.algorithm == Algorithm::Hs256) {
            context.output.line("    the secret of the key that follows never leaves this home: servers that verify with the old one will refuse its tokens");
        }
    }

    /// Returns how many tokens were stopped.
    async fn carry_out(&self, installation: &Installation, reason: &str) -> Result<u64> {
        if let Some(active) = self.keys.iter().find(|key| key.state == KeyState::Active) {
            // First, so that there is a key at every instant: without one the gateway could not even read what is in force.
            add_successor(installation, active.algorithm).await?;
        }
        let event = |kid: &str| Event { reason: Some(format!("{kid}: {reason}")), ..act("revoke-key", kid) };
        let stops: Vec<_> = self.keys.iter().map(|key| (key.kid.as_str(), event(&key.kid))).collect();
        installation.store.revoke_keys(&stops, clock::now(), reason).await.doing("cannot revoke the key")
    }

    fn document(&self, context: &Context, stopped: u64, waiting: &BTreeSet<String>, dry_run: bool) {
        context.output.document(&json!({
            "kid": self.kid, "keys": self.names(), "stopped": stopped, "clients": self.lost,
            "without_token": waiting, "dry_run": dry_run,
        }));
    }
}

async fn reissue(
    context: &Context,
    installation: &Installation,
    config: Option<&Path>,
    lost: &BTreeSet<String>,
    consent: Consent,
) -> Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    let settings = context.settings(config)?;
    let _lock = installation.home.lock()?;
    let all =
        plans(&context.home, Some(installation), &settings, Chosen::All, plan::Wish::WhatIsMissing).await?;
    let plans: Vec<ClientPlan> =
        all.into_iter().filter(|plan| lost.contains(plan.client.name.as_str())).collect();
    let is_planned = |name: &str| plans.iter().any(|plan| plan.client.name.as_str() == name);
    for name in lost.iter().filter(|name| !is_planned(name)) {
        context.output.note(format!("{name}: its token is placed by hand: `hallpass issue {name} --print`"));
    }
    if !plans.is_empty() && changes::agree(context, &plans, &[], consent)? {
        changes::carry_out(context, installation, &settings, &plans, &[]).await?;
    }
    Ok(())
}

async fn without_a_token(installation: &Installation, lost: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let tokens = installation.store.tokens().await.doing("the tokens")?;
    let now = clock::now();
    let has_one = |name: &str| tokens.iter().any(|token| token.client.as_str() == name && token.is_good(now));
    Ok(lost.iter().filter(|name| !has_one(name)).cloned().collect())
}

/// A new active key. Another command may take its name first: then it gets the next one.
async fn add_successor(installation: &Installation, algorithm: Algorithm) -> Result<()> {
    installation.check_seal().await?;
    let mut tries = 3;
    loop {
        let keys = installation.store.keys().await.doing("the keys")?;
        let row = new_key(&next_kid(installation, &keys), algorithm, KeyState::Active, &installation.seal)?;
        let act = act("rotate-key", &format!("{}: signs", row.kid));
        tries -= 1;
        match installation.store.add_key(&row, Some(&act)).await {
            Err(_) if tries > 0 => {}
            added => return added.doing("cannot make a new key"),
        }
    }
}
