//! What a JSON-RPC message is about, peeked without copying or re-encoding it. The bytes that were judged here are
//! the bytes that are sent on, so whatever two parsers could read differently is refused.

use crate::strict_json::depth_of;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Nesting allowed in a message.
pub(crate) const DEPTH_MOST: usize = 64;
/// Where the modern revisions (2026-07-28 and later) put their version in `params._meta`.
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
/// As much of a program's name and version as is kept, in characters.
const INFO_MOST: usize = 64;

/// One JSON-RPC message as the gateway sees it.
#[derive(Debug, PartialEq)]
pub struct Envelope<'a> {
    /// `method` (requests and notifications).
    pub method: Option<Cow<'a, str>>,
    /// `id` as it was spelt, `null` included.
    pub id: Option<&'a str>,
    /// What the method is about: `params.name`, or `params.uri`, or `params.taskId`.
    pub target: Option<Cow<'a, str>>,
    /// `params.arguments` of a tool's call, as it is spelt.
    pub arguments: Option<&'a str>,
    /// The revision that a modern message states in its `_meta`.
    pub version: Option<Cow<'a, str>>,
    /// The program's name and version as it says of itself, in `initialize` or in a modern message's `_meta`. Never an
    /// identity.
    pub client_info: Option<String>,
}

/// Why a body is not a message that may be sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeFault {
    /// Not UTF-8.
    NotUtf8,
    /// Not one JSON value.
    NotJson,
    /// A list: batches are refused in every revision.
    Batch,
    /// A JSON value that is no object.
    NotObject,
    /// Nested too deep.
    TooDeep,
    /// A member that decides is there twice.
    Duplicate(&'static str),
    /// A member that decides is there in another spelling, which some parsers take for the same.
    OtherCase(&'static str),
    /// A member that decides has the wrong type.
    WrongType(&'static str),
    /// Neither a call, nor a notification, nor an answer.
    NoMessage,
}

impl fmt::Display for EnvelopeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("it is not UTF-8"),
            Self::NotJson => f.write_str("it is not one JSON value"),
            Self::Batch => f.write_str("batches are not accepted: send one message a request"),
            Self::NotObject => f.write_str("it is not a JSON object"),
            Self::TooDeep => write!(f, "it is nested deeper than {DEPTH_MOST} levels"),
            Self::Duplicate(name) => write!(f, "`{name}` is there twice"),
            Self::OtherCase(name) => write!(f, "`{name}` is there in another spelling"),
            Self::WrongType(name) => write!(f, "`{name}` has the wrong type"),
            Self::NoMessage => f.write_str("it has neither `method` nor `result` nor `error`"),
        }
    }
}

impl<'a> Envelope<'a> {
    /// Peeks at one message.
    pub fn parse(body: &'a [u8]) -> Result<Self, EnvelopeFault> {
        let text = object_of(body)?;
        if depth_of(body) > DEPTH_MOST {
            return Err(EnvelopeFault::TooDeep);
        }
        let [method, id, params, result, error] =
            members(text, ["method", "id", "params", "result", "error"])?;
        if method.is_none() && result.is_none() && error.is_none() {
            return Err(EnvelopeFault::NoMessage);
        }
        let mut envelope = Self {
            method: text_of(method, "method")?,
            id: id.map(RawValue::get),
            target: None,
            arguments: None,
            version: None,
            client_info: None,
        };
        match params.map(RawValue::get) {
            Some(params) if params.starts_with('{') => envelope.read_params(params)?,
            // Some servers read a list by position: it could name a tool that nobody here has seen.
            Some(params) if params.starts_with('[') => return Err(EnvelopeFault::WrongType("params")),
            Some(_) | None => {}
        }
        Ok(envelope)
    }

    fn read_params(&mut self, params: &'a str) -> Result<(), EnvelopeFault> {
        let [name, uri, task, meta, arguments] =
            members(params, ["name", "uri", "taskId", "_meta", "arguments"])?;
        self.target = match self.method.as_deref() {
            Some("tools/call" | "prompts/get") => text_of(name, "name")?,
            Some("resources/read" | "resources/subscribe" | "resources/unsubscribe") => text_of(uri, "uri")?,
            Some(method) if method.starts_with("tasks/") => text_of(task, "taskId")?,
            Some(_) | None => None,
        };
        if self.method.as_deref() == Some("tools/call") {
            self.arguments = arguments.map(RawValue::get);
        }
        if let Some(meta) = meta.map(RawValue::get).filter(|meta| meta.starts_with('{')) {
            let [version] = members(meta, [VERSION_KEY])?;
            self.version = text_of(version, VERSION_KEY)?;
            self.client_info = info_in(meta);
        }
        if self.method.as_deref() == Some("initialize") {
            self.client_info = info_in(params);
        }
        Ok(())
    }

