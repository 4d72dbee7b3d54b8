//! The log's view is asked: by client, server, tool, outcome, kind, time. Writes nothing, and holds a page in memory at most
//! where there may be millions.

use crate::fault::{StoreFault, damaged};
use crate::store::Store;
use hallpass_core::{Event, Outcome};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

/// How many rows are looked at for one page of records. Each row that is handed over by itself costs more than reading it,
/// so a page comes as one text.
const ROWS_PER_PAGE: i64 = 8192;

/// The first row is that of record 0.
const BEFORE_ALL: i64 = -1;

/// Which kinds of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kinds {
    /// Calls, ends of connections, acts.
    #[default]
    All,
    /// What is neither a call nor the end of a connection.
    Acts,
    /// This one: `call`, `close`, `issue`, ...
    Only(String),
}

/// Which events are asked for. Every field that is set narrows.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only those after this row.
    pub after_id: Option<i64>,
    /// Only this client's.
    pub client: Option<String>,
    /// Only this server's.
    pub server: Option<String>,
    /// Only calls of this tool.
    pub tool: Option<String>,
    /// Only this outcome.
    pub outcome: Option<Outcome>,
    /// Only these kinds.
    pub kinds: Kinds,
    /// Only from this time on, in milliseconds.
    pub since_ms: Option<i64>,
    /// Only before this time, in milliseconds.
    pub until_ms: Option<i64>,
    /// Only the newest so many.
    pub last: Option<u32>,
}

/// Rows from the first to the last, both counted.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: i64,
    last: i64,
}

/// Records page by page, oldest first: those that were there when it was asked.
#[derive(Debug)]
pub struct RecordPages<'a> {
    store: &'a Store,
    filter: EventFilter,
    left: Span,
}

/// Some records, one a line, each behind its row number.
#[derive(Debug)]
pub struct RecordPage(String);

impl Store {
    /// The row number of the newest event; if there is none, that before the first.
    pub async fn newest_event(&self) -> Result<i64, StoreFault> {
        Ok(newest(&mut *self.pool.acquire().await?).await?.unwrap_or(BEFORE_ALL))
    }

    /// At most so many events after that row, oldest first.
    pub async fn events_after(&self, id: i64, most: u32) -> Result<Vec<(i64, Event)>, StoreFault> {
        let query = sqlx::query("SELECT id, record FROM event WHERE id > $1 ORDER BY id LIMIT $2");
        let rows = query.bind(id).bind(i64::from(most)).fetch_all(&self.pool).await?;
        rows.iter().map(read).collect()
    }

    /// The events asked for with their row numbers, oldest first.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<(i64, Event)>, StoreFault> {
        let Some(span) = self.span(filter).await? else { return Ok(Vec::new()) };
        let mut query = filter.rows("SELECT id, record", span);
        query.push(" ORDER BY id DESC");
        if let Some(last) = filter.last {
            query.push(" LIMIT ").push_bind(i64::from(last));
        }
        let rows = query.build().fetch_all(&self.pool).await?;
        rows.iter().rev().map(read).collect()
    }

    /// The oldest of those asked for, at most so many, oldest first.
    pub async fn oldest_events(
        &self,
        filter: &EventFilter,
        most: u32,
    ) -> Result<Vec<(i64, Event)>, StoreFault> {
        let Some(span) = self.span(filter).await? else { return Ok(Vec::new()) };
        let mut query = filter.rows("SELECT id, record", span);
        query.push(" ORDER BY id LIMIT ").push_bind(i64::from(most));
        query.build().fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// The row before the newest `filter.last` of those asked for: from there on they are all that is asked for.
    pub async fn row_before_the_last(&self, filter: &EventFilter) -> Result<i64, StoreFault> {
        let before = filter.after_id.unwrap_or(BEFORE_ALL);
        let (Some(last), Some(span)) = (filter.last, self.span(filter).await?) else { return Ok(before) };
        if last == 0 {
            return self.newest_event().await;
        }
        let mut query = filter.rows("SELECT MIN(id) FROM (SELECT id", span);
        query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(last)).push(")");
        let first: Option<i64> = query.build_query_scalar().fetch_one(&self.pool).await?;
        Ok(first.map_or(before, |first| first - 1))
    }

    /// The records asked for, as they are kept, for whoever counts them.
    pub async fn records(&self, filter: &EventFilter) -> Result<RecordPages<'_>, StoreFault> {
        let left = self.span(filter).await?.unwrap_or(Span { first: 1, last: 0 });
        Ok(RecordPages { store: self, filter: filter.clone(), left })
    }

    /// Between which rows all of them are. Rows come nearly in the order of time, not quite: a call is written at its end
    /// and has the time of its beginning, and clocks jump.
    async fn span(&self, filter: &EventFilter) -> Result<Option<Span>, StoreFault> {
        let after = filter.after_id.unwrap_or(BEFORE_ALL);
        if (filter.since_ms, filter.until_ms) == (None, None) {
            let newest = self.newest_event().await?;
            return Ok(Some(Span { first: after + 1, last: newest }).filter(|span| span.first <= span.last));
        }
        let sql = "SELECT MIN(id), MAX(id) FROM event INDEXED BY event_at WHERE at_ms >= $1 AND at_ms < $2";
        let (since, until) = (filter.since_ms.unwrap_or(i64::MIN), filter.until_ms.unwrap_or(i64::MAX));
        let (first, last): (Option<i64>, Option<i64>) =
            sqlx::query_as(sql).bind(since).bind(until).fetch_one(&self.pool).await?;
        let span = first.zip(last).map(|(first, last)| Span { first: first.max(after + 1), last });
        Ok(span.filter(|span| span.first <= span.last))
    }
}

