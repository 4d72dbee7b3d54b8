//! What is in force, read in one transaction, for the gateway.

use crate::fault::{StoreFault, damaged};
use crate::grace::GraceRow;
use crate::rows::{ClientRow, KeyRow, KeyState};
use crate::seal::SealKey;
use crate::store::Store;
use crate::{clients, grace, keys, policies, tokens};
use hallpass_core::claims::LEEWAY;
use hallpass_core::grace::{Grace, GraceTerms, TagKey};
use hallpass_core::keys::{KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::policy::Policy;
use hallpass_core::snapshot::{Authority, Client, TokenRecord, TokenType};
use hallpass_core::{PolicyName, Snapshot, UnixTime};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::collections::HashMap;
use std::sync::Arc;

/// Not the ended tokens that had expired a day before the newest one was issued: they would be refused as expired
/// in any case, and their number only grows. Asks no clock; and since no live token is left out, a time of issue
/// that is wrong can only change the words of a refusal.
const THAT_MATTER: &str = "WHERE state IN ('pending', 'active')
    OR expires_at >= (SELECT MAX(issued_at) FROM token) - 86400";

impl Store {
    /// The snapshot at the store's present revision. `seal` opens the secrets that HS256 tokens are verified with;
    /// `lifetime_most` is the longest life of a token, in seconds.
    pub async fn snapshot(&self, seal: &SealKey, lifetime_most: i64) -> Result<Snapshot, StoreFault> {
        self.file.check_still_there()?;
        let mut view = self.pool.begin().await?;
        let revision = revision(&mut view).await?;
        let settings = settings(&mut view).await?;
        let keys = sqlx::query(keys::COLUMNS).fetch_all(&mut *view).await?;
        let keys = keys.iter().map(keys::read).collect::<Result<Vec<_>, _>>()?;
        let policies = Policies(policies::checked(&mut view).await?);
        let grace = grace::read_grace(&mut view).await?;
        let clients = sqlx::query("SELECT * FROM client").fetch_all(&mut *view).await?;
        let clients = clients.iter().map(|row| client(row, &policies)).collect::<Result<Vec<_>, _>>()?;
        let sql = format!("{} {THAT_MATTER}", tokens::COLUMNS);
        let tokens = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *view).await?;
        let tokens = tokens.iter().map(tokens::read).collect::<Result<Vec<_>, _>>()?;
        view.rollback().await?;
        let authority = Authority {
            issuer: Issuer::new(setting(&settings, "issuer")?).map_err(damaged)?,
            audience: Audience::new(setting(&settings, "audience")?).map_err(damaged)?,
            keys: key_set(&keys, seal)?,
            token_type: TokenType::Jwt,
            lifetime_most,
            leeway: LEEWAY,
        };
        let records = tokens.into_iter().map(|row| TokenRecord {
            jti: row.jti.into(),
            client: row.client,
            digest: row.digest,
            state: row.state,
            adopted: row.adopted,
        });
        let mut snapshot = Snapshot::new(revision, authority, clients, records);
        if let Some(grace) = grace {
            let key = TagKey::new(&seal.derive(SHARED_SECRETS));
            snapshot = snapshot.with_grace(Grace::new(terms(&grace, &policies)?, key, grace.seen));
        }
        match settings.get(ADOPTED_UNTIL) {
            Some(cut_off) => {
                let cut_off = cut_off.parse().map_err(|_| damaged("the cut-off for adopted tokens"))?;
                Ok(snapshot.with_adopted_until(UnixTime::from_seconds(cut_off)))
            }
            None => Ok(snapshot),
        }
    }
}

/// The setting that says until when (`iat`, seconds) a token of the former set-up may have been issued.
pub const ADOPTED_UNTIL: &str = "adopted_until";

/// What the key is derived for that tells shared secrets apart ([`SealKey::derive`]).
pub const SHARED_SECRETS: &str = "shared secrets";

/// Policies by name.
struct Policies(HashMap<String, Arc<Policy>>);

impl Policies {
    /// One that is named and not there must not turn into "no policy".
    fn find(&self, name: Option<&PolicyName>) -> Result<Option<Arc<Policy>>, StoreFault> {
        let find = |name: &PolicyName| self.0.get(name.as_str()).map(Arc::clone);
        name.map(|name| find(name).ok_or_else(|| damaged(format!("the policy `{name}` is missing"))))
            .transpose()
    }
}

/// A removed client stays known, so that its revoked tokens can be told what they are.
fn client(row: &SqliteRow, policies: &Policies) -> Result<Client, StoreFault> {
    let used: Option<i64> = row.try_get("token_used_at")?;
    let row: ClientRow = clients::read(row)?;
    Ok(Client {
        enabled: row.enabled && !row.removed,
        policy: policies.find(row.policy.as_ref())?,
        has_moved: used.is_some(),
        name: row.name,
        subject: row.subject,
        servers: row.servers,
    })
}

fn terms(row: &GraceRow, policies: &Policies) -> Result<GraceTerms, StoreFault> {
    Ok(GraceTerms {
        period: row.period,
        tag: row.tag,
        until: row.until,
        ended_at: row.ended_at,
        servers: row.servers.clone(),
        policy: policies.find(row.policy.as_ref())?,
        strict_after_migration: row.strict,
    })
}

pub(crate) async fn revision(connection: &mut SqliteConnection) -> Result<i64, StoreFault> {
    Ok(sqlx::query_scalar("SELECT number FROM revision").fetch_one(connection).await?)
}

async fn settings(connection: &mut SqliteConnection) -> Result<HashMap<String, String>, StoreFault> {
    let rows = sqlx::query("SELECT name, value FROM setting").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("name")?, row.try_get("value")?))).collect()
}

fn setting<'a>(settings: &'a HashMap<String, String>, name: &str) -> Result<&'a str, StoreFault> {
    settings.get(name).map(String::as_str).ok_or_else(|| damaged(format!("`{name}` is missing")))
}

fn key_set(rows: &[KeyRow], seal: &SealKey) -> Result<KeySet, StoreFault> {
    let verifying: Vec<VerifyingKey> = rows
        .iter()
        .filter(|row| row.state != KeyState::Retired)
        .map(|row| row.verifying_key(seal))
        .collect::<Result<_, _>>()?;
    let former = rows.iter().find(|row| row.former && row.state != KeyState::Retired);
    let keys = KeySet::new(verifying);
    if keys.is_empty() {
        return Err(damaged("there is no key that verifies"));
    }
    Ok(match former {
        Some(row) => keys.with_unnamed(&row.kid),
        None => keys,
    })
}
