//! Where each client's token was placed.

use crate::fault::{StoreFault, damaged};
use crate::rows::{PlacementRow, TokenRead};
use crate::store::Store;
use hallpass_core::encoding::{decode_hex, hex};
use hallpass_core::{ClientName, UnixTime};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

const COLUMNS: &str = "SELECT client, kind, file, token_file, undo_hex, placed_at FROM placement";

impl Store {
    /// One client's placement.
    pub async fn placement(&self, client: &str) -> Result<Option<PlacementRow>, StoreFault> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE client = $1")))
            .bind(client)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// All placements, by client.
    pub async fn placements(&self) -> Result<Vec<PlacementRow>, StoreFault> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY client")))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Notes where a client's token is placed. Moves no revision: where a token lies decides nothing.
    pub async fn put_placement(&self, row: &PlacementRow) -> Result<(), StoreFault> {
        let mut writing = self.begin_writing().await?;
        upsert_placement(&mut writing, row).await?;
        Ok(writing.commit().await?)
    }
}

pub(crate) async fn upsert_placement(
    connection: &mut SqliteConnection,
    row: &PlacementRow,
) -> Result<(), StoreFault> {
    let sql = "INSERT INTO placement (client, kind, file, token_file, undo_hex, placed_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (client) DO UPDATE SET kind = excluded.kind, file = excluded.file, token_file = excluded.token_file,
            undo_hex = excluded.undo_hex, placed_at = excluded.placed_at";
    sqlx::query(sql)
        .bind(row.client.as_str())
        .bind(row.read.as_str())
        .bind(&row.file)
        .bind(&row.token_file)
        .bind(hex(&row.undo))
        .bind(row.at.seconds())
        .execute(connection)
        .await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<PlacementRow, StoreFault> {
    Ok(PlacementRow {
        client: ClientName::new(row.try_get("client")?).map_err(damaged)?,
        read: TokenRead::of_word(row.try_get("kind")?)?,
        file: row.try_get("file")?,
        token_file: row.try_get("token_file")?,
        undo: decode_hex(row.try_get("undo_hex")?).ok_or_else(|| damaged("a placement"))?,
        at: UnixTime::from_seconds(row.try_get("placed_at")?),
    })
}
