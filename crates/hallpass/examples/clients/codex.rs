//! How Codex tells which servers it has: `codex mcp list` reads its file, and `codex app-server` connects when its status is
//! asked for (`codex-rs/app-server/README.md` of openai/codex). No thread is started, no model is asked.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use hallpass::fault::{Doing as _, Fault, Result};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::listing::Shown;
use crate::running;

const PATIENCE: Duration = Duration::from_mins(1);
/// The id of the request whose answer counts.
const STATUS: u32 = 2;

/// `start`: what starts Codex, each time anew. Only what its list and its status agree on is shown.
pub(crate) async fn servers(start: impl Fn() -> Command) -> Result<Vec<Shown>> {
    let mut list = start();
    list.args(["mcp", "list", "--json"]);
    let listed: Value =
        serde_json::from_slice(&running::finish(list).await?.stdout).doing("`codex mcp list`")?;
    let listed: BTreeSet<&str> = servers_of(&listed).filter_map(|server| server["name"].as_str()).collect();
    let mut server = start();
    server.arg("app-server");
    let status = timeout(PATIENCE, ask(server)).await;
    let status = status.unwrap_or_else(|_| Err(Fault::new("`codex app-server` gives no answer")))?;
    Ok(shown(&status).into_iter().filter(|server| listed.contains(server.entry.as_str())).collect())
}

async fn ask(mut command: Command) -> Result<Value> {
    let mut server = command
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .doing("cannot start `codex app-server`")?;
    let group = running::group(&server);
    let (Some(mut to), Some(from)) = (server.stdin.take(), server.stdout.take()) else {
        return Err(Fault::new("no pipes of `codex app-server`"));
    };
    let client = json!({ "name": "hallpass-clients", "version": "0" });
    for message in [
        json!({ "id": 1, "method": "initialize", "params": { "clientInfo": client } }),
        json!({ "method": "initialized" }),
        json!({ "id": STATUS, "method": "mcpServerStatus/list", "params": {} }),
    ] {
        to.write_all(format!("{message}\n").as_bytes()).await.doing("`codex app-server`")?;
    }
    let mut lines = BufReader::new(from).lines();
    let answer = loop {
        let line = lines.next_line().await.doing("`codex app-server`")?;
        let line = line.ok_or_else(|| Fault::new("`codex app-server` ended without an answer"))?;
        let message: Value = serde_json::from_str(&line).doing("a line of `codex app-server`")?;
        if message["id"] == STATUS {
            break message;
        }
    };
    // It ends with its input; what it has started ends with it, and is not waited for.
    drop(to);
    running::end(group);
    server.wait().await.doing("`codex app-server`")?;
    Ok(answer)
}

fn shown(status: &Value) -> Vec<Shown> {
    servers_of(&status["result"]["data"])
        .map(|server| Shown {
            entry: server["name"].as_str().unwrap_or_default().to_owned(),
            connected: server["toolsError"].is_null() && server["tools"].get("echo").is_some(),
            words: server["toolsError"].as_str().unwrap_or_default().to_owned(),
        })
        .collect()
}

fn servers_of(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::shown;
    use serde_json::json;

    #[test]
    fn a_server_is_connected_if_its_tools_are_known() {
        let status = json!({ "id": 2, "result": { "data": [
            { "name": "a", "tools": { "echo": {} }, "toolsError": null },
            { "name": "b", "tools": {}, "toolsError": "MCP startup failed" },
            { "name": "c", "tools": {}, "toolsError": null },
        ] } });
        let standing: Vec<_> = shown(&status).into_iter().map(|server| server.connected).collect();
        assert_eq!(standing, [true, false, false]);
        assert!(shown(&json!({ "id": 2, "error": { "message": "no" } })).is_empty());
    }
}
