//! A home, its gateway, an upstream that answers everything, and callers of both kinds.
//! Signs with the home's own keys, as only a test that sits on the home can.

use crate::program::{Hallpass, Outcome, Serving};
use crate::wire::Wire;
use hallpass_core::encoding::base64url;
use hallpass_core::keys::KeyId;
use hallpass_store::{SealKey, SigningKey, Store};
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

/// The environment file of the former set-up.
pub(crate) const FORMER: &str = include_str!("env.docker");
/// Its secret: the text is the key.
pub(crate) const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// The token that all its clients shared.
pub(crate) const SHARED: &str = "Zt4kqW9xLm2v-b7nYc5sHd8pJf3gQ";
/// Longer than a change takes to reach a running gateway.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct House {
    pub(crate) hallpass: Hallpass,
    /// Calls that reached the upstream.
    pub(crate) seen: Arc<AtomicUsize>,
}

impl House {
    /// Clients with a bridge each, and one server. No home yet.
    pub(crate) async fn new(authority: &str, clients: &[&str]) -> Self {
        let (url, seen) = upstream().await;
        let hallpass = Hallpass::new();
        let clients = clients.iter().map(|name| {
            format!("[clients.{name}]\nsubject = \"{name}@exai-mcp.local\"\napp = \"claude-desktop\"\nconfig = \"{name}.json\"\n")
        });
        let roster =
            clients.fold(format!("{authority}\n[servers.docs]\nurl = \"{url}\"\n"), |all, one| all + &one);
        hallpass.write("hallpass.toml", &roster);
        Self { hallpass, seen }
    }

    /// [`Self::new`], made and applied.
    pub(crate) async fn with_clients(clients: &[&str]) -> Self {
        let house = Self::new("", clients).await;
        house.hallpass.must(&["init"]).await;
        house.hallpass.must(&["apply", "--yes"]).await;
        house
    }

    /// [`Self::new`], the former set-up taken over; nothing issued.
    pub(crate) async fn heir(clients: &[&str]) -> Self {
        let house = Self::new("", clients).await;
        house.hallpass.write("env.docker", FORMER);
        house.hallpass.must(&["init", "--from-env", "env.docker"]).await;
        house
    }

