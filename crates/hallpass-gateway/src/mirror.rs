//! The headers in which MCP 2026-07-28 repeats parts of the body. Decisions use the body; here only that nobody
//! can be told something else by the headers.

use hallpass_core::encoding::decode_base64url;
use hallpass_core::{Denial, Envelope};
use http::{HeaderMap, HeaderName};

/// The first revision that repeats parts of the body in headers. Revisions are dates, so they compare as texts.
const FIRST_MIRRORED: &str = "2026-07-28";
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// Whether a message is of a revision without sessions.
pub(crate) fn is_modern(headers: &HeaderMap, envelope: &Envelope<'_>) -> bool {
    // Any of several: a server may read another one than we do.
    let mut stated = headers.get_all(VERSION).iter().filter_map(|value| value.to_str().ok());
    envelope.version.is_some() || stated.any(|stated| stated >= FIRST_MIRRORED)
}

/// Compares the headers with the body. Older revisions ask for none of them, but a server may read what is there.
pub(crate) fn check(headers: &HeaderMap, envelope: &Envelope<'_>) -> Result<(), Denial> {
    let is_due = is_modern(headers, envelope) && envelope.is_request();
    if let Some(version) = envelope.version.as_deref() {
        compare(headers, &VERSION, "MCP-Protocol-Version", version, true)?;
    }
    let Some(method) = envelope.method.as_deref() else { return Ok(()) };
    compare(headers, &METHOD, "Mcp-Method", method, is_due)?;
    let has_name = matches!(method, "tools/call" | "prompts/get" | "resources/read");
    match envelope.target.as_deref() {
        Some(target) => compare(headers, &NAME, "Mcp-Name", target, has_name && is_due),
        // A name in the header alone would be one that no policy has seen.
        None if has_name && headers.contains_key(NAME) => Err(Denial::HeaderMismatch { header: "Mcp-Name" }),
        None => Ok(()),
    }
}

fn compare(
    headers: &HeaderMap,
    name: &HeaderName,
    header: &'static str,
    body: &str,
    due: bool,
) -> Result<(), Denial> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    let agrees = match first {
        None => !due,
        Some(value) => value.to_str().is_ok_and(|shown| says(shown, body)),
    };
    if agrees && values.next().is_none() { Ok(()) } else { Err(Denial::HeaderMismatch { header }) }
}

/// Plain, or `=?base64?..?=` for what a header cannot hold.
fn says(shown: &str, body: &str) -> bool {
    match shown.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(encoded) => decode_base64(encoded).as_deref() == Some(body.as_bytes()),
        None => shown == body,
    }
}

/// The usual alphabet with padding, by way of the core's other one.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) || text.contains(['-', '_']) {
        return None;
    }
    let bare = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    decode_base64url(bare.replace('+', "-").replace('/', "_").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{check, says};
    use hallpass_core::{Denial, Envelope};
    use http::{HeaderMap, HeaderName, HeaderValue};

    const BODY: &str = r#"{"id":1,"method":"tools/call","params":{"name":"echo","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

    fn outcome(headers: &[(&'static str, &'static str)], body: &str) -> Option<&'static str> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        match check(&headers, &Envelope::parse(body.as_bytes()).unwrap()) {
            Ok(()) => None,
            Err(Denial::HeaderMismatch { header }) => Some(header),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_modern_message_says_the_same_twice() {
        let version = ("mcp-protocol-version", "2026-07-28");
        let method = ("mcp-method", "tools/call");
        assert_eq!(outcome(&[version, method, ("mcp-name", "echo")], BODY), None);
        assert_eq!(outcome(&[version, method, ("mcp-name", "=?base64?ZWNobw==?=")], BODY), None);
        assert_eq!(outcome(&[method, ("mcp-name", "echo")], BODY), Some("MCP-Protocol-Version"));
        assert_eq!(
            outcome(&[("mcp-protocol-version", "2025-11-25"), method, ("mcp-name", "echo")], BODY),
            Some("MCP-Protocol-Version")
        );
        assert_eq!(outcome(&[version, ("mcp-name", "echo")], BODY), Some("Mcp-Method"));
        assert_eq!(
            outcome(&[version, ("mcp-method", "tools/list"), ("mcp-name", "echo")], BODY),
            Some("Mcp-Method")
        );
        for other in ["", "Echo", "ech", "=?base64?ZWNobw=?=", "=?base64?eHg=?=", "=?BASE64?ZWNobw==?="] {
            assert_eq!(outcome(&[version, method, ("mcp-name", other)], BODY), Some("Mcp-Name"), "{other}");
        }
        assert_eq!(outcome(&[version, method], BODY), Some("Mcp-Name"));
    }

    #[test]
    fn a_modern_version_in_the_header_alone_is_compared_too() {
        let body = r#"{"id":1,"method":"tools/call","params":{"name":"delete"}}"#;
        let headers =
            [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "echo")];
        assert_eq!(outcome(&headers, body), Some("Mcp-Name"));
    }

    #[test]
    fn a_name_in_the_header_alone_is_none() {
        let headers =
            [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "delete")];
        for params in ["{}", "null"] {
            let body = format!(r#"{{"id":1,"method":"tools/call","params":{params}}}"#);
            assert_eq!(outcome(&headers, &body), Some("Mcp-Name"));
            assert_eq!(outcome(&headers[..2], &body), None);
        }
    }

    #[test]
    fn older_revisions_need_none_of_these_headers_and_may_not_contradict_them() {
        let body = r#"{"id":1,"method":"tools/call","params":{"name":"echo"}}"#;
        let version = ("mcp-protocol-version", "2025-11-25");
        assert_eq!(outcome(&[], body), None);
        assert_eq!(outcome(&[version, ("mcp-method", "tools/call"), ("mcp-name", "echo")], body), None);
        assert_eq!(outcome(&[version, ("mcp-name", "other")], body), Some("Mcp-Name"));
        assert_eq!(outcome(&[("mcp-method", "tools/list")], body), Some("Mcp-Method"));
        let nameless = r#"{"id":1,"method":"tools/call"}"#;
        assert_eq!(outcome(&[version, ("mcp-name", "other")], nameless), Some("Mcp-Name"));
    }

    #[test]
    fn text_beyond_ascii_comes_encoded() {
        assert!(says("=?base64?w6TDtj8+?=", "\u{e4}\u{f6}?>"));
        assert!(!says("=?base64?w6TDtj8-?=", "\u{e4}\u{f6}?>"));
    }
}
