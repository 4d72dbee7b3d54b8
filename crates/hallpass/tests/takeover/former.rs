//! `hallpass init --from-env`: what is taken over, what is refused, and that a second run moves nothing.

use crate::house::{FORMER, House, SECRET, SHARED, by_secret, former_claims, former_token, now};
use hallpass_core::{ClientName, Event, Outcome, Subject, TokenDigest, UnixTime};
use hallpass_store::{ADOPTED_UNTIL, NewToken};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};

/// Lines of the environment file changed: `NAME=value`, or `NAME` to take it out.
fn changed(lines: &[&str]) -> String {
    let mut text = FORMER.to_owned();
    for line in lines {
        let name = line.split('=').next().expect("a name");
        let kept = text.lines().filter(|old| old.split('=').next() != Some(name));
        text = kept.flat_map(|line| [line, "\n"]).collect();
        if line.contains('=') {
            text = text + line + "\n";
        }
    }
    text
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_refused_and_makes_no_home() {
    let house = House::new("", &[]).await;
    for (lines, expect) in [
        (&["JWT_SECRET_KEY"][..], "`JWT_SECRET_KEY` is missing or empty"),
        (&["JWT_SECRET_KEY="], "`JWT_SECRET_KEY` is missing or empty"),
        (&["JWT_SECRET_KEY=\"\""], "`JWT_SECRET_KEY` is missing or empty"),
        (&["JWT_SECRET_KEY=0123456789abcdef0123456789abcde"], "at least 32 bytes"),
        (&["JWT_ISSUER"], "`JWT_ISSUER` is missing or empty"),
        (&["JWT_ISSUER="], "`JWT_ISSUER` is missing or empty"),
        (&["JWT_AUDIENCE"], "`JWT_AUDIENCE` is missing or empty"),
        (&["JWT_ALGORITHM=RS256"], "only HS256"),
        (&["JWT_ALGORITHM=hs256"], "only HS256"),
        (&["JWT_ALGORITHM=none"], "only HS256"),
        (&["JWT_GRACE_PERIOD_DAYS=fourteen"], "is not a number of days"),
        (&["JWT_GRACE_PERIOD_DAYS=-1"], "is not a number of days"),
        (&["JWT_GRACE_PERIOD_DAYS=14.5"], "is not a number of days"),
        (&["JWT_GRACE_PERIOD_DAYS=99999999999999999999"], "is not a number of days"),
        (&["EXAI_JWT_TOKEN_A!=x"], "is not `NAME=value`"),
        (
            &["JWT_SECRET_KEY='                                        '"],
            "`JWT_SECRET_KEY` is missing or empty",
        ),
        (&["JWT_SECRET_KEY=${SECRET_OF_THE_DAEMON_FROM_ELSEWHERE}"], "which programs read differently"),
        (&["JWT_SECRET_KEY=\"$SECRET_OF_THE_DAEMON_FROM_ELSEWHERE\""], "which programs read differently"),
        (&["JWT_SECRET_KEY=\"00112233445566778899aabbccddeeff\"behind"], "which programs read differently"),
        (&["JWT_SECRET_KEY=\"00112233445566778899aabbccddeeff\\n\""], "which programs read differently"),
        (&["EXAI_WS_TOKEN=$ELSEWHERE"], "which programs read differently"),
    ] {
        refuses(&house, &changed(lines), expect).await;
    }
    refuses(&house, &format!("{FORMER}\nJWT_ISSUER=another\n"), "sets a name that was set before").await;
    refuses(&house, &format!("{FORMER}\nJUST A LINE\n"), "is not `NAME=value`").await;
}

async fn refuses(house: &House, text: &str, expect: &str) {
    house.hallpass.write("env", text);
    let outcome = house.hallpass.run(&["init", "--from-env", "env"]).await;
    assert_eq!(outcome.code, Some(1), "{expect}: {outcome:#?}");
    assert!(outcome.stderr.contains(expect), "{expect}: {outcome:#?}");
    assert!(!house.hallpass.home().join("hallpass.db").exists(), "{expect}: a home was made");
    assert_silent(&[&outcome.stdout, &outcome.stderr]);
}

/// That no secret of the former set-up is in what was said.
fn assert_silent(said: &[&str]) {
    for text in said {
        assert!(!text.contains(&SECRET[..12]) && !text.contains(&SHARED[..12]), "a secret in: {text}");
    }
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let house = House::new("", &[]).await;
    let outcome = house.hallpass.run(&["init", "--from-env", "nowhere"]).await;
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("nowhere"), "{outcome:#?}");
}

