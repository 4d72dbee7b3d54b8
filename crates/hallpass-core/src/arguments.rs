//! What a record says of a call's arguments: nothing, hashes under a key, or, for tools that the owner names, the text.
//! Hides no secrets in a text: that is the program's.

use crate::encoding::hex;
use crate::name::ServerName;
use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// How many arguments are hashed each by itself.
pub const HASHED_MOST: usize = 16;
/// An argument with a longer name is hashed only with the others, in characters.
const NAME_MOST: usize = 64;
/// As much of the arguments as a record holds, in bytes.
pub const TEXT_MOST: usize = 4 << 10;
const HASH_BYTES: usize = 16;

/// A tool of one server, or all of its tools: `server/tool`, `server/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTool {
    server: ServerName,
    tool: Option<Box<str>>,
}

impl NamedTool {
    /// Reads what stands in hallpass.toml.
    pub fn parse(text: &str) -> Option<Self> {
        let (server, tool) = text.split_once('/')?;
        let server = ServerName::new(server).ok()?;
        match tool {
            "" => None,
            "*" => Some(Self { server, tool: None }),
            tool => Some(Self { server, tool: Some(tool.into()) }),
        }
    }

    /// Whose tool it is.
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    fn is(&self, server: &ServerName, tool: &str) -> bool {
        self.server == *server && self.tool.as_deref().is_none_or(|named| named == tool)
    }
}

impl fmt::Display for NamedTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.server, self.tool.as_deref().unwrap_or("*"))
    }
}

/// The key of an installation's hashes. Without it nobody can try values.
pub struct ArgumentKey(hmac::Key);

impl ArgumentKey {
    /// A key of 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The hash of a JSON value, however it is laid out and its texts are escaped: 32 digits. Numbers count as they are
    /// spelt: `1` and `1.0` are two.
    pub fn hash(&self, json: &str) -> String {
        hex(&hmac::sign(&self.0, compact(json).as_bytes()).as_ref()[..HASH_BYTES])
    }
}

impl fmt::Debug for ArgumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArgumentKey(..)")
    }
}

/// Hashes of a call's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgumentHashes {
    /// Of all of them together.
    pub whole: String,
    /// Of each by itself, by its name: of the first 16.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub values: BTreeMap<String, String>,
}

/// What a record says of a call's arguments.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    #[default]
    Nothing,
    /// Hashes.
    Hashes(ArgumentHashes),
    /// The JSON text, `cut` if there was more.
    Text {
        /// Its beginning.
        text: String,
        /// There was more.
        cut: bool,
    },
}

/// What is kept of whose calls. The default: nothing.
#[derive(Debug, Default)]
pub struct Keeping {
    hashes: Option<ArgumentKey>,
    in_full: Vec<NamedTool>,
}

impl Keeping {
    /// `hashes`: of every call, under this key. `in_full`: of these tools' calls, the text instead.
    pub fn new(hashes: Option<ArgumentKey>, in_full: Vec<NamedTool>) -> Self {
        Self { hashes, in_full }
    }

    /// What is kept of a call with these arguments, which are one JSON value, or none.
    pub fn of(&self, server: &ServerName, tool: &str, arguments: Option<&str>) -> Kept {
        let Some(arguments) = arguments else { return Kept::Nothing };
        if self.in_full.iter().any(|named| named.is(server, tool)) {
            return in_full(arguments);
        }
        match &self.hashes {
            Some(key) => Kept::Hashes(hashes(key, arguments)),
            None => Kept::Nothing,
        }
    }
}

fn in_full(arguments: &str) -> Kept {
    let text = compact(arguments);
    let end = text.floor_char_boundary(TEXT_MOST);
    Kept::Text { text: text[..end].to_owned(), cut: end < text.len() }
}

fn hashes(key: &ArgumentKey, arguments: &str) -> ArgumentHashes {
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(arguments).unwrap_or_default();
    let short = members.into_iter().filter(|(name, _)| name.chars().count() <= NAME_MOST);
    let values = short.take(HASHED_MOST).map(|(name, value)| (name.into_owned(), key.hash(value.get())));
    ArgumentHashes { whole: key.hash(arguments), values: values.collect() }
}

/// A JSON value without the blanks between its parts, and with each text in its shortest spelling.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        out.extend(rest[..start].chars().filter(|c| !c.is_ascii_whitespace()));
        let text = &rest[start..];
        let end = end_of_text(text);
        out += &shortest(&text[..end]);
        rest = &text[end..];
    }
    out.extend(rest.chars().filter(|c| !c.is_ascii_whitespace()));
    out
}

