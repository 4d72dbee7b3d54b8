//! What is in force, read in one transaction, for the gateway.

use crate::fault::{StoreFault, damaged};
use crate::rows::KeyState;
use crate::store::Store;
use crate::{clients, keys, tokens};
use hallpass_core::Snapshot;
use hallpass_core::keys::{Algorithm, KeyId, KeySet, VerifyingKey};
use hallpass_core::name::{Audience, Issuer};
use hallpass_core::snapshot::{Authority, Client, TokenRecord};
use sqlx::{Row, SqliteConnection};

/// Not the ended tokens that had expired a day before the newest one was issued: they would be refused as expired
/// in any case, and their number only grows. Asks no clock; and since no live token is left out, a time of issue
/// that is wrong can only change the words of a refusal.
const THAT_MATTER: &str = "WHERE state IN ('pending', 'active')
    OR expires_at >= (SELECT MAX(issued_at) FROM token) - 86400";

impl Store {
    /// The snapshot at the store's present revision. `lifetime_most`: the longest life of a token, in seconds.
    pub async fn snapshot(&self, lifetime_most: i64) -> Result<Snapshot, StoreFault> {
        self.file.check_still_there()?;
        let mut view = self.pool.begin().await?;
        let revision = revision(&mut view).await?;
        let authority = authority(&mut view, lifetime_most).await?;
        let clients = sqlx::query("SELECT * FROM client").fetch_all(&mut *view).await?;
        let clients = clients.iter().map(clients::read).collect::<Result<Vec<_>, _>>()?;
        let sql = format!("{} {THAT_MATTER}", tokens::COLUMNS);
        let tokens = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *view).await?;
        let tokens = tokens.iter().map(tokens::read).collect::<Result<Vec<_>, _>>()?;
        view.rollback().await?;
        // A removed client stays known, so that its revoked tokens can be told what they are.
        let clients = clients.into_iter().map(|row| Client {
            enabled: row.enabled && !row.removed,
            name: row.name,
            subject: row.subject,
            servers: row.servers,
        });
        let tokens = tokens.into_iter().map(|row| {
            (row.jti.into(), TokenRecord { client: row.client, digest: row.digest, state: row.state })
        });
        Ok(Snapshot::new(revision, authority, clients, tokens))
    }
}

pub(crate) async fn revision(connection: &mut SqliteConnection) -> Result<i64, StoreFault> {
    Ok(sqlx::query_scalar("SELECT number FROM revision").fetch_one(connection).await?)
}

async fn authority(connection: &mut SqliteConnection, lifetime_most: i64) -> Result<Authority, StoreFault> {
    let mut settings = (None, None);
    for row in sqlx::query("SELECT name, value FROM setting").fetch_all(&mut *connection).await? {
        let value: String = row.try_get("value")?;
        match row.try_get("name")? {
            "issuer" => settings.0 = Some(Issuer::new(&value).map_err(damaged)?),
            "audience" => settings.1 = Some(Audience::new(&value).map_err(damaged)?),
            _ => {}
        }
    }
    let (Some(issuer), Some(audience)) = settings else {
        return Err(damaged("issuer or audience is missing"));
    };
    let mut verifying = Vec::new();
    for row in sqlx::query(keys::COLUMNS).fetch_all(connection).await? {
        let key = keys::read(&row)?;
        if key.state == KeyState::Retired {
            continue;
        }
        if key.algorithm != Algorithm::Es256.as_str() {
            return Err(damaged("a key of an unknown algorithm"));
        }
        let kid = KeyId::new(&key.kid).ok_or_else(|| damaged("a key's name"))?;
        verifying.push(VerifyingKey::es256(kid, &key.public).map_err(damaged)?);
    }
    if verifying.is_empty() {
        return Err(damaged("there is no key that verifies"));
    }
    Ok(Authority { issuer, audience, keys: KeySet::new(verifying), lifetime_most })
}
