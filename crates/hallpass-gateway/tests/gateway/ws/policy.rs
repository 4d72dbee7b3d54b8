//! Policies over WebSocket, in both dialects: calls refused, lists narrowed, rates and calls in flight.

use crate::bench::{Plan, active, client};
use crate::ws::socket::Socket;
use crate::ws::stage::{Period, SHARED, Stage, hello};
use hallpass_core::policy::{Policy, PolicySettings};
use hallpass_core::snapshot::Client;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;

fn header(stage: &Stage) -> String {
    format!("Authorization: Bearer {}\r\nSec-WebSocket-Protocol: mcp\r\n", stage.bench.ann.text)
}

fn policy(settings: Value) -> Arc<Policy> {
    let settings: PolicySettings = serde_json::from_value(settings).unwrap();
    Arc::new(Policy::new("narrow", &settings).unwrap())
}

/// A stage on which ann is under this policy.
async fn under(settings: Value) -> Stage {
    let mut stage = Stage::new().await;
    put_under(&mut stage, settings);
    stage
}

fn put_under(stage: &mut Stage, settings: Value) {
    let ann = Client { policy: Some(policy(settings)), ..client("ann") };
    let tokens = vec![active(&stage.bench.ann), active(&stage.bench.bob)];
    stage.publish(Period::Never, [ann, client("bob")], tokens);
}

async fn shim(stage: &mut Stage) -> (Socket, Socket) {
    let ann = stage.bench.ann.clone();
    let ends = stage.greeted(&hello(Some(&ann), Some(SHARED))).await;
    stage.event().await;
    ends
}