impl RecordPages<'_> {
    /// The next page. `None`: that was all.
    pub async fn next(&mut self) -> Result<Option<RecordPage>, StoreFault> {
        while self.left.first <= self.left.last {
            let page = Span {
                first: self.left.first,
                last: self.left.last.min(self.left.first.saturating_add(ROWS_PER_PAGE - 1)),
            };
            self.left.first = page.last + 1;
            let select = "SELECT group_concat(id || char(9) || record, char(10)) FROM (SELECT id, record";
            let mut query = self.filter.rows(select, page);
            query.push(" ORDER BY id)");
            let lines: Option<String> = query.build_query_scalar().fetch_one(&self.store.pool).await?;
            if let Some(lines) = lines {
                return Ok(Some(RecordPage(lines)));
            }
        }
        Ok(None)
    }
}

impl RecordPage {
    /// Each record as it is kept, with its row number. JSON has no line's end and no tab but as escapes.
    pub fn records(&self) -> impl Iterator<Item = (i64, &str)> {
        self.0.lines().filter_map(|line| {
            let (id, record) = line.split_once('\t')?;
            Some((id.parse().ok()?, record))
        })
    }
}

impl EventFilter {
    /// What is selected of the rows asked for. A condition only for what is set: `$1 IS NULL OR ...` would keep the indexes
    /// from being used.
    fn rows(&self, select: &str, span: Span) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new(select);
        // Acts are few: sorting them costs less than going through the calls between them.
        query.push(if self.kinds == Kinds::Acts {
            " FROM event INDEXED BY event_not_call"
        } else {
            " FROM event"
        });
        query.push(" WHERE id >= ").push_bind(span.first);
        query.push(" AND id <= ").push_bind(span.last);
        // The rows are narrowed to that time already: `+` keeps an index from being read for it once more.
        if let Some(since_ms) = self.since_ms {
            query.push(" AND +at_ms >= ").push_bind(since_ms);
        }
        if let Some(until_ms) = self.until_ms {
            query.push(" AND +at_ms < ").push_bind(until_ms);
        }
        if let Some(client) = &self.client {
            query.push(" AND client = ").push_bind(client.clone());
        }
        if let Some(server) = &self.server {
            query.push(" AND server = ").push_bind(server.clone());
        }
        self.push_kinds(&mut query);
        if let Some(outcome) = self.outcome {
            query.push(" AND outcome = ").push_bind(outcome.as_str());
            // An index that leaves some rows out is used only where the question says that it does.
            query.push(if outcome == Outcome::Ok { "" } else { " AND outcome <> 'ok'" });
        }
        // Last: it is in the record alone.
        if let Some(tool) = &self.tool {
            query.push(" AND json_extract(record, '$.tool') = ").push_bind(tool.clone());
        }
        query
    }

    fn push_kinds(&self, query: &mut QueryBuilder<Sqlite>) {
        match &self.kinds {
            Kinds::All => {}
            Kinds::Acts => {
                query.push(" AND kind <> 'call' AND kind <> 'close'");
            }
            Kinds::Only(kind) => {
                query.push(" AND kind = ").push_bind(kind.clone());
                query.push(if kind == "call" { "" } else { " AND kind <> 'call'" });
            }
        }
    }
}

