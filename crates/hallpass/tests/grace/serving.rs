//! The commands against a running gateway, and what the report makes of real calls.

use crate::callers::{CALL, Caller, hello};
use crate::house::House;
use crate::program::{Hallpass, Outcome, Serving};
use crate::recorder::Recorder;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout};

const SECRET: &str = "Zt4kqW9xLm2v-b7nYc5sHd8pJf3gQ";
const OPEN: &str = "/s/docs/mcp";
/// The promise for a call is 300 ms, for a stream 1 s. A shared machine may be slower than the program.
const BOUND: Duration = Duration::from_secs(2);

async fn start(hallpass: &Hallpass, more: &[&str]) -> Outcome {
    hallpass.write("secret", SECRET);
    let arguments = ["grace", "start", "--until", "14d", "--secret-file", "secret", "--yes", "--wait"];
    hallpass.run(&[&arguments[..], more].concat()).await
}

async fn report(hallpass: &Hallpass) -> Value {
    let printed = hallpass.must(&["grace", "status", "--report", "--json"]).await;
    serde_json::from_str(&printed).expect("a document")
}

fn standing<'a>(report: &'a Value, client: &str) -> &'a Value {
    let lines = report["clients"].as_array().expect("clients");
    lines.iter().find(|line| line["client"] == client).expect("a client of that name")
}