    /// Whether the message waits for an answer.
    pub fn is_request(&self) -> bool {
        self.method.is_some() && self.id.is_some()
    }

    /// The tool that is called, if a tool is called.
    pub fn tool(&self) -> Option<&str> {
        (self.method.as_deref() == Some("tools/call")).then_some(self.target.as_deref()).flatten()
    }
}

/// The text of a message, which has to be one object.
pub(crate) fn object_of(body: &[u8]) -> Result<&str, EnvelopeFault> {
    let text = std::str::from_utf8(body).map_err(|_| EnvelopeFault::NotUtf8)?;
    match text.trim_start_matches([' ', '\t', '\r', '\n']).as_bytes().first() {
        Some(b'{') => Ok(text),
        Some(b'[') => Err(EnvelopeFault::Batch),
        Some(_) | None => {
            let json = serde_json::from_str::<IgnoredAny>(text).is_ok();
            Err(if json { EnvelopeFault::NotObject } else { EnvelopeFault::NotJson })
        }
    }
}

/// `NAME/VERSION` of what a program says of itself. Decides nothing, so whatever is odd about it counts as absent.
fn info_in(object: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Holder<'a> {
        #[serde(borrow, rename = "clientInfo", alias = "io.modelcontextprotocol/clientInfo")]
        info: Option<Info<'a>>,
    }
    #[derive(serde::Deserialize)]
    struct Info<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
        #[serde(borrow, default)]
        version: Cow<'a, str>,
    }
    let info = serde_json::from_str::<Holder<'_>>(object).ok()?.info?;
    let short = |text: &str| text.chars().take(INFO_MOST).collect::<String>();
    let name = short(&info.name);
    Some(if info.version.is_empty() { name } else { format!("{name}/{}", short(&info.version)) })
}

pub(crate) fn text_of<'a>(
    value: Option<&'a RawValue>,
    name: &'static str,
) -> Result<Option<Cow<'a, str>>, EnvelopeFault> {
    struct Text<'a>(Cow<'a, str>);
    impl<'de: 'a, 'a> de::Deserialize<'de> for Text<'a> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_str(TextVisitor).map(Self)
        }
    }
    let Some(value) = value else { return Ok(None) };
    match serde_json::from_str::<Text<'a>>(value.get()) {
        Ok(text) => Ok(Some(text.0)),
        Err(_) => Err(EnvelopeFault::WrongType(name)),
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Whether some parsers take `name` for the member `wanted`: those that do not look at case, Go's by its own rules.
pub(crate) fn is_spelt_like(wanted: &str, name: &str) -> bool {
    let folded = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    wanted.eq_ignore_ascii_case(name)
        || (!name.is_ascii() && name.chars().map(folded).eq(wanted.chars().map(folded)))
}

/// The raw values of the members `wanted` of the object in `text`, each at most once and in this spelling only.
pub(crate) fn members<'a, const N: usize>(
    text: &'a str,
    wanted: [&'static str; N],
) -> Result<[Option<&'a RawValue>; N], EnvelopeFault> {
    let mut fault = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = MembersOf { wanted, fault: &mut fault }.deserialize(&mut reader);
    let members = members.and_then(|members| reader.end().map(|()| members));
    members.map_err(|_| fault.unwrap_or(EnvelopeFault::NotJson))
}

struct MembersOf<'f, const N: usize> {
    wanted: [&'static str; N],
    fault: &'f mut Option<EnvelopeFault>,
}

