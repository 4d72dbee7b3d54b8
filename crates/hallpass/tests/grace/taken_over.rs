//! The grace period of a former set-up: stored once, enforced, and moved by no second run.

use crate::callers::{CALL, Caller};
use crate::house::{FORMER, House, SHARED};
use serde_json::Value;

const DAY: i64 = 86_400;

async fn period(house: &House) -> Value {
    let printed = house.hallpass.must(&["grace", "status", "--json"]).await;
    serde_json::from_str::<Value>(&printed).expect("a document")["period"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shared_token_of_a_former_set_up_is_accepted_until_its_end() {
    let house = House::heir(&["claude"]).await;
    let gateway = house.hallpass.serve().await;
    let mut caller = Caller::new(gateway.address(), SHARED).await;
    assert_eq!(caller.post("/s/docs/mcp", CALL).await.0, 200);
    let period = period(&house).await;
    assert_eq!((&period["over_since"], &period["servers"]), (&Value::Null, &Value::Null));
    house.hallpass.must(&["grace", "end", "--force", "--yes", "--wait"]).await;
    assert_eq!(caller.post("/s/docs/mcp", CALL).await.0, 401);
    // A second run of the take-over brings nothing back.
    let said = house.hallpass.must(&["init", "--from-env", "env.docker"]).await;
    assert!(
        said.contains("    the grace period is over since 20") && said.contains(": it is not brought back\n"),
        "{said}"
    );
    assert_eq!(caller.post("/s/docs/mcp", CALL).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_with_other_days_or_another_token_moves_nothing() {
    let house = House::heir(&[]).await;
    let before = period(&house).await;
    house.hallpass.write("env.docker", &FORMER.replace("DAYS=14", "DAYS=3000"));
    let said = house.hallpass.must(&["init", "--from-env", "env.docker"]).await;
    assert!(said.contains("it was set before and is not moved"), "{said}");
    house.hallpass.write("env.docker", &FORMER.replace(SHARED, "another-shared-token"));
    let said = house.hallpass.must(&["init", "--from-env", "env.docker"]).await;
    assert!(said.contains("a grace period for another secret was set before"), "{said}");
    let mut after = period(&house).await;
    after["seen"] = before["seen"].clone();
    assert_eq!(after, before);
    let until = before["until"].as_str().expect("an instant");
    let started = before["started_at"].as_str().expect("an instant");
    let seconds = |text| hallpass_core::UnixTime::from_rfc3339(text).expect("an instant").seconds();
    assert_eq!(seconds(until) - seconds(started), 14 * DAY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_token_that_no_client_could_show_is_refused_by_name() {
    let house = House::new("", &[]).await;
    house.hallpass.write("env", &FORMER.replace(SHARED, "'two words'"));
    let outcome = house.hallpass.run(&["init", "--from-env", "env"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(
        outcome.stderr.contains("the secret in `EXAI_WS_TOKEN` of `env` has characters that stand in no"),
        "{outcome:#?}"
    );
    assert!(!outcome.stderr.contains("two words") && !house.hallpass.home().join("hallpass.db").exists());
}
