//! A policy that another process changes binds the running gateway at once: on calls, on lists, on open streams.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    caller::Caller,
    installed::Installed,
    recorder::Recorder,
    rmcp_server::RmcpServer,
    wire::Cut,
    witness::{Call, Revision, Sdk, Stage, Target},
};

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const TOOLS: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"delete"},{"name":"read"}]}}"#;
const LEFT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read"}]}}"#;
const READERS: &str = "[policy.readers]\nrules = [\"allow docs/read\"]\ndefault = \"deny\"\n";
/// The promise is 300 ms. A shared machine may be slower than the program.
const BOUND: Duration = Duration::from_secs(1);

fn call(tool: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#)
}

fn json(server: crate::recorder::Exchange, body: &str) {
    server.respond("200 OK", &["Content-Type: application/json"], body.as_bytes());
}

fn rewrite(installed: &Installed, from: &str, to: &str) {
    let file = installed.program.user().join("hallpass.toml");
    let text = std::fs::read_to_string(file).expect("hallpass.toml");
    assert!(text.contains(from), "{text}");
    installed.program.write("hallpass.toml", &text.replace(from, to));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_applied_by_another_process_is_in_force_at_once() {
    let mut server = Recorder::start().await;
    let installed =
        Installed::with(&format!("[servers.docs]\nurl = \"{}\"\n\n{READERS}", server.url())).await;
    let gateway = installed.serve().await;
    let (ann, bob) = (installed.token("ann"), installed.token("bob"));
    let mut open = Caller::new(&gateway, &ann).await;
    open.open(false, &[], &call("delete")).await;
    let streaming = server.next().await.stream(&[]);
    assert_eq!(open.wire.head().await.expect("a head").status(), 200);
    streaming.chunk("data: {}\n\n");
    assert_eq!(open.wire.chunk().await.as_deref(), Some(&b"data: {}\n\n"[..]));

    rewrite(&installed, "[clients.ann]", "[clients.ann]\npolicy = \"readers\"");
    let said = installed.apply().await;
    let applied = Instant::now();
    assert!(said.contains("ann: registered"), "{said}");
    // What was allowed and no longer is ends, without a proper end.
    assert_eq!(open.wire.chunk_or_cut().await, Err(Cut), "an answer that was cut must not look whole");
    eprintln!("the open call ended {:?} after `hallpass apply` had returned", applied.elapsed());
    assert!(applied.elapsed() < BOUND, "an open call goes on that the policy denies");

    let mut caller = Caller::new(&gateway, &ann).await;
    let refused = caller.ask(&call("delete")).await;
    assert_eq!((refused.status(), refused.says("error").as_str()), (403, "policy_denied"));
    for (token, shown) in [(&ann, LEFT), (&bob, TOOLS)] {
        let mut caller = Caller::new(&gateway, token).await;
        caller.post(&[], LIST.as_bytes()).await;
        json(server.next().await, TOOLS);
        assert_eq!(String::from_utf8(caller.reply().await.body).expect("UTF-8"), shown);
    }
    let tested = installed.program.run(&["policy", "test", "ann", "docs", "delete"]).await;
    assert_eq!(tested.code, Some(1), "{tested:#?}");

    // Another rule of the same policy, and the same client may again.
    rewrite(&installed, "allow docs/read", "allow docs/*");
    installed.apply().await;
    let applied = Instant::now();
    loop {
        caller.post(&[], call("delete").as_bytes()).await;
        tokio::select! {
            exchange = server.next() => {
                json(exchange, TOOLS);
                assert_eq!(caller.reply().await.status(), 200);
                break;
            }
            refused = caller.reply() => assert_eq!(refused.status(), 403),
        }
        assert!(applied.elapsed() < BOUND, "a policy that was applied is not in force");
    }
    let event = installed
        .logged("a refused call", |event| event["reason"] == "policy_denied" && event["outcome"] == "refused")
        .await;
    assert_eq!((&event["client"], &event["tool"]), (&"ann".into(), &"delete".into()));
    installed.nothing_leaked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_clients_see_and_call_what_their_policy_leaves() {
    let server = RmcpServer::start().await;
    let rules = "[policy.few]\nrules = [\"allow docs/echo\", \"allow docs/c*\"]\ndefault = \"deny\"\n";
    let installed = Installed::with(&format!("[servers.docs]\nurl = \"{}\"\n\n{rules}", server.url())).await;
    rewrite(&installed, "[clients.ann]", "[clients.ann]\npolicy = \"few\"");
    installed.apply().await;
    let gateway = installed.serve().await;
    let target = Target::anonymous(gateway.server("docs")).with_token(installed.token("ann"));
    for sdk in [Sdk::TypeScript, Sdk::Rmcp] {
        for revision in [Revision::Sessions, Revision::Stateless] {
            let calls = [Call::echo("x"), Call::count(3), Call::add(1, 2)];
            let mut witness = sdk.visit(revision, &target, &calls).await;
            witness.tools.sort();
            assert_eq!(witness.tools, ["count", "echo"], "{sdk:?} {revision:?}");
            // What was begun and not answered is noted without a text.
            let answered = witness.calls.iter().filter(|answer| answer.text.is_some());
            let answered: Vec<_> =
                answered.map(|answer| (answer.tool.as_str(), answer.progress.len())).collect();
            assert_eq!(answered, [("echo", 0), ("count", 3)], "{sdk:?} {revision:?}");
            let failure = witness.failure.expect("the denied call");
            assert_eq!(failure.stage, Stage::Call, "{failure:?}");
            assert!(failure.message.contains("policy_denied"), "{failure:?}");
        }
    }
}
