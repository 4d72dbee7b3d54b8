//! Who has no good token gets a clean 401 and nothing of the call reaches the server.

use std::collections::BTreeSet;

use crate::{
    caller::{Caller, Reply},
    installed::{Installed, absent},
    journeys,
    program::Serving,
    recorder::Recorder,
    witness::{Revision, Sdk, Target},
};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
const INVALID: &str = r#"Bearer error="invalid_token""#;
const NOT_OURS: &str = "this token was not issued by this gateway's authority";
const WANTED: &str = "a token of Hallpass is needed: `Authorization: Bearer TOKEN`";

/// Another installation's, with the same issuer, client and server and another audience.
async fn token_of_a_stranger(server: &Recorder) -> String {
    let rest = format!("[authority]\naudience = \"elsewhere\"\n[servers.docs]\nurl = \"{}\"\n", server.url());
    Installed::with(&rest).await.token("ann")
}

async fn shown(gateway: &Serving, path: &str, authorization: Option<String>) -> Reply {
    let mut caller = Caller::at(gateway, path, authorization).await;
    caller.ask(CALL).await
}

fn is_401(reply: &Reply, challenge: &str, error: &str) -> String {
    let body = String::from_utf8_lossy(&reply.body);
    assert_eq!((reply.status(), reply.challenge()), (401, Some(challenge)), "{body}");
    assert_eq!(reply.head.value("content-type"), Some("application/json"));
    assert_eq!(reply.head.value("cache-control"), Some("no-store"));
    assert_eq!(reply.says("error"), error, "{body}");
    assert_eq!(reply.head.value("hallpass-request-id"), Some(&*reply.says("request_id")), "{body}");
    reply.says("error_description")
}

#[tokio::test(flavor = "multi_thread")]
async fn sdk_clients_get_a_clean_401() {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let gateway = installed.serve().await;
    let stranger = token_of_a_stranger(&server).await;
    let docs = Target::anonymous(gateway.server("docs"));
    let of_bob = Target::anonymous(gateway.server_of("bob", "docs"));
    let cases = [
        (docs.clone(), "Bearer", WANTED),
        (docs.with_token(stranger), INVALID, NOT_OURS),
        (of_bob.with_token(installed.token("ann")), INVALID, "this token belongs to `ann`"),
    ];
    for (target, challenge, words) in cases {
        for sdk in [Sdk::TypeScript, Sdk::Rmcp] {
            for revision in [Revision::Sessions, Revision::Stateless] {
                let failure = journeys::is_refused(sdk, revision, &target).await;
                assert_eq!(failure.challenge.as_deref(), Some(challenge), "{failure:?}");
                let body = failure.body.as_deref();
                assert!(body.is_none_or(|body| body.contains(words)), "{failure:?}");
            }
        }
    }
    server.assert_quiet();
    installed.nothing_leaked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_credential_gets_its_answer() {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let gateway = installed.serve().await;
    let ann = installed.token("ann");
    let stranger = token_of_a_stranger(&server).await;
    let (signed, signature) = ann.rsplit_once('.').expect("three parts");
    let claims = ann.split('.').nth(1).expect("claims");
    let flipped = if signature.starts_with('A') { 'B' } else { 'A' };
    let uniform = [
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        format!("{signed}.{flipped}{}", &signature[1..]),
        format!("{signed}."),
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}."),
        format!("{ann}A"),
        format!("{ann}.{signature}"),
        "x".repeat(9000),
        stranger.clone(),
    ];
    for token in uniform {
        let reply = shown(&gateway, "/s/docs/mcp", Some(format!("Bearer {token}"))).await;
        assert_eq!(is_401(&reply, INVALID, "invalid_token"), NOT_OURS, "{token}");
    }
    for nothing in [None, Some(format!("Basic {ann}"))] {
        let reply = shown(&gateway, "/s/docs/mcp", nothing).await;
        assert_eq!(is_401(&reply, "Bearer", "unauthorized"), WANTED);
    }
    let reply = shown(&gateway, "/c/bob/s/docs/mcp", Some(format!("Bearer {ann}"))).await;
    let words = is_401(&reply, INVALID, "invalid_token");
    assert_eq!(words, "this token belongs to `ann`, and the address dialled is another client's");
    assert_eq!(shown(&gateway, "/s/none/mcp", None).await.status(), 401, "who has no token learns nothing");
    server.assert_quiet();
    reasons_are_logged(&installed).await;
    installed.nothing_leaked().await;
    absent(
        &BTreeSet::from([stranger]),
        installed.program.transcript().as_bytes(),
        "what the processes printed",
    );
}

async fn reasons_are_logged(installed: &Installed) {
    installed.logged("the last refusal", |event| event["server"] == "none").await;
    let log = installed.log(&["--outcome", "refused"]).await;
    let reasons: BTreeSet<_> = log.iter().filter_map(|event| event["reason"].as_str()).collect();
    let all = [
        "bad_signature",
        "malformed_token",
        "no_credential",
        "other_clients_path",
        "other_scheme",
        "token_too_long",
        "unknown_key",
    ];
    for reason in all {
        assert!(reasons.contains(reason), "{reason} in {reasons:?}");
    }
    let of_ann = installed.log(&["--outcome", "refused", "--client", "ann"]).await;
    assert_eq!(of_ann.len(), 1, "only what a key of ours vouches for has a name: {of_ann:#?}");
    assert_eq!((&of_ann[0]["reason"], &of_ann[0]["status"]), (&"other_clients_path".into(), &401.into()));
}

/// The body says what a person has to do, and that works.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_or_replaced_says_what_to_run() {
    let mut server = Recorder::start().await;
    let installed = Installed::before("docs", &server.url()).await;
    let (ann, bob) = (installed.token("ann"), installed.token("bob"));
    installed.revoke("ann").await;
    installed.issue("bob").await;
    let gateway = installed.serve().await;
    let words = is_401(
        &shown(&gateway, "/s/docs/mcp", Some(format!("Bearer {ann}"))).await,
        INVALID,
        "invalid_token",
    );
    assert!(words.starts_with("this token was revoked on 2"), "{words}");
    assert!(words.ends_with("run `hallpass issue ann`"), "{words}");
    let words = is_401(
        &shown(&gateway, "/s/docs/mcp", Some(format!("Bearer {bob}"))).await,
        INVALID,
        "invalid_token",
    );
    assert!(words.starts_with("this token was replaced by a newer one on 2"), "{words}");
    assert!(words.ends_with("or run `hallpass issue bob`"), "{words}");
    for (client, reason) in [("ann", "revoked"), ("bob", "replaced")] {
        let is_it = |event: &serde_json::Value| event["client"] == client && event["reason"] == reason;
        let event = installed.logged(reason, is_it).await;
        assert_eq!((&event["outcome"], &event["status"]), (&"refused".into(), &401.into()), "{event}");
    }
    server.assert_quiet();
    installed.nothing_leaked().await;
}
