//! `kill -9` under load, again and again: the log is whole each time, and what anybody was told is in it.

use crate::scene::{Calling, ECHO, FAIL, Scene};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinSet;

const ROUNDS: usize = 200;
const CALLERS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_under_load_leaves_a_whole_log_that_has_all_that_was_acknowledged() {
    let scene = Scene::new(CALLERS + 1, "").await;
    let tokens: Vec<String> = (0..CALLERS).map(|number| scene.token(&format!("c{number}"))).collect();
    let switched = format!("c{CALLERS}");
    let (mut answered, mut done) = (HashSet::new(), Vec::new());
    for round in 0..ROUNDS {
        let gateway = scene.program.serve().await;
        let count = Arc::new(AtomicUsize::new(0));
        let mut callers = JoinSet::new();
        for token in &tokens {
            let (mut calling, count) = (Calling::new(&gateway, token).await, Arc::clone(&count));
            callers.spawn(async move {
                let mut ids = Vec::new();
                while let Some(head) = calling.call(if ids.len() % 5 == 4 { FAIL } else { ECHO }).await {
                    assert_eq!(head.status(), 200);
                    ids.push(head.value("hallpass-request-id").expect("an id").to_owned());
                    count.fetch_add(1, Ordering::Relaxed);
                }
                ids
            });
        }
        let reason = format!("round {round}");
        let act: &[&str] = if round % 2 == 0 {
            &["disable", &switched, "--reason", &reason]
        } else {
            &["enable", &switched]
        };
        let (act, ()) = tokio::join!(scene.program.run(act), async {
            // As many as make the moment another one each time.
            while count.load(Ordering::Relaxed) < round * 31 % 97 {
                tokio::task::yield_now().await;
            }
            gateway.kill().await;
        });
        assert_eq!(act.code, Some(0), "{act:#?}");
        done.push(act);
        for ids in callers.join_all().await {
            answered.extend(ids);
        }
        scene.assert_whole();
    }
    let records = scene.records();
    let ids: HashSet<&str> = records.iter().filter_map(|record| record["request_id"].as_str()).collect();
    assert!(answered.len() > ROUNDS, "{} calls", answered.len());
    assert_eq!(
        answered.iter().filter(|id| !ids.contains(id.as_str())).count(),
        0,
        "answered and not in the log"
    );
    let acts = records
        .iter()
        .filter(|record| ["disable", "enable"].contains(&record["kind"].as_str().unwrap_or_default()));
    assert_eq!(acts.count(), done.len());
    let said = scene.program.must(&["audit", "verify"]).await;
    assert!(said.starts_with("whole: "), "{said}");
    // And the view follows, however often it was left behind.
    let gateway = scene.program.serve().await;
    gateway.terminate().await;
    let said = scene.program.must(&["audit", "reindex"]).await;
    assert!(said.starts_with("the view is equal to the log"), "{said}");
}
