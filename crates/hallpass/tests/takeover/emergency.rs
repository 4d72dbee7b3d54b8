//! `hallpass keys revoke`: the stop does not wait for an answer, the new tokens do.

use crate::house::{Caller, FORMER, House, SECRET, by_secret, former_token, part};
use serde_json::json;

#[tokio::test]
async fn the_active_key_is_stopped_at_once_and_the_others_stay() {
    let house = House::with_clients(&["old", "new"]).await;
    let first = house.active().await;
    house.hallpass.must(&["keys", "rotate", "--yes"]).await;
    house.hallpass.must(&["issue", "new", "--yes"]).await;
    let second = house.active().await;
    let (old, stolen) = (house.token("old"), house.token("new"));
    let serving = house.hallpass.serve().await;
    let mut caller = Caller::of(&serving).await;
    assert_eq!((caller.call(&old).await.0, caller.call(&stolen).await.0), (200, 200));
    let said =
        house.hallpass.must(&["keys", "revoke", &second, "--reason", "copied from a backup", "--yes"]).await;
    assert!(said.contains("stopped, with 1 token\n"), "{said}");
    caller.until(&stolen, 401).await;
    assert_eq!(caller.call(&old).await.0, 200);
    caller.until(&house.token("new"), 200).await;
    assert_ne!(house.token("new"), stolen);
    assert_eq!(house.token("old"), old);
    let third = house.active().await;
    assert_eq!(part(&house.token("new"), 0)["kid"], json!(third));
    assert_eq!(house.keys_in("verify-only").await, std::slice::from_ref(&first));
    // One that only verifies goes the same way.
    house.hallpass.must(&["keys", "revoke", &first, "--reason", "the same backup", "--yes"]).await;
    caller.until(&old, 401).await;
    caller.until(&house.token("old"), 200).await;
    assert_eq!(house.active().await, third, "the active key stays");
}

