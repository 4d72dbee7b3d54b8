//! What the running gateway rotates by itself, what it leaves alone, and whom it tells. Old tokens are minted here with
//! the home's own key and put where the client's token stands, as if time had passed.

use std::{fs::File, path::PathBuf, time::Duration};

use hallpass::{
    carry_out::act, clock, home::Home, installation::Installation, mint::mint, settings::Settings,
};
use hallpass_core::snapshot::TokenState;
use hallpass_store::{NewToken, Overlap};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::{caller::Caller, installed::Installed, recorder::Recorder};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
const DAY: i64 = 86_400;
/// Of ninety days, so many have passed: certainly due.
const OLD: Age = Age { life: 90 * DAY, passed: 75 * DAY };

/// A token's lifetime and how much of it has passed, in seconds.
#[derive(Clone, Copy)]
struct Age {
    life: i64,
    passed: i64,
}

/// A home in front of a server that answers everything: `ann` and `bob` with variables, `carl` and `dora` with bridges.
struct Aged {
    installed: Installed,
    installation: Installation,
    answering: JoinHandle<()>,
}

impl Aged {
    async fn new(rest: &str) -> Self {
        let mut server = Recorder::start().await;
        let url = server.url();
        let answering = tokio::spawn(async move {
            loop {
                server.next().await.respond("200 OK", &["Content-Type: application/json"], ANSWER.as_bytes());
            }
        });
        let rest = format!(
            "{rest}\n[servers.docs]\nurl = \"{url}\"\n[clients.dora]\napp = \"claude-desktop\"\nconfig = \"dora.json\"\n"
        );
        let installed = Installed::with(&rest).await;
        let home = Home::locate(Some(&installed.program.home())).expect("a home");
        let installation = Installation::open(&home).await.expect("the home");
        Self { installed, installation, answering }
    }

    fn token_file(&self, client: &str) -> PathBuf {
        self.installed.program.home().join("tokens").join(client)
    }

    fn token(&self, client: &str) -> String {
        std::fs::read_to_string(self.token_file(client)).expect("a token file").trim_end().to_owned()
    }

    /// A token of that age, not in force yet.
    async fn mint(&self, client: &str, age: Age) -> (String, NewToken) {
        let file = self.installed.program.user().join("hallpass.toml");
        let settings = Settings::load(Some(&file), &self.installation.home).expect("settings");
        let mut authority = self.installation.authority(&settings).await.expect("the authority");
        authority.lifetime = age.life;
        let client = self.installation.store.client(client).await.expect("the store").expect("a client");
        let issued = clock::now().plus(-age.passed);
        let (token, row) = mint(&authority, &client.name, &client.subject, issued).expect("a token");
        (token.expose().to_owned(), row)
    }

    /// Gives the client a token of that age; `placed`: where its own one stood.
    async fn age(&self, client: &str, age: Age, placed: bool) -> String {
        let (text, row) = self.mint(client, age).await;
        let store = &self.installation.store;
        store.add_pending(&row).await.expect("a pending token");
        let placement = store.placement(client).await.expect("the store").filter(|_| placed);
        if placement.as_ref().is_some_and(|row| row.token_file.is_some()) {
            self.put(client, &text);
        }
        let issued = act("issue", &row.client);
        assert!(
            store.activate(&row.jti, clock::now(), placement.as_ref(), &issued).await.expect("the store")
        );
        text
    }

    fn put(&self, client: &str, text: &str) {
        #[expect(clippy::disallowed_methods, reason = "a test's own files need no atomic write")]
        std::fs::write(self.token_file(client), text).expect("a token file");
    }

    async fn logged(&self, kind: &str, client: &str) -> Value {
        self.installed.logged(kind, |event| event["kind"] == kind && event["client"] == client).await
    }

    async fn count(&self, kind: &str) -> usize {
        self.installed.log(&[]).await.iter().filter(|event| event["kind"] == kind).count()
    }

    async fn state_of(&self, jti: &str) -> TokenState {
        self.installation.store.token(jti).await.expect("the store").expect("a token").state
    }
}

