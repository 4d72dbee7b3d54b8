//! The four tools. Know neither era nor HTTP.

use serde_json::{Value, json};

use super::reply::RpcError;

/// What a call of a tool comes to.
#[derive(Debug)]
pub(super) enum Outcome {
    Result(Value),
    /// No result: news, until the caller goes away.
    Watch,
}

pub(super) fn list() -> Value {
    let text = json!({ "type": "string" });
    let number = json!({ "type": "number" });
    json!([
        tool("echo", "Returns the text it is given.", &json!({ "text": text }), &["text"]),
        tool("add", "Adds two numbers.", &json!({ "a": number, "b": number }), &["a", "b"]),
        tool("watch", "Sends a line of news each half second and never ends.", &json!({}), &[]),
        tool("fail", "Fails, to show what a failure looks like.", &json!({}), &[]),
    ])
}

fn tool(name: &str, description: &str, properties: &Value, required: &[&str]) -> Value {
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    json!({ "name": name, "description": description, "inputSchema": schema })
}

/// Calls the tool that `params` names.
pub(super) fn call(params: &Value) -> Result<Outcome, RpcError> {
    let Some(name) = params["name"].as_str() else {
        return Err(RpcError::invalid_params("`name` is missing"));
    };
    let arguments = &params["arguments"];
    match name {
        "echo" => {
            let text = arguments["text"].as_str();
            Ok(Outcome::Result(text.map_or_else(|| failure("`text` is missing"), success)))
        }
        "add" => Ok(Outcome::Result(add(&arguments["a"], &arguments["b"]))),
        "watch" => Ok(Outcome::Watch),
        "fail" => Ok(Outcome::Result(failure("this tool always fails"))),
        _ => Err(RpcError::invalid_params(format!("no tool named `{name}`"))),
    }
}

fn add(a: &Value, b: &Value) -> Value {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64())
        && let Some(sum) = a.checked_add(b)
    {
        return success(&sum.to_string());
    }
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => success(&(a + b).to_string()),
        _ => failure("`a` and `b` are numbers"),
    }
}

fn success(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

fn failure(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }], "isError": true })
}

/// The news of `watch`: progress if the caller asked for it, else a log message if it may be sent.
pub(super) fn news(params: &Value, count: u64, may_log: bool) -> Option<Value> {
    let token = &params["_meta"]["progressToken"];
    if !token.is_null() {
        let news = json!({ "progressToken": token, "progress": count, "message": format!("news {count}") });
        return Some(json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": news }));
    }
    let news = json!({ "level": "info", "logger": "watch", "data": format!("news {count}") });
    may_log.then(|| json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": news }))
}
