//! The client's side: what the shim answers by itself, what it has to ask the daemon, and the forms of its answers in
//! both eras of MCP. Pure: reads nothing and sends nothing.

use crate::bridge::message::{Id, Kind, Message};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt::Write as _;

/// The revisions with `initialize`, newest first.
const WITH_INITIALIZE: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The revision in which each request stands for itself.
const MODERN: &str = "2026-07-28";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";
const SUBSCRIPTION_KEY: &str = "io.modelcontextprotocol/subscriptionId";

/// What a message of the client comes to.
#[derive(Debug)]
pub(super) enum Step {
    /// A line for the client; the daemon is not asked.
    Answer(String),
    /// The daemon is asked.
    Ask(Asked, Question),
    /// Nobody waits for that answer any more.
    Cancel(Id),
    /// Nothing follows.
    Nothing,
}

/// What the daemon can be asked.
#[derive(Debug)]
pub(super) enum Question {
    List,
    Call { name: Box<str>, arguments: Option<Box<RawValue>> },
}

/// Who waits for an answer of the daemon, and in which form.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) id: Id,
    era: Era,
    progress_token: Option<Box<RawValue>>,
    progress: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Era {
    /// With `initialize`.
    Legacy,
    /// Without.
    Modern,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Params<'a> {
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "protocolVersion")]
    version: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default, rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
}

/// What follows from one message.
pub(super) fn step(message: &Message) -> Step {
    let id = match &message.kind {
        Kind::Request(id) => id,
        Kind::Notification if &*message.method == "notifications/cancelled" => {
            return message.cancels.clone().map_or(Step::Nothing, Step::Cancel);
        }
        Kind::Notification | Kind::Response => return Step::Nothing,
    };
    let era = if message.is_modern() { Era::Modern } else { Era::Legacy };
    let asked = Asked { id: id.clone(), era, progress_token: None, progress: 0.0 };
    let Ok((params, meta)) = read(&message.bytes) else {
        return Step::Answer(asked.error(-32602, "the parameters cannot be read"));
    };
    match era {
        Era::Legacy => legacy(asked, &message.method, &params, &meta),
        Era::Modern => modern(asked, message, &params, &meta),
    }
}

fn read(bytes: &[u8]) -> serde_json::Result<(Params<'_>, Meta<'_>)> {
    let body: Body = serde_json::from_slice(bytes)?;
    let params: Params = body.params.map_or(Ok(Params::default()), |raw| serde_json::from_str(raw.get()))?;
    let meta = params.meta.map_or(Ok(Meta::default()), |raw| serde_json::from_str(raw.get()))?;
    Ok((params, meta))
}

fn legacy(asked: Asked, method: &str, params: &Params<'_>, meta: &Meta<'_>) -> Step {
    match method {
        "initialize" => {
            let wanted = params.version.as_deref();
            let version = WITH_INITIALIZE.into_iter().find(|version| Some(*version) == wanted);
            Step::Answer(asked.answer(&json!({
                "protocolVersion": version.unwrap_or(WITH_INITIALIZE[0]),
                "capabilities": { "tools": {} },
                "serverInfo": server_info(),
            })))
        }
        "ping" => Step::Answer(asked.answer(&json!({}))),
        _ => tools(asked, method, params, meta),
    }
}

fn modern(asked: Asked, message: &Message, params: &Params<'_>, meta: &Meta<'_>) -> Step {
    if message.version.as_deref() != Some(MODERN) {
        let data = json!({ "supported": [MODERN], "requested": message.version });
        let error = json!({ "code": -32022, "message": "this revision is not spoken here", "data": data });
        return Step::Answer(asked.line("error", &error.to_string()));
    }
    if meta.capabilities.is_none() {
        return Step::Answer(asked.error(-32602, &format!("`_meta` needs `{CAPABILITIES_KEY}`")));
    }
    match &*message.method {
        "server/discover" => Step::Answer(asked.answer(&json!({
            "supportedVersions": [MODERN],
            "capabilities": { "tools": {} },
            "resultType": "complete",
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": { SERVER_INFO_KEY: server_info() },
        }))),
        // The daemon tells nobody that its tools changed: nothing is honoured, and nothing follows.
        "subscriptions/listen" => {
            let id = serde_json::from_str(&asked.id.raw).unwrap_or(Value::Null);
            Step::Answer(notification(
                "subscriptions/acknowledged",
                &json!({ "notifications": {}, "_meta": { SUBSCRIPTION_KEY: id } }).to_string(),
            ))
        }
        method => tools(asked, method, params, meta),
    }
}

/// What both eras have.
fn tools(asked: Asked, method: &str, params: &Params<'_>, meta: &Meta<'_>) -> Step {
    match (method, &params.name) {
        ("tools/list", _) => Step::Ask(asked, Question::List),
        ("tools/call", Some(name)) => {
            let arguments = params.arguments.filter(|arguments| arguments.get() != "null");
            let question =
                Question::Call { name: (&**name).into(), arguments: arguments.map(ToOwned::to_owned) };
            Step::Ask(Asked { progress_token: meta.progress_token.map(ToOwned::to_owned), ..asked }, question)
        }
        ("tools/call", None) => Step::Answer(asked.error(-32602, "`name` is missing")),
        _ => Step::Answer(asked.error(-32601, &format!("no method named `{method}`"))),
    }
}

