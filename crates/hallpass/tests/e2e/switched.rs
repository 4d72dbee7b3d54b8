//! `hallpass disable` cuts a client's streams and refuses its calls; `hallpass enable` lets the same token in again.

use std::time::Duration;

use tokio::time::timeout;

use crate::{caller::Caller, installed::Installed, recorder::Recorder, wire::Cut};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
/// The promise is 1 s. A shared machine may be slower than the program.
const STREAM_BOUND: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_cut_while_it_is_disabled_and_open_again_after() {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let gateway = installed.serve().await;
    let (ann, bob) = (installed.token("ann"), installed.token("bob"));
    let mut callers = Vec::new();
    for token in [&ann, &bob] {
        let mut caller = Caller::new(&gateway, token).await;
        caller.get(&[]).await;
        let streaming = server.next().await.stream(&[]);
        assert_eq!(caller.wire.head().await.expect("a head").status(), 200);
        callers.push((caller, streaming));
    }
    let mut of_bob = callers.pop().expect("bob's");
    let (mut caller, mut streaming) = callers.pop().expect("ann's");
    installed.program.must(&["disable", "ann", "--reason", "on leave", "--wait"]).await;
    let end = timeout(STREAM_BOUND, caller.wire.chunk_or_cut()).await.expect("the stream ends");
    assert_eq!(end, Err(Cut));
    streaming.disconnected().await;
    let cut = installed.logged("the cut", |event| event["outcome"] == "cut").await;
    assert_eq!((&cut["client"], &cut["reason"]), (&"ann".into(), &"client_disabled".into()), "{cut}");
    assert_eq!(Caller::new(&gateway, &ann).await.ask(CALL).await.status(), 401);
    of_bob.1.chunk("data: {}\n\n");
    assert_eq!(of_bob.0.wire.chunk().await.as_deref(), Some(&b"data: {}\n\n"[..]), "bob's goes on");
    installed.program.must(&["enable", "ann", "--wait"]).await;
    let mut caller = Caller::new(&gateway, &ann).await;
    caller.get(&[]).await;
    let streaming = server.next().await.stream(&[]);
    assert_eq!(caller.wire.head().await.expect("a head").status(), 200, "with the token that it had");
    streaming.chunk("data: {}\n\n");
    assert_eq!(caller.wire.chunk().await.as_deref(), Some(&b"data: {}\n\n"[..]));
    installed.nothing_leaked().await;
}
