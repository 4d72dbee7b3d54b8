//! What lies between the gateway and a server: TLS, and frames as large as they may be.

use crate::program::{Hallpass, Serving};
use crate::python::{Daemon, SHARED, Script, python};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, protocol::WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

const MIB: usize = 1 << 20;

/// A gateway in front of a daemon, one client, and its token.
async fn set_up(url: &str, variables: &[(&str, &str)]) -> (Hallpass, Serving, String) {
    let hallpass = Hallpass::new();
    let roster = format!(
        "[clients.ann]\napp = \"claude-desktop\"\nconfig = \"ann.json\"\n[servers.exai]\nurl = \"{url}\"\nlegacy_token_env = \"DAEMONS_TOKEN\"\n"
    );
    hallpass.write("hallpass.toml", &roster);
    hallpass.must(&["init"]).await;
    hallpass.must(&["apply", "--yes"]).await;
    let mut serve = hallpass.command(&["serve", "--listen", "127.0.0.1:0"]);
    serve.env("DAEMONS_TOKEN", SHARED).envs(variables.iter().copied());
    let gateway = hallpass.start(serve).await;
    let token = std::fs::read_to_string(hallpass.home().join("tokens/ann")).expect("a token file");
    (hallpass, gateway, token.trim_end().to_owned())
}

/// A connection after its `hello`, and the answer.
async fn dial(gateway: &Serving, token: &str) -> (WebSocketStream<TcpStream>, Value) {
    let authority = gateway.address().trim_start_matches("http://");
    let stream = TcpStream::connect(authority).await.expect("a connection");
    let most = Some(64 * MIB);
    let config = WebSocketConfig::default().max_message_size(most).max_frame_size(most);
    let url = format!("ws://{authority}/s/exai/mcp");
    let (mut socket, _) = client_async_with_config(url, stream, Some(config)).await.expect("a WebSocket");
    let hello = json!({ "op": "hello", "session_id": "some-session", "jwt": token });
    let ack = ask(&mut socket, hello.to_string()).await;
    (socket, serde_json::from_str(&ack).expect("an object"))
}

async fn ask(socket: &mut WebSocketStream<TcpStream>, frame: String) -> String {
    socket.send(Message::text(frame)).await.expect("sent");
    heard(socket).await
}

async fn heard(socket: &mut WebSocketStream<TcpStream>) -> String {
    loop {
        if let Message::Text(text) = socket.next().await.expect("a frame").expect("a good one") {
            return text.to_string();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_behind_tls_is_reached_if_its_certificate_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let mut certificate = python("certificate.py");
    certificate.arg(path);
    Script::start(certificate).line().await;
    let known = format!("{path}/certificate.pem");
    let mut daemon = Daemon::start_with(&[("HELLO_CERTIFICATE", path)]).await;
    assert!(daemon.url.starts_with("wss://localhost:"), "{}", daemon.url);
    let (_hallpass, gateway, token) = set_up(&daemon.url, &[("SSL_CERT_FILE", &known)]).await;
    let (mut socket, ack) = dial(&gateway, &token).await;
    assert_eq!(ack["ok"], true, "{ack}");
    let list = ask(&mut socket, r#"{"op":"list_tools","request_id":1}"#.into()).await;
    assert!(list.contains("delete"), "{list}");
    assert_eq!(daemon.heard().await["heard"], "first");

    let (_hallpass, gateway, token) = set_up(&daemon.url, &[]).await;
    let (_, refused) = dial(&gateway, &token).await;
    assert_eq!((&refused["ok"], &refused["error"]), (&json!(false), &json!("upstream_unreachable")));
}

/// A frame is read into the memory from which it is sent: whatever its way, there is one of it in the gateway.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_nearly_32_mib_is_in_the_gateways_memory_once() {
    let mut daemon = Daemon::start().await;
    let (_hallpass, gateway, token) = set_up(&daemon.url, &[]).await;
    let (mut socket, ack) = dial(&gateway, &token).await;
    assert_eq!((&ack["ok"], &daemon.heard().await["heard"]), (&json!(true), &json!("first")));
    let text = "x".repeat(32 * MIB - 200);
    let call = json!({ "op": "call_tool", "request_id": 1, "name": "echo", "arguments": { "text": text } });
    let Some(before) = highest(&gateway) else { return };
    // It says all that it hears, and would wait for who reads it.
    let (_, acknowledged) = tokio::join!(daemon.heard(), ask(&mut socket, call.to_string()));
    assert!(acknowledged.contains("call_tool_ack"));
    assert!(heard(&mut socket).await.contains("progress"));
    assert!(heard(&mut socket).await.contains(&text), "the same text came back");
    let grown = (highest(&gateway).unwrap_or_default() - before) / 1024;
    println!("a frame of 32 MiB up, then one down: {grown} MiB at the most");
    assert!(grown < 48, "{grown} MiB");
}

/// The most memory that a process had so far, in KiB. Only Linux says.
fn highest(gateway: &Serving) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
