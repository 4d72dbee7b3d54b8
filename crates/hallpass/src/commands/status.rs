//! `hallpass status`

use super::Context;
use super::list::token_document;
use crate::cli::Status;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::health;
use crate::installation::Installation;
use crate::operator;
use crate::overview::{
    self, GatewayStanding, Health, Need, Overview, Rows, Surroundings, WARNINGS_SHOWN, needs,
};
use crate::presence::NODE;
use crate::settings::Settings;
use hallpass_core::uses::{LegacyUse, TokenUse, Warning};
use hallpass_core::{ClientName, Event, Outcome, UnixTime};
use serde_json::{Value, json};
use std::time::Duration;

/// How long it may take to have in force what was just changed.
const CATCHING_UP: Duration = Duration::from_millis(500);

/// One screen, or only what needs a person.
pub(super) async fn run(context: &Context, what: &Status) -> Result<()> {
    let settings = context.settings(what.roster.config.as_deref())?;
    let installation = context.installation().await?;
    if what.acknowledge {
        return acknowledge(context, &installation).await;
    }
    let overview = look(context, &installation, &settings).await?;
    let needs = needs(&overview);
    if !what.check {
        for line in overview::lines(&overview) {
            context.output.line(line);
        }
        context.output.document(&document(&overview, &needs));
        return Ok(());
    }
    for line in overview::need_lines(&needs, overview.now) {
        context.output.line(line);
    }
    context.output.document(&json!({ "needs": need_documents(&needs, overview.now) }));
    if needs.is_empty() { Ok(()) } else { Err(Fault::person_needed()) }
}

async fn acknowledge(context: &Context, installation: &Installation) -> Result<()> {
    let store = &installation.store;
    let now_ms = clock::now_ms();
    let seen = store.warnings_seen_until().await.doing("the warnings")?;
    let new = store.warnings(seen.saturating_add(1)).await.doing("the warnings")?.len();
    if new > 0 {
        let act = Event { by: Some(operator::who()), ..Event::new(now_ms, "acknowledge", Outcome::Done) };
        store.see_warnings(now_ms, &act).await.doing("the warnings")?;
    }
    context.output.line(match new {
        0 => "there is no warning that was not acknowledged before".into(),
        1 => "1 warning acknowledged: it counts again when it is seen again".into(),
        more => format!("{more} warnings acknowledged: each counts again when it is seen again"),
    });
    context.output.document(&json!({ "acknowledged": new }));
    Ok(())
}

async fn look(context: &Context, installation: &Installation, settings: &Settings) -> Result<Overview> {
    let now = clock::now();
    let servers = settings.roster.servers.iter();
    let around = Surroundings {
        now,
        home: context.home.folder().display().to_string(),
        gateway: gateway(context, installation).await?,
        servers: servers.map(|(name, server)| (name.to_string(), server.url.clone())).collect(),
        rotate: settings.roster.authority.rotate,
    };
    Ok(Overview::of(&rows(installation, now).await?, around))
}

/// A few queries, however many clients there are.
async fn rows(installation: &Installation, now: UnixTime) -> Result<Rows> {
    let store = &installation.store;
    let placements = store.placements().await.doing("the placements")?;
    let since_ms = now.plus(-WARNINGS_SHOWN).seconds() * 1000;
    Ok(Rows {
        clients: store.clients().await.doing("the clients")?,
        tokens: store.current_tokens(now).await.doing("the tokens")?,
        placements: placements.into_iter().map(|row| (row.client, row.read)).collect(),
        disabled: store.disabled_clients().await.doing("the clients")?.into_iter().collect(),
        newest_uses: store.newest_token_uses().await.doing("the uses of tokens")?,
        live_uses: store.live_token_uses(now).await.doing("the uses of tokens")?,
        warnings: store.warnings(since_ms).await.doing("the warnings")?,
        warnings_seen_until_ms: store.warnings_seen_until().await.doing("the warnings")?,
        grace: store.grace().await.doing("the grace period")?,
        legacy: store.legacy_uses().await.doing("the uses of the shared secret")?,
    })
}

async fn gateway(context: &Context, installation: &Installation) -> Result<GatewayStanding> {
    let Some(running) = context.home.running_gateway() else { return Ok(GatewayStanding::default()) };
    let health = match running.split_once("http://") {
        Some((_, address)) => ask(address.trim()).await,
        None => Health::Silent,
    };
    let mut standing = GatewayStanding { running: Some(running), health, in_force: None, newest: 0 };
    compare(installation, &mut standing).await?;
    if standing.in_force.is_some_and(|in_force| in_force < standing.newest) {
        // Something may have been changed this very moment.
        tokio::time::sleep(CATCHING_UP).await;
        compare(installation, &mut standing).await?;
    }
    Ok(standing)
}

