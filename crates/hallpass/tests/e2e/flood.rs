//! A flood of bad tokens at the running program, and what the log gets of it.

use crate::{
    caller::Caller,
    uses::{CALL, answering},
};

const BAD: usize = 600;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_leaves_few_records_whose_sum_is_exact() {
    let installed = answering("").await;
    let gateway = installed.serve().await;
    let ann = installed.token("ann");
    for number in 0..BAD {
        assert_eq!(Caller::new(&gateway, "no.token.ofours").await.ask(CALL).await.status(), 401);
        if number % 100 == 0 {
            assert_eq!(Caller::new(&gateway, &ann).await.ask(CALL).await.status(), 200);
        }
    }
    let is_bad = |event: &serde_json::Value| event["reason"] == "malformed_token";
    installed.logged("the others", |event| is_bad(event) && event["count"].is_number()).await;
    // What is still only counted is told at the end.
    gateway.terminate().await;
    let log = installed.log(&[]).await;
    let bad: Vec<_> = log.iter().filter(|event| is_bad(event)).collect();
    let times = |event: &&serde_json::Value| event["count"].as_u64().unwrap_or(1);
    assert_eq!(bad.iter().map(times).sum::<u64>(), 600);
    assert!(bad.len() < 200, "{} records", bad.len());
    assert_eq!(log.iter().filter(|event| event["client"] == "ann" && event["kind"] == "call").count(), 6);
}