    /// What the client's bridge reads.
    pub(crate) fn token(&self, client: &str) -> String {
        let file = self.hallpass.home().join("tokens").join(client);
        std::fs::read_to_string(file).expect("a token file").trim().to_owned()
    }

    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.hallpass.home().join("hallpass.db")).await.expect("the database")
    }

    /// A token with these claims, signed with a key of this home.
    pub(crate) async fn sign(&self, kid: &str, claims: &Value) -> String {
        let seal = SealKey::load(&self.hallpass.home().join("seal.key")).expect("the seal");
        let keys = self.store().await.keys().await.expect("the keys");
        let row = keys.iter().find(|key| key.kid == kid).expect("a key of that name");
        let name = KeyId::new(kid).expect("a name");
        let key = SigningKey::from_sealed(name, row.algorithm, &row.sealed, &seal).expect("the key");
        signed(&key, &json!({ "kid": kid, "alg": row.algorithm.as_str(), "typ": "JWT" }), claims)
    }

    /// The key that signs now.
    pub(crate) async fn active(&self) -> String {
        self.keys_in("active").await.pop().expect("an active key")
    }

    pub(crate) async fn keys_in(&self, state: &str) -> Vec<String> {
        let document = self.hallpass.must(&["keys", "list", "--json"]).await;
        let document: Value = serde_json::from_str(&document).expect("a document");
        let keys = document["keys"].as_array().expect("keys").iter();
        keys.filter(|key| key["state"] == state)
            .map(|key| key["kid"].as_str().expect("a kid").to_owned())
            .collect()
    }

    /// `hallpass ARGUMENTS` with this on standard input.
    pub(crate) async fn run_with(
        &self,
        arguments: &[&str],
        input: &str,
        variables: &[(&str, &str)],
    ) -> Outcome {
        let mut command = self.hallpass.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.envs(variables.iter().copied());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // One that refuses before it reads closes the pipe.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output =
            timeout(PATIENCE, child.wait_with_output()).await.expect("the command ends").expect("output");
        let outcome = Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        };
        self.hallpass.canary(input);
        self.hallpass.has_ended(&command, &outcome);
        outcome
    }

    pub(crate) async fn verify(&self, token: &str, arguments: &[&str]) -> Outcome {
        self.run_with(&[&["verify", "-"], arguments].concat(), token, &[("FORMER_SECRET", SECRET)]).await
    }

    pub(crate) fn upstream_calls(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

/// A caller of a running gateway, on one connection that it keeps.
pub(crate) struct Caller {
    host: String,
    wire: Wire,
}

impl Caller {
    pub(crate) async fn of(serving: &Serving) -> Self {
        Self::at(serving.address()).await
    }

    pub(crate) async fn at(address: &str) -> Self {
        let host = address.trim_start_matches("http://").to_owned();
        let wire = Wire::connect(&host).await;
        Self { host, wire }
    }

    /// Status and body of one call.
    pub(crate) async fn call(&mut self, token: &str) -> (u16, String) {
        let lines = [
            format!("Host: {}", self.host),
            format!("Authorization: Bearer {token}"),
            "Content-Type: application/json".into(),
            "Accept: application/json, text/event-stream".into(),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.wire.post("/s/docs/mcp", &lines, br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await;
        let head = self.wire.head().await.expect("an answer");
        let body = self.wire.body(&head).await;
        let ends = head.value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if ends {
            self.wire = Wire::connect(&self.host).await;
        }
        (head.status(), String::from_utf8(body).expect("UTF-8"))
    }

    /// Calls until the answer has this status: a change reaches a running gateway within a moment.
    pub(crate) async fn until(&mut self, token: &str, status: u16) -> String {
        let changed = async {
            loop {
                let (found, body) = self.call(token).await;
                if found == status {
                    return body;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, changed).await.unwrap_or_else(|_| panic!("the answer never becomes {status}"))
    }
}

/// A GET on a connection of its own.
pub(crate) async fn get(address: &str, path: &str, header_lines: &str) -> (crate::wire::Head, Vec<u8>) {
    let host = address.trim_start_matches("http://");
    let mut wire = Wire::connect(host).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header_lines}\r\n");
    wire.send(request).await.expect("an open connection");
    let head = wire.head().await.expect("an answer");
    let body = wire.body(&head).await;
    (head, body)
}

/// A token as the former set-up made them: no `kid`, no `jti`.
pub(crate) fn former_token(client: &str, more: &Value) -> String {
    let mut claims = former_claims(client);
    for (name, value) in more.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    by_secret(SECRET, &json!({ "alg": "HS256", "typ": "JWT" }), &claims)
}

pub(crate) fn former_claims(client: &str) -> Value {
    json!({
        "sub": format!("{client}@exai-mcp.local"), "iss": "exai-mcp-server", "aud": "exai-mcp-client",
        "iat": now() - 3600, "exp": now() + 86_400 * 300,
    })
}

/// Signed with a secret, whatever the header says.
pub(crate) fn by_secret(secret: &str, header: &Value, claims: &Value) -> String {
    let name = KeyId::new("any").expect("a name");
    signed(&SigningKey::from_secret(name, secret.as_bytes()).expect("a key"), header, claims)
}

fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    let input = format!("{}.{}", part(header), part(claims));
    format!("{input}.{}", key.sign(&input).expect("a signature"))
}

/// One part of a token: 0 the header, 1 the claims.
pub(crate) fn part(token: &str, position: usize) -> Value {
    let part = token.split('.').nth(position).expect("a part");
    let bytes = hallpass_core::encoding::decode_base64url(part.as_bytes()).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[expect(clippy::disallowed_methods, reason = "tokens of a test are issued now")]
pub(crate) fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    i64::try_from(now.as_secs()).expect("a time")
}

/// Answers every call, and counts them.
async fn upstream() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(Wire::over(stream), Arc::clone(&counter)));
        }
    });
    (url, seen)
}

async fn answer(mut wire: Wire, counter: Arc<AtomicUsize>) {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";
    while wire.woken().await {
        let Some(head) = wire.head().await else { return };
        wire.body(&head).await;
        counter.fetch_add(1, Ordering::SeqCst);
        if wire.send(ANSWER).await.is_err() {
            return;
        }
    }
}
