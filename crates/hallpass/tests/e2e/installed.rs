//! A home whose clients got their tokens from `hallpass apply --yes`, as a person would have it.
//! Reads tokens only where their clients would: nothing else may hold them, which the harness checks (`program`).

use std::{collections::BTreeSet, path::Path, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::program::{Hallpass, Serving, canary::Canaries};

/// How long another process may take to write what a test waits for.
const PATIENCE: Duration = Duration::from_secs(10);
/// `ann` and `bob` hold their token in their own file, `carl` in `HOME/tokens` for the bridge.
const CLIENTS: &str = r#"
[clients.ann]
app = "json"
config = "ann.json"
entry = "tools"
env = "TOKEN"

[clients.bob]
app = "augment-vscode"
config = "bob.json"
entry = "tools"
env = "TOKEN"

[clients.carl]
app = "claude-desktop"
config = "carl.json"
entry = "tools"
"#;
const ENTRY: &str = r#"{ "mcpServers": { "tools": { "command": "x", "env": { "TOKEN": "" } } } }"#;

pub(crate) struct Installed {
    pub(crate) program: Hallpass,
}

impl Installed {
    /// Clients `ann`, `bob` and `carl`, and one server of this name and address.
    pub(crate) async fn before(server: &str, url: &str) -> Self {
        Self::with(&format!("[servers.{server}]\nurl = \"{url}\"\n")).await
    }

    /// The same clients, and whatever else `hallpass.toml` shall say.
    pub(crate) async fn with(rest: &str) -> Self {
        let program = Hallpass::new();
        program.write("hallpass.toml", &format!("{rest}{CLIENTS}"));
        program.write("ann.json", ENTRY);
        program.write("bob.json", ENTRY);
        program.must(&["init"]).await;
        let installed = Self { program };
        installed.apply().await;
        for client in ["ann", "bob", "carl"] {
            installed.token(client);
        }
        installed
    }

    pub(crate) async fn serve(&self) -> Serving {
        self.program.serve().await
    }

    pub(crate) async fn apply(&self) -> String {
        self.program.must(&["apply", "--yes"]).await
    }

    /// The client's token where the client itself finds it.
    pub(crate) fn token(&self, client: &str) -> String {
        let token = if client == "carl" {
            read(&self.program.home().join("tokens/carl")).trim_end().to_owned()
        } else {
            let config = read(&self.program.user().join(format!("{client}.json")));
            let config: Value = serde_json::from_str(&config).expect("the client's configuration");
            config["mcpServers"]["tools"]["env"]["TOKEN"].as_str().expect("the variable").to_owned()
        };
        assert_eq!(token.split('.').count(), 3, "`{client}` has no token");
        self.program.canary(&token);
        token
    }

    /// A fresh token for the client, the one before it ends.
    pub(crate) async fn issue(&self, client: &str) -> String {
        self.program.must(&["issue", client, "--yes"]).await;
        self.token(client)
    }

    /// Returns when the command has returned, with that instant.
    pub(crate) async fn revoke(&self, client: &str) -> Instant {
        self.program.must(&["revoke", client, "--reason", "laptop lost"]).await;
        Instant::now()
    }

    /// `hallpass log --json` with these arguments besides.
    pub(crate) async fn log(&self, more: &[&str]) -> Vec<Value> {
        let printed = self.program.must(&[&["log", "--json", "-n", "1000"], more].concat()).await;
        printed.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
    }

    /// Waits until the log has a record like this. The gateway writes it after the client has its answer.
    pub(crate) async fn logged(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(event) = self.log(&[]).await.into_iter().find(&is_it) {
                    return event;
                }
                sleep(Duration::from_millis(20)).await;
            }
        });
        if let Ok(event) = found.await {
            return event;
        }
        panic!("no record of {what} in {:#?}", self.log(&[]).await)
    }

    /// That no token, nor a piece of a signature, is anywhere but in its place, once all that shows something has shown it.
    /// The search itself is made when any test is over.
    pub(crate) async fn nothing_leaked(&self) {
        self.log(&[]).await;
        self.program.must(&["log"]).await;
        self.program.must(&["status", "--json"]).await;
        self.program.must(&["show", "ann", "--json"]).await;
        assert_eq!(self.program.leaks(), Vec::<String>::new());
    }
}

/// Panics if a token or a part of it is in the text. Does not show the token.
pub(crate) fn absent(tokens: &BTreeSet<String>, text: &[u8], place: &str) {
    let mut canaries = Canaries::default();
    for token in tokens {
        canaries.add_tokens_in(token.as_bytes());
    }
    assert_eq!(canaries.search().first_in(text), None, "in {place}");
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("`{}`: {error}", file.display()))
}
