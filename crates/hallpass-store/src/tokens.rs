//! The tokens' rows: pending, then active, then replaced or revoked. Revoked is final.

use crate::clients::require_client;
use crate::fault::{StoreFault, damaged};
use crate::keys::require_key;
use crate::placements::upsert_placement;
use crate::rotations::{read_overlap, supersede_others};
use crate::rows::{NewToken, Overlap, PlacementRow, TokenRow};
use crate::store::Store;
use hallpass_core::snapshot::TokenState;
use hallpass_core::{ClientName, Event, Subject, TokenDigest, UnixTime};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

pub(crate) const COLUMNS: &str = "SELECT jti, client, kid, subject, issued_at, expires_at, digest, state, ended_at, reason, adopted, placed, former, until_seen, overlap_s, overlap_until_seen FROM token";
/// What may still count at `$1`.
pub(crate) const LIVE: &str = "(state IN ('pending', 'active') OR (state = 'replaced' AND ended_at > $1))";
/// In the order in which they were noted. Times and ids would do what a clock says: after one was set back, the newest
/// token would not be the first, and a client that was cut off would look as if it were not.
const NEWEST_FIRST: &str = "ORDER BY rowid DESC";

impl Store {
    /// All tokens, newest first.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, StoreFault> {
        self.select_tokens("", "").await
    }

    /// One client's tokens, newest first.
    pub async fn tokens_of(&self, client: &str) -> Result<Vec<TokenRow>, StoreFault> {
        self.select_tokens("WHERE client = $1", client).await
    }

    /// The tokens that may still count at `now`, and each client's newest whatever became of it. Newest first.
    pub async fn current_tokens(&self, now: UnixTime) -> Result<Vec<TokenRow>, StoreFault> {
        // One step into the index for each client: the ended ones are too many to be looked at.
        let sql = format!(
            "{COLUMNS} WHERE {LIVE} OR jti IN (SELECT (SELECT jti FROM token WHERE token.client = client.name AND NOT former
                {NEWEST_FIRST} LIMIT 1) FROM client WHERE NOT removed) {NEWEST_FIRST}"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now.seconds());
        query.fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// When each enabled client's newest token ends, by client.
    pub async fn token_ends(&self) -> Result<Vec<(ClientName, UnixTime)>, StoreFault> {
        let sql = "SELECT client.name AS name, MAX(token.expires_at) AS ends FROM token JOIN client ON client.name = token.client
            WHERE token.state IN ('pending', 'active') AND NOT token.former AND client.enabled AND NOT client.removed
            GROUP BY client.name ORDER BY client.name";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                let name = ClientName::new(row.try_get("name")?).map_err(damaged)?;
                Ok((name, UnixTime::from_seconds(row.try_get("ends")?)))
            })
            .collect()
    }

    /// The token with that `jti`.
    pub async fn token(&self, jti: &str) -> Result<Option<TokenRow>, StoreFault> {
        Ok(self.select_tokens("WHERE jti = $1", jti).await?.pop())
    }

    /// The token whose text has that digest.
    pub async fn token_of_digest(&self, digest: &TokenDigest) -> Result<Option<TokenRow>, StoreFault> {
        Ok(self.select_tokens("WHERE digest = $1", &digest.to_hex()).await?.pop())
    }

    /// Tokens that were minted and not yet noted as placed.
    pub async fn pending(&self) -> Result<Vec<TokenRow>, StoreFault> {
        self.select_tokens("WHERE state = $1", "pending").await
    }

    async fn select_tokens(&self, condition: &str, value: &str) -> Result<Vec<TokenRow>, StoreFault> {
        let sql = format!("{COLUMNS} {condition} {NEWEST_FIRST}");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let query = if condition.is_empty() { query } else { query.bind(value) };
        query.fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// Notes a token that was just minted, before anybody sees it. Once it is in its place, the one before ends.
    pub async fn add_pending(&self, token: &NewToken) -> Result<(), StoreFault> {
        self.add_successor(token, Overlap::NONE).await
    }

    /// The same for a token beside which the one before stays good for a while. Kept with the row, so that whoever
    /// finds it there after a crash goes on as it was meant.
    pub async fn add_successor(&self, token: &NewToken, overlap: Overlap) -> Result<(), StoreFault> {
        let mut change = self.granting_change().await?;
        require_client(&mut change, token.client.as_str()).await?;
        require_key(&mut change, &token.kid).await?;
        insert_token(&mut change, token, "pending", false).await?;
        let sql = "UPDATE token SET overlap_s = $1, overlap_until_seen = $2 WHERE jti = $3";
        let query = sqlx::query(sql).bind(overlap.seconds).bind(overlap.until_seen).bind(&token.jti);
        query.execute(&mut *change).await?;
        self.commit(change).await
    }

    /// Takes over a token that a former set-up minted: active at once, known by its digest. What its client had before
    /// is superseded. Refuses one that is known already.
    pub async fn adopt(&self, token: &NewToken, at: UnixTime, act: &Event) -> Result<bool, StoreFault> {
        let mut change = self.granting_change().await?;
        let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM token WHERE digest = $1 OR jti = $2")
            .bind(token.digest.to_hex())
            .bind(&token.jti)
            .fetch_optional(&mut *change)
            .await?;
        if known.is_some() {
            return Ok(false);
        }
        require_key(&mut change, &token.kid).await?;
        let sql = "UPDATE token SET state = 'replaced', ended_at = $1 WHERE state IN ('pending', 'active') AND client = $2";
        sqlx::query(sql).bind(at.seconds()).bind(token.client.as_str()).execute(&mut *change).await?;
        insert_token(&mut change, token, "active", true).await?;
        change.tell(act).await?;
        self.commit(change).await?;
        Ok(true)
    }

    /// The token has reached its place (`None`: it is handed out instead): it is active, and every other live token of
    /// the client is replaced, after the overlap that was asked for. Returns `false` and does nothing to a token that is not
    /// pending any more (somebody revoked it meanwhile).
    pub async fn activate(
        &self,
        jti: &str,
        at: UnixTime,
        placement: Option<&PlacementRow>,
        act: &Event,
    ) -> Result<bool, StoreFault> {
        let mut change = self.change().await?;
        let sql = "UPDATE token SET state = 'active', placed = $2 WHERE jti = $1 AND state = 'pending'";
        let activated = sqlx::query(sql).bind(jti).bind(placement.is_some()).execute(&mut *change).await?;
        let activated = activated.rows_affected() == 1;
        if activated {
            supersede_others(&mut change, jti, at).await?;
            change.tell(act).await?;
        }
        if let Some(placement) = placement {
            upsert_placement(&mut change, placement).await?;
        }
        self.commit(change).await?;
        Ok(activated)
    }

    /// Takes back a pending token that nobody ever saw.
    pub async fn drop_pending(&self, jti: &str) -> Result<(), StoreFault> {
        let mut change = self.change().await?;
        sqlx::query("DELETE FROM token WHERE jti = $1 AND state = 'pending'")
            .bind(jti)
            .execute(&mut *change)
            .await?;
        self.commit(change).await
    }

    /// Revokes every live token of a client. Returns how many there were.
    pub async fn revoke_client(
        &self,
        client: &str,
        at: UnixTime,
        reason: &str,
        act: &Event,
    ) -> Result<u64, StoreFault> {
        let mut change = self.change().await?;
        let revoked = revoke_live(&mut change, client, at, reason).await?;
        if revoked > 0 {
            change.tell(act).await?;
        }
        self.commit(change).await?;
        Ok(revoked)
    }

    /// Revokes one token, if it is live. Returns whether it was.
    pub async fn revoke_token(
        &self,
        jti: &str,
        at: UnixTime,
        reason: &str,
        act: &Event,
    ) -> Result<bool, StoreFault> {
        let mut change = self.change().await?;
        let sql = "UPDATE token SET state = 'revoked', ended_at = $1, reason = $2 WHERE jti = $3
            AND state IN ('pending', 'active', 'replaced')";
        let query = sqlx::query(sql).bind(at.seconds()).bind(reason).bind(jti);
        let revoked = query.execute(&mut *change).await?.rows_affected() == 1;
        if revoked {
            change.tell(act).await?;
        }
        self.commit(change).await?;
        Ok(revoked)
    }
}

