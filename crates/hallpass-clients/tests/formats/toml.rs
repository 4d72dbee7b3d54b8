//! Generated TOML.

use std::time::{Duration, Instant};

use hallpass_clients::{
    Dialect, EditError, Found, KeyPath, Obstacle, Position, Removal, read, remove, upsert,
};
use proptest::prelude::*;
use serde_json::json;

use crate::property;

const LINES: [&str; 26] = [
    "",
    "# it isn't \"closed\" [servers.ours]",
    "  # indented",
    "a = 1",
    "b.c = 1.50",
    "\"d.e\" = 'x # y' # said",
    "date = 1979-05-27T07:32:00Z",
    "hex = 0xDEAD_beef",
    "list = [\n  1, # one\n  2,\n]",
    "text = \"\"\"\n[servers.ours]\nurl = 1\n\"\"\"",
    "inline = { x = 1, y = { z = [] } }",
    "servers.dotted.url = 'u'",
    "servers = {}",
    "servers = { other = { url = 'u' } }",
    "servers.ours = { url = 'u' }",
    "[servers]",
    "[ servers . other ] # spaces",
    "[servers.\"a.b\"]",
    "[servers.ours]",
    "  [servers.ours.http_headers]",
    "url = 'old'",
    "Authorization = \"Bearer x\"",
    "[[items]]",
    "[items.sub]",
    "[projects.\"/home/[servers.ours]\"]",
    "key = 1e-7",
];