impl Drop for Aged {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

fn jti(token: &str) -> String {
    let claims = token.split('.').nth(1).expect("claims");
    let claims = hallpass_core::encoding::decode_base64url(claims.as_bytes()).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    claims["jti"].as_str().expect("a jti").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridges_token_is_rotated_in_its_file_and_both_are_good() {
    let aged = Aged::new("").await;
    let old = aged.age("carl", OLD, true).await;
    let program = &aged.installed.program;
    let config = std::fs::read(program.user().join("carl.json")).expect("a file");
    // Nobody has applied this: it is neither applied nor in the way, though `carl` has one `entry` for two servers now.
    let roster = std::fs::read_to_string(program.user().join("hallpass.toml")).expect("a file");
    program.write("hallpass.toml", &format!("{roster}\n[servers.more]\nurl = \"http://127.0.0.1:9/mcp\"\n"));
    let gateway = aged.installed.serve().await;
    let event = aged.logged("rotate", "carl").await;
    let new = aged.token("carl");
    assert_ne!(new, old);
    assert_eq!(
        (&event["jti"], &event["reason"]),
        (&jti(&new).into(), &"two thirds of its life are over".into())
    );
    for token in [&old, &new] {
        let reply =
            Caller::at(&gateway, "/s/docs/mcp", Some(format!("Bearer {token}"))).await.ask(CALL).await;
        assert_eq!(reply.status(), 200);
    }
    let issued =
        aged.installation.store.token(&jti(&new)).await.expect("the store").expect("a token").issued_at;
    assert_eq!(aged.state_of(&jti(&old)).await, TokenState::Superseded { until: issued.plus(DAY) });
    assert_eq!(std::fs::read(program.user().join("carl.json")).expect("a file"), config);
    assert_eq!(aged.count("rotate").await, 1, "the others' tokens are young");
    let ended = gateway.terminate().await;
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("carl: rotated, two thirds of its life are over; the one before"),
        "{ended:#?}"
    );
    aged.installed.nothing_leaked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_token_that_is_read_at_a_start_only_a_person_is_told_once() {
    let aged = Aged::new("").await;
    aged.age("ann", OLD, true).await;
    aged.age("bob", OLD, false).await;
    let gateway = aged.installed.serve().await;
    let (ann, bob) = (aged.logged("warning", "ann").await, aged.logged("warning", "bob").await);
    let (ann, bob) = (ann["reason"].as_str().expect("words"), bob["reason"].as_str().expect("words"));
    assert!(ann.starts_with("its token ends on 2"), "{ann}");
    assert!(
        ann.ends_with("a new one is read at a restart only: `hallpass rotate ann`, then restart its program"),
        "{ann}"
    );
    assert!(bob.ends_with("a person placed it: `hallpass rotate bob --print`"), "{bob}");
    let ended = gateway.terminate().await;
    assert!(ended.stderr.contains(&format!("ann: {ann}\n")), "{ended:#?}");
    assert!(ended.stderr.contains(&format!("bob: {bob}\n")), "{ended:#?}");
    // Another gateway looks at the same tokens, and at one more so that it can be seen to have looked.
    aged.age("carl", OLD, true).await;
    let gateway = aged.installed.serve().await;
    aged.logged("rotate", "carl").await;
    let ended = gateway.terminate().await;
    assert!(!ended.stderr.contains("its token ends on"), "{ended:#?}");
    assert_eq!(aged.count("warning").await, 2);
    assert_eq!(aged.count("rotate").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_switched_off_and_then_a_person_is_told() {
    let aged = Aged::new("[authority]\nrotate = \"never\"").await;
    let old = aged.age("carl", OLD, true).await;
    let _gateway = aged.installed.serve().await;
    let event = aged.logged("warning", "carl").await;
    let reason = event["reason"].as_str().expect("words");
    assert!(reason.ends_with("`authority.rotate` is `never`: `hallpass rotate carl`"), "{reason}");
    assert_eq!(aged.token("carl"), old);
    aged.installed.program.must(&["rotate", "carl", "--yes"]).await;
    assert_ne!(aged.token("carl"), old);
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_revoked_and_printed_ones_are_left_alone() {
    let aged = Aged::new("").await;
    let older = Age { passed: OLD.passed + DAY, ..OLD };
    let program = &aged.installed.program;
    let ann = aged.age("ann", older, true).await;
    aged.age("bob", older, false).await;
    aged.age("dora", older, true).await;
    program.must(&["revoke", "ann", "--reason", "lost"]).await;
    program.must(&["disable", "dora", "--reason", "on leave"]).await;
    let dora = aged.token("dora");
    aged.age("carl", OLD, true).await;
    let _gateway = aged.installed.serve().await;
    // The oldest go first, so the others were passed over when this one is done.
    aged.logged("rotate", "carl").await;
    assert_eq!(aged.count("rotate").await, 1);
    assert_eq!(aged.token("dora"), dora);
    assert!(matches!(aged.state_of(&jti(&ann)).await, TokenState::Revoked { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_holds_something_else_is_left_alone_and_a_person_is_told() {
    let aged = Aged::new("").await;
    aged.age("carl", OLD, true).await;
    aged.put("carl", "put here by hand\n");
    let gateway = aged.installed.serve().await;
    let event = aged.logged("warning", "carl").await;
    let reason = event["reason"].as_str().expect("words");
    assert!(
        reason.ends_with("it could not be rotated (its place does not hold it): `hallpass rotate carl`"),
        "{reason}"
    );
    assert_eq!(std::fs::read_to_string(aged.token_file("carl")).expect("a file"), "put here by hand\n");
    let ended = gateway.terminate().await;
    assert!(ended.stderr.contains(&format!("carl: {reason}\n")), "{ended:#?}");
}

/// Whoever holds the lock may wait for an answer for hours: the gateway does not wait for him.
#[tokio::test(flavor = "multi_thread")]
async fn while_another_command_is_under_way_it_waits_for_the_next_round() {
    let aged = Aged::new("").await;
    // Due between the 14th and the 19th second, as the `jti` decides.
    let old = aged.age("carl", Age { life: 24, passed: 10 }, true).await;
    let gateway = aged.installed.serve().await;
    let lock = File::open(aged.installed.program.home().join("lock")).expect("the lock");
    lock.lock().expect("held");
    let row = aged.installation.store.token(&jti(&old)).await.expect("the store").expect("a token");
    while clock::now() < row.issued_at.plus(20) {
        let reply = Caller::at(&gateway, "/s/docs/mcp", Some(format!("Bearer {old}"))).await.ask(CALL).await;
        assert_eq!(reply.status(), 200, "calls and the follower of the store go on");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(aged.token("carl"), old);
    assert_eq!(aged.count("rotate").await, 0);
    drop(lock);
    aged.logged("rotate", "carl").await;
    assert_ne!(aged.token("carl"), old);
}

/// A command was killed after it had placed the new token: the running gateway finishes it, nobody else has to come by.
#[tokio::test(flavor = "multi_thread")]
async fn it_finishes_what_a_killed_rotation_left() {
    let aged = Aged::new("").await;
    // Something is due within seconds, so that it looks again within seconds.
    let old = aged.age("carl", Age { life: 24, passed: 11 }, true).await;
    let dora = aged.token("dora");
    let _gateway = aged.installed.serve().await;
    let (text, row) = aged.mint("dora", Age { life: 90 * DAY, passed: 0 }).await;
    let overlap = Overlap { seconds: 7200, until_seen: false };
    aged.installation.store.add_successor(&row, overlap).await.expect("a pending token");
    aged.put("dora", &text);
    let event = aged.logged("rotate", "dora").await;
    assert_eq!((&event["jti"], &event["reason"]), (&row.jti.clone().into(), &"mended".into()));
    assert_eq!(aged.state_of(&row.jti).await, TokenState::Active);
    let until = row.issued_at.plus(7200);
    assert_eq!(aged.state_of(&jti(&dora)).await, TokenState::Superseded { until });
    aged.logged("rotate", "carl").await;
    assert_ne!(aged.token("carl"), old);
}
