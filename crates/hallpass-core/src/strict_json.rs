//! JSON as a security decision needs it: no duplicate members at any depth, bounded depth, nothing after the end.

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// A JSON value whose objects name each member once. Members keep their order, texts are borrowed where they can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any finite number.
    Number(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Json<'a>>),
    /// An object, members in the order written, names unique.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Why a text is not strict JSON. Says nothing of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// Not UTF-8.
    NotUtf8,
    /// Nested deeper than allowed.
    TooDeep,
    /// Not JSON, two values, or a member named twice.
    NotStrict,
}

impl<'a> Json<'a> {
    /// Parses one value of at most `depth` levels and nothing else.
    pub fn parse(bytes: &'a [u8], depth: usize) -> Result<Self, JsonFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::NotUtf8)?;
        if depth_of(bytes) > depth {
            return Err(JsonFault::TooDeep);
        }
        serde_json::from_str(text).map_err(|_| JsonFault::NotStrict)
    }

    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        match self {
            Self::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }
}

/// The deepest nesting of brackets outside strings. Looks at brackets only, so that it costs no stack.
pub(crate) fn depth_of(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Up to so many members, looking at each is quicker than hashing their names.
const FEW: usize = 16;

/// Whether two members have one name.
fn has_twice(members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    if members.len() <= FEW {
        let named_before = |at: usize| members[..at].iter().any(|(name, _)| *name == members[at].0);
        return (1..members.len()).any(named_before);
    }
    let mut names = HashSet::with_capacity(members.len());
    !members.iter().all(|(name, _)| names.insert(name))
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

/// A member's name, borrowed if it holds no escape.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor).map(Self)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "dates in range are exact, larger numbers are only compared with it"
    )]
    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(value as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "dates in range are exact, larger numbers are only compared with it"
    )]
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
        if value.is_finite() { Ok(Json::Number(value)) } else { Err(E::custom("not finite")) }
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some((Name(name), value)) = entries.next_entry()? {
            members.push((name, value));
        }
        if has_twice(&members) {
            return Err(de::Error::custom("a member is named twice"));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, JsonFault};

    #[test]
    fn strict_means_one_value_once_named() {
        assert!(Json::parse(br#"{"a":{"b":[1,2.5,"x",null,true]}}"#, 4).is_ok());
        let many = |last: &str| {
            let members: Vec<String> = (0..100).map(|number| format!("\"m{number}\":1")).collect();
            format!("{{{},\"{last}\":1}}", members.join(","))
        };
        assert!(Json::parse(many("other").as_bytes(), 64).is_ok());
        assert!(Json::parse(many("m50").as_bytes(), 64).is_err());
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"[{"a":1,"a":2}]"#,
            "{} {}",
            "{}x",
            "\u{feff}{}",
            "{'a':1}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "{\"a\":01}",
            "{\"a\":\"\\ud800\"}",
            "",
        ] {
            assert_eq!(Json::parse(bad.as_bytes(), 64), Err(JsonFault::NotStrict), "{bad}");
        }
        assert_eq!(Json::parse(b"{\"a\":\"\xff\"}", 64), Err(JsonFault::NotUtf8));
    }

    #[test]
    fn depth_is_counted_outside_strings() {
        assert!(Json::parse(br#"["[[[[\"[[[["]"#, 1).is_ok());
        assert_eq!(Json::parse(b"[[1]]", 1), Err(JsonFault::TooDeep));
        assert_eq!(Json::parse(&vec![b'['; 1_000_000], 64), Err(JsonFault::TooDeep));
    }
}
