//! The former set-up with its three clients, their files as they were, and Hallpass in front of its daemon.

use crate::program::{Hallpass, Serving};
use crate::python::{Daemon, SHARED, Script, Talker, until};
use aws_lc_rs::hmac;
use hallpass_core::encoding::base64url;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const FORMER: &str = include_str!("../takeover/env.docker");
/// The secret in it: the text is the key.
const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
pub(crate) const VSCODE1: &str = "config/daemon/mcp-config.augmentcode.vscode1.json";
pub(crate) const VSCODE2: &str = "config/daemon/mcp-config.augmentcode.vscode2.json";
pub(crate) const CLAUDE: &str = "config/daemon/mcp-config.claude.json";
/// Where the clients always dialled.
const FORMER_PORT: &str = "\"8079\"";

pub(crate) struct Origin {
    pub(crate) hallpass: Hallpass,
    pub(crate) gateway: Serving,
    pub(crate) address: String,
    daemon: Daemon,
}

/// [`Origin`] before its gateway runs.
pub(crate) struct Founded {
    pub(crate) hallpass: Hallpass,
    daemon: Daemon,
}

impl Origin {
    pub(crate) const FILES: [&str; 3] = [VSCODE1, VSCODE2, CLAUDE];
    pub(crate) const ENTRIES: [(&str, &str); 3] =
        [(VSCODE1, "EXAI-WS-VSCode1"), (VSCODE2, "EXAI-WS-VSCode2"), (CLAUDE, "exai-mcp")];

    /// The former set-up, taken over. `adopted` have tokens of its own, and keep them.
    pub(crate) async fn founded(adopted: &[&str]) -> Founded {
        let daemon = Daemon::start().await;
        let hallpass = Hallpass::new();
        let mut environment = FORMER.to_owned();
        for file in Self::FILES {
            hallpass.write(file, &Self::former(file));
        }
        for client in adopted {
            let token = former_token(client);
            environment = format!("{environment}EXAI_JWT_TOKEN_{}={token}\n", client.to_uppercase());
            let file =
                hallpass.user().join(Self::FILES.iter().find(|file| file.contains(client)).expect("a file"));
            let text = std::fs::read_to_string(&file).expect("a file");
            let with = text.replacen(
                "\"env\": {",
                &format!("\"env\": {{\n        \"EXAI_JWT_TOKEN\": \"{token}\","),
                1,
            );
            hallpass.write(&file, &with);
        }
        let example = std::fs::read_to_string(example().join("hallpass.toml")).expect("a file");
        let clients = example.split("[servers.").next().expect("clients");
        let rest = format!(
            "[clients.bridged]\napp = \"claude-desktop\"\nconfig = \"bridged.json\"\n\
             [servers.exai]\nurl = \"{}\"\nlisten = \"127.0.0.1:0\"\nlegacy_token_env = \"DAEMONS_TOKEN\"\n\
             [log]\norigin_lines = true\n",
            daemon.url
        );
        hallpass.write("hallpass.toml", &format!("{clients}{rest}"));
        hallpass.write("env.docker", &environment);
        hallpass.must(&["init", "--from-env", "env.docker"]).await;
        Founded { hallpass, daemon }
    }

    /// The same with tokens, shims and a gateway.
    pub(crate) async fn served(adopted: &[&str]) -> Self {
        let Founded { hallpass, daemon } = Self::founded(adopted).await;
        hallpass.must(&["apply", "--shim", "--yes"]).await;
        let (gateway, address) = serve_exai(&hallpass).await;
        Self { hallpass, gateway, address, daemon }
    }

    /// A client's file as it was before.
    pub(crate) fn former(file: &str) -> String {
        std::fs::read_to_string(example().join(file)).expect("a file")
    }

