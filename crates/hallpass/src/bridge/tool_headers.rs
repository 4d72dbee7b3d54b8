//! Which arguments of which tool are mirrored as headers, as the last list of tools says. Sends nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::message::{Incoming, Params, text_of};
use super::modern;

const KEY: &str = "x-mcp-header";

/// What the lists of tools said so far.
#[derive(Default)]
pub(super) struct ToolHeaders(Mutex<HashMap<String, Vec<Mirrored>>>);

struct Mirrored {
    header: HeaderName,
    path: Vec<String>,
}

/// A list of tools that this program may pass on, and the tools it left out.
pub(super) struct Listed {
    pub(super) bytes: Bytes,
    pub(super) dropped: Vec<String>,
}

#[derive(Deserialize)]
struct ToolList<'a> {
    #[serde(borrow)]
    tools: &'a RawValue,
}

#[derive(Deserialize)]
struct Tool {
    name: String,
    #[serde(default, rename = "inputSchema")]
    schema: Value,
}

impl ToolHeaders {
    /// Learns from the answer to `tools/list`; a tool that breaks the rules is cut out, nothing else changes.
    pub(super) fn learn(&self, answer: &Bytes) -> Listed {
        let unchanged = Listed { bytes: answer.clone(), dropped: Vec::new() };
        let Some(list) = raw_list(answer) else { return unchanged };
        let Ok(tools) = serde_json::from_str::<Vec<&RawValue>>(list.get()) else { return unchanged };
        let mut dropped = Vec::new();
        let mut kept = Vec::with_capacity(tools.len());
        for raw in tools {
            match self.learn_tool(raw) {
                Ok(()) => kept.push(raw.get()),
                Err(name) => dropped.push(name),
            }
        }
        if dropped.is_empty() {
            return unchanged;
        }
        // The list is a part of the answer's own text, so its place in it is the distance of the two.
        let start = list.get().as_ptr() as usize - answer.as_ptr() as usize;
        let mut bytes = answer[..start].to_vec();
        bytes.extend_from_slice(format!("[{}]", kept.join(",")).as_bytes());
        bytes.extend_from_slice(&answer[start + list.get().len()..]);
        Listed { bytes: bytes.into(), dropped }
    }

    fn learn_tool(&self, raw: &RawValue) -> Result<(), String> {
        let Ok(tool) = serde_json::from_str::<Tool>(raw.get()) else { return Ok(()) };
        let mut found = Vec::new();
        let is_good = collect(&tool.schema, &[], &mut found) && is_unique(&found);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&tool.name);
        if !is_good {
            return Err(tool.name);
        }
        if !found.is_empty() {
            known.insert(tool.name, found);
        }
        Ok(())
    }

    /// Adds the `Mcp-Param-*` headers of a call.
    pub(super) fn mirror(&self, params: &Params, headers: &mut HeaderMap) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mirrored) = params.name.and_then(text_of).and_then(|name| known.get(&name)) else { return };
        for Mirrored { header, path } in mirrored {
            if let Some(text) = params.arguments.and_then(|arguments| argument(arguments, path)) {
                headers.insert(header.clone(), modern::value(&text));
            }
        }
    }
}

fn raw_list(answer: &Bytes) -> Option<&RawValue> {
    let result = Incoming::parse(answer)?.result?;
    Some(serde_json::from_str::<ToolList>(result.get()).ok()?.tools)
}

/// The argument's text; nothing for `null`, an absent one, or one that is not a plain value.
fn argument(arguments: &RawValue, path: &[String]) -> Option<String> {
    let Some((name, rest)) = path.split_first() else {
        return match arguments.get().as_bytes().first()? {
            b'"' => text_of(arguments),
            b'{' | b'[' | b'n' => None,
            _ => Some(arguments.get().to_owned()),
        };
    };
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(arguments.get()).ok()?;
    argument(members.get(name)?, rest)
}

/// `false` when a mark stands where none may stand: only plain values under chains of `properties` have one.
fn collect(schema: &Value, path: &[String], found: &mut Vec<Mirrored>) -> bool {
    let Value::Object(members) = schema else { return true };
    members.iter().all(|(key, value)| match key.as_str() {
        KEY => mark(members, path).map(|mirrored| found.push(mirrored)).is_some(),
        "properties" => value.as_object().is_none_or(|properties| {
            properties.iter().all(|(name, schema)| {
                let path = [path, std::slice::from_ref(name)].concat();
                collect(schema, &path, found)
            })
        }),
        // Data, not schema.
        "const" | "default" | "enum" | "examples" => true,
        _ => !has_mark(value),
    })
}

fn mark(schema: &serde_json::Map<String, Value>, path: &[String]) -> Option<Mirrored> {
    let token = schema.get(KEY)?.as_str().filter(|token| !token.is_empty())?;
    let is_plain = matches!(schema.get("type")?.as_str()?, "string" | "integer" | "boolean");
    let header = HeaderName::from_bytes(format!("mcp-param-{token}").as_bytes()).ok()?;
    (is_plain && !path.is_empty()).then(|| Mirrored { header, path: path.to_vec() })
}

fn has_mark(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(key, value)| key == KEY || has_mark(value)),
        Value::Array(items) => items.iter().any(has_mark),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_unique(found: &[Mirrored]) -> bool {
    found.iter().map(|mirrored| &mirrored.header).collect::<HashSet<_>>().len() == found.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::message::Message;

    const LIST: &str = r#"{"id":1, "result":{"tools":[ {"name":"good","inputSchema":{"properties":{"region":{"type":"string","x-mcp-header":"Region"},"deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}}},{"name":"bad","inputSchema":{"properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}} ],"odd":1.0} }"#;

    #[test]
    fn a_tool_that_breaks_the_rules_is_cut_out_and_nothing_else() {
        let listed = ToolHeaders::default().learn(&LIST.into());
        assert_eq!(listed.dropped, ["bad"]);
        let text = String::from_utf8(listed.bytes.to_vec()).expect("text");
        assert!(text.starts_with(r#"{"id":1, "result":{"tools":[{"name":"good","#), "{text}");
        assert!(text.ends_with(r#""N"}}}}}}],"odd":1.0} }"#), "{text}");
    }

    #[test]
    fn arguments_become_headers() {
        let tools = ToolHeaders::default();
        tools.learn(&LIST.into());
        let line = r#"{"id":1,"method":"tools/call","params":{"name":"good","arguments":{"region":"é","deep":{"n":12345678901234567890123}}}}"#;
        let mut headers = HeaderMap::new();
        Message::parse(line.into())
            .expect("a message")
            .with_params(|params| tools.mirror(params, &mut headers));
        assert_eq!(headers["mcp-param-region"], "=?base64?w6k=?=");
        assert_eq!(headers["mcp-param-n"], "12345678901234567890123");
    }
}
