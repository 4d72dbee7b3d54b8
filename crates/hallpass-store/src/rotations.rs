//! A new token beside the one before: how long both count, and which tokens are old enough to be followed by another.

use crate::fault::{StoreFault, damaged};
use crate::rows::{Overlap, TokenRead};
use crate::store::Store;
use hallpass_core::{ClientName, Event, UnixTime};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

/// A token in force, as far as it matters for when it is followed by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeingToken {
    /// Its public handle.
    pub jti: String,
    /// Whose it is. Enabled and not removed.
    pub client: ClientName,
    /// `iat`
    pub issued_at: UnixTime,
    /// `exp`
    pub expires_at: UnixTime,
    /// Where it was put; `None`: it was printed, or a person put it somewhere.
    pub placed: Option<TokenRead>,
    /// The log was told that it ends.
    pub end_told: bool,
}

const IN_FORCE: &str =
    "token.state = 'active' AND NOT token.former AND client.enabled AND NOT client.removed";

impl Store {
    /// The tokens in force that are past the half of their lives and have not expired, the oldest first.
    pub async fn ageing_tokens(&self, now: UnixTime) -> Result<Vec<AgeingToken>, StoreFault> {
        let sql = format!(
            "SELECT token.jti, token.client, issued_at, expires_at, end_told_at,
                CASE WHEN token.placed THEN placement.kind END AS placed_kind
            FROM token JOIN client ON client.name = token.client LEFT JOIN placement ON placement.client = token.client
            WHERE {IN_FORCE} AND expires_at > $1 AND issued_at + (expires_at - issued_at) / 2 <= $1
            ORDER BY issued_at, token.jti"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now.seconds());
        query.fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// When the next token in force passes the half of its life.
    pub async fn next_ageing(&self, now: UnixTime) -> Result<Option<UnixTime>, StoreFault> {
        let sql = format!(
            "SELECT MIN(issued_at + (expires_at - issued_at) / 2) FROM token JOIN client ON client.name = token.client
            WHERE {IN_FORCE} AND issued_at + (expires_at - issued_at) / 2 > $1"
        );
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(now.seconds());
        let next: Option<i64> = query.fetch_one(&self.pool).await?;
        Ok(next.map(UnixTime::from_seconds))
    }

    /// Notes that the log was told of a token's end, and tells it. `false`: it was told before. Moves no revision.
    pub async fn tell_end(&self, jti: &str, at: UnixTime, warning: &Event) -> Result<bool, StoreFault> {
        let mut change = self.change().await?;
        let sql = "UPDATE token SET end_told_at = $1 WHERE jti = $2 AND end_told_at IS NULL";
        let told = sqlx::query(sql).bind(at.seconds()).bind(jti).execute(&mut *change).await?;
        if told.rows_affected() == 0 {
            return Ok(false);
        }
        change.tell(warning).await?;
        self.commit_what_is_not_in_force(change).await?;
        Ok(true)
    }
}

/// Every other live token of the client that `jti` belongs to is replaced, now or after the overlap that was asked for.
/// Those that were superseded before keep their own ends, unless nothing but the new token shall count.
pub(crate) async fn supersede_others(
    change: &mut SqliteConnection,
    jti: &str,
    at: UnixTime,
) -> Result<(), StoreFault> {
    let sql = "SELECT client, issued_at, overlap_s, overlap_until_seen FROM token WHERE jti = $1";
    let new = sqlx::query(sql).bind(jti).fetch_one(&mut *change).await?;
    let (client, overlap): (String, Overlap) = (new.try_get("client")?, read_overlap(&new)?);
    let minted = UnixTime::from_seconds(new.try_get("issued_at")?);
    // Counted from the minting: a crash before this point does not lengthen the life of the old one.
    let mut until = minted.plus(overlap.seconds).max(at);
    if overlap.until_seen && was_used(change, jti).await? {
        until = at;
    }
    let sql = "UPDATE token SET state = 'replaced', until_seen = $1,
            ended_at = CASE WHEN expires_at <= $2 THEN $2 WHEN expires_at < $3 THEN expires_at ELSE $3 END
        WHERE client = $4 AND jti <> $5 AND state IN ('pending', 'active')";
    sqlx::query(sql)
        .bind(overlap.until_seen)
        .bind(at.seconds())
        .bind(until.seconds())
        .bind(&client)
        .bind(jti)
        .execute(&mut *change)
        .await?;
    if overlap == Overlap::NONE {
        let sql = "UPDATE token SET ended_at = $1 WHERE client = $2 AND state = 'replaced' AND ended_at > $1";
        sqlx::query(sql).bind(at.seconds()).bind(&client).execute(&mut *change).await?;
    }
    Ok(())
}

/// The client may read a new token and use it before it is noted as placed: its first use does not come again.
async fn was_used(change: &mut SqliteConnection, jti: &str) -> Result<bool, StoreFault> {
    let query = sqlx::query("SELECT 1 FROM token_use WHERE jti = $1").bind(jti);
    Ok(query.fetch_optional(change).await?.is_some())
}

pub(crate) fn read_overlap(row: &SqliteRow) -> Result<Overlap, StoreFault> {
    Ok(Overlap { seconds: row.try_get("overlap_s")?, until_seen: row.try_get("overlap_until_seen")? })
}

fn read(row: &SqliteRow) -> Result<AgeingToken, StoreFault> {
    let kind: Option<&str> = row.try_get("placed_kind")?;
    let told: Option<i64> = row.try_get("end_told_at")?;
    Ok(AgeingToken {
        jti: row.try_get("jti")?,
        client: ClientName::new(row.try_get("client")?).map_err(damaged)?,
        issued_at: UnixTime::from_seconds(row.try_get("issued_at")?),
        expires_at: UnixTime::from_seconds(row.try_get("expires_at")?),
        placed: kind.map(TokenRead::of_word).transpose()?,
        end_told: told.is_some(),
    })
}