fn server_info() -> Value {
    json!({ "name": "hallpass-shim", "version": env!("CARGO_PKG_VERSION") })
}

fn notification(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/{method}","params":{params}}}"#)
}

impl Asked {
    /// The line with an error.
    pub(super) fn error(&self, code: i32, message: &str) -> String {
        self.line("error", &json!({ "code": code, "message": message }).to_string())
    }

    /// The line with the list of tools, which stands in JSON.
    pub(super) fn list(&self, tools: &str) -> String {
        match self.era {
            Era::Legacy => self.line("result", &format!(r#"{{"tools":{tools}}}"#)),
            // What a client may see hangs on its token.
            Era::Modern => self.line(
                "result",
                &format!(r#"{{"tools":{tools},"resultType":"complete","ttlMs":0,"cacheScope":"private"}}"#),
            ),
        }
    }

    /// The line with a call's result, whose content stands in JSON.
    pub(super) fn result(&self, content: &str, failed: bool) -> String {
        let failed = if failed { r#","isError":true"# } else { "" };
        let complete = match self.era {
            Era::Legacy => "",
            Era::Modern => r#","resultType":"complete""#,
        };
        self.line("result", &format!(r#"{{"content":{content}{failed}{complete}}}"#))
    }

    /// The line with news of a call, if its caller wants any. Progress has to grow; where the daemon's does not, it is counted.
    pub(super) fn progress(
        &mut self,
        progress: Option<&RawValue>,
        total: Option<&RawValue>,
        message: Option<&RawValue>,
    ) -> Option<String> {
        let token = self.progress_token.as_deref()?;
        let said: Option<f64> = progress.and_then(|progress| serde_json::from_str(progress.get()).ok());
        self.progress = said.filter(|said| *said > self.progress).unwrap_or(self.progress + 1.0);
        let mut params = format!(r#"{{"progressToken":{token},"progress":{}"#, self.progress);
        let is_number = |raw: &&RawValue| serde_json::from_str::<f64>(raw.get()).is_ok();
        let is_text = |raw: &&RawValue| raw.get().starts_with('"');
        for (name, value) in [("total", total.filter(is_number)), ("message", message.filter(is_text))] {
            if let Some(value) = value {
                let _ = write!(params, r#","{name}":{value}"#);
            }
        }
        params.push('}');
        Some(notification("progress", &params))
    }

    fn answer(&self, result: &Value) -> String {
        self.line("result", &result.to_string())
    }

    fn line(&self, member: &str, value: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{},"{member}":{value}}}"#, self.id.raw)
    }
}

#[cfg(test)]
mod tests {
    use super::{Step, step};
    use crate::bridge::message::Message;
    use serde_json::{Value, json};

    fn answer(message: &Value) -> Value {
        match step(&Message::parse(message.to_string().into()).unwrap()) {
            Step::Answer(line) => serde_json::from_str(&line).unwrap(),
            other => panic!("{message}: {other:?}"),
        }
    }

    fn modern(method: &str, version: &str) -> Value {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "_meta": meta } })
    }

    #[test]
    fn a_revision_that_is_known_is_spoken_and_another_gets_the_newest() {
        for (wanted, spoken) in [
            (json!("2025-06-18"), "2025-06-18"),
            (json!("2024-11-05"), "2024-11-05"),
            (json!("2030-01-01"), "2025-11-25"),
            (Value::Null, "2025-11-25"),
        ] {
            let params = json!({ "protocolVersion": wanted });
            let said = answer(&json!({ "id": "a", "method": "initialize", "params": params }));
            assert_eq!((&said["id"], &said["result"]["protocolVersion"]), (&json!("a"), &json!(spoken)));
        }
    }

    #[test]
    fn the_newest_revision_is_asked_about_without_the_daemon() {
        let said = answer(&modern("server/discover", "2026-07-28"))["result"].clone();
        assert_eq!(
            (&said["supportedVersions"], &said["resultType"]),
            (&json!(["2026-07-28"]), &json!("complete"))
        );
        let refused = answer(&modern("server/discover", "2027-01-01"))["error"].clone();
        assert_eq!(refused["code"], -32022);
        assert_eq!(refused["data"], json!({ "supported": ["2026-07-28"], "requested": "2027-01-01" }));
        let mut bare = modern("tools/list", "2026-07-28");
        bare["params"]["_meta"].as_object_mut().unwrap().remove(super::CAPABILITIES_KEY);
        assert_eq!(answer(&bare)["error"]["code"], -32602);
        let listening = answer(&modern("subscriptions/listen", "2026-07-28"));
        assert_eq!(listening["params"]["_meta"][super::SUBSCRIPTION_KEY], 1);
    }

    #[test]
    fn what_neither_era_has_is_refused() {
        let code = |message: Value| answer(&message)["error"]["code"].clone();
        assert_eq!(code(json!({ "id": 1, "method": "resources/list" })), -32601);
        assert_eq!(code(json!({ "id": 1, "method": "server/discover" })), -32601);
        assert_eq!(code(modern("ping", "2026-07-28")), -32601);
        assert_eq!(code(json!({ "id": 1, "method": "tools/call", "params": {} })), -32602);
        assert_eq!(code(json!({ "id": 1, "method": "tools/call", "params": [1] })), -32602);
        assert_eq!(answer(&json!({ "id": 1, "method": "ping" }))["result"], json!({}));
    }
}
