//! The hello dialect, as a client of the daemon speaks it. Sends and waits for nothing.

use super::mcp::{Asked, Question};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The first frame.
pub(super) fn hello(session: Option<&str>, shared: &str, own: Option<&str>) -> Zeroizing<String> {
    let mut hello = Map::new();
    hello.insert("op".into(), "hello".into());
    if let Some(session) = session {
        hello.insert("session_id".into(), session.into());
    }
    hello.insert("token".into(), shared.into());
    if let Some(own) = own {
        hello.insert("jwt".into(), own.into());
    }
    Zeroizing::new(Value::Object(hello).to_string())
}

/// What the daemon answers to `hello`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Welcome {
    In,
    Out { word: String },
}

impl Welcome {
    pub(super) fn read(text: &str) -> Option<Self> {
        let ack: Value = serde_json::from_str(text).ok()?;
        if ack["op"] != "hello_ack" {
            return None;
        }
        if ack["ok"] == true {
            return Some(Self::In);
        }
        Some(Self::Out { word: ack["error"].as_str().unwrap_or("no reason was given").to_owned() })
    }
}

/// The frame that asks the daemon.
pub(super) fn question(request_id: &str, question: &Question) -> String {
    match question {
        Question::List => json!({ "op": "list_tools", "request_id": request_id }).to_string(),
        Question::Call { name, arguments } => format!(
            r#"{{"op":"call_tool","request_id":{},"name":{},"arguments":{}}}"#,
            Value::from(request_id),
            Value::from(&**name),
            arguments.as_ref().map_or("{}", |arguments| arguments.get())
        ),
    }
}

/// One frame of the daemon.
#[derive(Deserialize)]
pub(super) struct Frame<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow, default)]
    request_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    outputs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tools: Option<&'a RawValue>,
    #[serde(borrow, default)]
    progress: Option<&'a RawValue>,
    #[serde(borrow, default)]
    total: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

/// What a frame of the daemon comes to for the client that asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A line for the client, and more is to come.
    News(String),
    /// The last line for the client.
    Answer(String),
    /// Nothing for the client.
    Nothing,
}

impl<'a> Frame<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whose answer it is.
    pub(super) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// What the daemon complains of, where it complains of nothing that was asked.
    pub(super) fn complaint(&self) -> Option<String> {
        (self.op == "error").then(|| self.words())
    }

    /// What it says to the client that asked.
    pub(super) fn said(&self, asked: &mut Asked) -> Said {
        match (&*self.op, self.error()) {
            ("progress", _) => {
                asked.progress(self.progress, self.total, self.message).map_or(Said::Nothing, Said::News)
            }
            ("list_tools_res", None) => Said::Answer(asked.list(&tools(self.tools))),
            ("call_tool_res" | "tool_call_res", None) => {
                Said::Answer(asked.result(&content(self.outputs), false))
            }
            // The model that called the tool is to read why it failed.
            ("call_tool_res" | "tool_call_res", Some(_)) => {
                Said::Answer(asked.result(&text_block(&self.words()), true))
            }
            ("error" | "list_tools_res", _) => Said::Answer(asked.error(502, &self.words())),
            _ => Said::Nothing,
        }
    }

    fn error(&self) -> Option<&'a RawValue> {
        self.error.filter(|error| error.get() != "null")
    }

    /// The error in words: its message, its code, or all of it.
    fn words(&self) -> String {
        let Some(error) = self.error().or(self.message) else {
            return "the daemon gave no reason".to_owned();
        };
        let value: Value = serde_json::from_str(error.get()).unwrap_or_default();
        match (value.as_str(), value["message"].as_str(), value["code"].as_str()) {
            (Some(text), _, _) => text.to_owned(),
            (None, Some(message), Some(code)) => format!("{code}: {message}"),
            (None, Some(message), None) => message.to_owned(),
            (None, None, Some(code)) => code.to_owned(),
            (None, None, None) => error.get().to_owned(),
        }
    }
}