/// Where the text ends with whose quote `json` begins.
fn end_of_text(json: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

/// Half a pair of surrogates has no other spelling than the one it has.
fn shortest(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let respelt = serde_json::from_str::<String>(text).and_then(|text| serde_json::to_string(&text));
    respelt.map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::{ArgumentKey, Keeping, Kept, NamedTool, TEXT_MOST, compact};
    use crate::name::ServerName;

    fn docs() -> ServerName {
        ServerName::new("docs").unwrap()
    }

    fn key() -> ArgumentKey {
        ArgumentKey::new(&[7; 32])
    }

    #[test]
    fn layout_and_escapes_do_not_count() {
        for (one, other) in [
            ("{ \"a\" :\n[1, 2]\t}", "{\"a\":[1,2]}"),
            (r#""caf\u00e9 \/ x""#, "\"caf\u{e9} / x\""),
            (r#""a \" b  c""#, r#""a \" b  c""#),
            ("\"\\n\"", "\"\\n\""),
            (" true ", "true"),
            (r#""\ud800 x""#, r#""\ud800 x""#),
        ] {
            assert_eq!(compact(one), other);
            assert_eq!(key().hash(one), key().hash(other));
        }
        assert_ne!(key().hash("1"), key().hash("1.0"));
        assert_ne!(key().hash("\"1\""), key().hash("1"));
        assert_ne!(key().hash("1"), ArgumentKey::new(&[8; 32]).hash("1"));
    }

    #[test]
    fn a_value_that_somebody_knows_is_found_by_its_hash() {
        let keeping = Keeping::new(Some(key()), Vec::new());
        let arguments = r#"{ "path": "/etc/passwd", "n": {"deep": [1 ,2]}, "path2": "/etc/passwd" }"#;
        let Kept::Hashes(hashes) = keeping.of(&docs(), "read", Some(arguments)) else { panic!("no hashes") };
        assert_eq!(hashes.whole, key().hash(arguments));
        assert_eq!(hashes.values["path"], key().hash("\"/etc/passwd\""));
        assert_eq!(hashes.values["path"], hashes.values["path2"]);
        assert_eq!(hashes.values["n"], key().hash(r#"{"deep":[1,2]}"#));
        assert_eq!((hashes.whole.len(), hashes.values.len()), (32, 3));
    }

    #[test]
    fn what_is_kept_is_bounded_whatever_callers_send() {
        let keeping = Keeping::new(Some(key()), vec![NamedTool::parse("docs/full").unwrap()]);
        let members: Vec<String> = (0..100).map(|n| format!("\"{n}{}\":{n}", "\u{e9}".repeat(n))).collect();
        let many = format!("{{{}}}", members.join(","));
        let Kept::Hashes(hashes) = keeping.of(&docs(), "x", Some(&many)) else { panic!("no hashes") };
        assert_eq!(hashes.values.len(), 16);
        assert!(hashes.values.keys().all(|name| name.chars().count() <= 64));
        let long = format!("[\"{}\"]", "\u{e9}".repeat(TEXT_MOST));
        let Kept::Text { text, cut } = keeping.of(&docs(), "full", Some(&long)) else { panic!("no text") };
        assert!(cut && text.len() <= TEXT_MOST && text.len() > TEXT_MOST - 4);
    }

    #[test]
    fn only_named_tools_are_kept_in_full_and_nothing_is_where_nothing_was_asked() {
        let named = ["docs/pay", "mail/*"].map(|text| NamedTool::parse(text).unwrap()).to_vec();
        let keeping = Keeping::new(None, named);
        let text = || Kept::Text { text: "{}".into(), cut: false };
        let mail = ServerName::new("mail").unwrap();
        for (server, tool, arguments, kept) in [
            (&docs(), "pay", Some("{ }"), text()),
            (&docs(), "pays", Some("{ }"), Kept::Nothing),
            (&mail, "pay", Some("{ }"), text()),
            (&mail, "pay", None, Kept::Nothing),
        ] {
            assert_eq!(keeping.of(server, tool, arguments), kept, "{server} {tool}");
        }
        assert_eq!(Keeping::default().of(&docs(), "pay", Some("{}")), Kept::Nothing);
        let hashing = Keeping::new(Some(key()), Vec::new());
        for odd in ["[1]", "7", "\"x\"", "null"] {
            let Kept::Hashes(hashes) = hashing.of(&docs(), "x", Some(odd)) else { panic!("{odd}") };
            assert!(hashes.values.is_empty(), "{odd}");
        }
    }
}
