//! `hallpass serve` as an operator meets it: how it starts, what it says, how it ends.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::{
    caller::Caller,
    installed::Installed,
    program::{Hallpass, Outcome},
    recorder::Recorder,
    wire::Cut,
};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
const ANYWHERE: &str = "127.0.0.1:0";
const NOBODY: &str = "http://127.0.0.1:9/mcp";
/// Longer than a start and an end take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn is_refused(outcome: &Outcome, error: &str, hint: &str) {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:#?}");
    let said: Vec<_> = outcome.stderr.lines().collect();
    assert!(said.iter().any(|line| line.starts_with(&format!("error: {error}"))), "{outcome:#?}");
    assert!(said.iter().any(|line| line.starts_with("hint: ") && line.contains(hint)), "{outcome:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind(ANYWHERE).expect("a loopback port");
    let address = taken.local_addr().expect("a bound address").to_string();
    let installed =
        Installed::with(&format!("[gateway]\nlisten = \"{address}\"\n[servers.docs]\nurl = \"{NOBODY}\"\n"))
            .await;
    for arguments in [&["serve"][..], &["serve", "--listen", &address], &["up", "--yes"]] {
        let outcome = installed.program.run(arguments).await;
        assert_eq!(outcome.code, Some(1), "{outcome:#?}");
        assert!(outcome.stderr.contains(&format!("error: cannot listen on {address}: ")), "{outcome:#?}");
        assert!(outcome.stderr.contains("hint: another program has that port"), "{outcome:#?}");
    }
    // What is told on the command line counts for this run.
    let gateway = installed.serve().await;
    assert_ne!(gateway.address(), format!("http://{address}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_serves_a_home() {
    let installed = Installed::before("docs", NOBODY).await;
    let gateway = installed.serve().await;
    let outcome = installed.program.run(&["serve", "--listen", ANYWHERE]).await;
    let who = format!("a gateway already serves this home (pid {}, {})", gateway.id(), gateway.address());
    is_refused(&outcome, &who, "stop that one first");
    let outcome = installed.program.run(&["up", "--yes"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(outcome.stderr.contains("the gateway already runs"), "{outcome:#?}");
    assert_eq!(Caller::new(&gateway, &installed.token("ann")).await.ask(CALL).await.status(), 502);
    // A gateway that was killed leaves nothing in the way.
    gateway.kill().await;
    let gateway = installed.serve().await;
    assert_eq!(gateway.terminate().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_serve_is_said() {
    let program = Hallpass::new();
    is_refused(&program.run(&["serve"]).await, "", "hallpass ");
    program.must(&["init"]).await;
    let outcome = program.run(&["serve", "--listen", ANYWHERE]).await;
    is_refused(&outcome, "there is no server to stand in front of", "[servers.docs]");
}

/// Open streams are cut, calls under way may end, and then it is over.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_it_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Recorder::start().await;
        let installed = Installed::before("docs", &server.url()).await;
        let gateway = installed.serve().await;
        let token = installed.token("ann");
        let mut listener = Caller::new(&gateway, &token).await;
        listener.get(&[]).await;
        let mut streaming = server.next().await.stream(&[]);
        listener.wire.head().await.expect("a head");
        let mut caller = Caller::new(&gateway, &token).await;
        caller.post(&[], CALL.as_bytes()).await;
        let waiting = server.next().await;
        gateway.signal(signal);
        assert_eq!(listener.wire.chunk_or_cut().await, Err(Cut));
        streaming.disconnected().await;
        waiting.respond("200 OK", &["Content-Type: application/json"], ANSWER.as_bytes());
        assert_eq!(caller.reply().await.status(), 200, "a call under way ends");
        let outcome = gateway.ended().await;
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        assert!(outcome.stderr.contains("stopping"), "{outcome:#?}");
        let of_calls = installed.log(&["--client", "ann"]).await;
        let said = |event: &&Value| event["outcome"] == "cut" && event["reason"] == "shutdown";
        assert_eq!(of_calls.iter().filter(said).count(), 1, "{of_calls:#?}");
        assert_eq!(of_calls.iter().filter(|event| event["outcome"] == "ok").count(), 1, "{of_calls:#?}");
        installed.nothing_leaked().await;
    }
}

/// A call that never ends does not hold up the end.
/// Another command holds the home while a person thinks about its question.
#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_stopped_while_it_waits_for_another_command() {
    let installed = Installed::before("docs", NOBODY).await;
    let lock = std::fs::File::open(installed.program.home().join("lock")).expect("the home's lock");
    lock.lock().expect("a lock");
    for signal in [Signal::TERM, Signal::INT] {
        let mut command = installed.program.command(&["serve", "--listen", ANYWHERE]);
        let mut gateway = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut said = BufReader::new(gateway.stderr.take().expect("a pipe")).lines();
        let line = timeout(PATIENCE, said.next_line()).await.expect("a line in time").expect("text");
        assert_eq!(line.as_deref(), Some("waiting for another hallpass command to finish"));
        let id = gateway.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).expect("a running child");
        kill_process(id, signal).expect("a child to signal");
        let ended = timeout(PATIENCE, gateway.wait()).await.expect("it ends").expect("a child to wait for");
        assert_eq!(ended.code(), Some(0), "{signal:?}");
        assert_eq!(said.next_line().await.expect("text").as_deref(), Some("stopping"));
    }
    drop(lock);
    installed.serve().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_hangs_is_cut_in_the_end() {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let gateway = installed.serve().await;
    let mut caller = Caller::new(&gateway, &installed.token("ann")).await;
    caller.post(&[], CALL.as_bytes()).await;
    let mut waiting = server.next().await;
    let answer = tokio::spawn(async move { caller.reply().await });
    let outcome = timeout(Duration::from_secs(8), gateway.terminate()).await.expect("it ends");
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    waiting.disconnected().await;
    let answer = answer.await.expect("an answer");
    assert_eq!((answer.status(), &*answer.says("error")), (503, "shutting_down"));
    let log = installed.log(&["--outcome", "cut"]).await;
    assert_eq!((log.len(), &log[0]["reason"]), (1, &"shutdown".into()), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_knows_whether_it_runs() {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let status = async || -> Value {
        let printed = installed.program.must(&["status", "--json"]).await;
        serde_json::from_str(&printed).expect("JSON")
    };
    let before = status().await;
    assert_eq!(before["gateway"]["running"], false, "{before}");
    assert_eq!(before["clients"][0]["last_call_at"], Value::Null, "{before}");
    let gateway = installed.serve().await;
    let running = status().await;
    let said = format!("pid {}, {}", gateway.id(), gateway.address());
    let gateway_is = &running["gateway"];
    assert_eq!((&gateway_is["running"], &gateway_is["said"]), (&true.into(), &said.clone().into()));
    let text = installed.program.must(&["status"]).await;
    assert!(text.starts_with(&format!("gateway   runs ({said}), revision ")), "{text}");
    let mut caller = Caller::new(&gateway, &installed.token("ann")).await;
    caller.post(&[], CALL.as_bytes()).await;
    server.next().await.respond("200 OK", &["Content-Type: application/json"], ANSWER.as_bytes());
    caller.reply().await;
    installed.logged("the call", |event| event["kind"] == "call").await;
    gateway.terminate().await;
    let after = status().await;
    assert_eq!(after["gateway"]["running"], false, "{after}");
    assert_eq!(after["clients"][0]["client"], "ann");
    assert!(after["clients"][0]["last_call_at"].is_string(), "{after}");
    assert_eq!(after["clients"][1]["last_call_at"], Value::Null, "{after}");
    let text = installed.program.must(&["status"]).await;
    assert!(text.starts_with("gateway   does not run"), "{text}");
}

/// Two calls of a client and a refusal, of which the tool's name is meant to break out of its line.
async fn calls_and_said(flags: &[&str]) -> (Installed, Outcome) {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let arguments = [&["serve", "--listen", ANYWHERE], flags].concat();
    let gateway = installed.program.start(installed.program.command(&arguments)).await;
    for name in ["echo", r"x\n2026-01-01T00:00:00.000Z client=bob\u001b[31m"] {
        let body = CALL.replace("echo", name);
        let mut caller = Caller::new(&gateway, &installed.token("ann")).await;
        caller.post(&[], body.as_bytes()).await;
        server.next().await.respond("200 OK", &["Content-Type: application/json"], ANSWER.as_bytes());
        assert_eq!(caller.reply().await.status(), 200);
    }
    assert_eq!(Caller::at(&gateway, "/s/docs/mcp", None).await.ask(CALL).await.status(), 401);
    let outcome = gateway.terminate().await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    installed.nothing_leaked().await;
    (installed, outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_one_line_of_text() {
    let (installed, said) = calls_and_said(&[]).await;
    let lines: Vec<_> = said.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{said:#?}");
    let first = " client=ann server=docs method=tools/call tool=echo ";
    assert!(lines[0].contains(first) && lines[0].contains(" ok status=200 in="), "{}", lines[0]);
    assert!(lines[1].contains(r"client=ann server=docs method=tools/call tool="), "{}", lines[1]);
    assert!(!said.stdout.contains('\u{1b}'), "{said:#?}");
    assert!(lines[2].contains(" client=- ") && lines[2].contains(" refused reason=no_credential status=401"));
    // The log says the same again, afterwards.
    let again = installed.program.must(&["log", "-n", "3"]).await;
    assert_eq!(again, said.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_one_line_of_json() {
    let (installed, said) = calls_and_said(&["--log-json"]).await;
    let lines: Vec<Value> =
        said.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect();
    assert_eq!(lines.len(), 3, "{said:#?}");
    for (line, outcome) in lines.iter().zip(["ok", "ok", "refused"]) {
        assert_eq!((&line["kind"], &line["outcome"]), (&"call".into(), &outcome.into()), "{line}");
        assert!(line["request_id"].is_string() && line["duration_us"].is_u64(), "{line}");
    }
    assert_eq!((&lines[0]["client"], &lines[2]["client"]), (&"ann".into(), &Value::Null));
    let again = installed.program.must(&["log", "--json", "-n", "3"]).await;
    for (line, again) in lines.iter().zip(again.lines()) {
        let mut again: Value = serde_json::from_str(again).expect("a JSON object a line");
        let seq = again.as_object_mut().and_then(|members| members.remove("seq"));
        assert!(seq.is_some_and(|seq| seq.is_u64()) && &again == line, "{again}");
    }
}

/// `hallpass log -f` tells of a call that comes after it was started, and of that client only.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_what_comes() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let installed = Installed::before("docs", NOBODY).await;
    let gateway = installed.serve().await;
    let mut command = installed.program.command(&["log", "-f", "--client", "bob", "--json"]);
    let mut follower = command.stdout(std::process::Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines();
    let mut line = async || -> Value {
        let line = timeout(Duration::from_secs(10), lines.next_line()).await;
        serde_json::from_str(&line.expect("a line").expect("a pipe").expect("it goes on")).expect("JSON")
    };
    // What was there before it was started comes first.
    while line().await["kind"] != "issue" {}
    for client in ["ann", "bob"] {
        Caller::new(&gateway, &installed.token(client)).await.ask(CALL).await;
    }
    let event = line().await;
    assert_eq!((&event["kind"], &event["client"]), (&"call".into(), &"bob".into()), "{event}");
    follower.kill().await.expect("a child to kill");
}
