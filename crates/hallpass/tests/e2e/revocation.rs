//! `hallpass revoke` in another process binds the running gateway: at once, for one client, until `hallpass issue`.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::{
    caller::Caller,
    installed::Installed,
    journeys,
    program::Serving,
    recorder::{Recorder, Streaming},
    rmcp_server::RmcpServer,
    wire::Cut,
    witness::{Revision, Sdk, Target},
};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
/// The promise is 300 ms for a call and 1 s for a stream. A shared machine may be slower than the program.
const CALL_BOUND: Duration = Duration::from_secs(1);
const STREAM_BOUND: Duration = Duration::from_secs(2);

/// Answers every request, until the handle is aborted.
fn answer_all(mut server: Recorder) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            server.next().await.respond("200 OK", &["Content-Type: application/json"], ANSWER.as_bytes());
        }
    })
}

async fn status(gateway: &Serving, token: &str) -> u16 {
    Caller::new(gateway, token).await.ask(CALL).await.status()
}

/// More calls than there is room for their lines in a pipe that nobody reads.
const LINES_THAT_FILL_A_PIPE: usize = 600;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_the_log_who_stands_still_holds_nothing_up() {
    let server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let answering = answer_all(server);
    let script = r#"mkfifo "$HOME/unread" && exec "$0" serve --listen 127.0.0.1:0 1<>"$HOME/unread""#;
    let serve = installed.program.outside("/bin/sh", &["-c", script, env!("CARGO_BIN_EXE_hallpass")]);
    let gateway = installed.program.start(serve).await;
    let mut caller = Caller::new(&gateway, &installed.token("ann")).await;
    for _ in 0..LINES_THAT_FILL_A_PIPE {
        assert_eq!(caller.ask(CALL).await.status(), 200);
    }
    let revoked = installed.revoke("ann").await;
    while caller.ask(CALL).await.status() == 200 {
        assert!(revoked.elapsed() < CALL_BOUND, "a revoked token still passes");
    }
    assert_eq!(gateway.terminate().await.code, Some(0));
    answering.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_call_is_refused_and_others_go_on() {
    let server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let answering = answer_all(server);
    let gateway = installed.serve().await;
    let (ann, bob) = (installed.token("ann"), installed.token("bob"));
    // A connection that was good stays open: it is the next call on it that counts.
    let mut caller = Caller::new(&gateway, &ann).await;
    assert_eq!(caller.ask(CALL).await.status(), 200);
    let revoked = installed.revoke("ann").await;
    while caller.ask(CALL).await.status() == 200 {
        assert!(revoked.elapsed() < CALL_BOUND, "a revoked token still passes");
    }
    eprintln!("refused {:?} after `hallpass revoke` had returned", revoked.elapsed());
    for _ in 0..3 {
        assert_eq!(status(&gateway, &ann).await, 401);
        assert_eq!(status(&gateway, &bob).await, 200);
    }
    answering.abort();
    installed.nothing_leaked().await;
}

/// A client's stream as both ends see it: open, with one event through.
async fn open_stream(
    gateway: &Serving,
    server: &mut Recorder,
    token: &str,
    listens: bool,
) -> (Caller, Streaming) {
    let mut caller = Caller::new(gateway, token).await;
    caller.open(listens, &[], CALL).await;
    let streaming = server.next().await.stream(&[]);
    assert_eq!(caller.wire.head().await.expect("a head").status(), 200);
    event_passes(&mut caller, &streaming).await;
    (caller, streaming)
}

async fn event_passes(caller: &mut Caller, streaming: &Streaming) {
    streaming.chunk("data: {}\n\n");
    assert_eq!(caller.wire.chunk().await.as_deref(), Some(&b"data: {}\n\n"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_end_and_others_go_on() {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let gateway = installed.serve().await;
    let (ann, bob) = (installed.token("ann"), installed.token("bob"));
    let mut of_ann = Vec::new();
    let mut of_bob = Vec::new();
    for listens in [true, false] {
        of_ann.push(open_stream(&gateway, &mut server, &ann, listens).await);
        of_bob.push(open_stream(&gateway, &mut server, &bob, listens).await);
    }
    let revoked = installed.revoke("ann").await;
    for (caller, streaming) in &mut of_ann {
        let end = timeout(STREAM_BOUND, caller.wire.chunk_or_cut()).await.expect("the stream ends");
        assert_eq!(end, Err(Cut), "an answer that was cut must not look whole");
        eprintln!("cut {:?} after `hallpass revoke` had returned", revoked.elapsed());
        streaming.disconnected().await;
    }
    for (caller, streaming) in &mut of_bob {
        event_passes(caller, streaming).await;
    }
    let is_cut = |event: &serde_json::Value| event["outcome"] == "cut";
    let event = installed.logged("the cut", |event| is_cut(event) && event["tool"] == "echo").await;
    assert_eq!((&event["client"], &event["reason"]), (&"ann".into(), &"revoked".into()), "{event}");
    installed.logged("the other cut", |event| is_cut(event) && event["method"] == "GET").await;
    for (mut caller, streaming) in of_bob {
        streaming.finish();
        assert_eq!(caller.wire.chunk().await, None);
    }
    assert_eq!(installed.log(&["--outcome", "cut", "--client", "bob"]).await.len(), 0);
    installed.nothing_leaked().await;
}

/// A call that the server has not begun to answer is answered by the gateway.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_gets_the_reason() {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let gateway = installed.serve().await;
    let mut caller = Caller::new(&gateway, &installed.token("ann")).await;
    caller.post(&[], CALL.as_bytes()).await;
    let mut waiting = server.next().await;
    installed.revoke("ann").await;
    let reply = timeout(STREAM_BOUND, caller.reply()).await.expect("an answer");
    assert_eq!((reply.status(), reply.challenge()), (401, Some(r#"Bearer error="invalid_token""#)));
    assert!(reply.says("error_description").contains("run `hallpass issue ann`"));
    waiting.disconnected().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_clients_are_cut_one_by_one() {
    let server = RmcpServer::start().await;
    let installed = Installed::before("docs", server.url()).await;
    let gateway = installed.serve().await;
    let target = |client| Target::anonymous(gateway.server("docs")).with_token(installed.token(client));
    let (ann, bob) = (target("ann"), target("bob"));
    for revision in [Revision::Sessions, Revision::Stateless] {
        journeys::lists_and_calls(Sdk::Rmcp, revision, &ann).await;
    }
    installed.revoke("ann").await;
    installed.logged("the revocation", |event| event["kind"] == "revoke").await;
    let deadline = Instant::now() + CALL_BOUND;
    while status(&gateway, ann.token.as_deref().expect("a token")).await != 401 {
        assert!(Instant::now() < deadline, "a revoked token still passes");
    }
    for revision in [Revision::Sessions, Revision::Stateless] {
        let failure = journeys::is_refused(Sdk::Rmcp, revision, &ann).await;
        assert_eq!(failure.challenge.as_deref(), Some(r#"Bearer error="invalid_token""#));
        journeys::lists_and_calls(Sdk::Rmcp, revision, &bob).await;
    }
    let failure = journeys::is_refused(Sdk::TypeScript, Revision::Sessions, &ann).await;
    assert!(failure.body.is_some_and(|body| body.contains("run `hallpass issue ann`")));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_issue_brings_a_revoked_client_back() {
    let server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let answering = answer_all(server);
    let gateway = installed.serve().await;
    let old = installed.token("ann");
    installed.revoke("ann").await;
    let said = installed.apply().await;
    assert!(said.contains("ann: left alone, it was revoked on 2"), "{said}");
    let said = installed.program.must(&["issue", "--all", "--yes"]).await;
    assert!(said.contains("ann: left alone"), "{said}");
    assert_eq!(installed.token("ann"), old, "what stands in the client's file is left alone, too");
    let new = installed.issue("ann").await;
    assert_ne!(new, old);
    let issued = Instant::now();
    while status(&gateway, &new).await != 200 {
        assert!(issued.elapsed() < CALL_BOUND, "the new token does not pass");
    }
    eprintln!("the new token passed {:?} after `hallpass issue` had returned", issued.elapsed());
    assert_eq!(status(&gateway, &old).await, 401);
    answering.abort();
    installed.nothing_leaked().await;
}

/// One token by its `jti`, and with a stream open on it.
#[tokio::test(flavor = "multi_thread")]
async fn one_token_can_be_revoked_by_its_id() {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let gateway = installed.serve().await;
    let (mut caller, mut streaming) =
        open_stream(&gateway, &mut server, &installed.token("carl"), true).await;
    let shown = installed.program.must(&["show", "carl", "--json"]).await;
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let jti = shown["tokens"][0]["jti"].as_str().expect("a token").to_owned();
    installed.revoke(&jti).await;
    let end = timeout(STREAM_BOUND, caller.wire.chunk_or_cut()).await.expect("the stream ends");
    assert_eq!(end, Err(Cut));
    streaming.disconnected().await;
    assert_eq!(status(&gateway, &installed.token("carl")).await, 401);
}

/// `hallpass issue` ends the token before it: its streams too.
#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_token_loses_its_streams() {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let gateway = installed.serve().await;
    let (mut caller, mut streaming) = open_stream(&gateway, &mut server, &installed.token("bob"), true).await;
    installed.issue("bob").await;
    let end = timeout(STREAM_BOUND, caller.wire.chunk_or_cut()).await.expect("the stream ends");
    assert_eq!(end, Err(Cut));
    streaming.disconnected().await;
    let event = installed.logged("the cut", |event| event["outcome"] == "cut").await;
    assert_eq!((&event["client"], &event["reason"]), (&"bob".into(), &"replaced".into()), "{event}");
}