async fn mcp(stage: &mut Stage) -> (Socket, Socket) {
    let mut client = stage.dial_with(&header(stage)).await;
    client.say(INITIALIZE).await;
    let (_, mut server) = stage.daemon.connection().await;
    server.heard().await;
    server.say(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#).await;
    client.heard().await;
    (client, server)
}

async fn answer(socket: &mut Socket) -> Value {
    serde_json::from_str(&socket.heard().await).unwrap()
}

#[tokio::test]
async fn a_policy_refuses_a_call_and_the_connection_goes_on() {
    let mut stage = under(json!({ "rules": ["allow exai/read_*"], "default": "deny" })).await;
    let (mut client, mut server) = mcp(&mut stage).await;
    client.say(r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"delete"}}"#).await;
    let refused = answer(&mut client).await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(5), &json!(403)));
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("`narrow` of `ann` denies the tool `delete`"), "{message}");
    client.say(r#"{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"read_file"}}"#).await;
    assert!(server.heard().await.contains("read_file"), "the refused one did not come");

    let (mut client, mut server) = shim(&mut stage).await;
    client.say(r#"{"op":"call_tool","request_id":"r","name":"delete"}"#).await;
    let refused = answer(&mut client).await;
    assert_eq!((&refused["op"], &refused["request_id"]), (&json!("call_tool_res"), &json!("r")));
    assert_eq!(refused["error"]["code"], "policy_denied");
    client.say(r#"{"op":"shutdown","request_id":"s"}"#).await;
    let refused = answer(&mut client).await;
    assert_eq!((&refused["op"], &refused["request_id"]), (&json!("error"), &json!("s")));
    assert_eq!(refused["error"]["code"], "policy_denied");
    client.say(r#"{"op":"call_tool","request_id":"t","name":"read_file"}"#).await;
    assert!(server.heard().await.contains("read_file"), "the refused ones did not come");
}

#[tokio::test]
async fn lists_show_what_may_be_called_in_both_dialects() {
    let mut stage = under(json!({ "rules": ["deny exai/delete"] })).await;
    let (mut client, mut server) = shim(&mut stage).await;
    client.say(r#"{"op":"list_tools","request_id":1}"#).await;
    server.heard().await;
    server
        .say(r#"{"op":"list_tools_res","request_id":1,"tools":[{"name":"delete"},{"name":"read"}],"n":1.0}"#)
        .await;
    assert_eq!(
        client.heard().await,
        r#"{"op":"list_tools_res","request_id":1,"tools":[{"name":"read"}],"n":1.0}"#
    );
    let event = stage.event().await;
    assert_eq!((event.method.as_deref(), event.outcome.as_str()), (Some("list_tools"), "ok"));
    // Nobody asked, and it is a list all the same.
    server.say(r#"{"op":"anything","tools":[{"name":"delete"}]}"#).await;
    assert_eq!(client.heard().await, r#"{"op":"anything","tools":[]}"#);

    let (mut client, mut server) = mcp(&mut stage).await;
    client.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).await;
    server.heard().await;
    server.say(r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read"},{"name":"delete"}]}}"#).await;
    assert_eq!(client.heard().await, r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read"}]}}"#);
}

#[tokio::test]
async fn a_list_that_cannot_be_told_for_certain_is_not_passed_on() {
    let mut stage = under(json!({ "rules": ["deny exai/delete"] })).await;
    let (mut client, mut server) = shim(&mut stage).await;
    client.say(r#"{"op":"list_tools","request_id":1}"#).await;
    server.heard().await;
    server.say(r#"{"op":"list_tools_res","request_id":1,"tools":["delete"]}"#).await;
    assert_eq!(client.closed().await.0, 1014);
    assert_eq!(stage.event().await.reason.as_deref(), Some("upstream_unreadable"));
    // Whose policy shows all of them gets it as it is.
    let bob = stage.bench.bob.clone();
    let (mut client, mut server) = stage.greeted(&hello(Some(&bob), None)).await;
    server.say(r#"{"op":"list_tools_res","request_id":1,"tools":["delete"]}"#).await;
    assert_eq!(client.heard().await, r#"{"op":"list_tools_res","request_id":1,"tools":["delete"]}"#);
}

#[tokio::test]
async fn a_policy_that_changes_counts_from_the_next_message_on() {
    let mut stage = under(json!({ "rules": [] })).await;
    let (mut client, mut server) = shim(&mut stage).await;
    let list = r#"{"op":"list_tools_res","tools":[{"name":"delete"}]}"#;
    server.say(list).await;
    assert_eq!(client.heard().await, list);
    put_under(&mut stage, json!({ "rules": ["deny exai/delete"] }));
    server.say(list).await;
    assert_eq!(client.heard().await, r#"{"op":"list_tools_res","tools":[]}"#);
    client.say(r#"{"op":"call_tool","request_id":1,"name":"delete"}"#).await;
    assert_eq!(answer(&mut client).await["error"]["code"], "policy_denied");
}

#[tokio::test]
async fn an_answer_to_a_call_that_is_denied_by_now_is_not_passed_on() {
    let mut stage = under(json!({ "rules": [] })).await;
    let (mut client, mut server) = shim(&mut stage).await;
    for (id, tool) in [(1, "delete"), (2, "read")] {
        client.say(&json!({ "op": "call_tool", "request_id": id, "name": tool }).to_string()).await;
        server.heard().await;
    }
    put_under(&mut stage, json!({ "rules": ["deny exai/delete"] }));
    server.say(r#"{"op":"call_tool_res","request_id":1,"outputs":["what was asked for"]}"#).await;
    let refused = answer(&mut client).await;
    assert_eq!((&refused["request_id"], &refused["error"]["code"]), (&json!(1), &json!("policy_denied")));
    let event = stage.event().await;
    assert_eq!((event.outcome.as_str(), event.reason.as_deref()), ("cut", Some("policy_denied")));
    assert_eq!(refused["error"]["gateway_request_id"].as_str(), event.request_id.as_deref());
    server.say(r#"{"op":"call_tool_res","request_id":2}"#).await;
    assert_eq!(client.heard().await, r#"{"op":"call_tool_res","request_id":2}"#);
}

#[tokio::test]
async fn rates_are_spent_by_calls_and_by_nothing_else() {
    let mut stage = under(json!({ "rate": "2/h" })).await;
    let (mut client, mut server) = shim(&mut stage).await;
    for _ in 0..3 {
        client.say(r#"{"op":"ping"}"#).await;
        assert_eq!(server.heard().await, r#"{"op":"ping"}"#);
    }
    for id in [1, 2] {
        client.say(&format!(r#"{{"op":"call_tool","request_id":{id},"name":"a"}}"#)).await;
        server.heard().await;
    }
    client.say(r#"{"op":"call_tool","request_id":3,"name":"a"}"#).await;
    let refused = answer(&mut client).await;
    assert_eq!((&refused["request_id"], &refused["error"]["code"]), (&json!(3), &json!("too_fast")));
    assert_eq!(stage.event().await.reason.as_deref(), Some("too_fast"));
    // One budget for both dialects, and for every connection.
    let (mut client, server) = mcp_refused(&mut stage).await;
    assert_eq!(answer(&mut client).await["error"]["code"], 429);
    drop(server);
}

/// An MCP connection whose first message has no budget left.
async fn mcp_refused(stage: &mut Stage) -> (Socket, Socket) {
    let mut client = stage.dial_with(&header(stage)).await;
    client.say(INITIALIZE).await;
    let (_, mut server) = stage.daemon.connection().await;
    assert_eq!(server.next_within(Duration::from_millis(50)).await, None);
    (client, server)
}

#[tokio::test]
async fn calls_in_flight_are_limited_until_they_are_answered() {
    let mut stage = under(json!({ "in_flight": 1 })).await;
    let (mut client, mut server) = shim(&mut stage).await;
    client.say(r#"{"op":"call_tool","request_id":1,"name":"a"}"#).await;
    server.heard().await;
    client.say(r#"{"op":"call_tool","request_id":2,"name":"a"}"#).await;
    assert_eq!(answer(&mut client).await["error"]["code"], "too_many_in_flight");
    server.say(r#"{"op":"call_tool_ack","request_id":1}"#).await;
    client.heard().await;
    server.say(r#"{"op":"call_tool_res","request_id":1}"#).await;
    client.heard().await;
    client.say(r#"{"op":"call_tool","request_id":3,"name":"a"}"#).await;
    assert!(server.heard().await.contains(":3"));
}

#[tokio::test]
async fn where_calls_in_flight_are_limited_a_call_needs_an_id_by_which_it_ends() {
    let mut stage = under(json!({ "in_flight": 1 })).await;
    let (mut client, mut server) = shim(&mut stage).await;
    for call in [r#"{"op":"call_tool","name":"a"}"#, r#"{"op":"tool_call","name":"a","request_id":null}"#] {
        client.say(call).await;
        let refused = answer(&mut client).await;
        assert_eq!(
            (&refused["op"], &refused["error"]["code"]),
            (&json!("call_tool_res"), &json!("ambiguous_request"))
        );
        assert_eq!(stage.event().await.reason.as_deref(), Some("ambiguous_request"));
    }
    client.say(r#"{"op":"call_tool","request_id":1,"name":"a"}"#).await;
    assert!(server.heard().await.contains(":1"), "nothing came before it");

    put_under(&mut stage, json!({ "rate": "5/h" }));
    client.say(r#"{"op":"call_tool","name":"b"}"#).await;
    assert!(server.heard().await.contains("\"b\""));
}

#[tokio::test]
async fn a_policy_that_only_watches_refuses_nothing_and_is_noted() {
    let mut stage = under(json!({ "rules": ["deny exai/delete"], "shadow": true })).await;
    let (mut client, mut server) = shim(&mut stage).await;
    client.say(r#"{"op":"call_tool","request_id":1,"name":"delete"}"#).await;
    server.heard().await;
    server.say(r#"{"op":"call_tool_res","request_id":1,"tools":[{"name":"delete"}]}"#).await;
    assert_eq!(client.heard().await, r#"{"op":"call_tool_res","request_id":1,"tools":[{"name":"delete"}]}"#);
    let event = stage.event().await;
    assert_eq!((event.outcome.as_str(), event.would_refuse.as_deref()), ("ok", Some("narrow")));
}

#[tokio::test]
async fn who_shares_the_secret_shares_the_count() {
    let mut plan = Plan::default();
    plan.limits.calls_per_client = 2;
    let mut stage = Stage::with(plan).await;
    stage.grace(Period::Running);
    let _one = stage.greeted(&hello(None, Some(SHARED))).await;
    let mut anns_path = Socket::open(stage.address(), "/c/ann/s/exai/mcp", "").await;
    anns_path.say(&hello(None, Some(SHARED))).await;
    let _two = stage.daemon.greeted().await;
    anns_path.heard().await;
    stage.event().await;
    let event = stage.event().await;
    assert_eq!((event.legacy, event.path_client.as_deref()), (true, Some("ann")));
    let mut three = stage.dial().await;
    three.say(&hello(None, Some(SHARED))).await;
    assert!(three.heard().await.contains("too_many_in_flight"));
}
