//! What crosses the gateway and what does not, byte for byte, as an upstream sees it that shows all it receives.

use crate::{
    caller::{Caller, Reply},
    installed::{Installed, absent},
    program::Serving,
    recorder::{Exchange, Recorder},
    wire::{Cut, Head},
};
use std::collections::BTreeSet;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
const JSON: &str = "Content-Type: application/json";

struct Scene {
    server: Recorder,
    installed: Installed,
    gateway: Serving,
    token: String,
}

impl Scene {
    async fn new() -> Self {
        let server = Recorder::start().await;
        let installed = Installed::before("docs", &server.url()).await;
        let (gateway, token) = (installed.serve().await, installed.token("ann"));
        Self { server, installed, gateway, token }
    }

    /// A POST that has arrived at the server.
    async fn posted(&mut self, lines: &[&str], body: &[u8]) -> (Caller, Exchange) {
        let mut caller = Caller::new(&self.gateway, &self.token).await;
        caller.post(lines, body).await;
        (caller, self.server.next().await)
    }

    /// What a caller gets when the server answers so.
    async fn answered(&mut self, status: &str, lines: &[&str], body: &[u8]) -> Reply {
        let (mut caller, exchange) = self.posted(&[], CALL.as_bytes()).await;
        exchange.respond(status, lines, body);
        caller.reply().await
    }
}

fn names(head: &Head) -> Vec<String> {
    let mut names: Vec<_> = head.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_names_a_caller_reaches_the_server() {
    let mut scene = Scene::new().await;
    let token = scene.token.clone();
    let own = scene.gateway.address().to_owned();
    let lines = [
        format!("Cookie: session={token}"),
        format!("cookie2: {token}"),
        format!("Proxy-Authorization: Bearer {token}"),
        format!("DPoP: {token}"),
        format!("Hallpass-Client: {token}"),
        format!("hallpass_assertion: {token}"),
        format!("Hallpass-Request-Id: {token}"),
        format!("X-Secret: {token}"),
        format!("Referer: {own}/{token}"),
        format!("Origin: {own}"),
        "Connection: keep-alive, X-Secret".to_owned(),
        "Forwarded: for=1.2.3.4".to_owned(),
        "X-Forwarded-For: 1.2.3.4".to_owned(),
        "x_forwarded_host: admin".to_owned(),
        "X-Real-IP: 1.2.3.4".to_owned(),
        "Via: 1.1 proxy".to_owned(),
        "Keep-Alive: timeout=5".to_owned(),
        "TE: trailers".to_owned(),
        "Accept-Language: de".to_owned(),
        "Mcp-Param-Region: eu".to_owned(),
        "Last-Event-ID: 7".to_owned(),
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
    ];
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let (mut caller, exchange) = scene.posted(&lines, CALL.as_bytes()).await;
    let expected = [
        "accept",
        "accept-language",
        "content-length",
        "content-type",
        "host",
        "last-event-id",
        "mcp-param-region",
        "traceparent",
    ];
    assert_eq!(names(&exchange.head), expected, "{}", exchange.head.raw);
    assert_eq!(exchange.head.start, "POST /mcp HTTP/1.1");
    assert_eq!(exchange.head.value("host"), Some(&*scene.server.address().to_string()));
    absent(&BTreeSet::from([token]), exchange.head.raw.as_bytes(), "what the server got");
    let answer_lines = [
        JSON,
        "Set-Cookie: a=b",
        "Access-Control-Allow-Origin: *",
        "Hallpass-Request-Id: forged",
        "Keep-Alive: timeout=5",
        "X-Of-Server: kept",
        "Retry-After: 3",
    ];
    exchange.respond("200 OK", &answer_lines, ANSWER.as_bytes());
    let reply = caller.reply().await;
    let mut left = names(&reply.head);
    left.retain(|name| name != "date");
    let expected = ["content-length", "content-type", "hallpass-request-id", "retry-after", "x-of-server"];
    assert_eq!(left, expected, "{}", reply.head.raw);
    assert_ne!(reply.head.value("hallpass-request-id"), Some("forged"));
    scene.installed.nothing_leaked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_pass_byte_for_byte() {
    let mut scene = Scene::new().await;
    let odd = [
        CALL.to_owned(),
        " \r\n\t{ \"jsonrpc\" :\"2.0\",\r\n\"id\":  1.0 , \"method\":\"x/y\", \"x\":1, \"x\":2 }\r\n ".to_owned(),
        r#"{"method":"x","id":123456789012345678901234567890,"jsonrpc":"2.0","n":1.0,"e":1E400,"z":-0}"#.to_owned(),
        "{\"id\":\"\\u00e4\\/\",\"method\":\"tools\\/call\",\"params\":{\"name\":\"\\u0065cho\",\"ä\":\"\u{fffd}\u{2028}😀\"}}".to_owned(),
        r#"{"jsonrpc":"2.0","result":{},"id":null}"#.to_owned(),
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"blob":"{}"}}}}"#, "ab ".repeat(300_000)),
    ];
    for body in &odd {
        let (mut caller, exchange) = scene.posted(&[], body.as_bytes()).await;
        assert!(exchange.body == body.as_bytes(), "changed on the way: {}", &body[..body.len().min(200)]);
        assert_eq!(exchange.head.value("content-length"), Some(&*body.len().to_string()));
        exchange.respond("200 OK", &[JSON], body.as_bytes());
        let reply = caller.reply().await;
        assert!(reply.body == body.as_bytes(), "changed on the way back: {}", &body[..body.len().min(200)]);
    }
    // What is not even JSON is the server's to send.
    for body in [&b"\x00\xff\xfe not json"[..], b"", b"{\"a\":1}{\"b\":2}"] {
        assert_eq!(scene.answered("200 OK", &[JSON], body).await.body, body);
    }
    scene.installed.nothing_leaked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_of_the_server_pass() {
    let mut scene = Scene::new().await;
    let cases: [(&str, &[&str]); 8] = [
        ("200 OK", &[JSON]),
        ("202 Accepted", &[]),
        ("204 No Content", &[]),
        ("400 Bad Request", &[JSON]),
        ("404 Not Found", &["Content-Type: text/plain"]),
        ("405 Method Not Allowed", &["Allow: POST"]),
        ("429 Too Many Requests", &["Retry-After: 9"]),
        ("500 Internal Server Error", &[JSON]),
    ];
    for (status, lines) in cases {
        let body: &[u8] =
            if status.starts_with("20") && lines.is_empty() { b"" } else { b"{\"of\":\"server\"}" };
        let reply = scene.answered(status, lines, body).await;
        assert_eq!((reply.head.start.as_str(), &*reply.body), (&*format!("HTTP/1.1 {status}"), body));
        for line in lines {
            let (name, value) = line.split_once(": ").expect("a header line");
            assert_eq!(reply.head.value(name), Some(value), "{}", reply.head.raw);
        }
        assert_eq!(reply.challenge(), None);
    }
    let of_status = |status: u16| move |event: &serde_json::Value| event["status"] == status;
    for (status, outcome) in [(200, "ok"), (202, "ok"), (404, "error"), (500, "error")] {
        let event = scene.installed.logged("the answer", of_status(status)).await;
        assert_eq!(event["outcome"], outcome, "{event}");
    }
}

