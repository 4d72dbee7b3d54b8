//! The signing keys' rows: public part open, private part sealed.

use crate::fault::{StoreFault, damaged};
use crate::rows::{KeyRow, KeyState, NewKey};
use crate::store::Store;
use hallpass_core::UnixTime;
use hallpass_core::encoding::{decode_hex, hex};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

pub(crate) const COLUMNS: &str = "SELECT kid, algorithm, public_hex, sealed_hex, state, created_at FROM signing_key ORDER BY created_at, kid";

impl Store {
    /// Keeps a new key.
    pub async fn add_key(&self, key: &NewKey) -> Result<(), StoreFault> {
        let mut change = self.change().await?;
        let sql = "INSERT INTO signing_key (kid, algorithm, public_hex, sealed_hex, state, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
        sqlx::query(sql)
            .bind(&key.kid)
            .bind(&key.algorithm)
            .bind(hex(&key.public))
            .bind(hex(&key.sealed))
            .bind(key.state.as_str())
            .bind(key.created_at.seconds())
            .execute(&mut *change)
            .await?;
        self.commit(change).await
    }

    /// All keys, oldest first.
    pub async fn keys(&self) -> Result<Vec<KeyRow>, StoreFault> {
        sqlx::query(COLUMNS).fetch_all(&self.pool).await?.iter().map(read).collect()
    }
}

pub(crate) fn read(row: &SqliteRow) -> Result<KeyRow, StoreFault> {
    let bytes = |column| -> Result<Vec<u8>, StoreFault> {
        decode_hex(row.try_get(column)?).ok_or_else(|| damaged("a signing key"))
    };
    Ok(KeyRow {
        kid: row.try_get("kid")?,
        algorithm: row.try_get("algorithm")?,
        public: bytes("public_hex")?,
        sealed: bytes("sealed_hex")?,
        state: KeyState::from_word(row.try_get("state")?).ok_or_else(|| damaged("a key's state"))?,
        created_at: UnixTime::from_seconds(row.try_get("created_at")?),
    })
}
