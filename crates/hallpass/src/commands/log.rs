//! `hallpass log`

use super::Context;
use super::narrowing::{self, check_names};
use crate::audit::{Audit, event_of};
use crate::cli::Log;
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::output::{print_data, print_line};
use hallpass_core::{Event, Outcome};
use hallpass_store::{EventFilter, Kinds};
use std::time::Duration;

/// How often a follower looks for news.
const PAUSE: Duration = Duration::from_millis(200);
/// How many are shown of all there is, if nobody says.
const LINES: u32 = 100;

/// Prints what happened, oldest first; with `--follow`, goes on with what happens.
pub(super) async fn run(context: &Context, log: &Log) -> Result<()> {
    let mut filter = filter(log)?;
    let installation = context.installation().await?;
    installation.audit.catch_up().await;
    check_names(context, &installation, &log.narrowed).await?;
    filter.after_id = Some(installation.store.row_before_the_last(&filter).await.doing("the log")?);
    // From there on everything counts, however much it is.
    filter.last = None;
    while print_all(context, &installation, &mut filter).await? {
        if !log.follow {
            break;
        }
        // What comes now is news, whenever it began.
        filter.since_ms = None;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

fn filter(log: &Log) -> Result<EventFilter> {
    let kinds = match (&log.kind, log.acts) {
        (Some(kind), _) => Kinds::Only(kind.clone()),
        (None, true) => Kinds::Acts,
        (None, false) => Kinds::All,
    };
    let narrowed = narrowing::filter(&log.narrowed)?;
    let is_of_a_time = narrowed.since_ms.is_some() || narrowed.until_ms.is_some();
    Ok(EventFilter {
        outcome: log.outcome.as_deref().map(parse_outcome).transpose()?,
        kinds,
        last: log.lines.or((!is_of_a_time).then_some(LINES)),
        ..narrowed
    })
}

/// Prints all that is asked for and not printed yet. `false`: nobody reads any more.
async fn print_all(context: &Context, installation: &Installation, filter: &mut EventFilter) -> Result<bool> {
    let store = &installation.store;
    // Before anything is read: a follower begins after it, whatever the filter leaves out of what is older.
    let newest = store.newest_event().await.doing("the log")?;
    // Where the time that is asked for lies is looked up once, not for each page.
    let mut pages = store.records(filter).await.doing("the log")?;
    while let Some(page) = pages.next().await.doing("the log")? {
        let events: Result<Vec<(i64, Event)>> = page.records().map(read).collect();
        let events = events?;
        filter.after_id = events.last().map(|(last, _)| *last).or(filter.after_id);
        let is_read = if context.output.is_json() {
            let line = |(row, event): &(i64, Event)| json_line(&installation.audit, *row, event);
            print_data(&events.iter().map(line).collect::<Vec<_>>().join("\n"))
        } else {
            let line = |(_, event): &(i64, Event)| event.text_line();
            print_line(&events.iter().map(line).collect::<Vec<_>>().join("\n"))
        };
        if !is_read {
            return Ok(false);
        }
    }
    filter.after_id = filter.after_id.max(Some(newest));
    Ok(true)
}

fn read((row, record): (i64, &str)) -> Result<(i64, Event)> {
    event_of(record).map(|event| (row, event)).ok_or_else(|| {
        Fault::new(format!("row {row} of the log's view cannot be read"))
            .hint("`hallpass audit reindex` makes the view anew")
    })
}

/// With the record's number, by which a proof for it can be asked for. What is in a log that is closed has none in this one.
fn json_line(audit: &Audit, row: i64, event: &Event) -> String {
    let line = event.json_line();
    match audit.number(row) {
        Some(seq) => line.replacen('{', &format!("{{\"seq\":{seq},"), 1),
        None => line,
    }
}

fn parse_outcome(word: &str) -> Result<Outcome> {
    Outcome::from_word(word).ok_or_else(|| {
        Fault::usage(format!("`{}` is no outcome", word.escape_debug()))
            .hint("one of ok, error, refused, cut, gone, failed, done")
    })
}