async fn serving(clients: &[&str]) -> (House, Serving) {
    let house = House::with_clients(clients).await;
    let gateway = house.hallpass.serve().await;
    (house, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_is_in_force_when_start_returns_and_over_when_end_returns() {
    let (house, gateway) = serving(&["ann"]).await;
    let mut caller = Caller::new(gateway.address(), SECRET).await;
    assert_eq!(caller.post(OPEN, CALL).await.0, 401);
    assert_eq!(start(&house.hallpass, &[]).await.code, Some(0));
    assert_eq!(caller.post(OPEN, CALL).await.0, 200);
    house.hallpass.must(&["grace", "end", "--force", "--yes", "--wait"]).await;
    let (status, body) = caller.post(OPEN, CALL).await;
    assert!(status == 401 && body.contains("the shared secret is no longer accepted since"), "{body}");
    house
        .hallpass
        .must(&["grace", "extend", "--until", "1d", "--reason", "too soon", "--yes", "--wait"])
        .await;
    assert_eq!(caller.post(OPEN, CALL).await.0, 200);
    let mut ann = Caller::new(gateway.address(), &house.token("ann")).await;
    assert_eq!(ann.post(OPEN, CALL).await.0, 200, "clients are not concerned");
    assert_eq!(gateway.terminate().await.code, Some(0));
}

/// Calls of the last second count: the gateway writes its rows later, the log has them.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_right_after_a_call_wants_to_be_forced() {
    let (house, gateway) = serving(&["ann"]).await;
    start(&house.hallpass, &[]).await;
    let end = ["grace", "end", "--yes"];
    let mut caller = Caller::new(gateway.address(), SECRET).await.agent("old \"agent\"");
    assert_eq!(caller.post("/c/ann/s/docs/mcp", &hello("old-editor")).await.0, 200);
    let refused = timeout(BOUND, async {
        loop {
            let outcome = house.hallpass.run(&[&end[..], &["--dry-run"]].concat()).await;
            if outcome.code == Some(1) {
                return outcome;
            }
        }
    });
    let outcome = refused.await.expect("the log has the call");
    assert!(
        outcome.stdout.contains("old-editor/1 at 127.0.0.1, on the address of `ann`: 1 call, the last"),
        "{outcome:#?}"
    );
    assert!(outcome.stderr.starts_with("error: 1 caller was let in by the shared secret"), "{outcome:#?}");
    assert_eq!(house.hallpass.run(&end).await.code, Some(1));
    assert_eq!(caller.post(OPEN, CALL).await.0, 200, "nothing was ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_cuts_what_is_open_and_nobody_elses() {
    let mut server = Recorder::start().await;
    let house = House::with_clients(&["ann"]).await;
    house.hallpass.write("hallpass.toml", &format!(
        "[servers.docs]\nurl = \"{}\"\n[clients.ann]\nsubject = \"ann@exai-mcp.local\"\napp = \"claude-desktop\"\nconfig = \"ann.json\"\n",
        server.url()
    ));
    let gateway = house.hallpass.serve().await;
    start(&house.hallpass, &[]).await;
    let mut legacy = Caller::new(gateway.address(), SECRET).await;
    let mut ann = Caller::new(gateway.address(), &house.token("ann")).await;
    let (_, _legacy_stream) = tokio::join!(legacy.listen(OPEN), async {
        let shown = server.next().await;
        assert!(shown.head.value("authorization").is_none());
        shown.stream(&[])
    });
    let (_, anns_stream) = tokio::join!(ann.listen(OPEN), async { server.next().await.stream(&[]) });
    house.hallpass.must(&["grace", "end", "--force", "--yes"]).await;
    let ended = Instant::now();
    assert!(legacy.is_cut().await);
    assert!(ended.elapsed() < BOUND, "cut {:?} after the command had returned", ended.elapsed());
    anns_stream.finish();
    assert!(!ann.is_cut().await, "hers ended by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_says_who_has_moved_who_has_not_and_who_is_silent() {
    let (house, gateway) = serving(&["moved", "both", "unmoved", "silent", "bare"]).await;
    house.hallpass.must(&["revoke", "bare", "--reason", "lost"]).await;
    start(&house.hallpass, &[]).await;
    let path = |client: &str| format!("/c/{client}/s/docs/mcp");
    let mut legacy = Caller::new(gateway.address(), SECRET).await.agent("node");
    for client in ["moved", "unmoved", "bare"] {
        assert_eq!(legacy.post(&path(client), CALL).await.0, 200);
    }
    assert_eq!(legacy.post("/c/nobody/s/docs/mcp", CALL).await.0, 404);
    assert_eq!(legacy.post("/s/files/mcp", CALL).await.0, 404);
    // Times are kept in whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for client in ["moved", "both"] {
        let mut own = Caller::new(gateway.address(), &house.token(client)).await.agent("node");
        assert_eq!(own.post(&path(client), CALL).await.0, 200);
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(legacy.post(&path("both"), CALL).await.0, 200);
    assert_eq!(legacy.post(OPEN, &hello("old-editor")).await.0, 200);
    gateway.terminate().await;

    let report = report(&house.hallpass).await;
    let stands: Vec<_> = ["moved", "both", "unmoved", "silent", "bare"]
        .map(|client| standing(&report, client)["standing"].as_str().expect("a word").to_owned())
        .into();
    assert_eq!(stands, ["moved", "both", "not_moved", "silent", "not_moved"]);
    assert_eq!(report["verdict"], json!({ "state": "not_yet", "unmoved": ["bare", "unmoved"] }));
    let steps: Vec<_> =
        report["next"].as_array().expect("steps").iter().map(|step| step["do"].clone()).collect();
    assert_eq!(
        steps,
        ["issue", "restart", "find_the_other_copy", "give_a_name", "ask"]
            .map(Value::from)
            .into_iter()
            .collect::<Vec<_>>()
    );
    let callers = report["callers"].as_array().expect("callers");
    let of = |path: Value, program: Value| {
        let found =
            callers.iter().filter(|caller| caller["path_client"] == path && caller["client_info"] == program);
        let [caller] = found.collect::<Vec<_>>()[..] else { panic!("one of {path} {program} in {report:#}") };
        (
            caller["calls"].clone(),
            caller["refused"].clone(),
            caller["address"].clone(),
            caller["user_agent"].clone(),
        )
    };
    let expect = |calls: u64, refused: u64| (json!(calls), json!(refused), json!("127.0.0.1"), json!("node"));
    for client in ["moved", "both", "unmoved", "bare"] {
        assert_eq!(of(json!(client), Value::Null), expect(1, 0), "{client}");
    }
    assert_eq!(of(Value::Null, json!("old-editor/1")), expect(1, 0));
    assert_eq!(of(Value::Null, Value::Null), expect(0, 2), "no such path, no such server");
    assert_eq!(callers.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_closes_a_clients_address_once_it_has_used_its_own_token() {
    let (house, gateway) = serving(&["ann", "bob"]).await;
    start(&house.hallpass, &["--strict"]).await;
    let mut legacy = Caller::new(gateway.address(), SECRET).await;
    let (anns, bobs) = ("/c/ann/s/docs/mcp", "/c/bob/s/docs/mcp");
    assert_eq!((legacy.post(anns, CALL).await.0, legacy.post(bobs, CALL).await.0), (200, 200));
    let mut ann = Caller::new(gateway.address(), &house.token("ann")).await;
    assert_eq!(ann.post(anns, CALL).await.0, 200);
    let body = legacy.until(anns, 401).await;
    assert!(body.contains("`ann` has a token of its own"), "{body}");
    assert_eq!((legacy.post(bobs, CALL).await.0, legacy.post(OPEN, CALL).await.0), (200, 200));
    gateway.terminate().await;
    let gateway = house.hallpass.serve().await;
    let mut legacy = Caller::new(gateway.address(), SECRET).await;
    assert_eq!(
        (legacy.post(anns, CALL).await.0, legacy.post(bobs, CALL).await.0),
        (401, 200),
        "after a restart, too"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_nowhere_after_all_of_it() {
    let (house, gateway) = serving(&["ann"]).await;
    start(&house.hallpass, &[]).await;
    let mut legacy = Caller::new(gateway.address(), SECRET).await;
    for path in [OPEN, "/c/ann/s/docs/mcp", "/c/nobody/s/docs/mcp", "/mcp"] {
        legacy.post(path, CALL).await;
    }
    house.hallpass.must(&["grace", "end", "--force", "--yes", "--wait"]).await;
    legacy.post(OPEN, CALL).await;
    gateway.terminate().await;
    for arguments in
        [&["log"][..], &["log", "--json"], &["grace", "status", "--report"], &["status", "--json"]]
    {
        house.hallpass.must(arguments).await;
    }
    let transcript = house.hallpass.transcript();
    assert!(transcript.contains(" client=- legacy path=ann server=docs "), "{transcript}");
    assert!(!transcript.contains(&SECRET[..12]), "in what the processes printed");
    for entry in std::fs::read_dir(house.hallpass.home()).expect("the home") {
        let path = entry.expect("an entry").path();
        let bytes = if path.is_file() { std::fs::read(&path).expect("a file") } else { Vec::new() };
        assert!(!bytes.windows(12).any(|window| window == &SECRET.as_bytes()[..12]), "{}", path.display());
    }
}
