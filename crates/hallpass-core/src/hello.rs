//! The first frame of a WebSocket connection: which dialect it begins, and what credentials a `hello` shows. Judges
//! none of them.

use crate::envelope::{EnvelopeFault, members, text_of};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What a connection's first frame is.
#[derive(Debug, PartialEq, Eq)]
pub enum FirstFrame<'a> {
    /// `{"op":"hello",...}`: the hello dialect.
    Hello(Hello<'a>),
    /// A JSON-RPC message: MCP.
    JsonRpc {
        /// Its `id` as it was spelt.
        id: Option<&'a str>,
        /// Its `method` is `initialize`.
        is_initialize: bool,
    },
}

/// What a `hello` says.
#[derive(PartialEq, Eq)]
pub struct Hello<'a> {
    /// The session's name as the client wants it. A label and nothing else.
    pub session: Option<SessionLabel>,
    /// The client's own token. It decides, both ways; an empty one is none.
    pub jwt: Option<Cow<'a, str>>,
    /// The shared secret. It counts only without a `jwt`; an empty one is none.
    pub token: Option<Cow<'a, str>>,
}

impl fmt::Debug for Hello<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello").field("session", &self.session).finish_non_exhaustive()
    }
}

/// Why a first frame begins nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstFrameFault {
    /// Not a text that everybody reads as the same JSON.
    NotJson,
    /// JSON, and neither a `hello` nor a JSON-RPC message.
    NoHello,
    /// Both a `hello` and a JSON-RPC message: who reads it decides what it is.
    Both,
    /// A credential that is no text.
    WrongType(&'static str),
    /// Not a text frame.
    Binary,
    /// Larger than a first frame may be while nobody knows who sends it.
    TooLarge,
    /// None came in time.
    Late,
}

impl fmt::Display for FirstFrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("it is not one JSON value that everybody reads alike"),
            Self::NoHello => f.write_str("it is neither `hello` nor a JSON-RPC message"),
            Self::Both => f.write_str("it is both `hello` and a JSON-RPC message"),
            Self::WrongType(name) => write!(f, "`{name}` is no text"),
            Self::Binary => f.write_str("it is no text frame"),
            Self::TooLarge => f.write_str("it is too large"),
            Self::Late => f.write_str("it did not come in time"),
        }
    }
}

impl<'a> FirstFrame<'a> {
    /// Reads the text of the first frame.
    pub fn read(frame: &'a [u8]) -> Result<Self, FirstFrameFault> {
        let text = std::str::from_utf8(frame).map_err(|_| FirstFrameFault::NotJson)?;
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            return Err(FirstFrameFault::NotJson);
        }
        if !text.trim_start().starts_with('{') {
            return Err(FirstFrameFault::NoHello);
        }
        let [op, jsonrpc] = members(text, ["op", "jsonrpc"]).map_err(ambiguous)?;
        let is_hello = op.is_some_and(|op| text_of(Some(op), "op") == Ok(Some(Cow::Borrowed("hello"))));
        match (is_hello, jsonrpc) {
            (true, Some(_)) => Err(FirstFrameFault::Both),
            (true, None) => Hello::read(text).map(Self::Hello),
            (false, Some(_)) => json_rpc(text),
            (false, None) => Err(FirstFrameFault::NoHello),
        }
    }
}

fn json_rpc(text: &str) -> Result<FirstFrame<'_>, FirstFrameFault> {
    let [id, method] = members(text, ["id", "method"]).map_err(ambiguous)?;
    let is_initialize = text_of(method, "method") == Ok(Some(Cow::Borrowed("initialize")));
    Ok(FirstFrame::JsonRpc { id: id.map(RawValue::get), is_initialize })
}

impl<'a> Hello<'a> {
    fn read(text: &'a str) -> Result<Self, FirstFrameFault> {
        let [session, jwt, token] = members(text, ["session_id", "jwt", "token"]).map_err(ambiguous)?;
        Ok(Self {
            // Whatever is no label is replaced by one, so nothing is wrong with it.
            session: text_of(session, "").ok().flatten().and_then(|session| SessionLabel::new(&session)),
            jwt: credential(jwt, "jwt")?,
            token: credential(token, "token")?,
        })
    }
}

/// What was shown there: a text that is not empty. `null` shows nothing.
fn credential<'a>(
    value: Option<&'a RawValue>,
    name: &'static str,
) -> Result<Option<Cow<'a, str>>, FirstFrameFault> {
    let value = value.filter(|value| value.get() != "null");
    let text = text_of(value, name).map_err(|_| FirstFrameFault::WrongType(name))?;
    Ok(text.filter(|text| !text.is_empty()))
}

