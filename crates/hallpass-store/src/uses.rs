//! The rows about uses: of each token, of the shared secret, and what is odd about them. Written by the running gateway
//! alone, each row as it now stands. Nothing of it is in force, so none of it moves the revision.

use crate::fault::{StoreFault, damaged};
use crate::store::Store;
use crate::tokens::LIVE;
use hallpass_core::sightings::Kept;
use hallpass_core::uses::{LegacyCaller, LegacyUse, TokenUse, Warning, WarningKind};
use hallpass_core::{ClientName, Event, UnixTime};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, QueryBuilder, Row, Sqlite, SqliteConnection};

/// How many rows one statement writes: each statement is a hand-over to the driver's thread and back.
const ROWS_PER_STATEMENT: usize = 50;
/// The setting that says up to which event these rows count.
const COUNTED_UNTIL: &str = "uses_counted_until";
/// The setting that says which warnings a person has seen.
const SEEN_UNTIL: &str = "warnings_seen_until_ms";
/// How many values one statement asks for.
const ASKED_MOST: usize = 500;

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

    /// The uses of the tokens that may still count at `now`.
    pub async fn live_token_uses(&self, now: UnixTime) -> Result<Vec<TokenUse>, StoreFault> {
        let sql =
            format!("{TOKEN_USE} WHERE jti IN (SELECT jti FROM token WHERE {LIVE}) ORDER BY client, last_ms");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(now.seconds());
        query.fetch_all(&self.pool).await?.iter().map(token_use).collect()
    }

    /// What is kept about these tokens and about the others of their clients that may still count at `now`.
    pub async fn kept_uses(&self, jtis: &[&str], now: UnixTime) -> Result<Kept, StoreFault> {
        let mut kept = Kept::default();
        for some in jtis.chunks(ASKED_MOST) {
            let mut handles: Vec<String> = some.iter().map(|jti| (*jti).to_owned()).collect();
            handles.extend(self.siblings(some, now).await?);
            handles.sort_unstable();
            handles.dedup();
            for some in handles.chunks(ASKED_MOST) {
                let mut rows = asking(&format!("{TOKEN_USE} WHERE jti IN "), some);
                for row in rows.build().fetch_all(&self.pool).await? {
                    kept.tokens.push(token_use(&row)?);
                }
                let mut rows = asking("SELECT * FROM warning WHERE jti IN ", some);
                for row in rows.build().fetch_all(&self.pool).await? {
                    kept.warnings.push(warning(&row)?);
                }
            }
        }
        Ok(kept)
    }

    async fn siblings(&self, jtis: &[&str], now: UnixTime) -> Result<Vec<String>, StoreFault> {
        let mut query = QueryBuilder::new(
            "SELECT jti FROM token WHERE client IN (SELECT client FROM token WHERE jti IN (",
        );
        let mut list = query.separated(", ");
        for jti in jtis {
            list.push_bind(*jti);
        }
        query.push(")) AND (state IN ('pending', 'active') OR (state = 'replaced' AND ended_at > ");
        query.push_bind(now.seconds()).push("))");
        Ok(query.build_query_scalar().fetch_all(&self.pool).await?)
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

    /// What was odd about tokens that nobody here knows.
    pub async fn warnings_about_nobody(&self) -> Result<Vec<Warning>, StoreFault> {
        let query = sqlx::query("SELECT * FROM warning WHERE client = ''");
        query.fetch_all(&self.pool).await?.iter().map(warning).collect()
    }

    /// Up to when a person has seen the warnings, in milliseconds.
    pub async fn warnings_seen_until(&self) -> Result<i64, StoreFault> {
        Ok(self.number(SEEN_UNTIL).await?.unwrap_or(i64::MIN))
    }

    /// A person has seen all warnings up to this time, in milliseconds.
    pub async fn see_warnings(&self, until_ms: i64, act: &Event) -> Result<(), StoreFault> {
        let mut change = self.change().await?;
        put_number(&mut change, SEEN_UNTIL, until_ms).await?;
        change.tell(act).await?;
        self.commit_what_is_not_in_force(change).await
    }

    /// The row of the last event that is counted in these rows, if any is.
    pub async fn uses_counted_until(&self) -> Result<Option<i64>, StoreFault> {
        self.number(COUNTED_UNTIL).await
    }

    async fn number(&self, setting: &'static str) -> Result<Option<i64>, StoreFault> {
        let text = self.setting(setting).await?;
        text.map(|text| text.parse().map_err(|_| damaged(format!("`{setting}`")))).transpose()
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
            put_number(&mut writing, COUNTED_UNTIL, until).await?;
        }
        Ok(writing.commit().await?)
    }
}

/// Not in force, so without the revision that [`Store::put_setting`] moves.
async fn put_number(
    connection: &mut SqliteConnection,
    setting: &'static str,
    number: i64,
) -> Result<(), StoreFault> {
    let sql = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    sqlx::query(sql).bind(setting).bind(number.to_string()).execute(connection).await?;
    Ok(())
}

fn asking(start: &str, values: &[String]) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(start);
    query.push("(");
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value.clone());
    }
    query.push(")");
    query
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
        "INSERT INTO legacy_use (path_client, client_info, user_agent, address, first_ms, last_ms, let_in_ms, calls, refused, called) ",
    );
    query.push_values(rows, |mut row, (usage, called)| {
        let who = &usage.caller;
        row.push_bind(who.path_client.as_ref().map_or("", ClientName::as_str))
            .push_bind(who.client_info.as_deref().unwrap_or_default())
            .push_bind(who.user_agent.as_deref().unwrap_or_default())
            .push_bind(who.address.as_deref().unwrap_or_default())
            .push_bind(usage.first_ms)
            .push_bind(usage.last_ms)
            .push_bind(usage.let_in_ms)
            .push_bind(count(usage.calls))
            .push_bind(count(usage.refused))
            .push_bind(called);
    });
    query.push(
        " ON CONFLICT (path_client, client_info, user_agent, address) DO UPDATE SET first_ms = excluded.first_ms,
            last_ms = excluded.last_ms, let_in_ms = excluded.let_in_ms, calls = excluded.calls,
            refused = excluded.refused, called = excluded.called",
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
        let_in_ms: row.try_get("let_in_ms")?,
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
