//! `hallpass log`

use super::Context;
use super::period::Period;
use super::roster::find_client;
use crate::cli::Log;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::output::print_line;
use hallpass_core::{Event, Outcome};
use hallpass_store::{EventFilter, Kinds, Store};
use std::time::Duration;

/// How often a follower looks for news.
const PAUSE: Duration = Duration::from_millis(200);
/// How many are shown of all there is, if nobody says.
const LINES: u32 = 100;
/// How many events are read and printed at once.
const PAGE: u32 = 2000;

/// Prints what happened, oldest first; with `--follow`, goes on with what happens.
pub(super) async fn run(context: &Context, log: &Log) -> Result<()> {
    let period = Period::read(log.since.as_deref(), log.until.as_deref(), clock::now())?;
    let mut filter = filter(log, period)?;
    let installation = context.installation().await?;
    installation.audit.catch_up().await;
    let store = &installation.store;
    if let Some(name) = &log.client
        && store.client(name).await.doing("the client")?.is_none()
    {
        find_client(&installation, name).await?;
    }
    filter.after_id = Some(store.row_before_the_last(&filter).await.doing("the log")?);
    // From there on everything counts, however much it is.
    filter.last = None;
    while print_all(context, store, &mut filter).await? {
        if !log.follow {
            break;
        }
        // What comes now is news, whenever it began.
        filter.since_ms = None;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

fn filter(log: &Log, period: Period) -> Result<EventFilter> {
    let kinds = match (&log.kind, log.acts) {
        (Some(kind), _) => Kinds::Only(kind.clone()),
        (None, true) => Kinds::Acts,
        (None, false) => Kinds::All,
    };
    Ok(EventFilter {
        after_id: None,
        client: log.client.clone(),
        server: log.server.clone(),
        tool: log.tool.clone(),
        outcome: log.outcome.as_deref().map(parse_outcome).transpose()?,
        kinds,
        since_ms: period.since_ms(),
        until_ms: period.until_ms(),
        last: log.lines.or((period == Period::default()).then_some(LINES)),
    })
}

/// Prints all that is asked for and not printed yet. `false`: nobody reads any more.
async fn print_all(context: &Context, store: &Store, filter: &mut EventFilter) -> Result<bool> {
    // Before anything is read: a follower begins after it, whatever the filter leaves out of what is older.
    let newest = store.newest_event().await.doing("the log")?;
    loop {
        let events = store.oldest_events(filter, PAGE).await.doing("the log")?;
        let Some((last, _)) = events.last() else { break };
        filter.after_id = Some(*last);
        let lines: Vec<String> = events.iter().map(|(id, event)| line(context, *id, event)).collect();
        if !print_line(&lines.join("\n")) {
            return Ok(false);
        }
    }
    filter.after_id = filter.after_id.max(Some(newest));
    Ok(true)
}

/// For programs with the record's number, by which a proof for it can be asked for.
fn line(context: &Context, id: i64, event: &Event) -> String {
    if context.output.is_json() {
        event.json_line().replacen('{', &format!("{{\"seq\":{id},"), 1)
    } else {
        event.text_line()
    }
}

fn parse_outcome(word: &str) -> Result<Outcome> {
    Outcome::from_word(word).ok_or_else(|| {
        Fault::usage(format!("`{}` is no outcome", word.escape_debug()))
            .hint("one of ok, error, refused, cut, gone, failed, done")
    })
}
