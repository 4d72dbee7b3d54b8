//! Generated YAML.

use std::time::{Duration, Instant};

use hallpass_clients::{
    Dialect, EditError, Found, JsonType, KeyPath, Obstacle, Position, Removal, read, remove, upsert,
};
use proptest::prelude::*;
use serde_json::json;

use crate::property;

/// A value in the making, written at some indentation.
#[derive(Debug, Clone)]
enum Shape {
    Line(&'static str),
    Literal,
    Map(Vec<(&'static str, Shape, bool)>, usize),
    List(Vec<&'static str>),
}

const VALUES: [&str; 20] = [
    "on      # stays the word on",
    "NO",
    "1.10",
    "0o17",
    "'it''s # no comment'",
    "\"x: [y] \\u00e9 # no\"   # yes",
    "{a: 1, b: [c, \"d\"]}   # flow",
    "{ a: { b: 1 } , } # flow",
    "&mark { k: \"x: }\" }",
    "[ {a: 1}, \"]\" ]",
    "!!str 'a # b'",
    "{}",
    "[]",
    "",
    "~",
    "plain text: no",
    "https://x.example.test/mcp",
    "*shared",
    "!!str 1",
    "caf\u{e9}",
];

const KEYS: [&str; 8] = ["servers", "ours", "url", "other", "\"quoted key\"", "on", "caf\u{e9}", "a.b"];

impl Shape {
    fn write(&self, indent: usize, eol: &str, out: &mut String) {
        let pad = " ".repeat(indent);
        match self {
            Self::Line(text) => out.extend([" ", text, eol]),
            Self::Literal => out.extend([" |", eol, &pad, "  servers:", eol, &pad, "    ours: text", eol]),
            Self::List(items) => {
                out.push_str(eol);
                out.extend(items.iter().flat_map(|item| [&*pad, "- ", item, eol]));
            }
            Self::Map(members, step) => {
                out.push_str(eol);
                let inner = " ".repeat(indent + step);
                for (key, value, comment) in members {
                    if *comment {
                        out.extend([eol, &inner, "# ours: no", eol]);
                    }
                    out.extend([&*inner, key, ":"]);
                    value.write(indent + step, eol, out);
                }
            }
        }
    }
}

fn members(
    inner: impl Strategy<Value = Shape> + Clone,
) -> impl Strategy<Value = Vec<(&'static str, Shape, bool)>> {
    let keys = prop::sample::subsequence(KEYS.as_slice(), 0..5).prop_shuffle();
    (keys, prop::collection::vec((inner, prop::bool::weighted(0.2)), 5)).prop_map(|(keys, values)| {
        keys.into_iter().zip(values).map(|(key, (value, comment))| (key, value, comment)).collect()
    })
}

fn document() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => prop::sample::select(VALUES.as_slice()).prop_map(Shape::Line),
        1 => Just(Shape::Literal),
        1 => prop::collection::vec(prop::sample::select(["a", "'b'", "c: d", "{e: f}"].as_slice()), 1..3)
            .prop_map(Shape::List),
    ];
    let shape = leaf
        .prop_recursive(3, 20, 4, |inner| (members(inner), 1..5_usize).prop_map(|(m, s)| Shape::Map(m, s)));
    let start = prop::sample::select(["", "", "---\n", "# top\n", "shared: &shared {k: v}\n"].as_slice());
    (start, members(shape), any::<bool>(), any::<bool>()).prop_map(|(start, members, crlf, ended)| {
        let eol = if crlf { "\r\n" } else { "\n" };
        let mut text = String::new();
        Shape::Map(members, 0).write(0, eol, &mut text);
        let text = start.replace('\n', eol) + text.trim_start_matches(['\n', '\r']);
        if ended { text } else { text.trim_end_matches(['\n', '\r']).to_owned() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn only_our_entry_changes(text in document()) {
        property::any_text(text.as_bytes(), Dialect::Yaml);
    }

    #[test]
    fn any_key_and_any_text_can_be_placed(key in ".{0,12}", text in any::<String>(), document in document()) {
        let path = KeyPath::new("servers").join(key);
        let (one, two) = (json!({"k": text, "l": null}), json!({"k": [text, true], "m": {"n": 1.5}}));
        property::any_entry(document.as_bytes(), Dialect::Yaml, &path, &one, &two);
    }

    #[test]
    fn no_bytes_end_a_run(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        property::any_text(&bytes, Dialect::Yaml);
    }
}

fn place(text: &str) -> Result<String, EditError> {
    let path = KeyPath::new("s").join("o");
    let edit = upsert(text.as_bytes(), Dialect::Yaml, &path, &json!({"uri": "https://u", "envs": {}}), 0)?;
    Ok(String::from_utf8(edit.text).unwrap())
}

fn placed(text: &str) -> String {
    place(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn an_entry_stands_like_its_neighbours() {
    assert_eq!(placed(""), "s:\n  o:\n    uri: \"https://u\"\n    envs: {}\n");
    assert_eq!(
        placed("\u{feff} \n\n"),
        "\u{feff}s:\n  o:\n    uri: \"https://u\"\n    envs: {}\n",
        "a mark stays, white space goes and comes back"
    );
    property::any_text("\u{feff} \n\n".as_bytes(), Dialect::Yaml);
    assert_eq!(
        placed("# top\ns:\n    a: {x: 1}   # flow\n# end\n"),
        "# top\ns:\n    a: {x: 1}   # flow\n    o:\n        uri: \"https://u\"\n        envs: {}\n# end\n"
    );
    assert_eq!(placed("s: {a: 1,} # c"), "s: {a: 1, o: {uri: \"https://u\", envs: {}},} # c");
    assert_eq!(placed("a: 1\r\n"), "a: 1\r\ns:\r\n  o:\r\n    uri: \"https://u\"\r\n    envs: {}\r\n");
}

#[test]
fn flow_is_known_whatever_stands_by_its_brackets() {
    let ours = "o: {uri: \"https://u\", envs: {}}";
    assert_eq!(placed("s: { a: 1 } # c\n"), format!("s: {{ a: 1, {ours} }} # c\n"));
    assert_eq!(placed("s: {a: {b: 1 , }, }\n"), format!("s: {{a: {{b: 1 , }}, {ours}, }}\n"));
    assert_eq!(placed("s: {a: &x { b: 1 }}\n"), format!("s: {{a: &x {{ b: 1 }}, {ours}}}\n"));
    assert_eq!(placed("s: {a: !!str \"b: }\"}\n"), format!("s: {{a: !!str \"b: }}\", {ours}}}\n"));
    assert_eq!(
        placed("s:\n  a: &x { b: 1,\n    c: 2\n    } # c\n"),
        "s:\n  a: &x { b: 1,\n    c: 2\n    } # c\n  o:\n    uri: \"https://u\"\n    envs: {}\n"
    );
    assert_eq!(placed("s:\n  o: {x: 1} # theirs\n"), format!("s:\n  {ours} # theirs\n"), "a comment stays");
}

#[test]
fn a_comment_behind_our_entry_stays_when_it_goes() {
    let path = KeyPath::new("s").join("o");
    let before = "s: {a: 1 # one\n  } # all\n";
    let edit = upsert(before.as_bytes(), Dialect::Yaml, &path, &json!({"b": 1}), 0).unwrap();
    let edited = String::from_utf8(edit.text.clone()).unwrap();
    assert_eq!(edited, "s: {a: 1, o: {b: 1} # one\n  } # all\n");
    let back = remove(&edit.text, Dialect::Yaml, &path, &edit.undo, |_| true);
    assert!(back == Ok(Removal::Done(before.into())));
}

#[test]
fn a_list_stands_like_the_lists_of_its_neighbours() {
    let path = KeyPath::new("s").join("o");
    let place = |text: &str| {
        let edit = upsert(text.as_bytes(), Dialect::Yaml, &path, &json!({"args": ["x", "-y"]}), 0).unwrap();
        String::from_utf8(edit.text).unwrap()
    };
    let lines = "l: [1]\ns:\n  a:\n    args:\n    - x\n";
    assert_eq!(place(lines), format!("{lines}  o:\n    args:\n      - x\n      - \"-y\"\n"));
    let flow = "l:\n- 1\ns:\n  a:\n    args: [x]\n";
    assert_eq!(place(flow), format!("{flow}  o:\n    args: [x, \"-y\"]\n"));
}

#[test]
fn a_text_of_lines_gains_no_line_end() {
    let at = Position { line: 2, column: 3 };
    for text in ["s:\n  a: |\n    text", "s:\n  a:\n    b: >\n      text"] {
        assert_eq!(place(text), Err(EditError::NotSafe { obstacle: Obstacle::Layout, at }), "{text:?}");
        assert!(place(&format!("{text}\n")).is_ok(), "{text:?}");
    }
}

#[test]
fn what_others_use_too_is_refused_with_its_place() {
    let at = |line, column| Position { line, column };
    let not_safe = |obstacle, at| Err(EditError::NotSafe { obstacle, at });
    assert_eq!(place("x: &x {a: 1}\ns: *x\n"), not_safe(Obstacle::Alias, at(2, 4)));
    assert!(matches!(place("s: &x\n  a: 1\n"), Err(EditError::NotSafe { obstacle: Obstacle::Anchor, .. })));
    assert_eq!(place("x: &x {a: 1}\ns:\n  <<: *x\n  b: 1\n"), not_safe(Obstacle::Merge, at(3, 3)));
    assert_eq!(
        place("s:\n  a: 1\n  \"a\": Bearer t\n"),
        Err(EditError::DuplicateKey { key: "a".into(), first: at(2, 3), second: at(3, 3) })
    );
    let unclear = |at| not_safe(Obstacle::Unclear, at);
    assert_eq!(place("a: 1 # x\u{2028}s: 1\n"), unclear(at(1, 9)), "a line end in YAML 1.1");
    assert_eq!(place("a: 'x\u{85}'\n"), unclear(at(1, 6)));
    assert_eq!(place("a: 1\n---\nb: 1\n"), Err(EditError::TrailingData { at: at(2, 1) }));
    assert_eq!(place("[]"), Err(EditError::RootNotObject { found: JsonType::Array, at: at(1, 1) }));
    assert!(matches!(place("s:\n"), Err(EditError::NotObject { found: JsonType::Null, .. })));
    assert!(matches!(place("s:\n\t- a: 1\n"), Err(EditError::Syntax { at: Position { line: 2, .. }, .. })));
    assert!(matches!(place("s: \"Bearer t\n"), Err(EditError::Syntax { .. })));
    assert!(matches!(place(&"[".repeat(5000)), Err(EditError::TooDeep { .. } | EditError::Syntax { .. })));
}

#[test]
fn an_entry_goes_and_an_object_that_was_there_says_that_it_is_empty() {
    let path = KeyPath::new("s").join("o");
    let undo = hallpass_clients::Undo::without_record();
    let left = |text: &str| match remove(text.as_bytes(), Dialect::Yaml, &path, &undo, |_| true) {
        Ok(Removal::Done(left)) => String::from_utf8(left).unwrap(),
        Ok(_) | Err(_) => panic!("{text:?} is left as it is"),
    };
    assert_eq!(left("s:\n  a: 1\n  o:\n    b: 1\n  c: 1 # c\n"), "s:\n  a: 1\n  c: 1 # c\n");
    assert_eq!(left("s:\n  o:\n    b: 1\n"), "s:\n  {}\n");
    assert_eq!(left("s: {a: 1, o: {b: 1}}\n"), "s: {a: 1}\n");
    let whole = remove(b"o: 1\n...\n", Dialect::Yaml, &KeyPath::new("o"), &undo, |_| true);
    assert!(whole == Ok(Removal::Done(b"{}\n...\n".into())), "a document that ends has to begin");
    assert_eq!(left("s:\n  a: 1\n  o:\n    b: 1"), "s:\n  a: 1\n", "no blanks are left");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is asked")]
fn a_long_file_is_edited_in_a_moment() {
    let entries =
        (0..20_000).map(|n| format!("  s{n}:\n    url: https://x/{n} # c\n\n")).collect::<Vec<_>>().concat();
    let begun = Instant::now();
    let path = KeyPath::new("servers").join("ours");
    let text = format!("servers:\n{entries}");
    let edit = upsert(text.as_bytes(), Dialect::Yaml, &path, &property::entry("t"), 0).unwrap();
    assert!(matches!(read(&edit.text, Dialect::Yaml, &path), Ok(Found::Present(_))));
    assert!(begun.elapsed() < Duration::from_secs(5), "took {:?}", begun.elapsed());
}
