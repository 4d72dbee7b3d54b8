//! What is odd about a token's use: each by its own cause, told once, shown until a person has seen it, and more than a
//! warning only where hallpass.toml says so.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    caller::Caller,
    installed::Installed,
    program::Serving,
    uses::{CALL, answering, used_before},
};

const PATIENCE: Duration = Duration::from_secs(15);
/// What was disabled is refused as soon as a revocation would be. A shared machine may be slower than the program.
const BOUND: Duration = Duration::from_secs(2);
const DAY: i64 = 86_400;

fn hello(program: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"clientInfo":{{"name":"{program}","version":"1"}}}}}}"#
    )
}

async fn says(gateway: &Serving, token: &str, body: &str) -> u16 {
    Caller::new(gateway, token).await.ask(body).await.status()
}

/// The warnings on record: kind, client and how often.
async fn warnings(installed: &Installed) -> Vec<(String, Option<String>, u64)> {
    let status = installed.status().await;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut warnings: Vec<_> = status["warnings"]
        .as_array()
        .expect("warnings")
        .iter()
        .map(|row| {
            (
                text(&row["kind"]).expect("a kind"),
                text(&row["client"]),
                row["times"].as_u64().expect("a number"),
            )
        })
        .collect();
    warnings.sort();
    warnings
}

fn one(kind: &str, client: Option<&str>, times: u64) -> Vec<(String, Option<String>, u64)> {
    vec![(kind.into(), client.map(Into::into), times)]
}

