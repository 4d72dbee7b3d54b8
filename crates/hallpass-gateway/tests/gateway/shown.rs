//! For any policy: what a list of tools shows is what a call may call. Through the whole gateway: each list is asked for
//! and each of its tools is called.

use crate::bench::{ANSWER, Bench, Wire};
use crate::ruled::call;
use hallpass_core::policy::{Effect, Policy, PolicySettings};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;
use std::sync::Arc;

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

#[derive(Debug, Clone)]
struct Case {
    rules: Vec<String>,
    default: Effect,
    tools: BTreeSet<String>,
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Json,
    Stream,
    Resumed,
}

fn case() -> impl Strategy<Value = Case> {
    let tool = prop_oneof![3 => "[ab/_.*]{0,4}", 1 => "\\PC{1,6}", 1 => any::<String>()];
    let rule = (
        prop::sample::select(vec!["allow", "deny"]),
        prop::sample::select(vec!["docs", "docs", "*", "files", "d*s"]),
        prop_oneof![1 => Just(String::new()), 4 => "/[ab/_.*]{1,4}"],
    );
    let rule = rule.prop_map(|(effect, server, tool)| format!("{effect} {server}{tool}"));
    (
        prop::collection::vec(rule, 0..5),
        prop::sample::select(vec![Effect::Allow, Effect::Deny]),
        prop::collection::btree_set(tool, 0..6),
        prop::sample::select(vec![Form::Json, Form::Stream, Form::Resumed]),
    )
        .prop_map(|(rules, default, tools, form)| Case { rules, default, tools, form })
}

/// An answer with these tools, in a layout that depends on their number.
fn answer(tools: &BTreeSet<String>) -> String {
    let gap = ["", " ", "\n  "][tools.len() % 3];
    let tools: Vec<String> = tools
        .iter()
        .map(|tool| {
            let units: Vec<String> = tool.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let name = units.concat();
            format!(r#"{{"x":"]}},{{",{gap}"name"{gap}:{gap}"{name}"}}"#)
        })
        .collect();
    format!(r#"{{"id":1,"result":{{"tools":[{gap}{}{gap}]}}}}"#, tools.join(&format!("{gap},{gap}")))
}

/// The tools that are shown; `None` if the list is refused.
async fn shown(bench: &mut Bench, wire: &mut Wire, case: &Case) -> Option<BTreeSet<String>> {
    let request = match case.form {
        Form::Json | Form::Stream => bench.post(&bench.ann, LIST),
        Form::Resumed => bench.bare("GET", &bench.ann, "Last-Event-ID: 1\r\n"),
    };
    wire.send(request).await;
    let exchange = tokio::select! {
        exchange = bench.server.request() => exchange,
        reply = wire.reply() => {
            assert_eq!(reply.status, 403);
            return None;
        }
    };
    let (kind, body) = match case.form {
        Form::Json => ("application/json", answer(&case.tools)),
        Form::Stream | Form::Resumed => {
            ("text/event-stream", format!("data: {}\n\n", answer(&case.tools).replace('\n', "\ndata: ")))
        }
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    exchange.answer(&format!("{head}{body}")).await;
    let text = wire.reply().await.text();
    let text: String = text.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line)).collect();
    let message: serde_json::Value = serde_json::from_str(&text).expect(&text);
    let tools = message["result"]["tools"].as_array().unwrap();
    Some(tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect())
}

async fn may_call(bench: &mut Bench, wire: &mut Wire, tool: &str) -> bool {
    wire.send(bench.post(&bench.ann, &call(tool))).await;
    tokio::select! {
        exchange = bench.server.request() => exchange.answer_json(ANSWER).await,
        reply = wire.reply() => {
            assert_eq!(reply.status, 403);
            return false;
        }
    }
    wire.reply().await.status == 200
}

async fn check(bench: &mut Bench, case: Case) {
    let settings = PolicySettings {
        rules: case.rules.clone(),
        default: case.default,
        rate: None,
        burst: None,
        in_flight: None,
        shadow: false,
    };
    bench.put_ann_under(&Arc::new(Policy::new("any", &settings).unwrap()));
    let mut wire = bench.dial().await;
    let shown = shown(bench, &mut wire, &case).await;
    let mut callable = BTreeSet::new();
    for tool in &case.tools {
        if may_call(bench, &mut wire, tool).await {
            callable.insert(tool.clone());
        }
    }
    assert_eq!(shown.unwrap_or_default(), callable, "{case:?}");
    bench.events_so_far().await;
}

#[test]
fn what_a_list_shows_is_what_a_call_may_call() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bench = std::cell::RefCell::new(runtime.block_on(Bench::new()));
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&case(), |case| {
            runtime.block_on(check(&mut bench.borrow_mut(), case));
            Ok(())
        })
        .unwrap();
}
