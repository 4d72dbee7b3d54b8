//! `hallpass status`

use super::Context;
use super::list::{newest, token_document, token_word};
use crate::clock;
use crate::fault::{Doing, Result};
use crate::output::{distance, table};
use hallpass_core::UnixTime;
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
    let last: HashMap<String, i64> =
        installation.store.last_calls().await.doing("the log")?.into_iter().collect();
    let (mut rows, mut documents) = (Vec::new(), Vec::new());
    for client in installation.store.clients().await.doing("the clients")? {
        if client.removed {
            continue;
        }
        let tokens = installation.store.tokens_of(client.name.as_str()).await.doing("the client's tokens")?;
        let seen = last.get(client.name.as_str()).map(|ms| ms / 1000);
        let seen_word = seen.map_or_else(|| "never".into(), |seen| distance(seen, clock::now().seconds()));
        rows.push(vec![client.name.to_string(), client.app.clone(), token_word(&client, &tokens), seen_word]);
        documents.push(json!({
            "client": client.name, "app": client.app, "enabled": client.enabled,
            "token": newest(&tokens).map(token_document),
            "last_call_at": seen.map(|seen| UnixTime::from_seconds(seen).to_string()),
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
