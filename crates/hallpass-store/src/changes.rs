//! What changed between two revisions, read without the rest. Which rows, the database itself has noted
//! (`migrations/0003_changes.sql`). The result is the same as if everything had been read.

use crate::fault::{StoreFault, damaged};
use crate::snapshot::{Frame, read_clients};
use crate::tokens::state;
use hallpass_core::snapshot::{Changes, TokenRecord};
use hallpass_core::{ClientName, Snapshot, TokenDigest, TokenId};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

const COLUMNS: &str = "jti, client, digest, state, ended_at, adopted";
/// Tokens that count, whenever they expire.
const LIVE: &str = "state IN ('pending', 'active')";

/// What is different at `now`, read in the same transaction, from what `shown` was read as at `before`.
pub(crate) async fn read_changes(
    view: &mut SqliteConnection,
    before: &Frame,
    now: &Frame,
    shown: &Snapshot,
) -> Result<Changes, StoreFault> {
    // A client's policy stands in the client: another policy is a change of all who are under it.
    let since = (before.policies == now.policies).then_some(before.point.revision);
    let clients = read_clients(view, &now.policies, since).await?;
    let mut changes = Changes { clients, ..Changes::default() };
    let sql = format!(
        "SELECT {COLUMNS}, id, ({LIVE} OR expires_at >= $2) AS matters
        FROM (SELECT DISTINCT id FROM change WHERE kind = 'token' AND revision > $1) AS changed LEFT JOIN token ON jti = id"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(before.point.revision).bind(now.horizon);
    for row in query.fetch_all(&mut *view).await? {
        match row.try_get("matters")? {
            Some(true) => changes.tokens.push(token(&row, shown)?),
            // Ended and long expired, or not there any more.
            Some(false) | None => changes.gone.push(TokenId::new(row.try_get("id")?)),
        }
    }
    pass_horizon(view, before.horizon, now.horizon, shown, &mut changes).await?;
    Ok(changes)
}

/// Ended tokens that matter no longer, or, if the newest token was taken back, matter again.
async fn pass_horizon(
    view: &mut SqliteConnection,
    before: i64,
    now: i64,
    shown: &Snapshot,
    changes: &mut Changes,
) -> Result<(), StoreFault> {
    let sql =
        format!("SELECT {COLUMNS} FROM token WHERE NOT {LIVE} AND expires_at >= $1 AND expires_at < $2");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(before.min(now)).bind(before.max(now));
    for row in if before == now { Vec::new() } else { query.fetch_all(view).await? } {
        if now > before {
            changes.gone.push(TokenId::new(row.try_get("jti")?));
        } else {
            changes.tokens.push(token(&row, shown)?);
        }
    }
    Ok(())
}

fn token(row: &SqliteRow, shown: &Snapshot) -> Result<TokenRecord, StoreFault> {
    let (jti, name, digest): (&str, &str, &str) =
        (row.try_get("jti")?, row.try_get("client")?, row.try_get("digest")?);
    // One copy of a client's name is enough for all its tokens.
    let client = match shown.client(name) {
        Some(client) => client.name.clone(),
        None => ClientName::new(name).map_err(damaged)?,
    };
    Ok(TokenRecord {
        jti: jti.into(),
        client,
        digest: TokenDigest::from_hex(digest).ok_or_else(|| damaged("a token's digest"))?,
        state: state(row.try_get("state")?, row.try_get("ended_at")?)?,
        adopted: row.try_get("adopted")?,
    })
}
