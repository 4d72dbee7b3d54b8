//! `hallpass status`

use super::Context;
use super::list::token_word;
use crate::clock;
use crate::fault::{Doing, Result};
use crate::output::{distance, table};
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;

/// One screen: the gateway, the servers, the clients.
pub(super) async fn run(context: &Context, config: Option<&Path>) -> Result<()> {
    let settings = context.settings(config)?;
    let installation = context.installation().await?;
    let running = context.home.running_gateway();
    let gateway = match &running {
        Some(running) => format!("gateway  runs ({running})"),
        None => "gateway  does not run (`hallpass serve` starts it)".into(),
    };
    context.output.line(gateway);
    context.output.line(format!("home     {}", context.home.folder().display()));
    for (name, server) in &settings.roster.servers {
        context.output.line(format!("server   {name} -> {}", server.url));
    }
    let last: HashMap<String, i64> = installation.store.last_calls().await.doing("the log")?.into_iter().collect();
    let (mut rows, mut documents) = (Vec::new(), Vec::new());
    for client in installation.store.clients().await.doing("the clients")? {
        if client.removed {
            continue;
        }
        let tokens = installation.store.tokens_of(client.name.as_str()).await.doing("the client's tokens")?;
        let seen = last.get(client.name.as_str()).map(|ms| ms / 1000);
        let seen_word = seen.map_or_else(|| "never".into(), |seen| distance(seen, clock::now().seconds()));
        let word = token_word(&client, &tokens);
        rows.push(vec![client.name.to_string(), client.app.clone(), word.clone(), seen_word]);
        documents.push(json!({
            "client": client.name, "app": client.app, "enabled": client.enabled, "token": word, "last_call_at": seen,
        }));
    }
    context.output.line("");
    context.output.line(table(&["CLIENT", "APP", "TOKEN", "LAST CALL"], &rows));
    context.output.document(&json!({
        "gateway": { "running": running.is_some(), "said": running },
        "home": context.home.folder(),
        "servers": settings.roster.servers.iter().map(|(name, server)| json!({ "server": name, "url": server.url })).collect::<Vec<_>>(),
        "clients": documents,
    }));
    Ok(())
}
