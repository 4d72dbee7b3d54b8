//! The terms on which the shared secret is let in, and tokens that are on their way out: on open connections too.

use crate::bench::{NOW, active, client};
use crate::ws::socket::Socket;
use crate::ws::stage::{Period, SHARED, Stage, hello};
use hallpass_core::UnixTime;
use hallpass_core::policy::{Policy, PolicySettings};
use hallpass_core::snapshot::{Client, TokenState};
use serde_json::{Value, json};
use std::sync::Arc;

const ANNS_PATH: &str = "/c/ann/s/exai/mcp";

/// A connection with the shared secret on ann's address.
async fn on_anns_path(stage: &mut Stage) -> (Socket, Socket) {
    let mut client = Socket::open(stage.address(), ANNS_PATH, "").await;
    client.say(&hello(None, Some(SHARED))).await;
    let (_, server) = stage.daemon.greeted().await;
    assert!(client.heard().await.contains(r#""ok":true"#));
    assert!(stage.event().await.legacy);
    (client, server)
}

#[tokio::test]
async fn a_policy_of_the_period_holds_for_who_shares_the_secret_and_for_nobody_else() {
    let mut stage = Stage::new().await;
    stage.grace(Period::Running);
    let (mut old, mut olds_server) = on_anns_path(&mut stage).await;
    let settings: PolicySettings =
        serde_json::from_value(json!({ "rules": ["deny exai/delete"], "rate": "1/h" })).unwrap();
    let policy = Arc::new(Policy::new("former", &settings).unwrap());
    stage.on_terms([client("ann"), client("bob")], |terms| terms.policy = Some(policy));
    let delete = r#"{"op":"call_tool","request_id":1,"name":"delete"}"#;
    let read = r#"{"op":"call_tool","request_id":2,"name":"read"}"#;
    for (call, code) in [(delete, Some("policy_denied")), (read, None), (read, Some("too_fast"))] {
        old.say(call).await;
        match code {
            Some(code) => {
                let refused: Value = serde_json::from_str(&old.heard().await).unwrap();
                assert_eq!(refused["error"]["code"], code);
                let event = stage.event().await;
                assert_eq!((event.legacy, event.reason.as_deref()), (true, Some(code)));
            }
            None => assert_eq!(olds_server.heard().await, call),
        }
    }
    let bob = stage.bench.bob.clone();
    let (mut bobs, mut bobs_server) = stage.greeted(&hello(Some(&bob), Some(SHARED))).await;
    bobs.say(delete).await;
    assert_eq!(bobs_server.heard().await, delete);
}

#[tokio::test]
async fn an_open_connection_ends_with_each_change_of_the_terms_that_would_refuse_it() {
    let moved = Client { has_moved: true, ..client("ann") };
    let disabled = Client { enabled: false, ..client("ann") };
    for (ann, strict, reason) in [(moved, true, "has_moved"), (disabled, false, "client_disabled")] {
        let mut stage = Stage::new().await;
        stage.grace(Period::Running);
        let (mut old, _server) = on_anns_path(&mut stage).await;
        stage.on_terms([ann], |terms| terms.strict_after_migration = strict);
        assert_eq!(old.closed().await.0, 4003, "{reason}");
        let end = stage.event().await;
        assert_eq!((end.kind.as_ref(), end.reason.as_deref()), ("close", Some(reason)));
        assert_eq!((end.legacy, end.path_client.as_deref()), (true, Some("ann")));
        let mut late = Socket::open(stage.address(), ANNS_PATH, "").await;
        late.say(&hello(None, Some(SHARED))).await;
        assert!(late.heard().await.contains(r#""ok":false"#), "{reason}");
    }
}

#[tokio::test]
async fn a_superseded_token_keeps_its_connection_until_its_end_and_opens_none_after_it() {
    let mut stage = Stage::new().await;
    let ann = stage.bench.ann.clone();
    let (mut wire, mut server) = stage.greeted(&hello(Some(&ann), None)).await;
    let superseded = ann.record(TokenState::Superseded { until: UnixTime::from_seconds(NOW + 60) });
    let bob = active(&stage.bench.bob);
    stage.publish(Period::Never, [client("ann"), client("bob")], vec![superseded, bob]);
    wire.say(r#"{"op":"list_tools","request_id":1}"#).await;
    assert_eq!(server.heard().await, r#"{"op":"list_tools","request_id":1}"#);
    stage.bench.set_now(NOW + 60);
    assert_eq!(wire.closed().await.0, 4003);
    let mut late = stage.dial().await;
    late.say(&hello(Some(&ann), None)).await;
    assert!(late.heard().await.contains(r#""ok":false"#));
}