/// The caller's token is good: it must not be told to look for another.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_the_gateway_is_a_bad_gateway() {
    let mut scene = Scene::new().await;
    let challenge = "WWW-Authenticate: Bearer resource_metadata=\"http://evil.example/\"";
    for status in ["401 Unauthorized", "403 Forbidden", "407 Proxy Authentication Required"] {
        let reply = scene.answered(status, &[challenge, "Set-Cookie: a=b"], b"evil").await;
        assert_eq!((reply.status(), reply.challenge()), (502, None), "{}", reply.head.raw);
        assert_eq!(reply.says("error"), "upstream_refused_credential");
        assert!(!reply.head.raw.contains("evil") && reply.head.value("set-cookie").is_none());
    }
    for status in ["301 Moved Permanently", "307 Temporary Redirect"] {
        let reply = scene.answered(status, &["Location: http://evil.example/"], b"").await;
        assert_eq!((reply.status(), reply.head.value("location")), (502, None), "{}", reply.head.raw);
        assert_eq!(reply.says("error"), "upstream_redirected");
    }
    scene.server.assert_quiet();
    let (mut caller, exchange) = scene.posted(&[], CALL.as_bytes()).await;
    exchange.cut();
    let reply = caller.reply().await;
    assert_eq!((reply.status(), &*reply.says("error")), (502, "upstream_broke_off"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_a_bad_gateway() {
    let installed = Installed::before("docs", "http://127.0.0.1:9/mcp").await;
    let gateway = installed.serve().await;
    let reply = Caller::new(&gateway, &installed.token("ann")).await.ask(CALL).await;
    assert_eq!((reply.status(), &*reply.says("error")), (502, "upstream_unreachable"));
    let event = installed.logged("the failure", |event| event["reason"] == "upstream_unreachable").await;
    assert_eq!((&event["outcome"], &event["client"]), (&"failed".into(), &"ann".into()), "{event}");
}

const WITH_CREDENTIAL: &str = "token_env = \"DOCS_TOKEN\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_credential_takes_the_place_of_the_clients() {
    let mut server = Recorder::start().await;
    let rest = format!("[servers.docs]\nurl = \"{}\"\n{WITH_CREDENTIAL}", server.url());
    let installed = Installed::with(&rest).await;
    let mut command = installed.program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("DOCS_TOKEN", "s3rvers-own-credential");
    let gateway = installed.program.start(command).await;
    let mut caller = Caller::new(&gateway, &installed.token("ann")).await;
    caller.post(&[], CALL.as_bytes()).await;
    let exchange = server.next().await;
    let shown: Vec<_> =
        exchange.head.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization")).collect();
    assert_eq!(shown.len(), 1, "{}", exchange.head.raw);
    assert_eq!(shown[0].1, "Bearer s3rvers-own-credential");
    exchange.respond("200 OK", &[JSON], ANSWER.as_bytes());
    let reply = caller.reply().await;
    assert!(!reply.head.raw.contains("s3rvers-own"));
    installed.nothing_leaked().await;
    assert!(!installed.program.transcript().contains("s3rvers-own"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_credential_of_a_server_stops_the_start() {
    let rest = format!("[servers.docs]\nurl = \"http://127.0.0.1:9/mcp\"\n{WITH_CREDENTIAL}");
    let installed = Installed::with(&rest).await;
    let mut empty = installed.program.command(&["serve", "--listen", "127.0.0.1:0"]);
    empty.env("DOCS_TOKEN", "");
    for command in [installed.program.command(&["serve", "--listen", "127.0.0.1:0"]), empty] {
        let outcome = installed.program.finish(command).await;
        assert_eq!(outcome.code, Some(1), "{outcome:#?}");
        let words = "error: `servers.docs.token_env` names `DOCS_TOKEN`, which is empty or not set\nhint: ";
        assert!(outcome.stderr.starts_with(words), "{outcome:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_pass_as_they_come() {
    let mut scene = Scene::new().await;
    for listens in [true, false] {
        let mut caller = Caller::new(&scene.gateway, &scene.token).await;
        caller.open(listens, &["Last-Event-ID: 4"], CALL).await;
        let exchange = scene.server.next().await;
        assert_eq!(exchange.head.value("last-event-id"), Some("4"));
        let streaming = exchange.stream(&["Cache-Control: no-cache"]);
        let head = caller.wire.head().await.expect("a head before any event");
        assert_eq!(head.value("content-type"), Some("text/event-stream"));
        assert_eq!(head.value("cache-control"), Some("no-cache"));
        assert_eq!(head.value("x-accel-buffering"), Some("no"));
        // Half an event is passed on, too: whoever sends knows why.
        for piece in ["id: 1\r\ndata: {", "}\r\n\r\n", ": note\n\n", "d"] {
            streaming.chunk(piece);
            assert_eq!(caller.wire.chunk().await.as_deref(), Some(piece.as_bytes()));
        }
        streaming.finish();
        assert_eq!(caller.wire.chunk().await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnect_of_either_side_reaches_the_other() {
    let mut scene = Scene::new().await;
    for listens in [true, false] {
        for client_leaves in [true, false] {
            let mut caller = Caller::new(&scene.gateway, &scene.token).await;
            caller.open(listens, &[], CALL).await;
            let mut streaming = scene.server.next().await.stream(&[]);
            caller.wire.head().await.expect("a head");
            if client_leaves {
                drop(caller);
                streaming.disconnected().await;
            } else {
                streaming.cut();
                assert_eq!(caller.wire.chunk_or_cut().await, Err(Cut));
            }
        }
    }
    // Also before there is an answer.
    let (caller, mut exchange) = scene.posted(&[], CALL.as_bytes()).await;
    drop(caller);
    exchange.disconnected().await;
    let ended = |outcome: &'static str| move |event: &serde_json::Value| event["outcome"] == outcome;
    scene.installed.logged("who left", ended("gone")).await;
    let event = scene.installed.logged("who broke off", ended("failed")).await;
    assert_eq!(event["reason"], "upstream_broke_off");
}

/// Some clients hang up as soon as they have their answer: that call is not one whose caller went away.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_with_the_answer_was_answered() {
    let mut scene = Scene::new().await;
    for (answer, outcome) in [(ANSWER, "ok"), (r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#, "error")] {
        let (mut caller, exchange) = scene.posted(&[], CALL.as_bytes()).await;
        let mut streaming = exchange.stream(&[]);
        caller.wire.head().await.expect("a head");
        streaming.chunk(&format!("data: {answer}\n\n"));
        caller.wire.chunk().await.expect("the answer");
        drop(caller);
        streaming.disconnected().await;
        scene.installed.logged(outcome, |event| event["outcome"] == outcome).await;
    }
    assert_eq!(scene.installed.log(&["--outcome", "gone"]).await.len(), 0);
}