/// Each tool as the daemon described it, with what MCP asks of a tool.
fn tools(raw: Option<&RawValue>) -> String {
    let tools: Vec<BTreeMap<String, &RawValue>> =
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let tools: Vec<String> = tools.iter().filter(|tool| tool.contains_key("name")).map(tool).collect();
    format!("[{}]", tools.join(","))
}

fn tool(tool: &BTreeMap<String, &RawValue>) -> String {
    const SPELLINGS: [&str; 2] = ["inputSchema", "input_schema"];
    let mut known = SPELLINGS.iter().filter_map(|name| tool.get(*name)).map(|schema| schema.get());
    let schema = known.find(|schema| schema.starts_with('{')).unwrap_or(r#"{"type":"object"}"#);
    let others = tool.iter().filter(|(name, _)| !SPELLINGS.contains(&name.as_str()));
    let members = others.map(|(name, value)| format!("{}:{},", Value::from(name.as_str()), value.get()));
    format!(r#"{{{}"inputSchema":{schema}}}"#, members.collect::<String>())
}

/// The blocks of a result: those that have a type are MCP's own, others are said as text.
fn content(raw: Option<&RawValue>) -> String {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return "[]".to_owned() };
    let Ok(blocks) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) else {
        return text_block(&plain(raw));
    };
    let blocks: Vec<String> = blocks.into_iter().map(block).collect();
    format!("[{}]", blocks.join(","))
}

fn block(raw: &RawValue) -> String {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(borrow, rename = "type")]
        _type: Cow<'a, str>,
    }
    let is_block = raw.get().starts_with('{') && serde_json::from_str::<Typed>(raw.get()).is_ok();
    if is_block { raw.get().to_owned() } else { json!({ "type": "text", "text": plain(raw) }).to_string() }
}

fn text_block(text: &str) -> String {
    json!([{ "type": "text", "text": text }]).to_string()
}

