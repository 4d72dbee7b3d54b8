//! The headers of a modern request, mirrored from its body. Keeps no session: there is none.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::value::RawValue;

use super::message::{Message, Params, text_of};
use super::session::VERSION;
use super::tool_headers::ToolHeaders;

const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// `MCP-Protocol-Version`, `Mcp-Method`, `Mcp-Name` and `Mcp-Param-*` for this message.
pub(super) fn headers(message: &Message, tools: &ToolHeaders) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(version) = &message.version {
        headers.insert(VERSION, value(version));
    }
    headers.insert(METHOD, value(&message.method));
    message.with_params(|params| {
        if let Some(name) = name(&message.method, params).and_then(text_of) {
            headers.insert(NAME, value(&name));
        }
        if &*message.method == "tools/call" {
            tools.mirror(params, &mut headers);
        }
    });
    headers
}

fn name<'a>(method: &str, params: &Params<'a>) -> Option<&'a RawValue> {
    match method {
        "tools/call" | "prompts/get" => params.name,
        "resources/read" => params.uri,
        _ if method.starts_with("tasks/") => params.task_id,
        _ => None,
    }
}

/// The text as a header value; what a header cannot hold is sent as base64 between marks.
pub(super) fn value(text: &str) -> HeaderValue {
    let looks_encoded = text.to_ascii_lowercase().starts_with("=?base64?") && text.ends_with("?=");
    let has_edge = text.starts_with(' ') || text.ends_with(' ');
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !has_edge && !looks_encoded;
    let text = if is_plain { text.to_owned() } else { format!("=?base64?{}?=", base64(text.as_bytes())) };
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().chain([&0, &0]).take(3).fold(0_usize, |group, byte| group << 8 | usize::from(*byte));
        for place in 0..4 {
            let digit = char::from(DIGITS[group >> (18 - 6 * place) & 63]);
            text.push(if place <= chunk.len() { digit } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_header_cannot_hold_is_encoded() {
        let cases = [
            ("get weather", "get weather"),
            ("", ""),
            ("é", "=?base64?w6k=?="),
            (" a", "=?base64?IGE=?="),
            ("a\n", "=?base64?YQo=?="),
            ("=?base64?YQo=?=", "=?base64?PT9iYXNlNjQ/WVFvPT89?="),
            ("日本", "=?base64?5pel5pys?="),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_name_depends_on_the_method() {
        let cases = [
            ("tools/call", r#""name":"n""#, Some("n")),
            ("resources/read", r#""uri":"file:///x","name":"n""#, Some("file:///x")),
            ("tasks/get", r#""taskId":"t""#, Some("t")),
            ("tools/list", r#""name":"n""#, None),
        ];
        for (method, params, expected) in cases {
            let line = format!(
                r#"{{"id":1,"method":"{method}","params":{{{params},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}}}}"#
            );
            let message = Message::parse(line.into()).expect("a message");
            let headers = headers(&message, &ToolHeaders::default());
            assert_eq!(headers.get("mcp-name").map(|name| name.to_str().expect("text")), expected);
            assert_eq!(headers["mcp-method"], method);
            assert_eq!(headers["mcp-protocol-version"], "2026-07-28");
        }
    }
}
