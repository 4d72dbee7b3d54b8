//! What records say of calls' arguments: nothing, hashes, or the text for tools that the owner named.

use crate::bench::{Bench, CALL, Plan};
use crate::ws::stage::{Stage, hello};
use hallpass_core::Event;
use hallpass_core::arguments::{ArgumentKey, Keeping, NamedTool};

fn key() -> ArgumentKey {
    ArgumentKey::new(&[5; 32])
}

fn keeping() -> Keeping {
    let in_full = ["docs/pay", "exai/pay"].map(|tool| NamedTool::parse(tool).unwrap());
    Keeping::new(Some(key()), in_full.into())
}

async fn recorded(bench: &mut Bench, body: &str) -> Event {
    let mut wire = bench.dial().await;
    wire.send(bench.post(&bench.ann, body)).await;
    bench.server.request().await.answer_json("{}").await;
    wire.reply().await;
    bench.event().await
}

fn said(event: &Event) -> (Option<&str>, bool, Option<&str>) {
    let hash = event.arguments_hash.as_ref().map(|hashes| hashes.whole.as_str());
    (event.arguments.as_deref(), event.arguments_cut, hash)
}

#[tokio::test]
async fn nothing_is_kept_unless_it_was_asked_for() {
    let mut bench = Bench::new().await;
    assert_eq!(said(&recorded(&mut bench, CALL).await), (None, false, None));
}

#[tokio::test]
async fn hashes_are_kept_of_calls_and_of_nothing_else() {
    let mut bench = Bench::with(Plan { arguments: keeping(), ..Plan::default() }).await;
    let event = recorded(&mut bench, CALL).await;
    assert_eq!(said(&event), (None, false, Some(key().hash(r#"{"n":1.0}"#).as_str())));
    assert_eq!(event.arguments_hash.unwrap().values["n"], key().hash("1.0"));
    for no_call in [
        r#"{"jsonrpc":"2.0","id":7,"method":"prompts/get","params":{"name":"echo","arguments":{"n":1}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo"}}"#,
    ] {
        assert_eq!(said(&recorded(&mut bench, no_call).await), (None, false, None), "{no_call}");
    }
}

#[tokio::test]
async fn the_text_is_kept_of_named_tools_and_a_refused_call_is_no_way_around_it() {
    let mut bench = Bench::with(Plan { arguments: keeping(), ..Plan::default() }).await;
    let pay = CALL.replace("echo", "pay").replace("{\"n\":1.0}", "{ \"to\" : \"\\u0061nn\" }");
    assert_eq!(said(&recorded(&mut bench, &pay).await), (Some("{\"to\":\"ann\"}"), false, None));
    bench.put_ann_under(&crate::ruled::policy(r#"{"default":"deny"}"#));
    assert_eq!(bench.dial().await.ask(bench.post(&bench.ann, &pay)).await.status, 403);
    assert_eq!(said(&bench.event().await), (Some("{\"to\":\"ann\"}"), false, None));
}

/// What takes the most room: texts that grow when they are written down.
#[tokio::test]
async fn a_record_stays_small_whatever_a_caller_sends() {
    let mut bench = Bench::with(Plan { arguments: keeping(), ..Plan::default() }).await;
    let odd = "\\u0001".repeat(300);
    let names: Vec<String> = (10..40).map(|n| format!("\"{n}{}\":1", "\\u0001".repeat(62))).collect();
    let quotes = "\\\"".repeat(100_000);
    for (tool, arguments) in
        [("pay", format!("{{\"x\":\"{quotes}\"}}")), (&*odd, format!("{{{}}}", names.join(",")))]
    {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments},"_meta":{{"io.modelcontextprotocol/clientInfo":{{"name":"{odd}","version":"{odd}"}}}}}}}}"#
        );
        let event = recorded(&mut bench, &body).await;
        assert!(event.arguments.is_some() != event.arguments_hash.is_some());
        assert!(event.json_line().len() < 15 << 10, "{}", event.json_line().len());
    }
}

#[tokio::test]
async fn the_same_over_web_socket_in_both_dialects() {
    let mut stage = Stage::with(Plan { arguments: keeping(), ..Plan::default() }).await;
    let ann = stage.bench.ann.clone();
    let (mut client, mut server) = stage.greeted(&hello(Some(&ann), None)).await;
    stage.event().await;
    for (call, text, hash) in [
        (r#"{"op":"call_tool","name":"pay","arguments":{"n": 1}}"#, Some(r#"{"n":1}"#), None),
        (r#"{"op":"call_tool","name":"echo","arguments":{"n": 1}}"#, None, Some(key().hash(r#"{"n":1}"#))),
        (r#"{"op":"call_tool","name":"echo"}"#, None, None),
        (r#"{"op":"other","name":"pay","arguments":{"n": 1}}"#, None, None),
    ] {
        client.say(call).await;
        server.heard().await;
        assert_eq!(said(&stage.event().await), (text, false, hash.as_deref()), "{call}");
    }
    let bearer = format!("Sec-WebSocket-Protocol: mcp\r\nAuthorization: Bearer {}\r\n", ann.text);
    let mut client = stage.dial_with(&bearer).await;
    client.say(&CALL.replace("echo", "pay").replace("\"id\":7,", "")).await;
    stage.daemon.connection().await.1.heard().await;
    let events = [stage.event().await, stage.event().await];
    assert!(events.iter().any(|event| event.arguments.as_deref() == Some(r#"{"n":1.0}"#)), "{events:?}");
}