/// Waits for the one event about it, and looks at it.
async fn told(installed: &Installed, kind: &str) -> Value {
    let event = installed
        .logged(kind, |event| {
            event["kind"] == "warning"
                && event["reason"].as_str().is_some_and(|reason| reason.starts_with(kind))
        })
        .await;
    assert!(event["jti"].is_string() && event["address"].is_string(), "{event}");
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_day_has_no_warning() {
    let installed = answering("").await;
    used_before(&installed, "carl", 29 * DAY).await;
    for _ in 0..2 {
        let gateway = installed.serve().await;
        for client in ["ann", "bob", "carl"] {
            let token = installed.token(client);
            for body in [&hello(&format!("program-of-{client}")), CALL, CALL] {
                let reply = Caller::new(&gateway, &token).await.ask(body).await;
                assert_eq!(reply.status(), 200, "{client}: {}", reply.says("error_description"));
            }
            assert_eq!(says(&gateway, "nonsense", CALL).await, 401);
        }
        installed.program.must(&["rotate", "bob", "--overlap", "1h", "--yes"]).await;
        // What was issued this very moment may be unknown for another one.
        let used = Instant::now();
        while says(&gateway, &installed.token("bob"), CALL).await != 200 {
            assert!(used.elapsed() < BOUND, "the new token does not pass");
        }
        assert_eq!(installed.check().await, (true, String::new()));
        gateway.terminate().await;
    }
    assert_eq!(warnings(&installed).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_are_told_once_and_shown_until_a_person_has_seen_it() {
    let installed = answering("").await;
    let gateway = installed.serve().await;
    let token = installed.token("ann");
    for program in ["editor", "curl", "editor", "curl"] {
        assert_eq!(says(&gateway, &token, &hello(program)).await, 200, "it is only a warning");
    }
    let event = told(&installed, "two_programs").await;
    assert_eq!((&event["client"], &event["client_info"]), (&"ann".into(), &"curl/1".into()), "{event}");
    let (fine, said) = timeout(PATIENCE, async {
        loop {
            let checked = installed.check().await;
            if !checked.0 {
                return checked;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it needs a person");
    assert!(!fine && said.lines().count() == 1, "{said}");
    assert!(
        said.starts_with("ann is shown by two programs") && said.contains("hallpass log --client ann"),
        "{said}"
    );
    assert_eq!(installed.program.must(&["status", "--acknowledge"]).await.lines().count(), 1);
    gateway.terminate().await;
    assert_eq!(warnings(&installed).await, one("two_programs", Some("ann"), 3));
    assert_eq!(installed.log(&[]).await.iter().filter(|event| event["kind"] == "warning").count(), 1);
    assert_eq!(installed.status().await["warnings"][0]["acknowledged"], true);
    let gateway = installed.serve().await;
    assert_eq!(installed.check().await, (true, String::new()));
    assert_eq!(says(&gateway, &token, &hello("editor")).await, 200);
    gateway.terminate().await;
    assert_eq!(installed.status().await["warnings"][0]["acknowledged"], false, "it was seen again");
    installed.nothing_leaked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clients_path_is_refused_and_told() {
    let installed = answering("").await;
    let gateway = installed.serve().await;
    let token = Some(format!("Bearer {}", installed.token("ann")));
    let reply = Caller::at(&gateway, "/c/bob/s/docs/mcp", token).await.ask(CALL).await;
    assert_eq!(reply.status(), 401);
    told(&installed, "other_clients_path").await;
    gateway.terminate().await;
    assert_eq!(warnings(&installed).await, one("other_clients_path", Some("ann"), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_after_a_long_silence_is_told() {
    let installed = answering("").await;
    used_before(&installed, "ann", 31 * DAY).await;
    let gateway = installed.serve().await;
    assert_eq!(says(&gateway, &installed.token("ann"), CALL).await, 200);
    told(&installed, "after_silence").await;
    gateway.terminate().await;
    assert_eq!(warnings(&installed).await, one("after_silence", Some("ann"), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_token_that_is_used_after_the_new_one_is_told_and_shown() {
    let installed = answering("").await;
    let gateway = installed.serve().await;
    let old = installed.token("ann");
    installed.program.must(&["rotate", "ann", "--overlap", "2h", "--wait", "--yes"]).await;
    for token in [&old, &installed.token("ann")] {
        assert_eq!(says(&gateway, token, CALL).await, 200);
    }
    // Until it is told: what happens in the same instant is not after another.
    let odd = Instant::now();
    while installed.log(&[]).await.iter().all(|event| event["kind"] != "warning") {
        assert_eq!(says(&gateway, &old, CALL).await, 200);
        assert!(odd.elapsed() < PATIENCE, "it is not told");
    }
    told(&installed, "superseded").await;
    // The registry knows the second in which the new one was issued: what was used in a later one is still used.
    let shown = timeout(PATIENCE, async {
        while installed.status().await["replaced"][0]["used_since_then"].is_null() {
            assert_eq!(says(&gateway, &old, CALL).await, 200);
        }
    });
    shown.await.expect("it shows");
    gateway.terminate().await;
    let kinds: Vec<_> =
        warnings(&installed).await.into_iter().map(|(kind, client, _)| (kind, client)).collect();
    assert_eq!(kinds, [("superseded".to_owned(), Some("ann".to_owned()))]);
    let screen = installed.program.must(&["status"]).await;
    let line = screen.lines().find(|line| line.starts_with("replaced")).expect("a line about it");
    assert!(line.contains("ann: its former token was used") && line.contains("from 127.0.0.1"), "{line}");
    // It ends in less than six hours.
    let (_, said) = installed.check().await;
    assert!(said.contains("ann still uses its former token from 127.0.0.1"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_our_key_signed_and_nobody_knows_is_the_first_thing_said() {
    let installed = answering("").await;
    let database = installed.program.home().join("hallpass.db");
    installed.store().await.close().await;
    let backup = std::fs::read(&database).expect("the database");
    let token = installed.issue("ann").await;
    installed.store().await.close().await;
    // As if somebody else had minted it: what our key signed since the backup is not on record.
    #[expect(clippy::disallowed_methods, reason = "a test's own damage needs no atomic write")]
    std::fs::write(&database, backup).expect("the old database");
    let command = installed.program.command(&["serve", "--listen", "127.0.0.1:0", "--accept-rollback"]);
    let gateway = installed.program.start(command).await;
    assert_eq!(says(&gateway, &token, CALL).await, 401);
    told(&installed, "unknown_token").await;
    gateway.terminate().await;
    assert_eq!(warnings(&installed).await, one("unknown_token", None, 1));
    let gateway = installed.serve().await;
    let (_, said) = installed.check().await;
    let first = said.lines().next().expect("a line");
    assert!(first.contains("the key has leaked") && first.ends_with("`hallpass keys list`"), "{said}");
    gateway.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_configuration_says_so_a_warning_disables_the_client_until_it_is_enabled() {
    let installed = answering("[warnings]\ndisable = [\"two_programs\"]\n").await;
    let gateway = installed.serve().await;
    let token = installed.token("ann");
    for program in ["editor", "curl"] {
        assert_eq!(says(&gateway, &token, &hello(program)).await, 200);
    }
    let odd = Instant::now();
    while says(&gateway, &token, CALL).await == 200 {
        assert!(odd.elapsed() < BOUND, "it still passes");
    }
    assert_eq!(says(&gateway, &installed.token("bob"), CALL).await, 200, "nobody else is disabled");
    let act = installed.logged("the act", |event| event["kind"] == "disable").await;
    assert_eq!((&act["client"], &act["outcome"]), (&"ann".into(), &"done".into()), "{act}");
    let status = installed.status().await;
    let reason = status["clients"][0]["disabled_reason"].as_str().expect("a reason");
    assert!(reason.starts_with("two_programs: "), "{status}");
    installed.program.must(&["enable", "ann", "--wait", "--yes"]).await;
    assert_eq!(says(&gateway, &token, &hello("curl")).await, 200);
    gateway.terminate().await;
    assert_eq!(warnings(&installed).await, one("two_programs", Some("ann"), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_says_of_itself_is_kept_where_it_may_be_asked_for() {
    let installed = answering("").await;
    let gateway = installed.serve().await;
    let token = installed.token("ann");
    assert_eq!(says(&gateway, &token, &hello("editor")).await, 200);
    let refused = Caller::at(&gateway, "/c/bob/s/docs/mcp", Some(format!("Bearer {token}")))
        .await
        .ask(&hello("curl"))
        .await;
    assert_eq!(refused.status(), 401);
    gateway.terminate().await;
    let calls = installed.log(&["--client", "ann", "--outcome", "ok"]).await;
    assert_eq!((&calls[0]["client_info"], &calls[0]["user_agent"]), (&Value::Null, &Value::Null));
    let status = installed.status().await;
    assert_eq!(status["clients"][0]["last_use"]["client_info"], "editor/1", "{status}");
}
