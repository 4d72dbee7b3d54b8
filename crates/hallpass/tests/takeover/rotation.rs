//! `hallpass keys rotate` while clients call: nobody notices. And `hallpass rotate` of tokens that were taken over.

use crate::house::{Caller, House, former_token, part};
use hallpass_core::UnixTime;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

const CLIENTS: [&str; 10] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];

struct Traffic {
    house: Arc<House>,
    address: String,
    stop: AtomicBool,
    calls: watch::Sender<usize>,
}

impl Traffic {
    /// Calls without pause until told to stop; every answer that is not 200 is kept.
    async fn call(self: Arc<Self>, client: &'static str) -> Vec<String> {
        let mut caller = Caller::at(&self.address).await;
        let mut token = self.house.token(client);
        let mut failed = Vec::new();
        while !self.stop.load(Ordering::SeqCst) {
            let (status, body) = caller.call(&token).await;
            if status == 200 {
                self.calls.send_modify(|calls| *calls += 1);
                continue;
            }
            // A client whose token was replaced reads its file again; nobody else ever has a reason to.
            let newer = self.house.token(client);
            if newer == token {
                failed.push(format!("{client}: {status} {body}"));
            } else {
                caller.until(&newer, 200).await;
                token = newer;
            }
        }
        failed
    }

