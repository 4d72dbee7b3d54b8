//! Generated documents: whatever they look like, only our entry changes, and it can be taken back.

use std::fmt;

use hallpass_clients::{Dialect, Edit, EditError, Found, KeyPath, Removal, Undo, read, remove, upsert};
use proptest::prelude::*;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A document in the making; `gap` numbers choose what stands between its tokens.
#[derive(Debug, Clone)]
enum Shape {
    Leaf(&'static str),
    Array(Vec<(Shape, u8)>, bool),
    Object(Vec<(String, Shape, u8)>, bool),
}

const LEAVES: [&str; 12] = [
    "null",
    "true",
    "false",
    "-0",
    "1e999",
    "1.50E+07",
    r#""""#,
    r#""x,}]{[ // /* \" \\""#,
    r#""\ud800\/""#,
    r#""\u00e9é""#,
    "[]",
    "{}",
];

const KEYS: [&str; 10] = [
    "mcpServers",
    "ours",
    "env",
    "__proto__",
    "",
    "caf\u{e9}",
    "cafe\u{301}",
    "a.b",
    "he said \"hi\"",
    "\u{1}\\",
];

const GAPS: [&str; 8] = ["", "", "", " ", "\n", "\n  ", "\r\n\t", "  "];

const COMMENTED_GAPS: [&str; 16] = [
    "",
    "",
    "",
    " ",
    "\n",
    "\n  ",
    "\r\n\t",
    "  ",
    "/* , } \" */",
    " // it's , ]\n",
    "// x\r\n    ",
    "/*\n*/",
    "/**/ ",
    "\n// own line\n",
    "\r",
    " /* a */ // b\n",
];

impl Shape {
    fn write(&self, dialect: Dialect, out: &mut String) {
        match self {
            Self::Leaf(text) => out.push_str(text),
            Self::Array(items, comma) => {
                let write = |(item, gap): &(Self, u8), out: &mut String| {
                    item.write(dialect, out);
                    push_gap(*gap, dialect, out);
                };
                write_list(['[', ']'], items, *comma, dialect, out, write);
            }
            Self::Object(members, comma) => {
                let write = |(key, value, gap): &(String, Self, u8), out: &mut String| {
                    push_gap(gap / 3, dialect, out);
                    out.push_str(&spelled_key(key, *gap));
                    push_gap(gap / 5, dialect, out);
                    out.push(':');
                    push_gap(gap / 7, dialect, out);
                    value.write(dialect, out);
                    push_gap(*gap, dialect, out);
                };
                write_list(['{', '}'], members, *comma, dialect, out, write);
            }
        }
    }
}

fn write_list<T>(
    [open, close]: [char; 2],
    items: &[T],
    trailing: bool,
    dialect: Dialect,
    out: &mut String,
    write: impl Fn(&T, &mut String),
) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        write(item, out);
        let last = index + 1 == items.len();
        if !last || (trailing && dialect == Dialect::Jsonc) {
            out.push(',');
            push_gap(u8::try_from(index).unwrap_or(0) * 5 + 3, dialect, out);
        }
    }
    out.push(close);
}

fn push_gap(number: u8, dialect: Dialect, out: &mut String) {
    let gaps: &[&str] = if dialect == Dialect::Jsonc { &COMMENTED_GAPS } else { &GAPS };
    out.push_str(gaps[usize::from(number) % gaps.len()]);
}

