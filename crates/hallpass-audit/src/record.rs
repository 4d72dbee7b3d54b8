//! One record as one line: how it begins, what it may hold, how it is read. Knows nothing of events.

use crate::hash::Hash;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The most bytes of a line, without its newline: an entry bundle has two bytes for a length, and people have eyes.
pub const MOST_BYTES: usize = 16 << 10;

/// The most objects and lists within one another, the record itself the first: a reader may call itself for each.
const MOST_DEPTH: usize = 64;

/// Why something is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// It does not begin as every record does.
    Head,
    /// It is not one JSON object, or not UTF-8.
    NotJson,
    /// It names a member of the head again.
    HeadAgain,
    /// It is longer than [`MOST_BYTES`].
    TooLong,
    /// A control character that is not escaped.
    Control,
    /// Objects and lists within one another, more than 64.
    TooDeep,
    /// The node's name is empty, too long or not plain.
    Node,
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "does not begin as a record does",
            Self::NotJson => "is not one JSON object",
            Self::HeadAgain => "names a member of its head twice",
            Self::TooLong => "is longer than 16 KiB",
            Self::Control => "holds a control character",
            Self::TooDeep => "is nested more than 64 deep",
            Self::Node => "has a node's name that is not plain",
        })
    }
}

impl std::error::Error for RecordFault {}

/// How a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// Its place in the log, from 0.
    pub seq: u64,
    /// The leaf hash of the record before.
    pub prev: Hash,
    /// Which node wrote it.
    pub node: &'a str,
}

/// What the verifier wants to know of a record's members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// When it happened, in milliseconds since the epoch.
    pub at_ms: Option<i64>,
    /// For a record of kind `prune`: before which record whole segments were taken away.
    pub pruned_before: Option<u64>,
}

/// Makes a line of an event: `body` is its JSON object.
pub fn seal(seq: u64, prev: &Hash, node: &str, body: &str) -> Result<String, RecordFault> {
    if !is_plain(node) {
        return Err(RecordFault::Node);
    }
    if body.bytes().any(|byte| byte < b' ') {
        return Err(RecordFault::Control);
    }
    let members = body.strip_prefix('{').ok_or(RecordFault::NotJson)?;
    let comma = if members.trim_start().starts_with('}') { "" } else { "," };
    let line = format!(r#"{{"v":1,"seq":{seq},"prev":"{prev}","node":"{node}"{comma}{members}"#);
    if line.len() > MOST_BYTES {
        return Err(RecordFault::TooLong);
    }
    members_of(line.as_bytes())?;
    Ok(line)
}

/// Reads how a line begins. Strict: what is not letter for letter as [`seal`] writes it is refused.
pub fn head(line: &[u8]) -> Result<Head<'_>, RecordFault> {
    if line.len() > MOST_BYTES {
        return Err(RecordFault::TooLong);
    }
    read_head(line).ok_or(RecordFault::Head)
}

