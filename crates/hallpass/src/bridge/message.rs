//! Peeks into JSON-RPC messages. Copies no value and never writes one anew: the bytes go on as they came.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::failure::Garbage;

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// A request id: the bytes the client wrote, and a form in which equal ids are equal text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    pub(crate) raw: Box<str>,
    pub(crate) key: Box<str>,
}

impl Id {
    pub(super) fn parse(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        let key = match text.as_bytes().first()? {
            b'"' => format!("s{}", serde_json::from_str::<Cow<str>>(text).ok()?),
            b'-' | b'0'..=b'9' => number_key(text)?,
            _ => return None,
        };
        Some(Self { raw: text.into(), key: key.into() })
    }
}

/// Some servers answer id `1` with `1.0`: the same number.
fn number_key(text: &str) -> Option<String> {
    if !text.contains(['.', 'e', 'E']) {
        return Some(format!("n{text}"));
    }
    let number: f64 = text.parse().ok()?;
    Some(format!("n{number}"))
}

/// What a message is in the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request(Id),
    Notification,
    Response,
}

/// One message of the client, with what the bridge must know of it.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) bytes: Bytes,
    pub(crate) kind: Kind,
    pub(crate) method: Box<str>,
    /// The revision in `_meta`: present in the modern era only.
    pub(crate) version: Option<Box<str>>,
    /// For `notifications/cancelled`: what is cancelled.
    pub(crate) cancels: Option<Id>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// The members of `params` that decide about headers.
#[derive(Default, Deserialize)]
pub(super) struct Params<'a> {
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) uri: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "taskId")]
    pub(super) task_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "requestId")]
    request_id: Option<&'a RawValue>,
}

impl Message {
    /// Parses one line of standard input.
    pub(crate) fn parse(line: Vec<u8>) -> Result<Self, Garbage> {
        let text = std::str::from_utf8(&line).map_err(|_| Garbage::NotUtf8)?;
        let envelope = envelope(text)?;
        let id = match envelope.id {
            Some(raw) => Some(Id::parse(raw).ok_or(Garbage::NotAMessage)?),
            None => None,
        };
        let method = envelope.method.map(|raw| text_of(raw).ok_or(Garbage::NotAMessage)).transpose()?;
        let answers = envelope.result.is_some() || envelope.error.is_some();
        let kind = match (&method, id) {
            (Some(_), Some(id)) => Kind::Request(id),
            (Some(_), None) => Kind::Notification,
            (None, Some(_)) => Kind::Response,
            (None, None) if answers => Kind::Response,
            (None, None) => return Err(Garbage::NotAMessage),
        };
        let params = params(envelope.params)?;
        let version = params.version()?;
        let cancels = params.request_id.and_then(Id::parse);
        let method = method.unwrap_or_default().into();
        Ok(Self { kind, method, version, cancels, bytes: Bytes::from(line) })
    }

    pub(crate) fn id(&self) -> Option<&Id> {
        match &self.kind {
            Kind::Request(id) => Some(id),
            Kind::Notification | Kind::Response => None,
        }
    }

    pub(crate) fn is_modern(&self) -> bool {
        self.version.is_some() && &*self.method != "initialize"
    }

    /// Calls `see` with the members of `params`; they were parsed once already, so this cannot fail anew.
    pub(super) fn with_params<T>(&self, see: impl FnOnce(&Params) -> T) -> T {
        let text = std::str::from_utf8(&self.bytes).unwrap_or_default();
        let params = envelope(text).ok().and_then(|envelope| params(envelope.params).ok());
        see(&params.unwrap_or_default())
    }
}

impl Params<'_> {
    fn version(&self) -> Result<Option<Box<str>>, Garbage> {
        let Some(meta) = self.meta.filter(|meta| meta.get().starts_with('{')) else { return Ok(None) };
        let meta: BTreeMap<String, &RawValue> =
            serde_json::from_str(meta.get()).map_err(|_| Garbage::NotAMessage)?;
        Ok(meta.get(VERSION_KEY).and_then(|raw| text_of(raw)).map(Into::into))
    }
}