pub(crate) async fn newest(connection: &mut SqliteConnection) -> Result<Option<i64>, StoreFault> {
    Ok(sqlx::query_scalar("SELECT MAX(id) FROM event").fetch_one(connection).await?)
}

fn read(row: &SqliteRow) -> Result<(i64, Event), StoreFault> {
    let record: &str = row.try_get("record")?;
    Ok((row.try_get("id")?, serde_json::from_str(record).map_err(damaged)?))
}

#[cfg(test)]
mod tests {
    use super::{EventFilter, Kinds, Span};
    use crate::store::Store;
    use hallpass_core::{Event, Outcome};
    use sqlx::Row;

    async fn plan(store: &Store, filter: &EventFilter) -> String {
        let mut query =
            filter.rows("EXPLAIN QUERY PLAN SELECT id, record", Span { first: 1, last: 1_000_000 });
        query.push(" ORDER BY id DESC LIMIT 100");
        let rows = query.build().fetch_all(&store.pool).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn what_is_asked_for_is_looked_up_and_not_searched_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join("hallpass.db")).await.unwrap();
        let all = EventFilter::default;
        for (filter, expect) in [
            (all(), "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
            (EventFilter { since_ms: Some(1), until_ms: Some(9), ..all() }, "USING INTEGER PRIMARY KEY"),
            (EventFilter { client: Some("ann".into()), ..all() }, "USING INDEX event_client (client=?"),
            (EventFilter { outcome: Some(Outcome::Refused), ..all() }, "USING INDEX event_not_ok (outcome=?"),
            (EventFilter { outcome: Some(Outcome::Ok), ..all() }, "USING INTEGER PRIMARY KEY"),
            (
                EventFilter { kinds: Kinds::Only("issue".into()), ..all() },
                "USING INDEX event_not_call (kind=?",
            ),
            (EventFilter { kinds: Kinds::Only("call".into()), ..all() }, "USING INTEGER PRIMARY KEY"),
            (EventFilter { tool: Some("echo".into()), ..all() }, "USING INTEGER PRIMARY KEY"),
        ] {
            let plan = plan(&store, &filter).await;
            assert!(plan.contains(expect), "{filter:?}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
        }
        let acts = plan(&store, &EventFilter { kinds: Kinds::Acts, ..all() }).await;
        assert!(acts.contains("event_not_call"), "{acts}");
    }

    #[tokio::test]
    async fn the_first_record_is_one_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join("hallpass.db")).await.unwrap();
        let all = EventFilter::default;
        let last = |last| EventFilter { last: Some(last), ..all() };
        assert_eq!(store.newest_event().await.unwrap(), -1);
        assert_eq!(store.row_before_the_last(&last(0)).await.unwrap(), -1);
        store.add_logged(0, &vec![Event::new(7, "call", Outcome::Ok); 3], None).await.unwrap();
        for filter in [all(), last(9), EventFilter { since_ms: Some(7), ..all() }] {
            let rows = |events: Vec<(i64, Event)>| events.iter().map(|(row, _)| *row).collect::<Vec<_>>();
            assert_eq!(rows(store.events(&filter).await.unwrap()), [0, 1, 2], "{filter:?}");
            assert_eq!(rows(store.oldest_events(&filter, 9).await.unwrap()), [0, 1, 2], "{filter:?}");
            assert_eq!(store.row_before_the_last(&filter).await.unwrap(), -1, "{filter:?}");
            let page = store.records(&filter).await.unwrap().next().await.unwrap().unwrap();
            assert_eq!(page.records().map(|(row, _)| row).collect::<Vec<_>>(), [0, 1, 2], "{filter:?}");
        }
        assert_eq!(store.newest_event().await.unwrap(), 2);
        assert_eq!(store.row_before_the_last(&last(2)).await.unwrap(), 0);
    }
}