fn read_head(line: &[u8]) -> Option<Head<'_>> {
    let rest = line.strip_prefix(br#"{"v":1,"seq":"#)?;
    let (digits, rest) = rest.split_at(rest.iter().position(|byte| !byte.is_ascii_digit())?);
    let seq = number(digits)?;
    let rest = rest.strip_prefix(br#","prev":""#)?;
    let (prev, rest) = rest.split_at_checked(44)?;
    let prev = Hash::from_base64(std::str::from_utf8(prev).ok()?)?;
    let rest = rest.strip_prefix(br#"","node":""#)?;
    let (node, rest) = rest.split_at(rest.iter().position(|byte| *byte == b'"')?);
    let node = std::str::from_utf8(node).ok().filter(|node| is_plain(node))?;
    matches!(rest, [b'"', b',' | b'}', ..]).then_some(Head { seq, prev, node })
}

/// A number as it is written everywhere here: digits, no zero in front.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    let plain = digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || digits.first() != Some(&b'0'));
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

/// Whether a node may be called so: it stands in every record without an escape.
pub fn is_plain(node: &str) -> bool {
    (1..=64).contains(&node.len())
        && node.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Reads the whole line as JSON, and what is of interest in it.
pub fn members_of(line: &[u8]) -> Result<Members, RecordFault> {
    // The least of all, not `any`: so it takes many bytes at once.
    if line.iter().fold(u8::MAX, |least, byte| least.min(*byte)) < b' ' {
        return Err(RecordFault::Control);
    }
    if is_too_deep(line) {
        return Err(RecordFault::TooDeep);
    }
    // Here once, since what is passed over below is not looked at for it.
    let text = std::str::from_utf8(line).map_err(|_| RecordFault::NotJson)?;
    let seen: Seen = serde_json::from_str(text).map_err(|_| RecordFault::NotJson)?;
    if seen.heads != 4 {
        return Err(RecordFault::HeadAgain);
    }
    Ok(Members { at_ms: seen.at_ms, pruned_before: seen.before.filter(|_| seen.is_prune) })
}

fn is_too_deep(line: &[u8]) -> bool {
    // Either bracket. Of most lines this is all: one that has no more of them is not deeper.
    if line.iter().filter(|byte| **byte | 0x20 == b'{').count() <= MOST_DEPTH {
        return false;
    }
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in line {
        match (in_text, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            (true | false, _) => (),
        }
        if depth > MOST_DEPTH {
            return true;
        }
    }
    false
}

#[derive(Default)]
struct Seen {
    heads: u32,
    at_ms: Option<i64>,
    is_prune: bool,
    before: Option<u64>,
}

enum Key {
    Head,
    AtMs,
    Kind,
    BeforeSeq,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }
            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(match name {
                    "v" | "seq" | "prev" | "node" => Key::Head,
                    "at_ms" => Key::AtMs,
                    "kind" => Key::Kind,
                    "before_seq" => Key::BeforeSeq,
                    _ => Key::Other,
                })
            }
        }
        deserializer.deserialize_str(Name)
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Seen;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Seen, A::Error> {
                let mut seen = Seen::default();
                while let Some(key) = members.next_key::<Key>()? {
                    seen.member(&key, &mut members)?;
                }
                Ok(seen)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl Seen {
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &Key, members: &mut A) -> Result<(), A::Error> {
        match key {
            Key::Head => {
                self.heads += 1;
                members.next_value::<IgnoredAny>().map(drop)
            }
            Key::Other => members.next_value::<IgnoredAny>().map(drop),
            Key::AtMs => {
                self.at_ms = members.next_value::<&RawValue>()?.get().parse().ok();
                Ok(())
            }
            Key::BeforeSeq => {
                self.before = number(members.next_value::<&RawValue>()?.get().as_bytes());
                Ok(())
            }
            Key::Kind => {
                let kind = members.next_value::<&RawValue>()?.get();
                self.is_prune = serde_json::from_str::<std::borrow::Cow<'_, str>>(kind)
                    .map_err(A::Error::custom)
                    .is_ok_and(|kind| kind == "prune");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Head, MOST_BYTES, Members, RecordFault, head, members_of, seal};
    use crate::hash::Hash;

    const PREV: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn a_line_reads_back_as_it_was_sealed() {
        let line = seal(7, &Hash::ZERO, "main", r#"{"at_ms":5,"kind":"call"}"#).unwrap();
        assert_eq!(
            line,
            format!(r#"{{"v":1,"seq":7,"prev":"{PREV}","node":"main","at_ms":5,"kind":"call"}}"#)
        );
        assert_eq!(head(line.as_bytes()), Ok(Head { seq: 7, prev: Hash::ZERO, node: "main" }));
        assert_eq!(members_of(line.as_bytes()), Ok(Members { at_ms: Some(5), pruned_before: None }));
        assert!(seal(0, &Hash::ZERO, "main", "{}").unwrap().ends_with(r#""node":"main"}"#));
    }

    #[test]
    fn what_would_not_be_one_line_of_one_object_is_not_sealed() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MOST_BYTES));
        for (body, fault) in [
            ("{\"a\":\"\n\"}", RecordFault::Control),
            ("{\n}", RecordFault::Control),
            ("[]", RecordFault::NotJson),
            (r#"{"a":1"#, RecordFault::NotJson),
            (r#"{"a":1} {}"#, RecordFault::NotJson),
            (r#"{"seq":1}"#, RecordFault::HeadAgain),
            (r#"{"se\u0071":1}"#, RecordFault::HeadAgain),
            (&*long, RecordFault::TooLong),
        ] {
            assert_eq!(seal(0, &Hash::ZERO, "main", body), Err(fault), "{body:.30}");
        }
        let escaped = seal(0, &Hash::ZERO, "main", r#"{"a":"\n\u0000\u2028"}"#).unwrap();
        assert!(!escaped.bytes().any(|byte| byte < b' '), "an escape stays an escape");
        assert_eq!(seal(0, &Hash::ZERO, "a\"b", "{}"), Err(RecordFault::Node));
    }

    #[test]
    fn a_record_is_sealed_down_to_a_depth_that_every_reader_can_follow() {
        let nested = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(seal(0, &Hash::ZERO, "main", &nested(63)).is_ok());
        assert_eq!(seal(0, &Hash::ZERO, "main", &nested(64)), Err(RecordFault::TooDeep));
        let (flat, text) = (r#"{"a":[[],{},[]]}"#.replace(",{}", &",{}".repeat(500)), "\\\"[{".repeat(500));
        assert!(seal(0, &Hash::ZERO, "main", &flat).is_ok());
        assert!(seal(0, &Hash::ZERO, "main", &format!(r#"{{"a":"{text}"}}"#)).is_ok());
    }

    #[test]
    fn a_head_is_read_only_as_it_is_written() {
        let good = format!(r#"{{"v":1,"seq":10,"prev":"{PREV}","node":"main"}}"#);
        assert!(head(good.as_bytes()).is_ok());
        for (from, to) in [
            ("\"v\":1", "\"v\":2"),
            ("{\"v\"", "{ \"v\""),
            (":10,", ":010,"),
            (":10,", ":-10,"),
            (":10,", ":99999999999999999999,"),
            (":10,", ":,"),
            ("AAA=", "AAB="),
            ("AAA=", "AAAA"),
            ("main", ""),
            ("main", "ma in"),
            ("\"}", "\" }"),
            ("seq", "sep"),
        ] {
            assert_eq!(head(good.replacen(from, to, 1).as_bytes()), Err(RecordFault::Head), "{from} {to}");
        }
    }

    #[test]
    fn only_a_record_of_kind_prune_prunes() {
        let read = |body: &str| {
            members_of(seal(0, &Hash::ZERO, "n", body).unwrap().as_bytes()).unwrap().pruned_before
        };
        assert_eq!(read(r#"{"kind":"prune","before_seq":9}"#), Some(9));
        assert_eq!(read(r#"{"before_seq":9,"kind":"pr\u0075ne"}"#), Some(9));
        assert_eq!(read(r#"{"kind":"call","before_seq":9}"#), None);
        assert_eq!(read(r#"{"kind":"prune","before_seq":"9"}"#), None);
        assert_eq!(read(r#"{"kind":3,"before_seq":9}"#), None);
        assert_eq!(read(r#"{"kind":"call","tool":"\"kind\":\"prune\",\"before_seq\":9"}"#), None);
    }
}