/// One key in several spellings: with its first letter escaped, or not.
fn spelled_key(key: &str, number: u8) -> String {
    let plain = Value::from(key).to_string();
    match key.chars().next() {
        Some(first) if number.is_multiple_of(4) && first.is_ascii_alphabetic() => {
            format!("\"\\u{:04X}{}", u32::from(first), &plain[2..])
        }
        Some(_) | None => plain,
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop::sample::select(LEAVES.as_slice()).prop_map(Shape::Leaf);
    leaf.prop_recursive(5, 40, 5, |inner| {
        let array = (prop::collection::vec((inner.clone(), any::<u8>()), 0..4), any::<bool>());
        prop_oneof![array.prop_map(|(items, comma)| Shape::Array(items, comma)), object(inner)]
    })
}

fn object(inner: impl Strategy<Value = Shape>) -> impl Strategy<Value = Shape> {
    let key = prop::sample::select(KEYS.as_slice()).prop_map(str::to_owned);
    let members = prop::collection::btree_map(key, (inner, any::<u8>()), 0..5);
    let members =
        members.prop_map(|map| map.into_iter().map(|(key, (value, gap))| (key, value, gap)).collect());
    (members, any::<bool>(), any::<bool>()).prop_map(|(mut members, comma, turned): (Vec<_>, _, _)| {
        if turned {
            members.reverse();
        }
        Shape::Object(members, comma)
    })
}

fn dialect() -> impl Strategy<Value = Dialect> {
    prop_oneof![Just(Dialect::Json), Just(Dialect::Jsonc)]
}

/// A whole text: an object with gaps around it, sometimes nothing but a gap.
fn document() -> impl Strategy<Value = (Dialect, String)> {
    let root = prop_oneof![9 => object(shape()).prop_map(Some), 1 => Just(None)];
    (dialect(), root, any::<u8>(), any::<u8>()).prop_map(|(dialect, root, before, after)| {
        let mut text = String::new();
        push_gap(before, dialect, &mut text);
        if let Some(root) = root {
            root.write(dialect, &mut text);
            push_gap(after, dialect, &mut text);
        }
        (dialect, text)
    })
}

fn path() -> impl Strategy<Value = KeyPath> {
    let key = prop::sample::select(KEYS.as_slice()).prop_map(str::to_owned);
    prop::collection::vec(key, 1..5).prop_map(|keys| KeyPath::try_from(keys).unwrap())
}

fn value() -> impl Strategy<Value = Value> {
    let entry =
        json!({"command": "/opt/hallpass", "args": ["connect", "é\"\\"], "env": {}, "n": [[], 1.5, null]});
    prop_oneof![Just(json!("our \u{1F600} token\n")), Just(entry), Just(json!([])), Just(json!(7))]
}

/// A document as `serde_json` reads it, with the order and the spelling kept: the product's own reader is not asked.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Spelled(String),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    fn of(text: &str) -> Self {
        let plain = strict(text);
        if plain.is_empty() { Self::Object(Vec::new()) } else { Self::of_strict(&plain) }
    }

    fn of_strict(text: &str) -> Self {
        if !text.starts_with('{') {
            return Self::Spelled(text.to_owned());
        }
        let members: Members = serde_json::from_str(text).unwrap();
        Self::Object(members.0.into_iter().map(|(key, raw)| (key, Self::of_strict(raw.get()))).collect())
    }

    /// This tree with a member set, or added at the end.
    fn with(self, keys: &[String], value: &str) -> Self {
        let (Some((key, rest)), Self::Object(mut members)) = (keys.split_first(), self) else {
            return Self::Spelled(value.to_owned());
        };
        if !members.iter().any(|member| member.0 == *key) {
            members.push((key.clone(), Self::Object(Vec::new())));
        }
        let swap = |(name, tree): (String, Self)| {
            let tree = if name == *key { tree.with(rest, value) } else { tree };
            (name, tree)
        };
        Self::Object(members.into_iter().map(swap).collect())
    }

    /// This tree without a member.
    fn without(self, keys: &[String]) -> Self {
        let Self::Object(mut members) = self else { panic!("no object on the way") };
        if keys.len() == 1 {
            members.retain(|member| member.0 != keys[0]);
            return Self::Object(members);
        }
        let swap = |(name, tree): (String, Self)| {
            let tree = if name == keys[0] { tree.without(&keys[1..]) } else { tree };
            (name, tree)
        };
        Self::Object(members.into_iter().map(swap).collect())
    }
}

struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The tokens, comments and white space characters of a well-formed text.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let len = match rest.chars().next()? {
            '/' if rest.starts_with("//") => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '/' => rest.find("*/").unwrap() + 2,
            '"' => string_len(rest),
            other => other.len_utf8(),
        };
        let (piece, tail) = rest.split_at(len);
        rest = tail;
        Some(piece)
    })
}

/// A well-formed text as strict JSON with nothing between the tokens.
fn strict(text: &str) -> String {
    let mut plain = String::new();
    for piece in pieces(text) {
        if matches!(piece, "]" | "}") && plain.ends_with(',') {
            plain.pop();
        }
        if !piece.starts_with(['/', ' ', '\t', '\r', '\n']) {
            plain.push_str(piece);
        }
    }
    plain
}

fn comments(text: &str) -> Vec<&str> {
    pieces(text).filter(|piece| piece.starts_with('/')).collect()
}

fn string_len(text: &str) -> usize {
    let mut escaped = true;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        // The first quote opens; from then on a backslash takes the byte behind it along.
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap() + 1
}

fn is_subsequence(small: &str, large: &str) -> bool {
    let mut large = large.bytes();
    small.bytes().all(|byte| large.any(|other| other == byte))
}

/// Whether `after` is `before` with one `old` made `new`.
fn is_replacement(before: &str, old: &str, after: &str, new: &str) -> bool {
    before.match_indices(old).any(|(at, _)| [&before[..at], new, &before[at + old.len()..]].concat() == after)
}

/// One edit that was not refused.
struct Done {
    before: String,
    after: String,
    dialect: Dialect,
    path: KeyPath,
    value: Value,
    edit: Edit,
}

impl Done {
    fn raw(&self, text: &str) -> Option<String> {
        match read(text.as_bytes(), self.dialect, &self.path).unwrap() {
            Found::Present(present) => Some(present.raw),
            Found::Absent(_) => None,
        }
    }

    fn remove(&self, text: &str, undo: &Undo, ours: &Value) -> Option<String> {
        match remove(text.as_bytes(), self.dialect, &self.path, undo, |value| value == ours).unwrap() {
            Removal::Done(text) => Some(String::from_utf8(text).unwrap()),
            Removal::Nothing => None,
            Removal::Foreign { at } => panic!("foreign at {at}: {text:?}"),
        }
    }
}

