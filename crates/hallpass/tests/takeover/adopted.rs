//! Tokens of a former set-up: accepted when they were adopted, and only then.

use crate::house::{Caller, House, SECRET, SHARED, by_secret, former_claims, former_token, now, part};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const UNIFORM: &str = "this token was not issued by this gateway's authority";

/// Made by `PyJWT`, as the former set-up did.
pub(crate) async fn by_pyjwt(claims: &Value) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join("target/python/bin/python");
    assert!(python.exists(), "PyJWT is not installed: run `cargo xtask test python`");
    let mut command = Command::new(python);
    command.arg(root.join("tests/python/mint.py")).env("JWT_SECRET_KEY", SECRET);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(claims.to_string().as_bytes()).await.expect("a reader");
    drop(stdin);
    let output = child.wait_with_output().await.expect("an end");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

async fn adopt(house: &House, token: &str) {
    let outcome = house.run_with(&["adopt", "-", "--yes"], token, &[]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
}

#[tokio::test]
async fn a_token_of_pyjwt_passes_only_when_it_was_adopted() {
    let house = House::heir(&["claude"]).await;
    let serving = house.hallpass.serve().await;
    let mut caller = Caller::of(&serving).await;
    let token = by_pyjwt(&former_claims("claude")).await;
    // SR-57: a key of the set signed it, so the caller is told what is wrong.
    let (status, body) = caller.call(&token).await;
    assert_eq!(status, 401);
    assert!(body.contains("not adopted"), "{body}");
    assert_eq!(house.upstream_calls(), 0);
    adopt(&house, &token).await;
    caller.until(&token, 200).await;
    assert_eq!(house.upstream_calls(), 1);
}

#[tokio::test]
async fn a_leaked_secret_mints_nothing_that_passes() {
    let house = House::heir(&["claude"]).await;
    house.hallpass.must(&["apply", "--yes"]).await;
    let ours = house.token("claude");
    let adopted = former_token("vscode1", &json!({ "jti": "former-1" }));
    let outcome = house.run_with(&["adopt", "-", "--client", "vscode1", "--yes"], &adopted, &[]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    let serving = house.hallpass.serve().await;
    let mut caller = Caller::of(&serving).await;
    for good in [&ours, &adopted] {
        assert_eq!(caller.call(good).await.0, 200);
    }
    let seen = house.upstream_calls();
    let plain = json!({ "alg": "HS256", "typ": "JWT" });
    let kid = house.active().await;
    let mut ours_again = part(&ours, 1);
    let mut adopted_again = part(&adopted, 1);
    ours_again["exp"] = json!(now() + 86_400 * 200);
    adopted_again["exp"] = json!(now() + 86_400 * 200);
    let forged = [
        ("our known jti", by_secret(SECRET, &plain, &ours_again), "registered for another token"),
        ("a known former jti", by_secret(SECRET, &plain, &adopted_again), "registered for another token"),
        ("an unknown jti", former_token("claude", &json!({ "jti": "new" })), "not registered here"),
        ("no jti", former_token("claude", &json!({})), "not adopted"),
        ("issued after the cut-off", former_token("claude", &json!({ "iat": now() + 30 })), "not adopted"),
        (
            "our kid",
            by_secret(SECRET, &json!({ "kid": kid, "alg": "HS256", "typ": "JWT" }), &ours_again),
            UNIFORM,
        ),
        (
            "our kid and alg",
            by_secret(SECRET, &json!({ "kid": kid, "alg": "ES256", "typ": "JWT" }), &ours_again),
            UNIFORM,
        ),
        ("another secret", by_secret(&SECRET.replace('0', "1"), &plain, &former_claims("claude")), UNIFORM),
        ("almost the shared token", format!("{SHARED}x"), UNIFORM),
    ];
    for (what, token, expect) in &forged {
        let (status, body) = caller.call(token).await;
        assert_eq!(status, 401, "{what}: {body}");
        assert!(body.contains(expect), "{what}: {body}");
    }
    assert_eq!(house.upstream_calls(), seen, "the upstream saw none of them");
}

/// Everything that no key of ours signed gets one answer, to the byte but for the request's id.
#[tokio::test]
async fn what_no_key_of_ours_signed_gets_one_answer() {
    let house = House::heir(&["claude"]).await;
    let serving = house.hallpass.serve().await;
    let mut caller = Caller::of(&serving).await;
    let kid = house.active().await;
    let claims = former_claims("claude");
    let other = "another-secret-another-secret-another-secret";
    let headers = [
        json!({ "alg": "HS256", "typ": "JWT" }),
        json!({ "alg": "HS256", "typ": "JWT", "kid": kid }),
        json!({ "alg": "ES256", "typ": "JWT", "kid": kid }),
        json!({ "alg": "HS256", "typ": "JWT", "kid": "former-hs256" }),
        json!({ "alg": "HS256", "typ": "JWT", "kid": "unknown" }),
        json!({ "alg": "none", "typ": "JWT" }),
        json!({ "alg": "HS256", "typ": "at+jwt" }),
        json!({ "alg": "HS256", "crit": ["exp"] }),
    ];
    let mut answers = Vec::new();
    for header in &headers {
        let (status, body) = caller.call(&by_secret(other, header, &claims)).await;
        let mut body: Value = serde_json::from_str(&body).expect("JSON");
        body.as_object_mut().expect("an object").remove("request_id");
        answers.push((status, body));
    }
    answers.dedup();
    assert_eq!(answers, [(401, json!({ "error": "invalid_token", "error_description": UNIFORM }))]);
}

#[tokio::test]
async fn what_cannot_be_adopted_is_refused_with_a_reason() {
    let house = House::heir(&["claude", "vscode1"]).await;
    let cases = [
        (
            former_token("claude", &json!({ "iat": now() + 30 })),
            "issued after the former secret was taken over",
        ),
        (former_token("claude", &json!({ "iat": 1_600_000_000, "exp": 1_600_086_400 })), "(expired)"),
        (former_token("claude", &json!({ "aud": "other" })), "(wrong_audience)"),
        (former_token("claude", &json!({ "iss": "other" })), "(wrong_issuer)"),
        (former_token("claude", &json!({ "exp": null })), "(claim_missing)"),
        (former_token("nobody", &json!({})), "no client has the subject"),
        (
            by_secret(&SECRET.replace('0', "1"), &json!({ "alg": "HS256" }), &former_claims("claude")),
            "(bad_signature)",
        ),
        ("no token at all".into(), "(malformed_token)"),
        (String::new(), "the input is empty"),
    ];
    for (token, expect) in &cases {
        let outcome = house.run_with(&["adopt", "-", "--yes"], token, &[]).await;
        assert_eq!(outcome.code, Some(1), "{expect}: {outcome:#?}");
        assert!(outcome.stderr.contains(expect), "{expect}: {outcome:#?}");
    }
    let token = former_token("claude", &json!({}));
    for dry_run in [&[][..], &["--dry-run"]] {
        let arguments = [&["adopt", "-", "--client", "vscode1", "--yes"], dry_run].concat();
        let outcome = house.run_with(&arguments, &token, &[]).await;
        assert_eq!(outcome.code, Some(1), "{outcome:#?}");
        assert!(outcome.stderr.contains("is not that of `vscode1`"), "{outcome:#?}");
    }
    let missing = house.hallpass.run(&["adopt", "nowhere.jwt", "--yes"]).await;
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("cannot read `nowhere.jwt`"), "{missing:#?}");
    assert!(house.store().await.tokens().await.expect("tokens").is_empty());
    assert!(
        house.store().await.clients().await.expect("clients").is_empty(),
        "nobody was registered on the way"
    );
}

#[tokio::test]
async fn without_a_former_set_up_the_first_step_is_named() {
    let house = House::with_clients(&["claude"]).await;
    let outcome = house.run_with(&["adopt", "-", "--yes"], &former_token("claude", &json!({})), &[]).await;
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("hallpass init --from-env FILE"), "{outcome:#?}");
}

