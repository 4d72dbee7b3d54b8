//! `hallpass list` and `hallpass show`

use super::Context;
use super::roster::find_client;
use crate::clock;
use crate::fault::{Doing, Result};
use crate::installation::Installation;
use crate::output::{distance, table};
use hallpass_core::UnixTime;
use hallpass_core::snapshot::{ServerScope, TokenState};
use hallpass_store::{ClientRow, TokenRow};
use serde_json::{Value, json};

/// The clients, one line each.
pub(super) async fn list(context: &Context) -> Result<()> {
    let installation = context.installation().await?;
    let (mut rows, mut documents) = (Vec::new(), Vec::new());
    for client in installation.store.clients().await.doing("the clients")? {
        if client.removed {
            continue;
        }
        let tokens = installation.store.tokens_of(client.name.as_str()).await.doing("the client's tokens")?;
        rows.push(vec![
            client.name.to_string(),
            client.app.clone(),
            client.subject.to_string(),
            token_word(&client, &tokens),
        ]);
        documents.push(client_document(&installation, &client, &tokens).await?);
    }
    if rows.is_empty() {
        context.output.line("no client yet: name them in hallpass.toml, or `hallpass add NAME --app APP`");
    } else {
        context.output.line(table(&["CLIENT", "APP", "SUBJECT", "TOKEN"], &rows));
    }
    context.output.document(&json!({ "clients": documents }));
    Ok(())
}

/// One client in full.
pub(super) async fn show(context: &Context, name: &str) -> Result<()> {
    let installation = context.installation().await?;
    let client = find_client(&installation, name).await?;
    let tokens = installation.store.tokens_of(name).await.doing("the client's tokens")?;
    let document = client_document(&installation, &client, &tokens).await?;
    for (key, value) in document.as_object().into_iter().flatten() {
        if key != "tokens" && !value.is_null() {
            context.output.line(format!("{key:<15} {}", plain(value)));
        }
    }
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            vec![
                token.jti.clone(),
                state_word(token),
                token.issued_at.to_string(),
                token.expires_at.to_string(),
                token.kid.clone(),
            ]
        })
        .collect();
    context.output.line("");
    context.output.line(table(&["TOKEN (jti)", "STATE", "ISSUED", "EXPIRES", "KEY"], &rows));
    context.output.document(&document);
    Ok(())
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Where the client's newest token stands, in a few words.
pub(super) fn token_word(client: &ClientRow, tokens: &[TokenRow]) -> String {
    let Some(token) = newest(tokens) else { return "none yet".into() };
    let now = clock::now();
    match token.state {
        _ if !client.enabled => "disabled".into(),
        TokenState::Revoked { at } => format!("revoked {}", ago(at, now)),
        TokenState::Pending => "being placed".into(),
        TokenState::Active | TokenState::Superseded { .. } if token.expires_at <= now => {
            format!("expired {}", ago(token.expires_at, now))
        }
        TokenState::Active => {
            format!(
                "good, ends {}{}{}",
                ago(token.expires_at, now),
                match (token.placed, token.adopted) {
                    (true, _) => "",
                    (false, true) => " (taken over)",
                    (false, false) => " (printed)",
                },
                superseded_word(tokens, now)
            )
        }
        TokenState::Superseded { until } if now < until => {
            format!("superseded, good until {}", ago(until, now))
        }
        TokenState::Superseded { until: at } => format!("replaced {}", ago(at, now)),
    }
}

/// Those before it that are still good.
fn superseded_word(tokens: &[TokenRow], now: UnixTime) -> String {
    let ends: Vec<UnixTime> =
        tokens.iter().filter_map(|token| token.good_beside_its_successor(now)).collect();
    let Some(last) = ends.iter().max() else { return String::new() };
    let last = ago(*last, now);
    match ends.len() {
        1 => format!("; 1 superseded, ends {last}"),
        count => format!("; {count} superseded, the last ends {last}"),
    }
}

/// Those of an earlier client of that name do not count.
pub(super) fn newest(tokens: &[TokenRow]) -> Option<&TokenRow> {
    tokens.iter().find(|token| !token.former)
}

pub(super) fn state_word(token: &TokenRow) -> String {
    let (state, ended_at) = state_of(token);
    let at = ended_at.map(|at| format!(" {at}")).unwrap_or_default();
    let reason = token.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let good = token.good_beside_its_successor(clock::now());
    let good = good.map(|until| {
        let seen = if token.until_seen { " or the first use of the newer one" } else { "" };
        format!(", good until {until}{seen}")
    });
    format!("{state}{at}{}{reason}", good.unwrap_or_default())
}

fn state_of(token: &TokenRow) -> (&'static str, Option<UnixTime>) {
    match token.state {
        TokenState::Superseded { .. } if token.is_good(clock::now()) => ("superseded", None),
        TokenState::Pending => ("pending", None),
        TokenState::Active if token.expires_at <= clock::now() => ("expired", None),
        TokenState::Active => ("active", None),
        TokenState::Superseded { until: at } => ("replaced", Some(at)),
        TokenState::Revoked { at } => ("revoked", Some(at)),
    }
}

fn ago(at: UnixTime, now: UnixTime) -> String {
    distance(at.seconds(), now.seconds())
}

/// Everything about a client that may be shown.
pub(super) async fn client_document(
    installation: &Installation,
    client: &ClientRow,
    tokens: &[TokenRow],
) -> Result<Value> {
    let placement = installation.store.placement(client.name.as_str()).await.doing("the placement")?;
    let disabled = installation.store.disabled(client.name.as_str()).await.doing("the client")?;
    let entries = placement.as_ref().map(|row| installation.open_undo(row)).transpose()?;
    let tokens: Vec<Value> = tokens.iter().map(token_document).collect();
    Ok(json!({
        "client": client.name,
        "subject": client.subject,
        "app": client.app,
        "enabled": client.enabled,
        "disabled_at": disabled.as_ref().and_then(|disabled| disabled.at).map(|at| at.to_string()),
        "disabled_reason": disabled.and_then(|disabled| disabled.reason),
        "servers": match &client.servers {
            ServerScope::All => json!("all"),
            ServerScope::Only(servers) => json!(servers),
        },
        "file": placement.as_ref().map(|row| row.file.clone()),
        "token_file": placement.as_ref().and_then(|row| row.token_file.clone()),
        "entries": entries.map(|entries| entries.iter().map(|entry| entry.path.to_string()).collect::<Vec<_>>()),
        "tokens": tokens,
    }))
}

/// A token without the token.
pub(super) fn token_document(token: &TokenRow) -> Value {
    let (state, ended_at) = state_of(token);
    json!({
        "jti": token.jti,
        "kid": token.kid,
        "subject": token.subject,
        "state": state,
        "placed": token.placed,
        "issued_at": token.issued_at.to_string(),
        "expires_at": token.expires_at.to_string(),
        "ended_at": ended_at.map(|at| at.to_string()),
        "good_until": token.good_beside_its_successor(clock::now()).map(|until| until.to_string()),
        "until_seen": token.until_seen,
        "reason": token.reason,
    })
}