    /// Waits for so many more calls that went well.
    async fn more(&self, calls: usize) {
        let mut seen = self.calls.subscribe();
        let goal = *seen.borrow() + calls;
        let reached = timeout(Duration::from_mins(1), seen.wait_for(|now| *now >= goal)).await;
        reached.expect("calls go on").expect("a sender");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_clients_call_without_pause_and_no_call_fails() {
    let house = Arc::new(House::with_clients(&CLIENTS).await);
    let serving = house.hallpass.serve().await;
    let first = house.active().await;
    let (calls, _) = watch::channel(0);
    let traffic = Arc::new(Traffic {
        house: Arc::clone(&house),
        address: serving.address().into(),
        stop: false.into(),
        calls,
    });
    let mut callers = JoinSet::new();
    for client in CLIENTS {
        callers.spawn(Arc::clone(&traffic).call(client));
    }
    traffic.more(500).await;
    house.hallpass.must(&["keys", "rotate", "--yes"]).await;
    traffic.more(500).await;
    house.hallpass.must(&["issue", "c0", "--yes"]).await;
    traffic.more(500).await;
    house.hallpass.must(&["keys", "rotate", "--announce", "--algorithm", "EdDSA", "--yes"]).await;
    traffic.more(500).await;
    house.hallpass.must(&["keys", "rotate", "--yes"]).await;
    traffic.more(500).await;
    house.hallpass.must(&["issue", "c1", "--yes"]).await;
    traffic.more(500).await;
    traffic.stop.store(true, Ordering::SeqCst);
    let failed: Vec<String> = callers.join_all().await.into_iter().flatten().collect();
    assert_eq!(failed, Vec::<String>::new());
    let kid = |client| part(&house.token(client), 0)["kid"].as_str().expect("a kid").to_owned();
    assert_eq!(kid("c2"), first, "a rotation touches no token");
    assert_ne!(kid("c0"), first);
    assert_eq!(kid("c1"), house.active().await);
    assert_eq!(house.keys_in("verify-only").await.len(), 2);
}

#[tokio::test]
async fn a_key_is_announced_before_it_signs() {
    let house = House::with_clients(&["claude"]).await;
    let first = house.active().await;
    house.hallpass.must(&["keys", "rotate", "--announce", "--yes"]).await;
    let next = house.keys_in("next").await;
    assert_eq!((next.len(), house.active().await), (1, first.clone()));
    let again = house.hallpass.run(&["keys", "rotate", "--announce", "--yes"]).await;
    assert_eq!(again.code, Some(1), "{again:#?}");
    assert!(again.stderr.contains("is announced already"), "{again:#?}");
    let other = house.hallpass.run(&["keys", "rotate", "--algorithm", "EdDSA", "--yes"]).await;
    assert_eq!(other.code, Some(1), "{other:#?}");
    assert!(other.stderr.contains("is announced and is an ES256 key, not EdDSA"), "{other:#?}");
    house.hallpass.must(&["keys", "rotate", "--yes"]).await;
    assert_eq!(house.active().await, next[0]);
    assert_eq!(house.keys_in("verify-only").await, [first]);
}

#[tokio::test]
async fn a_rotation_asks_and_a_dry_run_changes_nothing() {
    let house = House::with_clients(&["claude"]).await;
    let first = house.active().await;
    house.hallpass.must(&["keys", "rotate", "--dry-run"]).await;
    let asked = house.hallpass.run(&["keys", "rotate"]).await;
    assert_eq!(asked.code, Some(1), "{asked:#?}");
    let unknown = house.hallpass.run(&["keys", "rotate", "--algorithm", "RS256", "--yes"]).await;
    assert_eq!(unknown.code, Some(64), "{unknown:#?}");
    assert_eq!(house.active().await, first);
    assert_eq!(house.store().await.keys().await.expect("keys").len(), 1);
}

#[tokio::test]
async fn a_key_retires_when_its_last_token_has_ended() {
    let house = House::with_clients(&["claude"]).await;
    let first = house.active().await;
    house.hallpass.must(&["keys", "rotate", "--yes"]).await;
    let store = house.store().await;
    let ends = store.tokens().await.expect("tokens")[0].expires_at;
    assert_eq!(store.retire_spent_keys(ends).await.expect("the keys"), 0, "it counts until then");
    assert_eq!(store.retire_spent_keys(ends.plus(1)).await.expect("the keys"), 1);
    assert_eq!(house.keys_in("retired").await, [first]);
    assert_eq!(store.retire_spent_keys(UnixTime::from_seconds(i64::MAX / 2)).await.expect("the keys"), 0);
    assert_eq!(house.keys_in("active").await.len(), 1, "the active key never retires by itself");
}

#[tokio::test]
async fn a_former_secret_does_not_retire_by_itself() {
    let house = House::heir(&[]).await;
    let retired = house.store().await.retire_spent_keys(UnixTime::from_seconds(i64::MAX / 2)).await;
    assert_eq!(retired.expect("the keys"), 0);
    assert_eq!(house.keys_in("verify-only").await, ["former-hs256"]);
}

#[tokio::test]
async fn a_token_that_was_taken_over_is_followed_by_one_of_ours_and_stays_good() {
    let house = House::heir(&["claude"]).await;
    let former = former_token("claude", &json!({}));
    let adopted = house.run_with(&["adopt", "-", "--yes"], &former, &[]).await;
    assert_eq!(adopted.code, Some(0), "{adopted:#?}");
    let serving = house.hallpass.serve().await;
    let mut caller = Caller::of(&serving).await;
    assert_eq!(caller.call(&former).await.0, 200);
    house.hallpass.must(&["rotate", "claude", "--yes", "--overlap", "1h"]).await;
    let ours = house.token("claude");
    for token in [&former, &ours] {
        assert_eq!(caller.call(token).await.0, 200);
    }
    let verdict = house.verify(&former, &[]).await;
    assert!(verdict.stdout.contains("state: superseded, good until 2"), "{verdict:#?}");
    house.hallpass.must(&["rotate", "claude", "--yes", "--now"]).await;
    caller.until(&former, 401).await;
}

#[tokio::test]
async fn a_token_that_is_placed_by_hand_is_followed_by_a_printed_one() {
    let house = House::heir(&["other"]).await;
    let former = former_token("claude", &json!({}));
    let adopted = house.run_with(&["adopt", "-", "--client", "claude", "--yes"], &former, &[]).await;
    assert_eq!(adopted.code, Some(0), "{adopted:#?}");
    let outcome = house.hallpass.run(&["rotate", "claude", "--yes"]).await;
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (
            Some(1),
            "error: where the token of `claude` goes is not known here: it was taken over\nhint: `hallpass rotate claude --print`, or describe it in hallpass.toml: `[clients.claude]`\n"
        )
    );
    let all = house.hallpass.run(&["rotate", "--all", "--yes"]).await;
    assert_eq!(all.code, Some(0), "{all:#?}");
    let words = "claude: left alone, its token is placed by hand (`hallpass rotate claude --print`)\n";
    assert!(all.stderr.starts_with(words), "{all:#?}");
    let printed = house.hallpass.must(&["rotate", "claude", "--print", "--yes"]).await;
    for token in [former.as_str(), printed.trim()] {
        assert_eq!(house.verify(token, &[]).await.code, Some(0));
    }
}
