//! The snippets of docs/verifiers.md, taken from the page and run as they stand there.

use crate::house::{FORMER, House, SECRET, by_secret, former_claims, now, part};
use hallpass_core::keys::{Algorithm, KeyId};
use hallpass_store::SigningKey;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const PAGE: &str = include_str!("../../../../docs/verifiers.md");
const ADDRESS: &str = "http://127.0.0.1:4255";

/// The snippet whose first line names this file.
fn snippet(file: &str) -> &'static str {
    let blocks = PAGE.split("\n```").skip(1).step_by(2);
    let mut blocks = blocks.filter_map(|block| block.split_once('\n').map(|(_, text)| text));
    let named = |text: &&str| text.lines().next().is_some_and(|line| line.ends_with(&format!(" {file}")));
    blocks.find(named).unwrap_or_else(|| panic!("docs/verifiers.md has no snippet `{file}`"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a snippet says of each token.
async fn outcomes(house: &House, file: &str, address: &str, tokens: &Value) -> BTreeMap<String, String> {
    let text = snippet(file).replace(ADDRESS, address);
    let path = house.hallpass.write(file, &text);
    let (program, driver) = if path.extension().is_some_and(|kind| kind == "py") {
        (root().join("target/python/bin/python"), root().join("tests/python/verify.py"))
    } else {
        let modules = root().join("tests/typescript/node_modules").canonicalize();
        let link = house.hallpass.user().join("node_modules");
        std::os::unix::fs::symlink(modules.expect("jose is installed: `cargo xtask test npm`"), link)
            .expect("a link");
        (PathBuf::from("node"), root().join("tests/typescript/verify.mjs"))
    };
    let mut command = Command::new(program);
    command.arg(driver).arg(path).env("JWT_SECRET_KEY", SECRET);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("installed libraries: `cargo xtask test python npm`");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(tokens.to_string().as_bytes()).await.expect("a reader");
    drop(stdin);
    let output = child.wait_with_output().await.expect("an end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{file}: {error}: {said}"))
}

/// One good token and what must be refused, signed with the real key where a signature is not the point.
async fn tokens(house: &House) -> Value {
    let (good, kid) = (house.token("claude"), house.active().await);
    let claims = part(&good, 1);
    let changed = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let mut expired = changed("exp", json!(now() - 3600));
    expired["iat"] = json!(now() - 7200);
    let foreign = SigningKey::generate(KeyId::new(&kid).expect("a name"), Algorithm::Es256).expect("a key");
    let input = good.rsplit_once('.').expect("a signature").0;
    let (head, rest) = good.split_once('.').expect("a header");
    let other = hallpass_core::encoding::base64url(
        changed("sub", json!("root@exai-mcp.local")).to_string().as_bytes(),
    );
    let tampered = format!("{head}.{other}.{}", rest.rsplit('.').next().expect("a signature"));
    json!({
        "good": good,
        "audience": house.sign(&kid, &changed("aud", json!("another-service"))).await,
        "issuer": house.sign(&kid, &changed("iss", json!("another-issuer"))).await,
        "expired": house.sign(&kid, &expired).await,
        "foreign": format!("{input}.{}", foreign.sign(input).expect("a signature")),
        "tampered": tampered,
        "secret": by_secret(SECRET, &json!({ "alg": "HS256", "kid": kid, "typ": "JWT" }), &claims),
    })
}

fn check(file: &str, outcomes: &BTreeMap<String, String>) {
    for (name, outcome) in outcomes {
        assert_eq!(outcome == "accepted", name == "good", "{file}: {name}: {outcome}");
    }
    assert_eq!(outcomes.len(), 7, "{file}");
}

#[tokio::test]
async fn pyjwt() {
    verifies_with_public_keys(
        "verify_pyjwt.py",
        &[
            ("audience", "InvalidAudienceError"),
            ("issuer", "InvalidIssuerError"),
            ("expired", "ExpiredSignatureError"),
            ("foreign", "InvalidSignatureError"),
            ("tampered", "InvalidSignatureError"),
        ],
    )
    .await;
}

#[tokio::test]
async fn fastmcp() {
    verifies_with_public_keys("verify_fastmcp.py", &[]).await;
}

#[tokio::test]
async fn jose() {
    verifies_with_public_keys(
        "verify_jose.mjs",
        &[
            ("audience", "ERR_JWT_CLAIM_VALIDATION_FAILED"),
            ("expired", "ERR_JWT_EXPIRED"),
            ("foreign", "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"),
            ("tampered", "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"),
        ],
    )
    .await;
}

async fn verifies_with_public_keys(file: &str, reasons: &[(&str, &str)]) {
    let house = House::with_clients(&["claude"]).await;
    let serving = house.hallpass.serve().await;
    let outcomes = outcomes(&house, file, serving.address(), &tokens(&house).await).await;
    check(file, &outcomes);
    for (name, reason) in reasons {
        assert_eq!(outcomes[*name], *reason, "{file}: {name}");
    }
}

/// Servers of a former set-up accept the new tokens, and what the page says it costs is true.
#[tokio::test]
async fn a_shared_secret() {
    let house = House::new("[authority]\nalgorithm = \"HS256\"", &["claude"]).await;
    house.hallpass.write("env", FORMER);
    house.hallpass.must(&["init", "--from-env", "env"]).await;
    house.hallpass.must(&["apply", "--yes"]).await;
    let good = house.token("claude");
    let mut claims = former_claims("claude");
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let forged = by_secret(SECRET, &header, &claims);
    claims["aud"] = json!("another-service");
    let tokens = json!({
        "good": good,
        "forged": forged,
        "audience": by_secret(SECRET, &header, &claims),
        "foreign": by_secret(&SECRET.replace('0', "1"), &header, &former_claims("claude")),
    });
    let outcomes = outcomes(&house, "verify_secret.py", ADDRESS, &tokens).await;
    assert_eq!(outcomes["good"], "accepted");
    assert_eq!(outcomes["forged"], "accepted", "who can verify can mint: the page says so");
    assert_eq!(outcomes["audience"], "InvalidAudienceError");
    assert_eq!(outcomes["foreign"], "InvalidSignatureError");
    let here = house.verify(&forged, &[]).await;
    assert!(here.stderr.contains("(not_adopted)"), "the gateway is not fooled: {here:#?}");
}