#[tokio::test]
async fn a_configuration_of_another_authority_is_refused() {
    let house = House::new("[authority]\nissuer = \"other\"", &[]).await;
    refuses(&house, FORMER, "`authority.issuer` is `other`").await;
}

#[tokio::test]
async fn the_plan_shows_the_end_of_the_grace_period_and_changes_nothing() {
    let house = House::new("", &[]).await;
    house.hallpass.write("env", FORMER);
    let outcome = house.hallpass.run(&["init", "--from-env", "env", "--dry-run"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(outcome.stdout.contains("the shared token is accepted until 20"), "{outcome:#?}");
    assert!(!house.hallpass.home().exists());
    assert_silent(&[&outcome.stdout, &outcome.stderr]);
}

#[tokio::test]
async fn without_a_shared_token_there_is_no_grace_period() {
    for lines in [
        &["EXAI_WS_TOKEN="][..],
        &["EXAI_WS_TOKEN='  '"],
        &["EXAI_WS_TOKEN"],
        &["JWT_GRACE_PERIOD_DAYS=0"],
        &["JWT_GRACE_PERIOD_DAYS"],
    ] {
        let house = House::new("", &[]).await;
        house.hallpass.write("env", &changed(lines));
        let said = house.hallpass.must(&["init", "--from-env", "env"]).await;
        assert!(said.contains("no grace period"), "{said}");
        let store = house.store().await;
        assert!(store.grace().await.expect("a row").is_none(), "{lines:?}");
    }
}

/// The instants of an earlier day stay: a second run is as good as one on another day.
#[tokio::test]
async fn a_second_run_moves_nothing() {
    let house = House::heir(&[]).await;
    let store = house.store().await;
    let mut grace = store.grace().await.expect("a row").expect("a period");
    grace.until = grace.until.plus(-5 * 86_400);
    let earlier = Event::new(0, "grace-start", Outcome::Done);
    assert!(store.put_grace(&grace, Some(grace.period), &earlier).await.expect("a change"));
    store.put_setting(ADOPTED_UNTIL, "1700000000").await.expect("a setting");
    house.hallpass.write("env.docker", &changed(&["JWT_GRACE_PERIOD_DAYS=3000"]));
    let said = house.hallpass.must(&["init", "--from-env", "env.docker"]).await;
    assert!(said.contains("it was set before and is not moved"), "{said}");
    let kept = store.grace().await.expect("a row").expect("a period");
    assert_eq!((kept.until, kept.started_at), (grace.until, grace.started_at));
    assert_eq!(store.setting(ADOPTED_UNTIL).await.expect("a setting").as_deref(), Some("1700000000"));
    assert_eq!(store.keys().await.expect("keys").len(), 2, "one of ours and the former one");
}

#[tokio::test]
async fn another_secret_is_refused_also_in_a_dry_run() {
    let house = House::heir(&[]).await;
    house
        .hallpass
        .write("other", &changed(&["JWT_SECRET_KEY=ffeeddccbbaa99887766554433221100ffeeddccbbaa9988"]));
    for arguments in [&["init", "--from-env", "other"][..], &["init", "--from-env", "other", "--dry-run"]] {
        let outcome = house.hallpass.run(arguments).await;
        assert_eq!(outcome.code, Some(1), "{outcome:#?}");
        assert!(outcome.stderr.contains("another former secret was taken over before"), "{outcome:#?}");
    }
}

#[tokio::test]
async fn the_copies_in_the_file_are_taken_over_by_their_subject() {
    let house = House::new("", &["claude"]).await;
    let (claude, stray) = (former_token("claude", &json!({})), former_token("stray", &json!({})));
    let expired = former_token("late", &json!({ "iat": 1_600_000_000, "exp": 1_600_086_400 }));
    let copies = format!(
        "{FORMER}\nEXAI_JWT_TOKEN_CLAUDE_DESKTOP={claude}\nEXAI_JWT_TOKEN_STRAY_ONE={stray}\nEXAI_JWT_TOKEN_LATE={expired}\nEXAI_JWT_TOKEN_NONE=\n"
    );
    house.hallpass.write("env", &copies);
    let outcome = house.hallpass.run(&["init", "--from-env", "env"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(outcome.stderr.contains("late: its token is not taken over"), "{outcome:#?}");
    let rows = house.store().await.tokens().await.expect("tokens");
    let mut owners: Vec<&str> = rows.iter().map(|row| row.client.as_str()).collect();
    owners.sort_unstable();
    assert_eq!(owners, ["claude", "stray-one"]);
    for token in [&claude, &stray, &expired] {
        let signature = token.rsplit('.').next().expect("a signature");
        assert!(!outcome.stdout.contains(signature) && !outcome.stderr.contains(signature));
    }
}

/// What nobody asks for may be written as it likes.
#[tokio::test]
async fn only_what_is_taken_over_has_to_be_plain() {
    let house = House::new("", &[]).await;
    house.hallpass.write("env", &format!("{FORMER}GREETING=\"say \\\"hi\\\" to $USER\"\n"));
    house.hallpass.must(&["init", "--from-env", "env"]).await;
}

/// One client has one token: neither the second copy nor a second run takes away what is in use.
#[tokio::test]
async fn a_copy_ends_no_token_that_is_in_force() {
    let house = House::new("", &["claude"]).await;
    let (first, second) =
        (former_token("claude", &json!({})), former_token("claude", &json!({ "iat": now() - 7200 })));
    house
        .hallpass
        .write("env", &format!("{FORMER}EXAI_JWT_TOKEN_CLAUDE={first}\nEXAI_JWT_TOKEN_OTHER={second}\n"));
    let outcome = house.hallpass.run(&["init", "--from-env", "env"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(outcome.stdout.contains("claude: register, take over its token"), "{outcome:#?}");
    assert!(
        outcome.stderr.starts_with(
            "other: its token is not taken over: another one in this file is the token of `claude`"
        ),
        "{outcome:#?}"
    );
    assert_eq!(house.verify(&first, &[]).await.code, Some(0));
    assert_eq!(house.verify(&second, &[]).await.code, Some(1));

    house.hallpass.must(&["issue", "claude", "--yes"]).await;
    let outcome = house.hallpass.run(&["init", "--from-env", "env"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(outcome.stderr.contains("`claude` has another one that is in force"), "{outcome:#?}");
    assert_eq!(house.verify(&house.token("claude"), &[]).await.code, Some(0));
}

#[tokio::test]
async fn who_was_cut_off_does_not_come_back_by_a_copy() {
    let house = House::new("", &["claude"]).await;
    let tokens = [1, 2, 3].map(|hours| former_token("claude", &json!({ "iat": now() - 3600 * hours })));
    let copy = |token: &str| format!("{FORMER}EXAI_JWT_TOKEN_CLAUDE={token}\n");
    house.hallpass.write("env", &copy(&tokens[0]));
    house.hallpass.must(&["init", "--from-env", "env"]).await;
    house.hallpass.must(&["revoke", "claude", "--reason", "laptop lost"]).await;
    house.hallpass.write("env", &copy(&tokens[1]));
    let again = house.hallpass.run(&["init", "--from-env", "env"]).await;
    assert!(
        again.stderr.contains("claude: its token is not taken over: `claude` was revoked on"),
        "{again:#?}"
    );
    let adopted = house.run_with(&["adopt", "-", "--client", "claude", "--yes"], &tokens[2], &[]).await;
    assert_eq!(adopted.code, Some(1), "{adopted:#?}");
    assert!(adopted.stderr.starts_with("error: `claude` was revoked on"), "{adopted:#?}");
    for token in &tokens {
        assert_eq!(house.verify(token, &[]).await.code, Some(1));
    }
    house.hallpass.must(&["issue", "claude", "--yes"]).await;
    assert_eq!(house.verify(&house.token("claude"), &[]).await.code, Some(0));
}

/// While it waits for another command, that one gives the client a token.
#[tokio::test]
async fn what_another_command_did_meanwhile_stands() {
    let house = House::heir(&["claude"]).await;
    house.hallpass.must(&["apply", "--yes"]).await;
    let kid = house.active().await;
    // Its client is known now, and has no token.
    let stopped = house.hallpass.run(&["keys", "revoke", &kid, "--reason", "drill"]).await;
    assert!(stopped.stderr.contains("1 client is without a token now"), "{stopped:#?}");
    let copy = former_token("claude", &json!({}));
    house.hallpass.write("env", &format!("{FORMER}EXAI_JWT_TOKEN_CLAUDE={copy}\n"));
    let lock = std::fs::File::open(house.hallpass.home().join("lock")).expect("the home's lock");
    lock.lock().expect("a lock");
    let mut command = house.hallpass.command(&["init", "--from-env", "env"]);
    let mut waiting = command.stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut said = BufReader::new(waiting.stderr.take().expect("a pipe")).lines();
    let line = said.next_line().await.expect("text");
    assert_eq!(line.as_deref(), Some("waiting for another hallpass command to finish"));
    let claims = json!({
        "sub": "claude@exai-mcp.local", "iss": "exai-mcp-server", "aud": "exai-mcp-client", "iat": now(),
        "exp": now() + 3600, "jti": "other-1", "client_id": "claude",
    });
    let kid = house.active().await;
    let issued = house.sign(&kid, &claims).await;
    let row = NewToken {
        jti: "other-1".into(),
        client: ClientName::new("claude").expect("a name"),
        kid,
        subject: Subject::new("claude@exai-mcp.local").expect("a subject"),
        issued_at: UnixTime::from_seconds(now()),
        expires_at: UnixTime::from_seconds(now() + 3600),
        digest: TokenDigest::of(&issued),
    };
    let store = house.store().await;
    store.add_pending(&row).await.expect("a token");
    let act = Event::new(now() * 1000, "issue", Outcome::Done);
    assert!(store.activate(&row.jti, row.issued_at, None, &act).await.expect("a token"));
    drop(lock);
    assert!(waiting.wait().await.expect("an end").success());
    assert_eq!(house.verify(&issued, &[]).await.code, Some(0));
    assert_eq!(house.verify(&copy, &[]).await.code, Some(1));
}

#[tokio::test]
async fn a_dry_run_says_of_each_copy_what_would_become_of_it() {
    let house = House::new("", &["claude"]).await;
    let expired = former_token("late", &json!({ "iat": 1_600_000_000, "exp": 1_600_086_400 }));
    let foreign = by_secret(&SECRET.replace('0', "1"), &json!({ "alg": "HS256" }), &former_claims("odd"));
    let copies = [("CLAUDE", former_token("claude", &json!({}))), ("LATE", expired), ("ODD", foreign)];
    let copies = copies.iter().map(|(name, token)| format!("EXAI_JWT_TOKEN_{name}={token}\n"));
    house.hallpass.write("env", &copies.fold(FORMER.to_owned(), |all, one| all + &one));
    let said = house.hallpass.must(&["init", "--from-env", "env", "--dry-run", "--json"]).await;
    let document: Value = serde_json::from_str(&said).expect("a document");
    let steps: Vec<_> = document["former_tokens"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (&one["client"], &one["step"]))
        .collect();
    assert_eq!(json!(steps), json!([["claude", "take_over"], ["late", "left"], ["odd", "left"]]));
    assert!(!house.hallpass.home().exists());
}

#[tokio::test]
async fn the_text_of_the_secret_is_the_key() {
    let house = House::heir(&[]).await;
    let token = former_token("claude", &json!({}));
    let good = house.verify(&token, &["--secret-env", "FORMER_SECRET"]).await;
    assert_eq!(good.code, Some(0), "{good:#?}");
    let adopted = house.run_with(&["adopt", "-", "--client", "claude", "--yes"], &token, &[]).await;
    assert_eq!(adopted.code, Some(0), "{adopted:#?}");
}

#[tokio::test]
async fn hs256_signs_on_with_the_former_secret() {
    let house = House::new("[authority]\nalgorithm = \"HS256\"", &["claude"]).await;
    house.hallpass.write("env", FORMER);
    let said = house.hallpass.must(&["init", "--from-env", "env"]).await;
    assert!(said.contains("whoever holds it can mint"), "{said}");
    house.hallpass.must(&["apply", "--yes"]).await;
    let outcome = house.verify(&house.token("claude"), &["--secret-env", "FORMER_SECRET", "--json"]).await;
    let document: Value = serde_json::from_str(&outcome.stdout).expect("a document");
    assert_eq!((outcome.code, &document["passes"]), (Some(0), &json!(true)), "{outcome:#?}");
    let here = house.verify(&house.token("claude"), &[]).await;
    assert_eq!(here.code, Some(0), "{here:#?}");
}
