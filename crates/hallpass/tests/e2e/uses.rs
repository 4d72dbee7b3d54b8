//! What the running gateway remembers of tokens' uses: over restarts and `kill -9`, in `hallpass status`, and what a first
//! use sets off.

use std::time::Duration;

use hallpass_core::{
    ClientName, Event, Outcome, UnixTime,
    grace::TagKey,
    snapshot::ServerScope,
    uses::{LegacyUse, TokenUse},
};
use hallpass_store::{GraceRow, SHARED_SECRETS, SealKey, Store, UseRows};
use serde_json::Value;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    caller::{Caller, Reply},
    installed::Installed,
    program::Serving,
    recorder::Recorder,
    unreachable::raw,
};

pub(crate) const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
/// A first use is in force within about 300 ms. A shared machine may be slower than the program.
const NOTED_BOUND: Duration = Duration::from_secs(3);
/// Rows are written every 5 s.
const PATIENCE: Duration = Duration::from_secs(15);
const DAY: i64 = 86_400;

/// Answers every request, until the handle is aborted.
pub(crate) fn answer_all(mut server: Recorder) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            server.next().await.respond("200 OK", &["Content-Type: application/json"], ANSWER.as_bytes());
        }
    })
}

/// A set-up whose server answers everything.
pub(crate) async fn answering(rest: &str) -> Installed {
    let server = Recorder::start().await;
    let installed = Installed::with(&format!("[servers.docs]\nurl = \"{}\"\n{rest}", server.url())).await;
    answer_all(server);
    installed
}

impl Installed {
    pub(crate) async fn status(&self) -> Value {
        let printed = self.program.must(&["status", "--json"]).await;
        serde_json::from_str(&printed).expect("one JSON document")
    }

    /// `hallpass status --check`: whether nothing needs a person, and what is said.
    pub(crate) async fn check(&self) -> (bool, String) {
        let outcome = self.program.run(&["status", "--check"]).await;
        assert!(matches!(outcome.code, Some(0 | 3)) && outcome.stderr.is_empty(), "{outcome:#?}");
        (outcome.code == Some(0), outcome.stdout)
    }

    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.program.home().join("hallpass.db")).await.expect("the store")
    }
}

/// The client's part of `hallpass status --json`.
fn client<'a>(status: &'a Value, name: &str) -> &'a Value {
    let clients = status["clients"].as_array().expect("clients");
    clients.iter().find(|client| client["client"] == name).expect("the client")
}

async fn call_with(gateway: &Serving, token: &str, lines: &[&str]) -> Reply {
    let mut caller = Caller::new(gateway, token).await;
    caller.post(lines, CALL.as_bytes()).await;
    caller.reply().await
}

