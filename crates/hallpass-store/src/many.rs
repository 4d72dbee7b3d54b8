//! Reads very many tokens: dozens to a row, because each row is a hand-over between two threads, and a million of
//! those take longer than the reading.

use crate::fault::{StoreFault, damaged};
use crate::tokens::state;
use futures_util::TryStreamExt as _;
use hallpass_core::snapshot::TokenRecord;
use hallpass_core::{ClientName, TokenDigest};
use sqlx::SqliteConnection;

/// Tokens of a page, one a line. By the number that SQLite itself gives each row, so that they are read in the order in
/// which they lie. No field has a blank or a line's end in it: a page in which one had would not be read.
const PAGES: &str = "WITH RECURSIVE page(start) AS (
        SELECT 0 UNION ALL SELECT start + 64 FROM page WHERE start + 64 < (SELECT MAX(rowid) FROM token)
    )
    SELECT (
        SELECT string_agg(format('%s %s %s %s %s %d', jti, client, digest, state, ended_at, adopted), char(10)) FROM token
        WHERE rowid > start AND rowid <= start + 64
            AND CASE WHEN state IN ('pending', 'active') THEN TRUE ELSE expires_at >= $1 END
    ) FROM page";

/// The tokens that are live or expire at `horizon` or later. `known`: one copy of each client's name is enough for all its
/// tokens.
pub(crate) async fn read_tokens(
    connection: &mut SqliteConnection,
    horizon: i64,
    known: impl Fn(&str) -> Option<ClientName>,
) -> Result<Vec<TokenRecord>, StoreFault> {
    let mut pages = sqlx::query_scalar::<_, Option<String>>(PAGES).bind(horizon).fetch(connection);
    let mut tokens = Vec::new();
    while let Some(page) = pages.try_next().await? {
        for line in page.unwrap_or_default().lines() {
            tokens.push(token(line, &known)?);
        }
    }
    Ok(tokens)
}

fn token(line: &str, known: impl Fn(&str) -> Option<ClientName>) -> Result<TokenRecord, StoreFault> {
    let mut fields = line.split(' ');
    let mut next = || fields.next().ok_or_else(|| damaged("a token"));
    let (jti, client, digest, word) = (next()?, next()?, next()?, next()?);
    let ended_at = Some(next()?).filter(|ended_at| !ended_at.is_empty()).map(str::parse).transpose();
    let adopted = match next()? {
        "0" => false,
        "1" => true,
        _ => return Err(damaged("a token")),
    };
    if fields.next().is_some() {
        return Err(damaged("a token"));
    }
    Ok(TokenRecord {
        jti: jti.into(),
        client: known(client).map_or_else(|| ClientName::new(client).map_err(damaged), Ok)?,
        digest: TokenDigest::from_hex(digest).ok_or_else(|| damaged("a token's digest"))?,
        state: state(word, ended_at.map_err(|_| damaged("a token's state"))?)?,
        adopted,
    })
}
