//! From the store to what the migration report is made of.

use crate::fault::{Doing, Result};
use crate::installation::Installation;
use crate::uses_now::UsesNow;
use hallpass_core::UnixTime;
use hallpass_core::migration::{ClientFacts, Period, Sources};
use hallpass_core::snapshot::TokenState;
use hallpass_store::{GraceRow, TokenRow};
use std::collections::HashSet;

/// Reads it all.
pub(super) async fn gather(installation: &Installation, now: UnixTime) -> Result<Sources> {
    let store = &installation.store;
    let tokens = store.tokens().await.doing("the tokens")?;
    let bearers: HashSet<&str> =
        tokens.iter().filter(|token| is_in_force(token, now)).map(|token| token.client.as_str()).collect();
    // Of an earlier client of the same name: it says nothing about who bears the name now.
    let former: HashSet<&str> =
        tokens.iter().filter(|token| token.former).map(|token| token.jti.as_str()).collect();
    let uses = UsesNow::read(store, &installation.snapshot().await?).await?;
    let token_uses = uses.tokens.into_values().filter(|usage| !former.contains(usage.jti.as_str()));
    let clients = store.clients().await.doing("the clients")?.into_iter().filter(|client| !client.removed);
    Ok(Sources {
        period: super::stored(installation).await?.map(|row| period(&row, now)),
        clients: clients
            .map(|client| ClientFacts {
                has_token: bearers.contains(client.name.as_str()),
                name: client.name,
                app: client.app,
                enabled: client.enabled,
            })
            .collect(),
        token_uses: token_uses.collect(),
        legacy_uses: uses.legacy.into_values().collect(),
    })
}

fn period(row: &GraceRow, now: UnixTime) -> Period {
    Period {
        started_at: row.started_at,
        until: row.until,
        over_since: row.over_since(now),
        seen: row.seen,
        servers: Period::servers_of(&row.servers),
        policy: row.policy.clone(),
        strict: row.strict,
    }
}

fn is_in_force(token: &TokenRow, now: UnixTime) -> bool {
    let counts = match token.state {
        TokenState::Pending | TokenState::Active => true,
        TokenState::Superseded { until } => now < until,
        TokenState::Revoked { .. } => false,
    };
    counts && now < token.expires_at
}
