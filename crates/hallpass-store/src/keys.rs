//! The signing keys' rows: public part open, private part sealed. Next, active, verify-only, retired.

use crate::fault::{StoreFault, damaged};
use crate::rows::{KeyRow, KeyState, NewKey};
use crate::seal::SealKey;
use crate::signing::SigningKey;
use crate::store::{Change, Store};
use hallpass_core::encoding::{decode_hex, hex};
use hallpass_core::keys::{Algorithm, JtiRule, KeyId, VerifyingKey};
use hallpass_core::{Event, UnixTime};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

pub(crate) const COLUMNS: &str =
    "SELECT kid, algorithm, public_hex, sealed_hex, state, former, created_at, reason
    FROM signing_key ORDER BY created_at, kid";

impl KeyRow {
    /// What verifies the tokens of this key. `seal` opens the secret of an HS256 key.
    pub fn verifying_key(&self, seal: &SealKey) -> Result<VerifyingKey, StoreFault> {
        let kid = KeyId::new(&self.kid).ok_or_else(|| damaged("a key's name"))?;
        if self.algorithm != Algorithm::Hs256 {
            return VerifyingKey::public(kid, self.algorithm, &self.public).map_err(damaged);
        }
        let key = SigningKey::from_sealed(kid, self.algorithm, &self.sealed, seal).map_err(damaged)?;
        let key = key.verifying_key().map_err(damaged)?;
        Ok(if self.former { key.with_jti(JtiRule::AdoptedWithout) } else { key })
    }
}

impl Store {
    /// Keeps a new key. One that is active makes the one before it verify-only, in the same transaction.
    pub async fn add_key(&self, key: &NewKey, act: Option<&Event>) -> Result<(), StoreFault> {
        let mut change = self.granting_change().await?;
        if key.state == KeyState::Active {
            demote_active(&mut change).await?;
        }
        let sql = "INSERT INTO signing_key (kid, algorithm, public_hex, sealed_hex, state, former, created_at, reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        sqlx::query(sql)
            .bind(&key.kid)
            .bind(key.algorithm.as_str())
            .bind(hex(&key.public))
            .bind(hex(&key.sealed))
            .bind(key.state.as_str())
            .bind(key.former)
            .bind(key.created_at.seconds())
            .bind(&key.reason)
            .execute(&mut *change)
            .await?;
        if let Some(act) = act {
            change.tell(act).await?;
        }
        self.commit(change).await
    }

    /// All keys, oldest first.
    pub async fn keys(&self) -> Result<Vec<KeyRow>, StoreFault> {
        sqlx::query(COLUMNS).fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// The next key becomes the active one; the active one verifies only.
    pub async fn promote_key(&self, kid: &str, act: &Event) -> Result<(), StoreFault> {
        let mut change = self.granting_change().await?;
        demote_active(&mut change).await?;
        sqlx::query("UPDATE signing_key SET state = 'active' WHERE kid = $1 AND state = 'next'")
            .bind(kid)
            .execute(&mut *change)
            .await?;
        change.tell(act).await?;
        self.commit(change).await
    }

    /// Stops keys and every token that they signed, at once; each with the act that says so. Returns how many tokens were
    /// live. They count as superseded, not as revoked: their clients are not cut off, they need new tokens.
    pub async fn revoke_keys(
        &self,
        keys: &[(&str, Event)],
        at: UnixTime,
        reason: &str,
    ) -> Result<u64, StoreFault> {
        let mut change = self.change().await?;
        let mut stopped = 0;
        for (kid, act) in keys {
            sqlx::query("UPDATE signing_key SET state = 'retired', reason = $1 WHERE kid = $2")
                .bind(reason)
                .bind(kid)
                .execute(&mut *change)
                .await?;
            let sql = "UPDATE token SET state = 'replaced', ended_at = $1, reason = $2 WHERE kid = $3
                AND (state IN ('pending', 'active') OR (state = 'replaced' AND ended_at > $1))";
            let query = sqlx::query(sql).bind(at.seconds()).bind(reason).bind(kid);
            stopped += query.execute(&mut *change).await?.rows_affected();
            change.tell(act).await?;
        }
        self.commit(change).await?;
        Ok(stopped)
    }

    /// Retires the verify-only keys whose last token ended before `at`. Returns how many. Their tokens end with them: should
    /// the clock have run ahead, no token without a key looks as if it were good. A former secret stays: tokens may still be
    /// adopted.
    pub async fn retire_spent_keys(&self, at: UnixTime) -> Result<u64, StoreFault> {
        let spent = "state = 'verify-only' AND NOT former AND NOT EXISTS (SELECT 1 FROM token WHERE token.kid = signing_key.kid
            AND token.expires_at >= $1 AND (token.state IN ('pending', 'active') OR (token.state = 'replaced' AND token.ended_at >= $1)))";
        let count = format!("SELECT COUNT(*) FROM signing_key WHERE {spent}");
        let found: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(count)).bind(at.seconds()).fetch_one(&self.pool).await?;
        if found == 0 {
            return Ok(0);
        }
        let mut change = self.change().await?;
        let sql = format!(
            "UPDATE token SET state = 'replaced', ended_at = expires_at
            WHERE state IN ('pending', 'active') AND kid IN (SELECT kid FROM signing_key WHERE {spent})"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(at.seconds()).execute(&mut *change).await?;
        let sql = format!("UPDATE signing_key SET state = 'retired' WHERE {spent}");
        let retired = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(at.seconds()).execute(&mut *change).await?;
        self.commit(change).await?;
        Ok(retired.rows_affected())
    }
}

/// Whoever minted with a key that was stopped meanwhile must not put the token in force.
pub(crate) async fn require_key(change: &mut Change, kid: &str) -> Result<(), StoreFault> {
    let query = sqlx::query("SELECT 1 FROM signing_key WHERE kid = $1 AND state <> 'retired'").bind(kid);
    match query.fetch_optional(&mut **change).await? {
        Some(_) => Ok(()),
        None => Err(StoreFault::KeyStopped { kid: kid.to_owned() }),
    }
}

async fn demote_active(change: &mut Change) -> Result<(), StoreFault> {
    sqlx::query("UPDATE signing_key SET state = 'verify-only' WHERE state = 'active'")
        .execute(&mut **change)
        .await?;
    Ok(())
}

pub(crate) fn read(row: &SqliteRow) -> Result<KeyRow, StoreFault> {
    let bytes = |column| -> Result<Vec<u8>, StoreFault> {
        decode_hex(row.try_get(column)?).ok_or_else(|| damaged("a signing key"))
    };
    Ok(KeyRow {
        kid: row.try_get("kid")?,
        algorithm: Algorithm::from_name(row.try_get("algorithm")?)
            .ok_or_else(|| damaged("a key's algorithm"))?,
        public: bytes("public_hex")?,
        sealed: bytes("sealed_hex")?,
        state: KeyState::from_word(row.try_get("state")?).ok_or_else(|| damaged("a key's state"))?,
        former: row.try_get("former")?,
        created_at: UnixTime::from_seconds(row.try_get("created_at")?),
        reason: row.try_get("reason")?,
    })
}