#[tokio::test]
async fn a_dry_run_and_no_terminal_change_nothing() {
    let house = House::heir(&["claude"]).await;
    let token = former_token("claude", &json!({}));
    let dry = house.run_with(&["adopt", "-", "--dry-run"], &token, &[]).await;
    assert_eq!(dry.code, Some(0), "{dry:#?}");
    assert!(dry.stdout.contains("claude: register, take over its token"), "{dry:#?}");
    let asked = house.run_with(&["adopt", "-"], &token, &[]).await;
    assert_eq!(asked.code, Some(1), "{asked:#?}");
    assert!(house.store().await.tokens().await.expect("tokens").is_empty());
}

#[tokio::test]
async fn adopting_twice_is_no_fault_and_an_ended_one_stays_ended() {
    let house = House::heir(&["claude"]).await;
    let token = former_token("claude", &json!({}));
    let file = house.hallpass.write("claude.jwt", &format!("{token}\n"));
    let file = file.to_str().expect("UTF-8");
    house.hallpass.must(&["adopt", file, "--yes"]).await;
    let again = house.hallpass.must(&["adopt", file, "--yes"]).await;
    assert!(again.contains("taken over before: nothing to change"), "{again}");
    assert_eq!(house.store().await.tokens().await.expect("tokens").len(), 1);
    house.hallpass.must(&["revoke", "claude", "--reason", "lost"]).await;
    let outcome = house.hallpass.run(&["adopt", file, "--yes"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(outcome.stderr.contains("has ended: revoked"), "{outcome:#?}");
}

#[tokio::test]
async fn adopted_tokens_are_listed_revoked_and_replaced_like_any_other() {
    let house = House::heir(&["claude", "vscode1"]).await;
    let (claude, vscode1) =
        (former_token("claude", &json!({})), former_token("vscode1", &json!({ "jti": "old-7" })));
    adopt(&house, &claude).await;
    adopt(&house, &vscode1).await;
    let listed = house.hallpass.must(&["list"]).await;
    assert!(listed.contains("claude") && listed.contains("vscode1"), "{listed}");
    let serving = house.hallpass.serve().await;
    let mut caller = Caller::of(&serving).await;
    assert_eq!(caller.call(&claude).await.0, 200);
    assert_eq!(caller.call(&vscode1).await.0, 200);
    // By its `jti`, which need not look like one of ours.
    house.hallpass.must(&["revoke", "old-7", "--reason", "copied"]).await;
    assert!(caller.until(&vscode1, 401).await.contains("was revoked on"));
    assert_eq!(caller.call(&claude).await.0, 200);
    house.hallpass.must(&["issue", "claude", "--yes"]).await;
    caller.until(&house.token("claude"), 200).await;
    assert!(caller.until(&claude, 401).await.contains("was replaced"));
}

#[tokio::test]
async fn no_secret_is_in_any_output() {
    let house = House::heir(&["claude"]).await;
    let token = former_token("claude", &json!({}));
    let mut said = Vec::new();
    for arguments in [
        &["adopt", "-", "--dry-run"][..],
        &["adopt", "-", "--yes"],
        &["adopt", "-", "--yes", "--json"],
        &["verify", "-"],
        &["verify", "-", "--json"],
    ] {
        let outcome = house.run_with(arguments, &token, &[]).await;
        said.push(outcome.stdout + &outcome.stderr);
    }
    for arguments in [
        &["list", "--json"][..],
        &["show", "claude"],
        &["keys", "list", "--json"],
        &["status"],
        &["log"],
        &["init", "--from-env", "env.docker", "--json"],
    ] {
        let outcome = house.hallpass.run(arguments).await;
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        said.push(outcome.stdout + &outcome.stderr);
    }
    let signature = token.rsplit('.').next().expect("a signature");
    for text in said {
        for secret in [&SECRET[..12], &SHARED[..12], &signature[..12]] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
