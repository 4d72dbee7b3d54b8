//! A session belongs to the client that opened it: its id is worth nothing in another client's hands.

use crate::{
    caller::{Caller, Reply},
    installed::Installed,
    program::Serving,
    recorder::Recorder,
    rmcp_server::RmcpServer,
};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"by hand","version":"0"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const VERSION: &str = "MCP-Protocol-Version: 2025-11-25";

async fn initialized(gateway: &Serving, token: &str) -> String {
    let reply = Caller::new(gateway, token).await.ask(INITIALIZE).await;
    assert_eq!(reply.status(), 200, "{}", String::from_utf8_lossy(&reply.body));
    let session = reply.head.value("mcp-session-id").expect("a session").to_owned();
    assert_eq!(post(gateway, token, &session, INITIALIZED).await.status(), 202);
    session
}

async fn post(gateway: &Serving, token: &str, session: &str, body: &str) -> Reply {
    let mut caller = Caller::new(gateway, token).await;
    caller.post(&[VERSION, &format!("Mcp-Session-Id: {session}")], body.as_bytes()).await;
    caller.reply().await
}

async fn bare(gateway: &Serving, method: &str, token: &str, session: &str) -> Caller {
    let mut caller = Caller::new(gateway, token).await;
    let session = format!("Mcp-Session-Id: {session}");
    caller.send(method, &["Accept: text/event-stream", VERSION, &session], b"").await;
    caller
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_worth_nothing_to_another_client() {
    let server = RmcpServer::start().await;
    let installed = Installed::before("docs", server.url()).await;
    let gateway = installed.serve().await;
    let (ann, bob) = (installed.token("ann"), installed.token("bob"));
    let session = initialized(&gateway, &ann).await;
    let mut stream = bare(&gateway, "GET", &ann, &session).await;
    assert_eq!(stream.wire.head().await.expect("a stream").status(), 200);

    let reply = post(&gateway, &bob, &session, LIST).await;
    assert_eq!((reply.status(), &*reply.says("error")), (404, "unknown_session"));
    for method in ["GET", "DELETE"] {
        let reply = bare(&gateway, method, &bob, &session).await.reply().await;
        assert_eq!((reply.status(), &*reply.says("error")), (404, "unknown_session"), "{method}");
    }
    let event = installed.logged("the foreign session", |event| event["reason"] == "foreign_session").await;
    assert_eq!((&event["client"], &event["outcome"]), (&"bob".into(), &"refused".into()), "{event}");

    let reply = post(&gateway, &ann, &session, LIST).await;
    assert!(String::from_utf8_lossy(&reply.body).contains("echo"), "the owner's session goes on");
    // The owner goes on with it under a new token, too.
    let fresh = installed.issue("ann").await;
    while post(&gateway, &fresh, &session, LIST).await.status() == 401 {}
    assert_eq!(bare(&gateway, "DELETE", &fresh, &session).await.reply().await.status() / 100, 2);
    assert_eq!(post(&gateway, &fresh, &session, LIST).await.status(), 404);
    installed.nothing_leaked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_sees_its_own_session_id() {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let gateway = installed.serve().await;
    let ann = installed.token("ann");
    let mut caller = Caller::new(&gateway, &ann).await;
    caller.post(&[], INITIALIZE.as_bytes()).await;
    let lines = ["Content-Type: application/json", "Mcp-Session-Id: own-1"];
    server.next().await.respond("200 OK", &lines, br#"{"jsonrpc":"2.0","id":0,"result":{}}"#);
    let shown = caller.reply().await.head.value("mcp-session-id").expect("a session").to_owned();
    assert_ne!(shown, "own-1");
    let mut caller = bare(&gateway, "DELETE", &ann, &shown).await;
    let exchange = server.next().await;
    assert_eq!(exchange.head.value("mcp-session-id"), Some("own-1"));
    exchange.respond("204 No Content", &[], b"");
    assert_eq!(caller.reply().await.status(), 204);
    // Not even the owner can name the server's sessions by their own ids.
    assert_eq!(bare(&gateway, "DELETE", &ann, "own-1").await.reply().await.status(), 404);
    server.assert_quiet();
    // A session outlives the gateway.
    gateway.terminate().await;
    let gateway = installed.serve().await;
    let _open = bare(&gateway, "DELETE", &ann, &shown).await;
    assert_eq!(server.next().await.head.value("mcp-session-id"), Some("own-1"));
}
