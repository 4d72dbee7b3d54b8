//! `hallpass keys`

mod revoke;

use super::Context;
use crate::cli::{Consent, KeysCommand};
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::installation::{Installation, new_key};
use crate::operator;
use crate::output::{distance, table};
use hallpass_core::keys::Algorithm;
use hallpass_core::snapshot::TokenState;
use hallpass_core::{Event, Outcome, UnixTime};
use hallpass_store::{KeyRow, KeyState, TokenRow};
use serde_json::json;

/// Runs one of the commands about keys.
pub(super) async fn run(context: &Context, command: &KeysCommand) -> Result<()> {
    let installation = match command {
        KeysCommand::Revoke { .. } => context.installation_in_need().await?,
        KeysCommand::List | KeysCommand::Rotate { .. } => context.installation().await?,
    };
    match command {
        KeysCommand::List => list(context, &installation).await,
        KeysCommand::Rotate { algorithm, announce, consent, roster } => {
            let settings = context.settings(roster.config.as_deref())?;
            let wish = Rotation {
                named: algorithm.as_deref().map(find_algorithm).transpose()?,
                default: settings.roster.authority.algorithm.unwrap_or(Algorithm::Es256),
                announce: *announce,
            };
            rotate(context, &installation, wish, *consent).await
        }
        KeysCommand::Revoke { kid, reason, consent, wait, roster } => {
            let wish = revoke::Wish { kid, reason, consent: *consent, wait: *wait };
            revoke::run(context, &installation, wish, roster.config.as_deref()).await
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
    live.fold((0, None), |(count, last), token| (count + 1, last.max(Some(end_of(token)))))
}

/// When it stops to count, if nobody ends it before.
fn end_of(token: &TokenRow) -> UnixTime {
    match token.state {
        TokenState::Superseded { until } => until.min(token.expires_at),
        TokenState::Pending | TokenState::Active | TokenState::Revoked { .. } => token.expires_at,
    }
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
    installation.check_seal().await?;
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
        let act = act("rotate-key", &format!("{kid}: {}", if announce { "announced" } else { "signs" }));
        if next.is_some() {
            installation.store.promote_key(&kid, &act).await.doing("cannot rotate")?;
        } else {
            let state = if announce { KeyState::Next } else { KeyState::Active };
            let row = new_key(&kid, algorithm, state, &installation.seal)?;
            installation.store.add_key(&row, Some(&act)).await.doing("cannot rotate")?;
        }
        context.output.line(if announce {
            "done. It is in the JWK Set and signs nothing yet: `hallpass keys rotate` when every verifier has looked again"
        } else {
            "done. Tokens that are in use stay good; new ones are signed with the new key"
        });
    }
    context.output.document(&json!({
        "kid": kid, "announced": announce, "before": active, "dry_run": consent.dry_run,
    }));
    Ok(())
}

fn next_kid(installation: &Installation, keys: &[KeyRow]) -> String {
    let mut number = 1;
    let name = |number| format!("hp-{}-{number}", installation.tag);
    while keys.iter().any(|key| key.kid == name(number)) {
        number += 1;
    }
    name(number)
}

fn act(kind: &'static str, reason: &str) -> Event {
    Event {
        reason: Some(reason.to_owned()),
        by: Some(operator::who()),
        ..Event::new(clock::now_ms(), kind, Outcome::Done)
    }
}

fn agree(context: &Context, consent: Consent) -> Result<()> {
    if consent.yes || context.output.confirm("do this?")? {
        return Ok(());
    }
    Err(Fault::new("nothing was changed: the answer was no"))
}
