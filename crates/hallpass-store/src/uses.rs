//! The rows about uses: of each token, of the shared secret, and what is odd about them. Written by the running gateway
//! alone, each row as it now stands; they move the revision only where a first use changes what is in force.

use crate::events::insert_event;
use crate::fault::{StoreFault, damaged};
use crate::store::Store;
use hallpass_core::uses::{LegacyCaller, LegacyUse, TokenUse, Warning, WarningKind};
use hallpass_core::{ClientName, Event, Outcome, UnixTime};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, QueryBuilder, Row, Sqlite, SqliteConnection};

/// How many rows one statement writes: each statement is a hand-over to the driver's thread and back.
const ROWS_PER_STATEMENT: usize = 50;
/// The setting that says up to which event these rows count.
const COUNTED_UNTIL: &str = "uses_counted_until";
/// The act that ends a token whose successor is in use.
const ENDED_BY_SUCCESSOR: &str = "end-replaced";

const TOKEN_USE: &str =
    "SELECT jti, client, first_ms, last_ms, calls, server, address, user_agent, client_info FROM token_use";

/// Rows to be written together.
#[derive(Clone, Copy, Debug, Default)]
pub struct UseRows<'a> {
    /// Tokens' uses.
    pub tokens: &'a [TokenUse],
    /// The shared secret's.
    pub legacy: &'a [LegacyUse],
    /// What is odd.
    pub warnings: &'a [Warning],
    /// The row of the last event that is counted in all rows of this kind.
    pub counted_until: Option<i64>,
}

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
    /// Every token's use, by client and time.
    pub async fn token_uses(&self) -> Result<Vec<TokenUse>, StoreFault> {
        self.select_uses("ORDER BY client, last_ms").await
    }

    /// Each client's newest use of a token of its own.
    pub async fn newest_token_uses(&self) -> Result<Vec<TokenUse>, StoreFault> {
        // One step into the index for each client.
        self.select_uses(
            "WHERE jti IN (SELECT (SELECT jti FROM token_use WHERE token_use.client = client.name
                ORDER BY last_ms DESC LIMIT 1) FROM client) ORDER BY client",
        )
        .await
    }

    async fn select_uses(&self, rest: &str) -> Result<Vec<TokenUse>, StoreFault> {
        let query = sqlx::query(AssertSqlSafe(format!("{TOKEN_USE} {rest}")));
        query.fetch_all(&self.pool).await?.iter().map(token_use).collect()
    }

    /// Who used the shared secret.
    pub async fn legacy_uses(&self) -> Result<Vec<LegacyUse>, StoreFault> {
        let query = sqlx::query("SELECT * FROM legacy_use ORDER BY path_client, last_ms");
        query.fetch_all(&self.pool).await?.iter().map(legacy_use).collect()
    }

    /// What was odd from `since_ms` on, newest first.
    pub async fn warnings(&self, since_ms: i64) -> Result<Vec<Warning>, StoreFault> {
        let query = sqlx::query("SELECT * FROM warning WHERE last_ms >= $1 ORDER BY last_ms DESC, jti, kind");
        query.bind(since_ms).fetch_all(&self.pool).await?.iter().map(warning).collect()
    }

    /// The row of the last event that is counted in these rows, if any is.
    pub async fn uses_counted_until(&self) -> Result<Option<i64>, StoreFault> {
        let text = self.setting(COUNTED_UNTIL).await?;
        text.map(|id| id.parse().map_err(|_| damaged("up to where uses are counted"))).transpose()
    }

    /// Writes rows in one transaction. They are not in force, so the revision stays.
    pub async fn put_uses(&self, rows: UseRows<'_>) -> Result<(), StoreFault> {
        let mut writing = self.begin_writing().await?;
        for some in rows.tokens.chunks(ROWS_PER_STATEMENT) {
            put_token_uses(&mut writing, some).await?;
        }
        for some in rows.legacy.chunks(ROWS_PER_STATEMENT) {
            put_legacy_uses(&mut writing, some).await?;
        }
        for some in rows.warnings.chunks(ROWS_PER_STATEMENT) {
            put_warnings(&mut writing, some).await?;
        }
        if let Some(until) = rows.counted_until {
            let sql = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            sqlx::query(sql).bind(COUNTED_UNTIL).bind(until.to_string()).execute(&mut *writing).await?;
        }
        Ok(writing.commit().await?)
    }

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
            changed |= note_move(&mut change, first).await?;
            for ended in end_older(&mut change, first).await? {
                insert_event(&mut change, &ended_by(first, ended)).await?;
                changed = true;
            }
        }
        if changed {
            self.commit(change).await?;
        }
        Ok(changed)
    }
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
        ..Event::new(first.at.seconds() * 1000, ENDED_BY_SUCCESSOR, Outcome::Done)
    }
}