/// A generated document with a generated edit; where the document has something else in the way, nothing.
fn done() -> impl Strategy<Value = Option<Done>> {
    (document(), path(), value()).prop_map(|((dialect, before), path, value)| {
        match upsert(before.as_bytes(), dialect, &path, &value, 0) {
            Ok(edit) => {
                let after = String::from_utf8(edit.text.clone()).unwrap();
                Some(Done { before, after, dialect, path, value, edit })
            }
            Err(EditError::NotObject { .. } | EditError::OtherType { .. }) => None,
            Err(error) => panic!("{error}: {before:?}"),
        }
    })
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {}\n{:?}\n{:?}", self.dialect, self.path, self.value, self.before, self.after)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_our_entry_changes(done in done()) {
        let Some(done) = done else { return Ok(()) };
        let keys = done.path.segments();
        prop_assert_eq!(Tree::of(&done.before).with(keys, "ours"), Tree::of(&done.after).with(keys, "ours"));
        let ours = done.raw(&done.after).expect("our value is there");
        prop_assert_eq!(serde_json::from_str::<Value>(&strict(&ours)).unwrap(), done.value.clone());
        match done.raw(&done.before) {
            Some(old) => prop_assert!(is_replacement(&done.before, &old, &done.after, &ours)),
            None if done.before.trim().is_empty() => {}
            None => prop_assert!(is_subsequence(&done.before, &done.after)),
        }
    }

    #[test]
    fn a_second_edit_changes_nothing(done in done()) {
        let Some(done) = done else { return Ok(()) };
        let again = upsert(&done.edit.text, done.dialect, &done.path, &done.value, keys_but_last(&done.path)).unwrap();
        prop_assert!(!again.changed && again.text == done.edit.text);
    }

    #[test]
    fn taking_it_back_gives_the_same_bytes(done in done(), rotations in 0..3_usize) {
        let Some(done) = done else { return Ok(()) };
        let (mut text, mut ours) = (done.after.clone(), done.value.clone());
        for round in 0..rotations {
            let Value::String(token) = &done.value else { break };
            ours = Value::String(token.repeat(round + 2));
            let edit = upsert(text.as_bytes(), done.dialect, &done.path, &ours, keys_but_last(&done.path)).unwrap();
            text = String::from_utf8(edit.text).unwrap();
        }
        let expect = done.edit.changed.then_some(done.before.clone());
        prop_assert_eq!(done.remove(&text, &done.edit.undo, &ours), expect);
    }

    #[test]
    fn a_reformatted_file_loses_our_entry_alone(done in done()) {
        let Some(done) = done else { return Ok(()) };
        let Some(removed) = done.remove(&strict(&done.after), &done.edit.undo, &done.value) else { return Ok(()) };
        prop_assert_eq!(Tree::of(&removed), Tree::of(&done.before));
    }

    #[test]
    fn without_a_record_our_member_goes_and_no_comment(done in done()) {
        let Some(done) = done else { return Ok(()) };
        let removed = done.remove(&done.after, &Undo::without_record(), &done.value).unwrap();
        prop_assert_eq!(Tree::of(&removed), Tree::of(&done.after).without(done.path.segments()));
        prop_assert!(is_subsequence(&removed, &done.after));
        // Comments between an older key and its value go with the two.
        let kept = done.raw(&done.before).is_some() || comments(&removed) == comments(&done.after);
        prop_assert!(kept, "{removed:?}");
    }

    #[test]
    fn strict_json_is_what_serde_json_takes(text in broken()) {
        let accepted = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        match read(text.as_bytes(), Dialect::Json, &KeyPath::new("no such key")) {
            Err(EditError::Syntax { .. } | EditError::TrailingData { .. }) => prop_assert!(!accepted),
            // Our own refusals, which may stand before the fault that serde_json sees.
            Err(EditError::DuplicateKey { .. } | EditError::NulByte { .. } | EditError::Utf16) => {}
            Ok(_) if text.trim().is_empty() => prop_assert!(!accepted),
            Ok(_) | Err(EditError::RootNotObject { .. }) => prop_assert!(accepted),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), path in path(), dialect in dialect()) {
        let _anything = upsert(&bytes, dialect, &path, &json!("x"), 0).is_ok();
    }
}

fn keys_but_last(path: &KeyPath) -> usize {
    path.segments().len() - 1
}

/// Documents with a piece taken out or put in, and heaps of tokens.
fn broken() -> impl Strategy<Value = String> {
    let tokens = [
        "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\\n\"", "\"", "\\", "\\u12", "0", "01", "-", "1.", ".5",
        "2e", "E+9", "true", "nul", "null", " ", "\n", "\t", "\u{b}", "\u{a0}", "\u{7f}", "//", "/* */", "é",
        "NaN", "'", "\u{0}",
    ];
    let token = prop::sample::select(tokens.to_vec());
    let heap = prop::collection::vec(token.clone(), 0..8).prop_map(|tokens| tokens.concat());
    let hurt = (document(), any::<prop::sample::Index>(), 0..4_usize, prop::option::of(token)).prop_map(
        |((_, text), at, gone, token)| {
            let chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len() + 1);
            let rest = chars.iter().skip(at + gone);
            chars[..at]
                .iter()
                .copied()
                .chain(token.unwrap_or_default().chars())
                .chain(rest.copied())
                .collect()
        },
    );
    prop_oneof![heap, hurt]
}
