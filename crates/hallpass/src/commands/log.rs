//! `hallpass log`

use super::Context;
use super::roster::find_client;
use crate::cli::Log;
use crate::fault::{Doing, Fault, Result};
use crate::output::print_line;
use hallpass_core::{Event, Outcome};
use hallpass_store::EventFilter;
use std::time::Duration;

/// How often a follower looks for news.
const PAUSE: Duration = Duration::from_millis(200);

/// Prints what happened, oldest first; with `--follow`, goes on with what happens.
pub(super) async fn run(context: &Context, log: &Log) -> Result<()> {
    let installation = context.installation().await?;
    let store = &installation.store;
    if let Some(name) = &log.client
        && store.client(name).await.doing("the client")?.is_none()
    {
        find_client(&installation, name).await?;
    }
    let outcome = log.outcome.as_deref().map(parse_outcome).transpose()?;
    let mut filter = EventFilter {
        client: log.client.clone(),
        server: log.server.clone(),
        outcome,
        last: Some(log.lines),
        ..EventFilter::default()
    };
    // Looked up before the first lines are read: a follower begins after it, whatever the filter shows of what is older.
    let newest =
        store.events(&EventFilter { last: Some(1), ..EventFilter::default() }).await.doing("the log")?;
    let newest = newest.last().map_or(0, |(id, _)| *id);
    loop {
        let events = store.events(&filter).await.doing("the log")?;
        for (id, event) in &events {
            if !print_line(&line(context, event)) {
                return Ok(());
            }
            filter.after_id = Some(*id);
        }
        if !log.follow {
            return Ok(());
        }
        // From here on everything new counts, however much it is.
        filter.last = None;
        filter.after_id = filter.after_id.max(Some(newest));
        tokio::time::sleep(PAUSE).await;
    }
}

fn line(context: &Context, event: &Event) -> String {
    if context.output.is_json() { event.json_line() } else { event.text_line() }
}

fn parse_outcome(word: &str) -> Result<Outcome> {
    Outcome::from_word(word).ok_or_else(|| {
        Fault::usage(format!("`{}` is no outcome", word.escape_debug()))
            .hint("one of ok, error, refused, cut, gone, failed, done")
    })
}
