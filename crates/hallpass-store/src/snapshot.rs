//! What is in force, read in one transaction, for the gateway.

use crate::fault::{StoreFault, damaged};
use crate::rows::{ClientRow, KeyRow, KeyState};
use crate::seal::SealKey;
use crate::store::Store;
use crate::{clients, keys, tokens};
use hallpass_core::claims::LEEWAY;
use hallpass_core::keys::{KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{Authority, Client, TokenRecord, TokenType};
use hallpass_core::{Snapshot, UnixTime};
use sqlx::{Row, SqliteConnection};
use std::collections::HashMap;

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
        let clients = sqlx::query("SELECT * FROM client").fetch_all(&mut *view).await?;
        let clients = clients.iter().map(clients::read).collect::<Result<Vec<_>, _>>()?;
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
        let snapshot = Snapshot::new(revision, authority, clients.into_iter().map(client), records);
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

/// A removed client stays known, so that its revoked tokens can be told what they are.
fn client(row: ClientRow) -> Client {
    Client {
        enabled: row.enabled && !row.removed,
        name: row.name,
        subject: row.subject,
        servers: row.servers,
    }
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