async fn put_token_uses(connection: &mut SqliteConnection, uses: &[TokenUse]) -> Result<(), StoreFault> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO token_use (jti, client, first_ms, last_ms, calls, server, address, user_agent, client_info) ",
    );
    query.push_values(uses, |mut row, usage| {
        row.push_bind(&usage.jti)
            .push_bind(usage.client.as_str())
            .push_bind(usage.first_ms)
            .push_bind(usage.last_ms)
            .push_bind(count(usage.calls))
            .push_bind(usage.server.as_deref())
            .push_bind(usage.address.as_deref())
            .push_bind(usage.user_agent.as_deref())
            .push_bind(usage.client_info.as_deref());
    });
    query.push(
        " ON CONFLICT (jti) DO UPDATE SET client = excluded.client, first_ms = excluded.first_ms,
            last_ms = excluded.last_ms, calls = excluded.calls, server = excluded.server, address = excluded.address,
            user_agent = excluded.user_agent, client_info = excluded.client_info",
    );
    query.build().execute(connection).await?;
    Ok(())
}

async fn put_legacy_uses(connection: &mut SqliteConnection, uses: &[LegacyUse]) -> Result<(), StoreFault> {
    let called: Result<Vec<_>, _> = uses.iter().map(|usage| serde_json::to_string(&usage.called)).collect();
    let rows = uses.iter().zip(called.map_err(damaged)?);
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO legacy_use (path_client, client_info, user_agent, address, first_ms, last_ms, calls, refused, called) ",
    );
    query.push_values(rows, |mut row, (usage, called)| {
        let caller = &usage.caller;
        row.push_bind(caller.path_client.as_ref().map_or("", ClientName::as_str))
            .push_bind(caller.client_info.as_deref().unwrap_or_default())
            .push_bind(caller.user_agent.as_deref().unwrap_or_default())
            .push_bind(caller.address.as_deref().unwrap_or_default())
            .push_bind(usage.first_ms)
            .push_bind(usage.last_ms)
            .push_bind(count(usage.calls))
            .push_bind(count(usage.refused))
            .push_bind(called);
    });
    query.push(
        " ON CONFLICT (path_client, client_info, user_agent, address) DO UPDATE SET first_ms = excluded.first_ms,
            last_ms = excluded.last_ms, calls = excluded.calls, refused = excluded.refused, called = excluded.called",
    );
    query.build().execute(connection).await?;
    Ok(())
}

async fn put_warnings(connection: &mut SqliteConnection, warnings: &[Warning]) -> Result<(), StoreFault> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO warning (jti, kind, client, first_ms, last_ms, told_ms, times, detail) ",
    );
    query.push_values(warnings, |mut row, warning| {
        row.push_bind(&warning.jti)
            .push_bind(warning.kind.as_str())
            .push_bind(warning.client.as_ref().map_or("", ClientName::as_str))
            .push_bind(warning.first_ms)
            .push_bind(warning.last_ms)
            .push_bind(warning.told_ms)
            .push_bind(count(warning.times))
            .push_bind(&warning.detail);
    });
    query.push(
        " ON CONFLICT (jti, kind) DO UPDATE SET client = excluded.client, first_ms = excluded.first_ms,
            last_ms = excluded.last_ms, told_ms = excluded.told_ms, times = excluded.times, detail = excluded.detail",
    );
    query.build().execute(connection).await?;
    Ok(())
}

fn count(times: u64) -> i64 {
    i64::try_from(times).unwrap_or(i64::MAX)
}

fn times(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

fn token_use(row: &SqliteRow) -> Result<TokenUse, StoreFault> {
    Ok(TokenUse {
        jti: row.try_get("jti")?,
        client: ClientName::new(row.try_get("client")?).map_err(damaged)?,
        first_ms: row.try_get("first_ms")?,
        last_ms: row.try_get("last_ms")?,
        calls: times(row.try_get("calls")?),
        server: row.try_get("server")?,
        address: row.try_get("address")?,
        user_agent: row.try_get("user_agent")?,
        client_info: row.try_get("client_info")?,
    })
}

fn legacy_use(row: &SqliteRow) -> Result<LegacyUse, StoreFault> {
    let text = |column| {
        let text: String = row.try_get(column)?;
        Ok::<_, StoreFault>((!text.is_empty()).then_some(text))
    };
    let caller = LegacyCaller {
        path_client: client(row.try_get("path_client")?)?,
        client_info: text("client_info")?,
        user_agent: text("user_agent")?,
        address: text("address")?,
    };
    Ok(LegacyUse {
        caller,
        first_ms: row.try_get("first_ms")?,
        last_ms: row.try_get("last_ms")?,
        calls: times(row.try_get("calls")?),
        refused: times(row.try_get("refused")?),
        called: serde_json::from_str(row.try_get("called")?).map_err(damaged)?,
    })
}

fn warning(row: &SqliteRow) -> Result<Warning, StoreFault> {
    Ok(Warning {
        jti: row.try_get("jti")?,
        kind: WarningKind::from_word(row.try_get("kind")?).ok_or_else(|| damaged("a warning's kind"))?,
        client: client(row.try_get("client")?)?,
        first_ms: row.try_get("first_ms")?,
        last_ms: row.try_get("last_ms")?,
        told_ms: row.try_get("told_ms")?,
        times: times(row.try_get("times")?),
        detail: row.try_get("detail")?,
    })
}

/// The empty text stands for nobody: a key's columns are never NULL.
fn client(name: &str) -> Result<Option<ClientName>, StoreFault> {
    if name.is_empty() {
        return Ok(None);
    }
    ClientName::new(name).map(Some).map_err(damaged)
}