    /// The tests have no fixed ports.
    pub(crate) fn dial_the_gateway(&self, file: &str) {
        let port = self.address.rsplit(':').next().expect("a port");
        let path = self.hallpass.user().join(file);
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.contains(FORMER_PORT));
        self.hallpass.write(&path, &text.replace(FORMER_PORT, &format!("\"{port}\"")));
    }

    fn variables(&self, file: &str) -> Value {
        let text = std::fs::read_to_string(self.hallpass.user().join(file)).expect("a file");
        let mut config: Value = serde_json::from_str(&text).expect("JSON");
        let (_, entry) = Self::ENTRIES.into_iter().find(|(known, _)| *known == file).expect("an entry");
        config["mcpServers"][entry]["env"].take()
    }

    /// The token in a client's file.
    pub(crate) fn token(&self, file: &str) -> String {
        self.variables(file)["EXAI_JWT_TOKEN"].as_str().expect("a token").to_owned()
    }

    /// A client in Python with that file's credentials, welcomed.
    pub(crate) async fn talker(&self, file: &str) -> Talker {
        let env = self.variables(file);
        let mut talker = Talker::dial(&self.address);
        let hello = json!({ "op": "hello", "session_id": env["EXAI_SESSION_ID"], "token": SHARED, "jwt": env["EXAI_JWT_TOKEN"] });
        assert_eq!(talker.ask(&hello).await["ok"], true);
        talker
    }

    /// Revokes a client, whose connection hears of it within a second.
    pub(crate) async fn revoked(&self, client: &str, connection: &mut Talker) -> Value {
        self.hallpass.must(&["revoke", client, "--reason", "laptop lost"]).await;
        let returned = now();
        let closed = connection.heard().await;
        assert!(returned.elapsed() < Duration::from_secs(1), "{:?}", returned.elapsed());
        closed
    }

    /// How many connections the daemon has had so far.
    pub(crate) async fn sessions_at_the_daemon(&mut self) -> usize {
        // A last one, to know where what it heard before ends.
        let hello = json!({ "op": "hello", "session_id": "the-last-one", "token": SHARED });
        let mut last = Talker::dial(&self.daemon.url);
        last.ask(&hello).await;
        let mut sessions = 0;
        loop {
            let heard = self.daemon.heard().await;
            let frame = heard["frame"].as_str().unwrap_or_default();
            if frame.contains("the-last-one") {
                return sessions;
            }
            sessions += usize::from(heard["heard"] == "first");
        }
    }
}

impl Founded {
    pub(crate) fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.hallpass.user().join(file)).expect("a file")
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        self.hallpass.write(file, text);
    }
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("example")
}

/// A token that the former daemon made.
fn former_token(client: &str) -> String {
    let part = |value: Value| base64url(value.to_string().as_bytes());
    let claims = json!({ "sub": format!("{client}@exai-mcp.local"), "iss": "exai-mcp-server", "aud": "exai-mcp-client", "iat": 1_790_000_000, "exp": 1_820_000_000 });
    let input = format!("{}.{}", part(json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), input.as_bytes());
    format!("{input}.{}", base64url(signature.as_ref()))
}

/// A client program by the official SDK, which starts what its configuration says.
pub(crate) struct SdkClient {
    script: Script,
    notes: PathBuf,
}

impl SdkClient {
    /// Starts it. Also what it found: the revision and the names of the tools.
    pub(crate) async fn start(hallpass: &Hallpass, config: &Path, entry: &str, mode: &str) -> (Self, Value) {
        let notes = hallpass.user().join(format!("{entry}-{mode}.notes"));
        let mut command = crate::python::python("shim_client.py");
        command.arg(config).arg(entry).arg(mode).arg(&notes);
        hallpass.writes(notes.clone());
        let mut script = Script::start(command);
        let greeting = serde_json::from_str(&script.line().await).expect("an object");
        (Self { script, notes }, greeting)
    }

    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.script.say(&json!({ "tool": tool, "arguments": arguments })).await;
        serde_json::from_str(&self.script.line().await).expect("an object")
    }

    pub(crate) async fn sum(&mut self) {
        let sum = self.call("add", json!({ "a": 1, "b": 2 })).await;
        assert_eq!(sum, json!({ "text": "3", "failed": false, "progress": 1 }));
    }

    /// What the program that it started says on standard error.
    pub(crate) fn notes(&self) -> String {
        std::fs::read_to_string(&self.notes).expect("a file")
    }

    pub(crate) async fn end(self) {
        self.script.end().await;
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long a cut takes is what is promised")]
    Instant::now()
}

/// A gateway in front of the daemon, and the address of the daemon's own listener there.
pub(crate) async fn serve_exai(hallpass: &Hallpass) -> (Serving, String) {
    let mut serve = hallpass.command(&["serve", "--listen", "127.0.0.1:0"]);
    serve.env("DAEMONS_TOKEN", SHARED);
    let gateway = hallpass.start(serve).await;
    let address = until(|| {
        let said = gateway.stderr();
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix("listening on ws://")?.strip_suffix(" for `exai`"))?;
        Some(format!("ws://{line}"))
    })
    .await;
    (gateway, address)
}