async fn status_of_call(gateway: &Serving, token: &str) -> u16 {
    call_with(gateway, token, &[]).await.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_shows_in_status_while_the_gateway_runs_and_counts_are_exact_over_restarts() {
    let installed = answering("").await;
    let gateway = installed.serve().await;
    for _ in 0..3 {
        let reply = call_with(&gateway, &installed.token("ann"), &["User-Agent: agent/7"]).await;
        assert_eq!(reply.status(), 200);
    }
    let shown = timeout(PATIENCE, async {
        loop {
            let status = installed.status().await;
            if client(&status, "ann")["last_use"]["calls"] == 3 {
                return status;
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    let status = shown.await.expect("the use shows within some seconds");
    let usage = &client(&status, "ann")["last_use"];
    assert_eq!((&usage["server"], &usage["address"]), (&"docs".into(), &"127.0.0.1".into()), "{usage}");
    assert_eq!(usage["user_agent"], "agent/7");
    assert_eq!(client(&status, "bob")["last_use"], Value::Null);
    assert_eq!(status["gateway"]["health"], "ready");
    assert_eq!(status["gateway"]["revision_in_force"], status["gateway"]["revision"]);
    gateway.terminate().await;
    for run in 1..=2 {
        let gateway = installed.serve().await;
        assert_eq!(status_of_call(&gateway, &installed.token("ann")).await, 200);
        gateway.terminate().await;
        let status = installed.status().await;
        let usage = &client(&status, "ann")["last_use"];
        assert_eq!(
            (&usage["calls"], &usage["user_agent"]),
            (&(3 + run).into(), &"agent/7".into()),
            "{usage}"
        );
        assert_eq!(status["warnings"], serde_json::json!([]));
    }
    let screen = installed.program.must(&["status"]).await;
    let line = screen.lines().find(|line| line.starts_with("ann")).expect("ann's line");
    assert!(
        line.contains("ends in 89 days") && line.contains("docs") && line.contains("127.0.0.1"),
        "{screen}"
    );
    assert!(screen.lines().all(|line| line.chars().count() <= 100), "{screen}");
    installed.nothing_leaked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_what_was_not_counted_is_read_from_the_log() {
    let installed = answering("").await;
    let gateway = installed.serve().await;
    for _ in 0..7 {
        assert_eq!(status_of_call(&gateway, &installed.token("ann")).await, 200);
    }
    timeout(PATIENCE, async {
        while installed.log(&["--client", "ann", "--outcome", "ok"]).await.len() < 7 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the log has the calls");
    gateway.kill().await;
    let gateway = installed.serve().await;
    gateway.terminate().await;
    assert_eq!(client(&installed.status().await, "ann")["last_use"]["calls"], 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_lives_until_its_successor_is_seen_ends_with_the_first_use() {
    let installed = answering("").await;
    let gateway = installed.serve().await;
    let old = installed.token("ann");
    installed.program.must(&["rotate", "ann", "--overlap", "1h", "--until-seen", "--yes"]).await;
    let new = installed.token("ann");
    assert_eq!(status_of_call(&gateway, &old).await, 200);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(status_of_call(&gateway, &old).await, 200, "its own use does not end it");
    assert_eq!(status_of_call(&gateway, &new).await, 200);
    let used = Instant::now();
    while status_of_call(&gateway, &old).await == 200 {
        assert!(used.elapsed() < NOTED_BOUND, "the former token still passes");
    }
    assert_eq!(status_of_call(&gateway, &new).await, 200);
    installed.logged("its end", |event| event["kind"] == "end-replaced" && event["client"] == "ann").await;
    gateway.terminate().await;
}

/// A grace period as an operator would start it.
async fn grace(installed: &Installed, secret: &str, strict: bool) {
    let seal = SealKey::load(&installed.program.home().join("seal.key")).expect("the seal");
    let now = now();
    let row = GraceRow {
        period: 0,
        tag: TagKey::new(&seal.derive(SHARED_SECRETS)).tag(secret.as_bytes()),
        until: now.plus(10 * DAY),
        started_at: now,
        ended_at: None,
        seen: now,
        servers: ServerScope::All,
        policy: None,
        strict,
    };
    let act = Event::new(now.seconds() * 1000, "grace", Outcome::Done);
    installed.store().await.put_grace(&row, None, &act).await.expect("a grace period");
}

#[expect(clippy::disallowed_methods, reason = "the test stands outside of the program, whose clock this is")]
fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    UnixTime::from_seconds(i64::try_from(since.as_secs()).expect("before the end"))
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_with_the_shared_secret_are_remembered_and_shown() {
    let installed = answering("").await;
    grace(&installed, "shared-by-all", false).await;
    let gateway = installed.serve().await;
    for (path, agent, calls) in
        [("/c/ann/s/docs/mcp", "one", 2), ("/s/docs/mcp", "two", 1), ("/s/docs/mcp", "three", 1)]
    {
        for _ in 0..calls {
            let mut caller = Caller::at(&gateway, path, Some("Bearer shared-by-all".into())).await;
            caller.post(&[&format!("User-Agent: {agent}")], CALL.as_bytes()).await;
            assert_eq!(caller.reply().await.status(), 200);
        }
    }
    gateway.terminate().await;
    let rows = installed.store().await.legacy_uses().await.expect("the rows");
    let told = |row: &LegacyUse| {
        let caller = &row.caller;
        let path = caller.path_client.as_ref().map(ClientName::to_string);
        (path, caller.user_agent.clone().expect("an agent"), row.calls, row.called.clone())
    };
    let mut told: Vec<_> = rows.iter().map(told).collect();
    told.sort();
    let echo = |times| [("docs/echo".to_owned(), times)].into();
    let expect = [
        (None, "three".to_owned(), 1, echo(1)),
        (None, "two".to_owned(), 1, echo(1)),
        (Some("ann".to_owned()), "one".to_owned(), 2, echo(2)),
    ];
    assert_eq!(told, expect);
    let status = installed.status().await;
    assert_eq!(status["grace"]["users"].as_array().expect("users").len(), 3, "{status}");
    let screen = installed.program.must(&["status"]).await;
    let mut lines = screen.lines().skip_while(|line| !line.starts_with("grace"));
    let [until, users] = [(); 2].map(|()| lines.next().expect("a line about grace"));
    assert!(
        until.contains("days)") && users.contains("used by `three` from") && users.contains(") and 2 more"),
        "{screen}"
    );
    assert!(!installed.program.transcript().contains("shared-by-all"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_grace_period_ends_for_a_client_with_the_first_use_of_its_own_token() {
    let installed = answering("").await;
    grace(&installed, "shared-by-all", true).await;
    let gateway = installed.serve().await;
    let shared = async || {
        let mut caller = Caller::at(&gateway, "/c/ann/s/docs/mcp", Some("Bearer shared-by-all".into())).await;
        caller.ask(CALL).await.status()
    };
    assert_eq!(shared().await, 200);
    assert_eq!(status_of_call(&gateway, &installed.token("ann")).await, 200);
    let used = Instant::now();
    while shared().await == 200 {
        assert!(used.elapsed() < NOTED_BOUND, "the shared secret still passes on its path");
    }
    assert_eq!(shared().await, 401);
    gateway.terminate().await;
}

/// The store takes rows, and for a while nothing that hangs on a first use.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_use_that_could_not_be_noted_before_kill_9_is_noted_after() {
    let installed = answering("").await;
    grace(&installed, "shared-by-all", true).await;
    let gateway = installed.serve().await;
    let mut database = raw(&installed.program.home().join("hallpass.db")).await;
    let sql = "CREATE TRIGGER in_the_way BEFORE UPDATE OF token_used_at ON client BEGIN SELECT RAISE(ABORT, 'no'); END";
    sqlx::query(sql).execute(&mut database).await.expect("a trigger");
    assert_eq!(status_of_call(&gateway, &installed.token("ann")).await, 200);
    // Longer than rows wait to be written after a first use.
    sleep(Duration::from_secs(3)).await;
    gateway.kill().await;
    sqlx::query("DROP TRIGGER in_the_way").execute(&mut database).await.expect("no trigger");
    let gateway = installed.serve().await;
    let served = Instant::now();
    let shared = async || {
        let mut caller = Caller::at(&gateway, "/c/ann/s/docs/mcp", Some("Bearer shared-by-all".into())).await;
        caller.ask(CALL).await.status()
    };
    while shared().await == 200 {
        assert!(served.elapsed() < NOTED_BOUND, "the first use was forgotten");
    }
    gateway.terminate().await;
}

/// A row that says when the token was used last.
pub(crate) async fn used_before(installed: &Installed, client: &str, seconds: i64) {
    let store = installed.store().await;
    let token = store.tokens_of(client).await.expect("tokens").remove(0);
    let last_ms = now().plus(-seconds).seconds() * 1000;
    let usage = TokenUse {
        jti: token.jti,
        client: token.client,
        first_ms: last_ms,
        last_ms,
        calls: 1,
        server: None,
        address: None,
        user_agent: None,
        client_info: None,
    };
    let rows = UseRows { tokens: std::slice::from_ref(&usage), ..UseRows::default() };
    store.put_uses(rows).await.expect("a row");
}
