//! What is the same where records are asked for: the filter, and that nobody is told "none" of a name that was mistyped.

use super::Context;
use super::period::Period;
use super::roster::find_client;
use crate::cli::Narrowed;
use crate::clock;
use crate::fault::{Doing, Fault, Result, did_you_mean};
use crate::installation::Installation;
use hallpass_core::ServerName;
use hallpass_store::EventFilter;

/// What is asked for.
pub(super) fn filter(asked: &Narrowed) -> Result<EventFilter> {
    let period = Period::read(asked.since.as_deref(), asked.until.as_deref(), clock::now())?;
    Ok(EventFilter {
        client: asked.client.clone(),
        server: asked.server.clone(),
        tool: asked.tool.clone(),
        since_ms: period.since_ms(),
        until_ms: period.until_ms(),
        ..EventFilter::default()
    })
}

/// Refuses names that are registered nowhere and never were.
pub(super) async fn check_names(
    context: &Context,
    installation: &Installation,
    asked: &Narrowed,
) -> Result<()> {
    if let Some(name) = &asked.client
        && installation.store.client(name).await.doing("the client")?.is_none()
    {
        find_client(installation, name).await?;
    }
    match &asked.server {
        Some(name) => check_server(context, installation, name).await,
        None => Ok(()),
    }
}

async fn check_server(context: &Context, installation: &Installation, name: &str) -> Result<()> {
    // Without a configuration that can be read nobody knows the servers' names.
    let Ok(settings) = context.settings(None) else { return Ok(()) };
    let known: Vec<&str> = settings.roster.servers.keys().map(ServerName::as_str).collect();
    if known.contains(&name) {
        return Ok(());
    }
    // It may have been taken out of the configuration since.
    let of_it = EventFilter { server: Some(name.to_owned()), ..EventFilter::default() };
    if installation.store.oldest_events(&of_it, 1).await.doing("the log")?.is_empty() {
        return Err(
            Fault::new(format!("no server named `{}`", name.escape_debug())).hint(did_you_mean(name, &known))
        );
    }
    Ok(())
}