fn plain(raw: &RawValue) -> String {
    serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Frame, Said, Welcome, hello, question};
    use crate::bridge::message::Message;
    use crate::shim::mcp::{Asked, Question, Step, step};
    use serde_json::{Value, json};

    fn asked(params: &Value) -> (Asked, Question) {
        let line =
            json!({ "jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": params }).to_string();
        match step(&Message::parse(line.into()).unwrap()) {
            Step::Ask(asked, question) => (asked, question),
            other => panic!("{other:?}"),
        }
    }

    fn said(frame: &str) -> Said {
        let (mut asked, _) = asked(&json!({ "name": "t", "_meta": { "progressToken": 7 } }));
        Frame::read(frame).unwrap().said(&mut asked)
    }

    fn answer(frame: &str) -> Value {
        match said(frame) {
            Said::Answer(line) => serde_json::from_str(&line).unwrap(),
            other => panic!("{frame}: {other:?}"),
        }
    }

    #[test]
    fn a_hello_leaves_out_what_is_not_there() {
        let full = r#"{"jwt":"j","op":"hello","session_id":"s-1","token":"t"}"#;
        assert_eq!(&*hello(Some("s-1"), "t", Some("j")), full);
        assert_eq!(&*hello(None, "", None), r#"{"op":"hello","token":""}"#);
    }

    #[test]
    fn the_answer_to_hello_lets_in_or_says_why_not() {
        assert_eq!(Welcome::read(r#"{"op":"hello_ack","ok":true,"session_id":"x"}"#), Some(Welcome::In));
        let refused = Welcome::read(r#"{"op":"hello_ack","ok":false,"error":"jwt_required"}"#);
        assert_eq!(refused, Some(Welcome::Out { word: "jwt_required".into() }));
        for other in ["{}", "x", r#"{"op":"error"}"#] {
            assert_eq!(Welcome::read(other), None);
        }
    }

    #[test]
    fn arguments_go_on_as_they_were_spelt() {
        let line = r#"{"id":1,"method":"tools/call","params":{"name":"a\u0062","arguments":{"n": 1.0e400, "n": 2}}}"#;
        let Step::Ask(_, call) = step(&Message::parse(line.into()).unwrap()) else { panic!("no question") };
        let sent = r#"{"op":"call_tool","request_id":"r-1","name":"ab","arguments":{"n": 1.0e400, "n": 2}}"#;
        assert_eq!(question("r-1", &call), sent);
        assert_eq!(question("r-2", &Question::List), r#"{"op":"list_tools","request_id":"r-2"}"#);
    }

    #[test]
    fn outputs_are_content_and_errors_are_for_the_model_to_read() {
        let result = |frame: &str| answer(frame)["result"].clone();
        let text = |text: &str| json!([{ "type": "text", "text": text }]);
        for (outputs, content) in [
            (
                r#"[{"type":"image","data":"x"},"plain",{"a":1}]"#,
                json!([{ "type": "image", "data": "x" }, { "type": "text", "text": "plain" }, { "type": "text", "text": "{\"a\":1}" }]),
            ),
            (r#""plain""#, text("plain")),
            ("null", json!([])),
        ] {
            let frame =
                format!(r#"{{"op":"call_tool_res","request_id":"r","outputs":{outputs},"error":null}}"#);
            assert_eq!(result(&frame), json!({ "content": content }), "{outputs}");
        }
        for (error, words) in [
            (r#"{"code":"policy_denied","message":"no"}"#, "policy_denied: no"),
            (r#""no""#, "no"),
            (r#"{"code":"x"}"#, "x"),
            ("[1]", "[1]"),
        ] {
            let frame = format!(r#"{{"op":"call_tool_res","request_id":"r","error":{error}}}"#);
            assert_eq!(result(&frame), json!({ "content": text(words), "isError": true }), "{error}");
        }
        let error = answer(r#"{"op":"error","request_id":"r","message":"no such thing"}"#);
        assert_eq!(error["error"], json!({ "code": 502, "message": "no such thing" }));
    }

    #[test]
    fn tools_keep_what_they_say_and_have_a_schema() {
        let list = r#"{"op":"list_tools_res","tools":[{"name":"a","x":{"y":1}},{"name":"b","input_schema":{"type":"object","required":["q"]}},{"name":"c","inputSchema":{"type":"object"}},{"no":"name"}]}"#;
        let tools = answer(list)["result"]["tools"].clone();
        let plain = json!({ "type": "object" });
        assert_eq!(
            tools,
            json!([
                { "name": "a", "x": { "y": 1 }, "inputSchema": plain },
                { "name": "b", "inputSchema": { "type": "object", "required": ["q"] } },
                { "name": "c", "inputSchema": plain },
            ])
        );
    }

    #[test]
    fn progress_is_told_to_who_asked_for_it_and_only_grows() {
        let (mut asked, _) = asked(&json!({ "name": "t", "_meta": { "progressToken": "p" } }));
        let mut news = |frame: &str| match Frame::read(frame).unwrap().said(&mut asked) {
            Said::News(line) => serde_json::from_str::<Value>(&line).unwrap()["params"].clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            news(r#"{"op":"progress","progress":0.5,"total":2,"message":"half"}"#),
            json!({ "progressToken": "p", "progress": 0.5, "total": 2, "message": "half" })
        );
        assert_eq!(news(r#"{"op":"progress","progress":0.25}"#)["progress"], 1.5);
        assert_eq!(news(r#"{"op":"progress"}"#)["progress"], 2.5);
        let (mut quiet, _) = super::tests::asked(&json!({ "name": "t" }));
        assert_eq!(Frame::read(r#"{"op":"progress"}"#).unwrap().said(&mut quiet), Said::Nothing);
        assert_eq!(said(r#"{"op":"call_tool_ack","request_id":"r"}"#), Said::Nothing);
    }
}