fn ambiguous(_: EnvelopeFault) -> FirstFrameFault {
    FirstFrameFault::NotJson
}

/// A session's name as its client chose it: 3 to 64 letters, digits, `-` and `_`. Never an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLabel(Box<str>);

impl SessionLabel {
    /// Checks the text.
    pub fn new(text: &str) -> Option<Self> {
        let is_label = (3..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        is_label.then(|| Self(text.into()))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{FirstFrame, FirstFrameFault as Fault, SessionLabel};

    fn hello(frame: &str) -> (Option<String>, Option<String>, Option<String>) {
        let Ok(FirstFrame::Hello(hello)) = FirstFrame::read(frame.as_bytes()) else { panic!("{frame}") };
        let session = hello.session.map(|session| session.as_str().to_owned());
        (session, hello.jwt.map(Into::into), hello.token.map(Into::into))
    }

    #[test]
    fn a_hello_shows_up_to_two_credentials_and_a_label() {
        let whole =
            r#" {"op":"h\u0065llo","session_id":"vscode-1","token":"t","jwt":"a.b.c","more":{"op":1}} "#;
        assert_eq!(hello(whole), (Some("vscode-1".into()), Some("a.b.c".into()), Some("t".into())));
        for nothing in [
            r#"{"op":"hello"}"#,
            r#"{"op":"hello","jwt":"","token":""}"#,
            r#"{"op":"hello","jwt":null,"token":null,"session_id":"x y"}"#,
            r#"{"op":"hello","session_id":7}"#,
        ] {
            assert_eq!(hello(nothing), (None, None, None), "{nothing}");
        }
    }

    #[test]
    fn a_json_rpc_message_begins_the_other_dialect() {
        let read = |frame: &'static str| FirstFrame::read(frame.as_bytes());
        let initialize = r#"{"jsonrpc":"2.0","id":"a","method":"initialize","params":{}}"#;
        assert_eq!(read(initialize), Ok(FirstFrame::JsonRpc { id: Some("\"a\""), is_initialize: true }));
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#;
        assert_eq!(read(call), Ok(FirstFrame::JsonRpc { id: Some("1"), is_initialize: false }));
    }

    #[test]
    fn what_begins_nothing_is_named() {
        for (frame, fault) in [
            (&b"hello"[..], Fault::NotJson),
            (b"", Fault::NotJson),
            (b"{\"op\":\"hello\"} {}", Fault::NotJson),
            (b"{\"op\":\"hello\",\"op\":\"call_tool\"}", Fault::NotJson),
            (b"{\"op\":\"hello\",\"jwt\":\"a\",\"jwt\":\"b\"}", Fault::NotJson),
            (b"{\"op\":\"hello\",\"jwt\":\"a\",\"JWT\":\"b\"}", Fault::NotJson),
            (b"{\"op\":\"hello\",\"jwt\":\"\xff\"}", Fault::NotJson),
            (b"[]", Fault::NoHello),
            (b"7", Fault::NoHello),
            (b"{}", Fault::NoHello),
            (b"{\"op\":\"HELLO\"}", Fault::NoHello),
            (b"{\"op\":[\"hello\"]}", Fault::NoHello),
            (b"{\"op\":\"hello\",\"jsonrpc\":\"2.0\"}", Fault::Both),
            (b"{\"op\":\"hello\",\"jwt\":1}", Fault::WrongType("jwt")),
            (b"{\"op\":\"hello\",\"token\":[\"t\"]}", Fault::WrongType("token")),
        ] {
            assert_eq!(FirstFrame::read(frame).err(), Some(fault), "{}", String::from_utf8_lossy(frame));
        }
    }

    #[test]
    fn a_label_is_a_short_plain_word() {
        for good in ["abc", "vscode-instance_1", &"x".repeat(64)] {
            assert!(SessionLabel::new(good).is_some(), "{good}");
        }
        for bad in ["", "ab", "a b c", "abc.def", "\u{e9}\u{e9}\u{e9}", &"x".repeat(65)] {
            assert_eq!(SessionLabel::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn nothing_of_a_credential_is_printed() {
        let frame = br#"{"op":"hello","token":"shared-by-all","jwt":"secret"}"#;
        let shown = format!("{:?}", FirstFrame::read(frame));
        assert!(!shown.contains("shared") && !shown.contains("secret"), "{shown}");
    }
}
