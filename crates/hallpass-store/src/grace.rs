//! The grace period's row: one instant, stored once, moved only by an operator's act.

use crate::clients::{scope_of, scope_text};
use crate::fault::{StoreFault, damaged};
use crate::store::Store;
use hallpass_core::encoding::{decode_hex, hex};
use hallpass_core::grace::SecretTag;
use hallpass_core::snapshot::ServerScope;
use hallpass_core::{Event, PolicyName, UnixTime};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

/// What was decided about the shared secret.
#[derive(Clone, Debug)]
pub struct GraceRow {
    /// Counts the acts: every start, extension and end.
    pub period: i64,
    /// Tells the secret from any other text.
    pub tag: SecretTag,
    /// The first instant at which it no longer counts.
    pub until: UnixTime,
    /// When it was started.
    pub started_at: UnixTime,
    /// When it was ended by a person, or noted as over.
    pub ended_at: Option<UnixTime>,
    /// The highest time seen during it.
    pub seen: UnixTime,
    /// The servers that may be called with it.
    pub servers: ServerScope,
    /// The policy that its callers are under.
    pub policy: Option<PolicyName>,
    /// On the path of a client that has used its own token it no longer counts.
    pub strict: bool,
}

impl GraceRow {
    /// Since when it is over, if it is over at `now` or was at any time that was kept.
    pub fn over_since(&self, now: UnixTime) -> Option<UnixTime> {
        self.ended_at.or_else(|| (now.max(self.seen) >= self.until).then_some(self.until))
    }
}

impl Store {
    /// The grace period, running or over.
    pub async fn grace(&self) -> Result<Option<GraceRow>, StoreFault> {
        read_grace(&mut *self.pool.acquire().await?).await
    }

    /// Sets the grace period, if what is there still is what was looked at: `before` is the period then, `None` if there
    /// was none. `period` is counted up here, whatever the row says. Returns whether it was set.
    pub async fn put_grace(
        &self,
        grace: &GraceRow,
        before: Option<i64>,
        act: &Event,
    ) -> Result<bool, StoreFault> {
        let mut change = self.granting_change().await?;
        if read_grace(&mut change).await?.map(|row| row.period) != before {
            return Ok(false);
        }
        let sql = "INSERT INTO grace (id, period, tag_hex, until_at, started_at, ended_at, seen_at, servers, policy, strict)
            VALUES (1, 1, $1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (id) DO UPDATE SET period = grace.period + 1, tag_hex = excluded.tag_hex,
                until_at = excluded.until_at, started_at = excluded.started_at, ended_at = excluded.ended_at,
                seen_at = excluded.seen_at, servers = excluded.servers, policy = excluded.policy, strict = excluded.strict";
        sqlx::query(sql)
            .bind(hex(grace.tag.bytes()))
            .bind(grace.until.seconds())
            .bind(grace.started_at.seconds())
            .bind(grace.ended_at.map(UnixTime::seconds))
            .bind(grace.seen.seconds())
            .bind(scope_text(&grace.servers)?)
            .bind(grace.policy.as_ref().map(PolicyName::as_str))
            .bind(grace.strict)
            .execute(&mut *change)
            .await?;
        change.tell(act).await?;
        self.commit(change).await?;
        Ok(true)
    }

    /// Ends the period `period`, or notes that it is over. Returns whether it was running: a later act is left alone.
    pub async fn end_grace(&self, period: i64, at: UnixTime, act: &Event) -> Result<bool, StoreFault> {
        let mut change = self.change().await?;
        let sql =
            "UPDATE grace SET ended_at = $1, period = period + 1 WHERE period = $2 AND ended_at IS NULL";
        let ended = sqlx::query(sql).bind(at.seconds()).bind(period).execute(&mut *change).await?;
        if ended.rows_affected() == 0 {
            return Ok(false);
        }
        change.tell(act).await?;
        self.commit(change).await?;
        Ok(true)
    }

    /// Keeps the highest time seen during the period `period`. Not a change of what is in force.
    pub async fn note_grace_seen(&self, period: i64, seen: UnixTime) -> Result<(), StoreFault> {
        let mut writing = self.begin_writing().await?;
        let sql = "UPDATE grace SET seen_at = $1 WHERE period = $2 AND seen_at < $1";
        sqlx::query(sql).bind(seen.seconds()).bind(period).execute(&mut *writing).await?;
        Ok(writing.commit().await?)
    }
}

pub(crate) async fn read_grace(connection: &mut SqliteConnection) -> Result<Option<GraceRow>, StoreFault> {
    let row = sqlx::query("SELECT * FROM grace").fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &SqliteRow) -> Result<GraceRow, StoreFault> {
    let tag = decode_hex(row.try_get("tag_hex")?).and_then(|bytes| SecretTag::from_bytes(&bytes));
    let time = |column| Ok::<_, StoreFault>(UnixTime::from_seconds(row.try_get(column)?));
    let ended_at: Option<i64> = row.try_get("ended_at")?;
    let policy: Option<&str> = row.try_get("policy")?;
    Ok(GraceRow {
        period: row.try_get("period")?,
        tag: tag.ok_or_else(|| damaged("the shared secret's tag"))?,
        until: time("until_at")?,
        started_at: time("started_at")?,
        ended_at: ended_at.map(UnixTime::from_seconds),
        seen: time("seen_at")?,
        servers: scope_of(row.try_get("servers")?)?,
        policy: policy.map(PolicyName::new).transpose().map_err(damaged)?,
        strict: row.try_get("strict")?,
    })
}