fn envelope(text: &str) -> Result<Envelope<'_>, Garbage> {
    // A derived parser takes an array as well, by position: only an object is a message.
    if text.trim_start().starts_with('[') {
        return match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Err(Garbage::Batch),
            Err(_) => Err(Garbage::NotJson),
        };
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => Garbage::NotJson,
        Category::Data => Garbage::NotAMessage,
    })
}

fn params(raw: Option<&RawValue>) -> Result<Params<'_>, Garbage> {
    let Some(raw) = raw.filter(|raw| raw.get().starts_with('{')) else { return Ok(Params::default()) };
    serde_json::from_str(raw.get()).map_err(|_| Garbage::NotAMessage)
}

/// The text of a JSON string; `None` for any other value.
pub(super) fn text_of(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// One message of the server.
pub(super) struct Incoming<'a> {
    /// There is a method: a request or a notification.
    pub(super) calls: bool,
    pub(super) id: Option<Id>,
    pub(super) result: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
}

impl<'a> Incoming<'a> {
    /// `None` when this is not a JSON-RPC message.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let envelope = envelope(std::str::from_utf8(text).ok()?).ok()?;
        let calls = envelope.method.is_some();
        let id = envelope.id.and_then(Id::parse);
        let error = envelope.error.filter(|error| is_error(error));
        // `"result": null` reads like an absent one, so the id alone makes an answer.
        let answers = envelope.error.is_none() && id.is_some() || error.is_some();
        (calls || answers).then_some(Self { calls, id, result: envelope.result, error })
    }

    /// The `protocolVersion` of the result of `initialize`.
    pub(super) fn negotiated_version(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Initialized {
            #[serde(rename = "protocolVersion")]
            version: String,
        }
        Some(serde_json::from_str::<Initialized>(self.result?.get()).ok()?.version)
    }
}

/// The error of JSON-RPC is an object; the gateway's own refusals have a member of the same name.
fn is_error(raw: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct ErrorObject {
        #[serde(rename = "code")]
        _code: i64,
    }
    raw.get().starts_with('{') && serde_json::from_str::<ErrorObject>(raw.get()).is_ok()
}

/// The same JSON on one line: in valid JSON a line break stands only between tokens.
pub(crate) fn one_line(text: Bytes) -> Bytes {
    if !text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return text;
    }
    text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(line: &str) -> Result<Kind, Garbage> {
        Message::parse(line.into()).map(|message| message.kind)
    }

    #[test]
    fn tells_the_kinds_apart() {
        let id = |raw: &str, key: &str| Kind::Request(Id { raw: raw.into(), key: key.into() });
        assert_eq!(kind(r#"{"id": 7,"method":"a"}"#), Ok(id("7", "n7")));
        assert_eq!(kind(r#"{"id":"\u0061","method":"a"}"#), Ok(id(r#""\u0061""#, "sa")));
        assert_eq!(kind(r#"{"method":"a"}"#), Ok(Kind::Notification));
        assert_eq!(kind(r#"{"id":7,"result":null}"#), Ok(Kind::Response));
    }

    #[test]
    fn refuses_what_is_not_one_message() {
        assert_eq!(kind("{"), Err(Garbage::NotJson));
        assert_eq!(kind("[{}"), Err(Garbage::NotJson));
        assert_eq!(kind(r#"[{"id":1,"method":"a"}]"#), Err(Garbage::Batch));
        assert_eq!(kind(r#"{"id":1,"id":2,"method":"a"}"#), Err(Garbage::NotAMessage));
        assert_eq!(kind(r#"{"id":[1],"method":"a"}"#), Err(Garbage::NotAMessage));
        assert_eq!(kind("{}"), Err(Garbage::NotAMessage));
        assert_eq!(kind("7"), Err(Garbage::NotAMessage));
    }

    #[test]
    fn the_era_is_in_the_metadata() {
        let line = r#"{"id":1,"method":"a","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        assert_eq!(Message::parse(line.into()).expect("a message").version.as_deref(), Some("2026-07-28"));
        let line = r#"{"id":1,"method":"a","params":[{"_meta":1}]}"#;
        assert_eq!(Message::parse(line.into()).expect("a message").version, None);
    }
}