async fn compare(installation: &Installation, standing: &mut GatewayStanding) -> Result<()> {
    // In this order: what is changed in between counts as newer.
    let row = installation.store.gateway(NODE).await.doing("the gateway's row")?;
    let own =
        |pid: u32| standing.running.as_ref().is_some_and(|said| said.starts_with(&format!("pid {pid},")));
    standing.in_force = row.filter(|row| own(row.pid)).map(|row| row.revision);
    standing.newest = installation.store.revision().await.doing("the store's revision")?;
    Ok(())
}

/// Asks `/readyz`, which needs no token.
async fn ask(address: &str) -> Health {
    match health::status(address, "/readyz").await {
        Some(200) => Health::Ready,
        Some(503) => Health::Stale,
        Some(_) | None => Health::Silent,
    }
}

fn document(overview: &Overview, needs: &[Need]) -> Value {
    let now = overview.now;
    let gateway = &overview.gateway;
    json!({
        "at": now.to_string(),
        "gateway": {
            "running": gateway.running.is_some(),
            "said": gateway.running,
            "health": gateway.running.as_ref().map(|_| match gateway.health {
                Health::Ready => "ready",
                Health::Stale => "stale",
                Health::Silent => "silent",
            }),
            "revision_in_force": gateway.in_force,
            "revision": gateway.running.as_ref().map(|_| gateway.newest),
        },
        "home": overview.home,
        "servers": overview.servers.iter().map(|(name, url)| json!({ "server": name, "url": url })).collect::<Vec<_>>(),
        "clients": overview.clients.iter().map(|client| json!({
            "client": client.name,
            "app": client.app,
            "enabled": client.enabled,
            "disabled_reason": client.disabled_reason,
            "token": client.row.as_ref().map(token_document),
            "last_call_at": client.seen.as_ref().map(|usage| time(usage.last_ms)),
            "last_use": client.seen.as_ref().map(use_document),
        })).collect::<Vec<_>>(),
        "replaced": overview.replaced.iter().map(|replaced| json!({
            "client": replaced.token.client,
            "token": token_document(&replaced.token),
            "good_until": replaced.until.to_string(),
            "successor_issued_at": replaced.successor_at.to_string(),
            "used_since_then": replaced.used.as_ref().map(use_document),
        })).collect::<Vec<_>>(),
        "grace": overview.grace.as_ref().map(|grace| json!({
            "until": grace.until.to_string(),
            "over_since": grace.over_since.map(|over| over.to_string()),
            "users": grace.users.iter().map(legacy_document).collect::<Vec<_>>(),
        })),
        "warnings": overview.warnings.iter().map(|(warning, seen)| warning_document(warning, *seen)).collect::<Vec<_>>(),
        "needs": need_documents(needs, now),
    })
}

fn time(at_ms: i64) -> String {
    UnixTime::from_seconds(at_ms.div_euclid(1000)).to_string()
}

fn use_document(usage: &TokenUse) -> Value {
    json!({
        "jti": usage.jti,
        "first_at": time(usage.first_ms),
        "at": time(usage.last_ms),
        "calls": usage.calls,
        "server": usage.server,
        "address": usage.address,
        "user_agent": usage.user_agent,
        "client_info": usage.client_info,
    })
}

fn legacy_document(usage: &LegacyUse) -> Value {
    json!({
        "path_client": usage.caller.path_client,
        "client_info": usage.caller.client_info,
        "user_agent": usage.caller.user_agent,
        "address": usage.caller.address,
        "first_at": time(usage.first_ms),
        "at": time(usage.last_ms),
        "calls": usage.calls,
        "refused": usage.refused,
    })
}

fn warning_document(warning: &Warning, acknowledged: bool) -> Value {
    json!({
        "kind": warning.kind.as_str(),
        "jti": warning.jti,
        "client": warning.client,
        "first_at": time(warning.first_ms),
        "last_at": time(warning.last_ms),
        "times": warning.times,
        "detail": warning.detail,
        "acknowledged": acknowledged,
    })
}

fn need_documents(needs: &[Need], now: UnixTime) -> Vec<Value> {
    let document = |need: &Need| {
        json!({
            "what": need.code(),
            "client": need.client().map(ClientName::as_str),
            "says": need.says(now),
            "type": need.type_next(),
        })
    };
    needs.iter().map(document).collect()
}