/// As after a crash between the stop and the new tokens: the store is the same.
#[tokio::test]
async fn without_a_terminal_it_stops_and_says_what_is_left_to_type() {
    let house = House::with_clients(&["claude", "vscode1"]).await;
    let kid = house.active().await;
    let stolen = house.token("claude");
    let serving = house.hallpass.serve().await;
    let mut caller = Caller::of(&serving).await;
    assert_eq!(caller.call(&stolen).await.0, 200);
    let outcome = house.hallpass.run(&["keys", "revoke", &kid, "--reason", "leaked"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(outcome.stderr.contains("stopped for good, and 2 clients are without a token"), "{outcome:#?}");
    assert!(outcome.stderr.contains("`hallpass apply --yes`"), "{outcome:#?}");
    caller.until(&stolen, 401).await;
    house.hallpass.must(&["apply", "--yes"]).await;
    for client in ["claude", "vscode1"] {
        caller.until(&house.token(client), 200).await;
    }
    assert_eq!(caller.call(&stolen).await.0, 401);
    let again = house.hallpass.must(&["keys", "revoke", &kid, "--reason", "leaked"]).await;
    assert!(again.contains("retired already, nothing to change"), "{again}");
}

#[tokio::test]
async fn a_dry_run_stops_nothing_and_mistakes_are_named() {
    let house = House::with_clients(&["claude"]).await;
    let kid = house.active().await;
    let planned = house.hallpass.must(&["keys", "revoke", &kid, "--reason", "drill", "--dry-run"]).await;
    assert!(planned.contains("new tokens for 1 client\n"), "{planned}");
    assert_eq!(house.active().await, kid);
    let near = format!("{}9", &kid[..kid.len() - 1]);
    let unknown = house.hallpass.run(&["keys", "revoke", &near, "--reason", "leaked", "--yes"]).await;
    assert_eq!(unknown.code, Some(1), "{unknown:#?}");
    assert!(unknown.stderr.contains(&format!("did you mean `{kid}`?")), "{unknown:#?}");
    for reason in ["", "  ", "two\nlines"] {
        let outcome = house.hallpass.run(&["keys", "revoke", &kid, "--reason", reason, "--yes"]).await;
        assert_eq!(outcome.code, Some(64), "{reason:?}: {outcome:#?}");
    }
    assert_eq!(house.verify(&house.token("claude"), &[]).await.code, Some(0));
}

#[tokio::test]
async fn a_former_secret_that_leaked_is_stopped_with_what_was_adopted() {
    let house = House::heir(&["claude"]).await;
    let token = former_token("claude", &json!({}));
    let adopted = house.run_with(&["adopt", "-", "--yes"], &token, &[]).await;
    assert_eq!(adopted.code, Some(0), "{adopted:#?}");
    let serving = house.hallpass.serve().await;
    let mut caller = Caller::of(&serving).await;
    assert_eq!(caller.call(&token).await.0, 200);
    house.hallpass.must(&["keys", "revoke", "former-hs256", "--reason", "it was published", "--yes"]).await;
    caller.until(&token, 401).await;
    caller.until(&house.token("claude"), 200).await;
}

/// Another command may wait for an answer, and the configuration may be broken: the stop needs neither.
#[tokio::test]
async fn the_stop_waits_for_nobody_and_needs_no_configuration() {
    let house = House::with_clients(&["claude"]).await;
    let stolen = house.token("claude");
    let kid = house.active().await;
    house.hallpass.write("hallpass.toml", "broken");
    let lock = std::fs::File::open(house.hallpass.home().join("lock")).expect("the home's lock");
    lock.lock().expect("a lock");
    let outcome = house.hallpass.run(&["keys", "revoke", &kid, "--reason", "leaked"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(outcome.stderr.contains("stopped for good, and 1 client is without a token"), "{outcome:#?}");
    assert_eq!(house.keys_in("retired").await, [kid]);
    assert_eq!(house.verify(&stolen, &[]).await.code, Some(1));
}

/// HS256 with the former secret: it is two keys, and whoever has it has both.
#[tokio::test]
async fn a_secret_with_two_names_is_stopped_under_both_in_one_act() {
    for named in ["the signing key", "the former one"] {
        let house = House::new("[authority]\nalgorithm = \"HS256\"", &["claude", "vscode1"]).await;
        house.hallpass.write("env.docker", FORMER);
        house.hallpass.must(&["init", "--from-env", "env.docker"]).await;
        let signing = house.active().await;
        let kid = if named == "the signing key" { &signing } else { "former-hs256" };
        let adopted = former_token("vscode1", &json!({}));
        assert_eq!(house.run_with(&["adopt", "-", "--yes"], &adopted, &[]).await.code, Some(0));
        house.hallpass.must(&["apply", "--yes"]).await;
        let issued = house.token("claude");
        let serving = house.hallpass.serve().await;
        let mut caller = Caller::of(&serving).await;
        assert_eq!((caller.call(&issued).await.0, caller.call(&adopted).await.0), (200, 200), "{named}");

        let revoke = ["keys", "revoke", kid, "--reason", "it was published", "--yes"];
        let planned = house.hallpass.must(&[&revoke[..], &["--dry-run"]].concat()).await;
        assert!(
            planned.contains(&format!("{kid}: stop it and its tokens at once; new tokens for 2 clients\n"))
        );
        assert_eq!(planned.matches("the same secret, so it is stopped too").count(), 1, "{planned}");
        assert_eq!(
            planned.matches("those that were taken over included").count(),
            usize::from(kid == signing)
        );
        assert_eq!(house.keys_in("retired").await, Vec::<String>::new(), "a dry run stops nothing");

        let said = house.hallpass.must(&revoke).await;
        assert!(said.contains("stopped, with 2 tokens\n"), "{said}");
        for token in [&issued, &adopted] {
            caller.until(token, 401).await;
        }
        for client in ["claude", "vscode1"] {
            caller.until(&house.token(client), 200).await;
        }
        assert_eq!(house.keys_in("retired").await, ["former-hs256", signing.as_str()], "{named}");
        let successor = house.active().await;
        assert_ne!(successor, signing);
        let minted =
            by_secret(SECRET, &json!({ "alg": "HS256", "kid": successor }), &part(&house.token("claude"), 1));
        assert_eq!(caller.call(&minted).await.0, 401, "the secret that follows is another");
        let again = house.hallpass.must(&revoke).await;
        assert_eq!(again, format!("{kid}: it is retired already, nothing to change\n"));
    }
}

/// What leaked must not come back by running the same command again.
#[tokio::test]
async fn a_stopped_secret_is_not_taken_over_again() {
    for algorithm in ["ES256", "HS256"] {
        let house = House::new(&format!("[authority]\nalgorithm = \"{algorithm}\""), &["claude"]).await;
        house.hallpass.write("env.docker", FORMER);
        house.hallpass.must(&["init", "--from-env", "env.docker"]).await;
        house.hallpass.must(&["keys", "revoke", "former-hs256", "--reason", "it was published"]).await;
        let keys = house.hallpass.must(&["keys", "list"]).await;
        let final_words =
            "error: the former secret was stopped in this home, and with it every token that it signed\n";
        for arguments in
            [&["init", "--from-env", "env.docker"][..], &["init", "--from-env", "env.docker", "--dry-run"]]
        {
            let outcome = house.hallpass.run(arguments).await;
            assert_eq!(outcome.code, Some(1), "{algorithm}: {outcome:#?}");
            assert!(outcome.stderr.starts_with(final_words), "{algorithm}: {outcome:#?}");
            assert_eq!(outcome.stdout, "", "{algorithm}");
        }
        let outcome =
            house.run_with(&["adopt", "-", "--yes"], &former_token("claude", &json!({})), &[]).await;
        assert!(outcome.stderr.starts_with(final_words), "{algorithm}: {outcome:#?}");
        assert_eq!(house.hallpass.must(&["keys", "list"]).await, keys, "{algorithm}");
    }
}

#[tokio::test]
async fn a_program_is_told_what_was_stopped_and_who_waits() {
    let house = House::heir(&["claude"]).await;
    for client in ["claude", "stray"] {
        let token = former_token(client, &json!({}));
        let adopted = house.run_with(&["adopt", "-", "--client", client, "--yes"], &token, &[]).await;
        assert_eq!(adopted.code, Some(0), "{adopted:#?}");
    }
    let revoke = ["keys", "revoke", "former-hs256", "--reason", "leaked", "--yes", "--json"];
    let said = house.hallpass.must(&revoke).await;
    let document: serde_json::Value = serde_json::from_str(&said).expect("one document");
    assert_eq!(
        document,
        json!({ "kid": "former-hs256", "keys": ["former-hs256"], "stopped": 2, "clients": ["claude", "stray"],
            "without_token": ["stray"], "dry_run": false })
    );
    let said = house.hallpass.must(&revoke).await;
    let document: serde_json::Value = serde_json::from_str(&said).expect("one document");
    assert_eq!(
        document,
        json!({ "kid": "former-hs256", "keys": [], "stopped": 0, "clients": [], "without_token": [], "dry_run": false })
    );
    // Without `--yes` nobody is there to say it to: the stop counts all the same, and is told.
    let kid = house.active().await;
    let outcome = house.hallpass.run(&["keys", "revoke", &kid, "--reason", "leaked", "--json"]).await;
    let document: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("one document");
    assert_eq!(
        (outcome.code, &document["stopped"], &document["without_token"]),
        (Some(1), &json!(1), &json!(["claude"]))
    );
}