async fn insert_token(
    connection: &mut SqliteConnection,
    token: &NewToken,
    state: &str,
    adopted: bool,
) -> Result<(), StoreFault> {
    let sql = "INSERT INTO token (jti, client, kid, subject, issued_at, expires_at, digest, state, adopted)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    sqlx::query(sql)
        .bind(&token.jti)
        .bind(token.client.as_str())
        .bind(&token.kid)
        .bind(token.subject.as_str())
        .bind(token.issued_at.seconds())
        .bind(token.expires_at.seconds())
        .bind(token.digest.to_hex())
        .bind(state)
        .bind(adopted)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn revoke_live(
    connection: &mut SqliteConnection,
    client: &str,
    at: UnixTime,
    reason: &str,
) -> Result<u64, StoreFault> {
    let sql = "UPDATE token SET state = 'revoked', ended_at = $1, reason = $2 WHERE client = $3 AND (state IN ('pending', 'active') OR (state = 'replaced' AND ended_at > $1))";
    let query = sqlx::query(sql).bind(at.seconds()).bind(reason).bind(client);
    let revoked = query.execute(&mut *connection).await?.rows_affected();
    if revoked > 0 {
        // A clock that ran ahead ends an overlap too early, and put right it would let the superseded token in again.
        let sql = "UPDATE token SET state = 'revoked', ended_at = $1, reason = $2 WHERE client = $3 AND state = 'replaced'";
        sqlx::query(sql).bind(at.seconds()).bind(reason).bind(client).execute(connection).await?;
    }
    Ok(revoked)
}

/// Where a token stands, by its row.
pub(crate) fn state(state: &str, ended_at: Option<i64>) -> Result<TokenState, StoreFault> {
    match (state, ended_at.map(UnixTime::from_seconds)) {
        ("pending", None) => Ok(TokenState::Pending),
        ("active", None) => Ok(TokenState::Active),
        ("replaced", Some(until)) => Ok(TokenState::Superseded { until }),
        ("revoked", Some(at)) => Ok(TokenState::Revoked { at }),
        _ => Err(damaged("a token's state")),
    }
}

pub(crate) fn read(row: &SqliteRow) -> Result<TokenRow, StoreFault> {
    let state = state(row.try_get("state")?, row.try_get("ended_at")?)?;
    Ok(TokenRow {
        jti: row.try_get("jti")?,
        client: ClientName::new(row.try_get("client")?).map_err(damaged)?,
        kid: row.try_get("kid")?,
        subject: Subject::new(row.try_get("subject")?).map_err(damaged)?,
        issued_at: UnixTime::from_seconds(row.try_get("issued_at")?),
        expires_at: UnixTime::from_seconds(row.try_get("expires_at")?),
        digest: TokenDigest::from_hex(row.try_get("digest")?).ok_or_else(|| damaged("a token's digest"))?,
        state,
        reason: row.try_get("reason")?,
        adopted: row.try_get("adopted")?,
        placed: row.try_get("placed")?,
        former: row.try_get("former")?,
        until_seen: row.try_get("until_seen")?,
        overlap: read_overlap(row)?,
    })
}
