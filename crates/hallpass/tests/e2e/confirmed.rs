//! `--wait`: when the command has returned, the gateway has it in force, and the very next call shows it.

use rustix::process::Signal;
use sqlx::Connection as _;
use tokio::task::JoinHandle;

use crate::{
    caller::Caller,
    installed::Installed,
    program::{Outcome, Serving},
    recorder::Recorder,
    unreachable::raw,
};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
/// Each change is tried so often: without waiting, some of these would come before the gateway's next look.
const ROUNDS: usize = 8;

/// Answers every request, until the handle is aborted.
fn answer_all(mut server: Recorder) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            server.next().await.respond("200 OK", &["Content-Type: application/json"], ANSWER.as_bytes());
        }
    })
}

async fn served() -> (Installed, Serving, JoinHandle<()>) {
    let server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let answering = answer_all(server);
    let gateway = installed.serve().await;
    (installed, gateway, answering)
}

/// Stops the gateway where it holds nothing: one that is stopped while it writes would keep every other writer waiting.
async fn stand_still(installed: &Installed, gateway: &Serving) {
    let mut writing = raw(&installed.program.home().join("hallpass.db")).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut writing).await.expect("nobody else writes");
    gateway.stop();
    writing.close().await.expect("the end of the lock");
}

fn confirmed(outcome: &Outcome, gateway: &Serving) {
    let words =
        format!("the running gateway has confirmed it (pid {}, {})\n", gateway.id(), gateway.address());
    assert_eq!((outcome.code, outcome.stderr.ends_with(&words)), (Some(0), true), "{outcome:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_very_next_call_shows_it() {
    let (installed, gateway, answering) = served().await;
    let run = async |arguments: &[&str]| {
        confirmed(&installed.program.run(&[arguments, &["--wait"]].concat()).await, &gateway);
    };
    let status = async |token: &str| Caller::new(&gateway, token).await.ask(CALL).await.status();
    let token = installed.token("ann");
    for _ in 0..ROUNDS {
        assert_eq!(status(&token).await, 200);
        run(&["disable", "ann", "--reason", "on leave"]).await;
        let reply = Caller::new(&gateway, &token).await.ask(CALL).await;
        assert_eq!(reply.status(), 401);
        assert_eq!(
            reply.says("error_description"),
            "the client `ann` is disabled: run `hallpass enable ann`"
        );
        run(&["enable", "ann"]).await;
    }
    assert_eq!(status(&token).await, 200);
    run(&["rotate", "ann", "--yes", "--now"]).await;
    assert_eq!(status(&token).await, 401, "ended at once");
    let token = installed.token("ann");
    assert_eq!(status(&token).await, 200);
    for _ in 0..2 {
        run(&["revoke", "ann", "--reason", "laptop lost"]).await;
        assert_eq!(status(&token).await, 401);
    }
    let keys = installed.program.must(&["keys", "list", "--json"]).await;
    let keys: serde_json::Value = serde_json::from_str(&keys).expect("JSON");
    let kid = keys["keys"][0]["kid"].as_str().expect("a key").to_owned();
    let bob = installed.token("bob");
    assert_eq!(status(&bob).await, 200);
    let outcome =
        installed.program.run(&["keys", "revoke", &kid, "--reason", "copied", "--yes", "--wait"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(outcome.stderr.contains("the running gateway has confirmed it"), "{outcome:#?}");
    assert_eq!(status(&bob).await, 401);
    answering.abort();
    installed.nothing_leaked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stands_still_does_not_confirm_and_the_next_run_sees_it_done() {
    let (installed, gateway, answering) = served().await;
    stand_still(&installed, &gateway).await;
    let outcome = installed.program.run(&["revoke", "ann", "--reason", "laptop lost", "--wait=1"]).await;
    gateway.signal(Signal::CONT);
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert_eq!(outcome.stdout, "ann: cut off (1 token). `hallpass issue ann` gives it a new one\n");
    let said = format!(
        "error: what was changed is in the store, and the running gateway (pid {}, {}) has not confirmed it within 1 s: it ",
        gateway.id(),
        gateway.address()
    );
    assert!(outcome.stderr.starts_with(&said), "{outcome:#?}");
    assert!(outcome.stderr.contains(&format!("or stop it (`kill {}`)", gateway.id())), "{outcome:#?}");
    let again = installed.program.run(&["revoke", "ann", "--reason", "laptop lost", "--wait"]).await;
    confirmed(&again, &gateway);
    let mut caller = Caller::new(&gateway, &installed.token("ann")).await;
    assert_eq!(caller.ask(CALL).await.status(), 401);
    answering.abort();
}

/// A new token that the gateway does not know would be refused: `rotate` leaves everything as it is, and `issue`, which
/// ends the one before in any case, goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_takes_in_nothing_stops_a_rotation_before_anything_is_placed() {
    let (installed, gateway, answering) = served().await;
    let old = installed.token("ann");
    stand_still(&installed, &gateway).await;
    let rotated = installed.program.run(&["rotate", "--all", "--yes"]).await;
    let after = installed.token("ann");
    let shown = installed.program.must(&["show", "ann", "--json"]).await;
    let issued = installed.program.run(&["issue", "bob", "--yes"]).await;
    gateway.signal(Signal::CONT);
    assert_eq!(rotated.code, Some(1), "{rotated:#?}");
    assert!(rotated.stderr.contains(&format!("(pid {}, ", gateway.id())), "{rotated:#?}");
    assert!(rotated.stderr.contains(") does not take in new tokens: it "), "{rotated:#?}");
    assert_eq!(after, old);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let tokens = shown["tokens"].as_array().expect("tokens");
    assert_eq!((tokens.len(), &tokens[0]["state"]), (1, &"active".into()), "{shown:#}");
    assert_eq!(issued.code, Some(0), "{issued:#?}");
    assert_eq!(Caller::new(&gateway, &old).await.ask(CALL).await.status(), 200);
    installed.program.must(&["rotate", "--all", "--yes"]).await;
    assert_ne!(installed.token("ann"), old);
    answering.abort();
}

/// What a killed gateway left in the store says nothing about the one that runs, or does not run, now.
#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_a_dead_gateway_does_not_count() {
    let (installed, gateway, answering) = served().await;
    let disable = ["disable", "ann", "--reason", "on leave", "--wait"];
    confirmed(&installed.program.run(&disable).await, &gateway);
    gateway.kill().await;
    let outcome = installed.program.run(&["enable", "ann", "--wait"]).await;
    let words = "no gateway runs: what was changed is in force from its next start\n";
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), words), "{outcome:#?}");
    let gateway = installed.serve().await;
    confirmed(&installed.program.run(&disable).await, &gateway);
    assert_eq!(gateway.terminate().await.code, Some(0));
    let store = hallpass_store::Store::open(&installed.program.home().join("hallpass.db")).await;
    assert_eq!(
        store.expect("the store").gateway("local").await.expect("a row"),
        None,
        "it took its word back"
    );
    answering.abort();
}