fn document() -> impl Strategy<Value = String> {
    let line =
        (prop::sample::select(LINES.as_slice()), prop::sample::select(["\n", "\n", "\r\n"].as_slice()));
    (prop::collection::vec(line, 0..9), any::<bool>()).prop_map(|(lines, ended)| {
        let text: String = lines.iter().map(|(line, eol)| line.replace('\n', eol) + eol).collect();
        if ended { text } else { text.trim_end_matches(['\n', '\r']).to_owned() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn only_our_entry_changes(text in document()) {
        property::any_text(text.as_bytes(), Dialect::Toml);
    }

    #[test]
    fn any_key_and_any_text_can_be_placed(key in ".{0,12}", text in any::<String>(), document in document()) {
        let path = KeyPath::new("servers").join(key);
        property::any_entry(document.as_bytes(), Dialect::Toml, &path, &json!({"k": text}), &json!({"k": "", "l": [1.5]}));
    }

    #[test]
    fn no_bytes_end_a_run(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        property::any_text(&bytes, Dialect::Toml);
    }
}

#[test]
fn a_token_is_rotated_within_its_string() {
    let before = "[s.ours] # ours\nurl = \"u\"\n  [s.ours.http_headers]\n  \"Authorization\" = \"old\"   # <- the token\n";
    let path = KeyPath::new("s").join("ours").join("http_headers").join("Authorization");
    let edit = upsert(before.as_bytes(), Dialect::Toml, &path, &json!("new"), 3).unwrap();
    assert_eq!(String::from_utf8(edit.text).unwrap(), before.replace("\"old\"", "\"new\""));
}

#[test]
fn a_section_goes_with_its_own_and_leaves_the_comments_of_its_neighbours() {
    let text = "# one\n[s.one]\na = 1\n\n[s.ours]\nurl = 1\n# within\n[s.ours.tools.x]\nb = 2 # b\n\n# two\n[s.two]\n";
    let path = KeyPath::new("s").join("ours");
    let undo = hallpass_clients::Undo::without_record();
    let Ok(Removal::Done(left)) = remove(text.as_bytes(), Dialect::Toml, &path, &undo, |_| true) else {
        panic!("not removed")
    };
    assert_eq!(String::from_utf8(left).unwrap(), "# one\n[s.one]\na = 1\n\n# two\n[s.two]\n");
}

#[test]
fn the_last_section_goes_with_the_empty_line_before_it() {
    let path = KeyPath::new("s").join("ours");
    let undo = hallpass_clients::Undo::without_record();
    let left = |text: &str| match remove(text.as_bytes(), Dialect::Toml, &path, &undo, |_| true) {
        Ok(Removal::Done(left)) => String::from_utf8(left).unwrap(),
        Ok(_) | Err(_) => panic!("{text:?} is left as it is"),
    };
    assert_eq!(left("[t]\na = 1\n\n[s.ours]\nurl = 1\n"), "[t]\na = 1\n");
    assert_eq!(left("[t]\r\na = 1\r\n[s.ours]\r\nurl = 1\r\n\r\n[u]\r\n"), "[t]\r\na = 1\r\n\r\n[u]\r\n");
}

#[test]
fn a_new_section_comes_last_and_keeps_the_end_of_the_file() {
    let place = |text: &str| {
        let path = KeyPath::new("s").join("o");
        let edit = upsert(text.as_bytes(), Dialect::Toml, &path, &json!({"url": "u"}), 0).unwrap();
        String::from_utf8(edit.text).unwrap()
    };
    assert_eq!(place(""), "[s.o]\nurl = \"u\"\n");
    assert_eq!(place("a = 1"), "a = 1\n\n[s.o]\nurl = \"u\"");
    assert_eq!(place("a = 1\r\n"), "a = 1\r\n\r\n[s.o]\r\nurl = \"u\"\r\n");
    assert_eq!(place("\u{feff}a = 1\n"), "\u{feff}a = 1\n\n[s.o]\nurl = \"u\"\n", "a byte order mark stays");
}

#[test]
fn what_cannot_be_read_or_kept_is_refused_with_its_place() {
    let refusal = |text: &str| {
        let path = KeyPath::new("s").join("o");
        match upsert(text.as_bytes(), Dialect::Toml, &path, &json!({"url": "u"}), 0) {
            Err(error) => error,
            Ok(_) => panic!("{text:?} was edited"),
        }
    };
    let at = |line, column| Position { line, column };
    assert_eq!(
        refusal("[s.a]\nx = 1\nx = 'Bearer t'\n"),
        EditError::DuplicateKey { key: "x".into(), first: at(2, 1), second: at(3, 1) }
    );
    assert!(matches!(
        refusal("[s.a]\nx = \"Bearer t\n"),
        EditError::Syntax { at: Position { line: 2, .. }, .. }
    ));
    assert!(matches!(refusal("s = 1\n"), EditError::NotObject { at: Position { line: 1, column: 5 }, .. }));
    assert!(matches!(
        refusal("[[s]]\na = 1\n"),
        EditError::NotObject { at: Position { line: 1, column: 1 }, .. }
    ));
    assert!(matches!(refusal("a = \"\0\"\n"), EditError::NulByte { .. }));
    assert!(matches!(
        refusal(&format!("a = {}", "[".repeat(5000))),
        EditError::Syntax { .. } | EditError::TooDeep { .. }
    ));
    assert!(matches!(refusal(&format!("a{} = 1", ".a".repeat(5000))), EditError::TooDeep { .. }));
    let null = upsert(b"", Dialect::Toml, &KeyPath::new("s"), &json!(null), 0);
    assert!(matches!(null.err(), Some(EditError::NotSafe { obstacle: Obstacle::NoSuchValue, .. })));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is asked")]
fn a_long_file_is_edited_in_a_moment() {
    let sections = (0..20_000)
        .map(|n| format!("[servers.s{n}]\nurl = \"https://x/{n}\" # c\n\n"))
        .collect::<Vec<_>>()
        .concat();
    let begun = Instant::now();
    let path = KeyPath::new("servers").join("ours");
    let edit = upsert(sections.as_bytes(), Dialect::Toml, &path, &property::entry("t"), 0).unwrap();
    assert!(matches!(read(&edit.text, Dialect::Toml, &path), Ok(Found::Present(_))));
    assert!(begun.elapsed() < Duration::from_secs(5), "took {:?}", begun.elapsed());
}
