//! The running gateway's row: which revision it has in force. Not a change of what is in force itself.

use crate::fault::StoreFault;
use crate::snapshot::revision;
use crate::store::Store;
use sqlx::Row;

/// What a running gateway says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayRow {
    /// Which of the gateways of this store.
    pub node: String,
    /// Its process.
    pub pid: u32,
    /// The revision that it has in force.
    pub revision: i64,
    /// When it said so, in milliseconds.
    pub at_ms: i64,
}

impl Store {
    /// The revision that was committed last.
    pub async fn revision(&self) -> Result<i64, StoreFault> {
        revision(&mut *self.pool.acquire().await?).await
    }

    /// Says what a gateway has in force.
    pub async fn put_gateway(&self, row: &GatewayRow) -> Result<(), StoreFault> {
        let mut writing = self.begin_writing().await?;
        let sql = "INSERT INTO gateway (node, pid, revision, at_ms) VALUES ($1, $2, $3, $4)
            ON CONFLICT (node) DO UPDATE SET pid = excluded.pid, revision = excluded.revision, at_ms = excluded.at_ms";
        sqlx::query(sql)
            .bind(&row.node)
            .bind(i64::from(row.pid))
            .bind(row.revision)
            .bind(row.at_ms)
            .execute(&mut *writing)
            .await?;
        Ok(writing.commit().await?)
    }

    /// What the gateway of that name has said of itself. Whether it still runs, the row cannot know.
    pub async fn gateway(&self, node: &str) -> Result<Option<GatewayRow>, StoreFault> {
        let query = sqlx::query("SELECT node, pid, revision, at_ms FROM gateway WHERE node = $1").bind(node);
        let Some(row) = query.fetch_optional(&self.pool).await? else { return Ok(None) };
        let pid: i64 = row.try_get("pid")?;
        Ok(Some(GatewayRow {
            node: row.try_get("node")?,
            pid: u32::try_from(pid).unwrap_or_default(),
            revision: row.try_get("revision")?,
            at_ms: row.try_get("at_ms")?,
        }))
    }

    /// Forgets the row of a gateway that ends.
    pub async fn drop_gateway(&self, node: &str, pid: u32) -> Result<(), StoreFault> {
        let mut writing = self.begin_writing().await?;
        let query = sqlx::query("DELETE FROM gateway WHERE node = $1 AND pid = $2");
        query.bind(node).bind(i64::from(pid)).execute(&mut *writing).await?;
        Ok(writing.commit().await?)
    }
}