impl<'de, const N: usize> DeserializeSeed<'de> for MembersOf<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for MembersOf<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(key) = entries.next_key_seed(KeySeed)? {
            let Some(position) = self.wanted.iter().position(|wanted| is_spelt_like(wanted, &key)) else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            let name = self.wanted[position];
            let fault = if *name != *key {
                Some(EnvelopeFault::OtherCase(name))
            } else if found[position].is_some() {
                Some(EnvelopeFault::Duplicate(name))
            } else {
                None
            };
            if fault.is_some() {
                *self.fault = fault;
                return Err(de::Error::custom("refused"));
            }
            found[position] = Some(entries.next_value()?);
        }
        Ok(found)
    }
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::{Envelope, EnvelopeFault as Fault};

    #[test]
    fn a_call_is_peeked_without_copying() {
        let body = br#" {"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"name":1,"id":[{}]},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}} "#;
        let envelope = Envelope::parse(body).unwrap();
        assert_eq!(envelope.method.as_deref(), Some("tools/call"));
        assert_eq!(envelope.id, Some("7"));
        assert_eq!(envelope.tool(), Some("echo"));
        assert_eq!(envelope.arguments, Some(r#"{"name":1,"id":[{}]}"#));
        assert_eq!(envelope.version.as_deref(), Some("2026-07-28"));
        assert!(envelope.is_request());
    }

    #[test]
    fn a_program_says_its_name_in_either_era() {
        let info = |body: &str| Envelope::parse(body.as_bytes()).unwrap().client_info;
        let named = r#"{"id":1,"method":"initialize","params":{"clientInfo":{"name":"Cur\u0073or","version":"1.2","title":"x"}}}"#;
        assert_eq!(info(named).as_deref(), Some("Cursor/1.2"));
        let modern = r#"{"id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/clientInfo":{"name":"codex"}}}}"#;
        assert_eq!(info(modern).as_deref(), Some("codex"));
        for none in [
            r#"{"id":1,"method":"tools/call","params":{"name":"x","clientInfo":{"name":"Cursor"}}}"#,
            r#"{"id":1,"method":"initialize","params":{"clientInfo":7}}"#,
            r#"{"id":1,"method":"initialize","params":{}}"#,
        ] {
            assert_eq!(info(none), None, "{none}");
        }
    }

    #[test]
    fn answers_and_notifications_are_messages_too() {
        assert!(!Envelope::parse(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#).unwrap().is_request());
        assert!(
            !Envelope::parse(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
                .unwrap()
                .is_request()
        );
        let escaped =
            Envelope::parse(br#"{"id":null,"method":"tools\/call","params":{"n\u0061me":"e\u0063ho"}}"#);
        assert_eq!(escaped.unwrap().tool(), Some("echo"));
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for (body, fault) in [
            (&b"[]"[..], Fault::Batch),
            (b"[{\"method\":\"x\"}]", Fault::Batch),
            (b"{\"method\":\"a\",\"method\":\"b\"}", Fault::Duplicate("method")),
            (b"{\"method\":\"a\",\"m\\u0065thod\":\"b\"}", Fault::Duplicate("method")),
            (b"{\"Method\":\"a\"}", Fault::OtherCase("method")),
            (
                b"{\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"NAME\":\"b\"}}",
                Fault::OtherCase("name"),
            ),
            (
                b"{\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"name\":\"b\"}}",
                Fault::Duplicate("name"),
            ),
            (
                b"{\"method\":\"tools/call\",\"params\":{\"arguments\":1,\"arguments\":2}}",
                Fault::Duplicate("arguments"),
            ),
            (
                "{\"method\":\"tools/call\",\"param\u{17f}\":{\"name\":\"a\"}}".as_bytes(),
                Fault::OtherCase("params"),
            ),
            (b"{\"method\":\"tools/call\",\"param\\u017F\":{\"name\":\"a\"}}", Fault::OtherCase("params")),
            (
                "{\"method\":\"tasks/get\",\"params\":{\"tas\u{212a}Id\":\"a\"}}".as_bytes(),
                Fault::OtherCase("taskId"),
            ),
            (b"{\"method\":\"tools/call\",\"params\":{\"name\":1}}", Fault::WrongType("name")),
            (b"{\"method\":1}", Fault::WrongType("method")),
            (b"{\"method\":\"tools/call\",\"params\":[\"delete\",{}]}", Fault::WrongType("params")),
            (b"{\"method\":\"a\"} {}", Fault::NotJson),
            (b"{\"method\":\"a\"", Fault::NotJson),
            (b"{\"id\":1}", Fault::NoMessage),
            (b"\"x\"", Fault::NotObject),
            (b"", Fault::NotJson),
            (b"{\"method\":\"\xff\"}", Fault::NotUtf8),
        ] {
            assert_eq!(Envelope::parse(body), Err(fault), "{}", String::from_utf8_lossy(body));
        }
        let deep = format!("{{\"method\":\"a\",\"params\":{}1{}}}", "[".repeat(70), "]".repeat(70));
        assert_eq!(Envelope::parse(deep.as_bytes()), Err(Fault::TooDeep));
    }
}
