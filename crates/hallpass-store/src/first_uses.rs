//! The first use of a token: its client has moved to tokens of its own, and what was to live until then ends.

use crate::fault::StoreFault;
use crate::store::Store;
use hallpass_core::{Event, Outcome, UnixTime};
use sqlx::SqliteConnection;

/// The act that ends a token whose successor is in use.
const ENDED_BY_SUCCESSOR: &str = "end-replaced";

/// A token that was used for the first time.
#[derive(Clone, Copy, Debug)]
pub struct FirstUse<'a> {
    /// Whose it is.
    pub client: &'a str,
    /// Its public handle.
    pub jti: &'a str,
    /// When.
    pub at: UnixTime,
}

impl Store {
    /// Notes that a client has used a token of its own, and ends the tokens that were to live until then. The use of a
    /// token that is itself replaced ends nothing. Returns whether anything that is in force changed.
    pub async fn note_first_use(&self, client: &str, jti: &str, at: UnixTime) -> Result<bool, StoreFault> {
        self.note_first_uses(&[FirstUse { client, jti, at }]).await
    }

    /// The same for several tokens in one transaction.
    pub async fn note_first_uses(&self, uses: &[FirstUse<'_>]) -> Result<bool, StoreFault> {
        let mut change = self.change().await?;
        let mut changed = false;
        for first in uses {
            mark_used(&mut change, first).await?;
            changed |= note_move(&mut change, first).await?;
            for ended in end_older(&mut change, first).await? {
                change.tell(&ended_by(first, ended)).await?;
                changed = true;
            }
        }
        if changed {
            self.commit(change).await?;
        } else {
            self.commit_what_is_not_in_force(change).await?;
        }
        Ok(changed)
    }
}

/// A row without a call: calls are counted with the log. Whoever makes this token the one in force sees that its first
/// use has been, and will not come again.
async fn mark_used(connection: &mut SqliteConnection, first: &FirstUse<'_>) -> Result<(), StoreFault> {
    let sql = "INSERT INTO token_use (jti, client, first_ms, last_ms, calls)
        SELECT jti, client, $1, $1, 0 FROM token WHERE jti = $2 AND client = $3 ON CONFLICT (jti) DO NOTHING";
    let at_ms = first.at.seconds().saturating_mul(1000);
    sqlx::query(sql).bind(at_ms).bind(first.jti).bind(first.client).execute(connection).await?;
    Ok(())
}

/// Not for a token of an earlier client of that name.
async fn note_move(connection: &mut SqliteConnection, first: &FirstUse<'_>) -> Result<bool, StoreFault> {
    let sql = "UPDATE client SET token_used_at = $1 WHERE name = $2 AND token_used_at IS NULL AND NOT removed
        AND EXISTS (SELECT 1 FROM token WHERE jti = $3 AND token.client = $2 AND NOT former)";
    let query = sqlx::query(sql).bind(first.at.seconds()).bind(first.client).bind(first.jti);
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// Ends what was to live until its successor is seen, and returns the handles.
async fn end_older(
    connection: &mut SqliteConnection,
    first: &FirstUse<'_>,
) -> Result<Vec<String>, StoreFault> {
    let sql = "UPDATE token SET ended_at = $1 WHERE client = $2 AND jti <> $3 AND state = 'replaced' AND until_seen AND ended_at > $1
        AND issued_at <= (SELECT seen.issued_at FROM token AS seen WHERE seen.jti = $3 AND seen.client = $2
            AND seen.state IN ('pending', 'active'))
        RETURNING jti";
    let query = sqlx::query_scalar(sql).bind(first.at.seconds()).bind(first.client).bind(first.jti);
    Ok(query.fetch_all(connection).await?)
}

fn ended_by(first: &FirstUse<'_>, ended: String) -> Event {
    Event {
        client: Some(first.client.to_owned()),
        jti: Some(ended),
        reason: Some("its successor is in use".into()),
        ..Event::new(first.at.seconds().saturating_mul(1000), ENDED_BY_SUCCESSOR, Outcome::Done)
    }
}
