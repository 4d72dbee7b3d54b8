//! Reads what the report is made of: the records of the period page by page, and the rows of the registry.

use super::integrity;
use crate::fault::{Doing, Result};
use crate::installation::Installation;
use hallpass_core::report::{
    About, ClientFacts, Credential, Gathering, GraceFacts, KeyFacts, Registry, Report,
};
use hallpass_core::snapshot::{ServerScope, TokenState};
use hallpass_core::{Event, UnixTime};
use hallpass_store::{ClientRow, EventFilter, GraceRow, KeyRow, TokenRow};

/// The report on `from` (counted) to `to` (not counted), as of `now`.
pub async fn gather(
    installation: &Installation,
    from: UnixTime,
    to: UnixTime,
    now: UnixTime,
) -> Result<Report> {
    let about = about(installation, from, to, now).await?;
    let gathering = records(installation, from, to).await?;
    let registry = registry(installation, now).await?;
    // Last, so that it vouches for as much as it can.
    let integrity = integrity::read(&installation.home)?;
    Ok(gathering.report(about, registry, integrity))
}

async fn about(
    installation: &Installation,
    from: UnixTime,
    to: UnixTime,
    made_at: UnixTime,
) -> Result<About> {
    let setting = async |name| installation.store.setting(name).await.doing("the database's settings");
    Ok(About {
        installation: installation.tag.clone(),
        issuer: setting("issuer").await?.unwrap_or_default(),
        audience: setting("audience").await?.unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        from,
        to,
        made_at,
    })
}

async fn records(installation: &Installation, from: UnixTime, to: UnixTime) -> Result<Gathering> {
    let milliseconds = |at: UnixTime| Some(at.seconds().saturating_mul(1000));
    let filter =
        EventFilter { since_ms: milliseconds(from), until_ms: milliseconds(to), ..EventFilter::default() };
    let mut gathering = Gathering::default();
    let mut pages = installation.store.records(&filter).await.doing("the log")?;
    while let Some(page) = pages.next().await.doing("the log")? {
        for (row, record) in page.records() {
            let event: Event = serde_json::from_str(record).doing("a record of the log")?;
            gathering.add(installation.audit.number(row), &event);
        }
    }
    Ok(gathering)
}

async fn registry(installation: &Installation, now: UnixTime) -> Result<Registry> {
    let store = &installation.store;
    Ok(Registry {
        clients: store.clients().await.doing("the clients")?.iter().map(client).collect(),
        tokens: store.tokens().await.doing("the tokens")?.iter().map(|row| credential(row, now)).collect(),
        keys: store.keys().await.doing("the keys")?.iter().map(key).collect(),
        grace: store.grace().await.doing("the grace period")?.map(|row| grace(&row, now)),
    })
}

fn client(row: &ClientRow) -> ClientFacts {
    let servers = match &row.servers {
        ServerScope::All => None,
        ServerScope::Only(servers) => Some(servers.iter().map(ToString::to_string).collect()),
    };
    let state = match (row.removed, row.enabled) {
        (true, _) => "removed",
        (false, true) => "enabled",
        (false, false) => "disabled",
    };
    ClientFacts {
        name: row.name.to_string(),
        app: row.app.clone(),
        state,
        servers,
        policy: row.policy.as_ref().map(ToString::to_string),
    }
}

fn credential(row: &TokenRow, now: UnixTime) -> Credential {
    let (state, ended_at) = match row.state {
        TokenState::Revoked { at } => ("revoked", Some(at)),
        TokenState::Superseded { until } => ("replaced", Some(until)),
        TokenState::Pending | TokenState::Active if row.expires_at <= now => ("expired", None),
        TokenState::Pending => ("pending", None),
        TokenState::Active => ("active", None),
    };
    Credential {
        jti: row.jti.clone(),
        client: row.client.to_string(),
        kid: row.kid.clone(),
        adopted: row.adopted,
        issued_at: row.issued_at,
        expires_at: row.expires_at,
        state,
        ended_at,
        reason: row.reason.clone(),
        calls: 0,
    }
}

fn key(row: &KeyRow) -> KeyFacts {
    KeyFacts {
        kid: row.kid.clone(),
        algorithm: row.algorithm.as_str().to_owned(),
        state: row.state.as_str(),
        former: row.former,
        created_at: row.created_at,
        reason: row.reason.clone(),
    }
}

fn grace(row: &GraceRow, now: UnixTime) -> GraceFacts {
    GraceFacts {
        started_at: row.started_at,
        until: row.until,
        over_since: row.over_since(now),
        strict: row.strict,
    }
}