/// The gateway ends while a command waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ends_meanwhile_is_not_waited_for() {
    let (installed, gateway, answering) = served().await;
    stand_still(&installed, &gateway).await;
    let mut command = installed.program.command(&["disable", "ann", "--reason", "x", "--wait=20"]);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().expect("the program");
    // It has done its work and waits from here on.
    installed.logged("the act", |event| event["kind"] == "disable").await;
    assert_eq!(child.try_wait().expect("a child"), None);
    gateway.kill().await;
    let output = child.wait_with_output().await.expect("an end");
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(said, "no gateway runs: what was changed is in force from its next start\n");
    answering.abort();
}

/// Ctrl-C while it waits: what was done stays done.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_wait_takes_nothing_back() {
    let (installed, gateway, answering) = served().await;
    stand_still(&installed, &gateway).await;
    let mut child = installed.program.command(&["revoke", "ann", "--reason", "lost", "--wait"]).spawn();
    let child = child.as_mut().expect("the program");
    installed.logged("the act", |event| event["kind"] == "revoke").await;
    let id = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    rustix::process::kill_process(id.expect("a running child"), Signal::INT).expect("a child");
    assert_eq!(child.wait().await.expect("an end").code(), None, "ended by the signal");
    gateway.signal(Signal::CONT);
    let outcome = installed.program.run(&["revoke", "ann", "--reason", "lost", "--wait"]).await;
    assert!(outcome.stdout.starts_with("ann: it has no token in force"), "{outcome:#?}");
    confirmed(&outcome, &gateway);
    answering.abort();
}
