//! Generated environment files, and what is refused in them.

use hallpass_clients::{
    Absent, Dialect, EditError, Found, JsonType, KeyPath, Obstacle, Position, Removal, SyntaxFault, Undo,
    read, remove, upsert, upsert_item,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::property;

const LINES: [&str; 34] = [
    "",
    "   ",
    "# it's \"closed\"",
    "#ours=1",
    "# ends in \\",
    "A=1",
    "export B = two words # why",
    "C=\"x # y\"",
    "D='$HOME'",
    "E=a\\",
    "F=\"one",
    "two\"",
    "G='x' # why",
    "H=it's",
    "I=`date`",
    "J='\"",
    "ours=",
    "ours=old",
    "export ours=old",
    "\texport\tours = 'old # 1' # 2",
    "ours=\"old\"",
    "ours=$OLD",
    "ours=a b",
    "ours=\"one",
    "ours:old",
    "ours+=old",
    "export ours",
    "ours",
    "ours.x=1",
    "OURS=1",
    "\"ours\"=1",
    "\u{a0}ours=1",
    "servers=1",
    "caf\u{e9}=\u{1F600}",
];

fn document() -> impl Strategy<Value = String> {
    let end = prop::sample::select(["\n", "\n", "\n", "\r\n", "\r\n", "\r"].as_slice());
    let line = (prop::sample::select(LINES.as_slice()), end);
    (prop::collection::vec(line, 0..7), any::<bool>()).prop_map(|(lines, ended)| {
        let text: String = lines.iter().flat_map(|(line, end)| [*line, *end]).collect();
        if ended { text } else { text.trim_end_matches(['\n', '\r']).to_owned() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]

    #[test]
    fn only_our_line_changes(text in document()) {
        property::any_text(text.as_bytes(), Dialect::Env);
    }

    #[test]
    fn any_token_can_be_placed(name in "[A-Za-z_][A-Za-z0-9_]{0,8}", token in "[A-Za-z0-9._+/=-][A-Za-z0-9._~+/=-]{0,40}", text in document()) {
        property::any_entry(text.as_bytes(), Dialect::Env, &KeyPath::new(name), &json!(token), &json!("two"));
    }

    #[test]
    fn no_bytes_end_a_run(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        property::any_text(&bytes, Dialect::Env);
    }

    /// The other lines as somebody reads them who splits at line feeds and knows nothing else.
    #[test]
    fn every_other_line_is_as_it_was(text in document()) {
        let Ok(edit) = upsert(text.as_bytes(), Dialect::Env, &ours(), &json!("T"), 0) else { return Ok(()) };
        let edited = String::from_utf8(edit.text).unwrap();
        let others = |text: &str| -> Vec<String> {
            let lines = text.split('\n').map(|line| line.trim_end_matches('\r').to_owned());
            lines.filter(|line| !line.is_empty() && !is_set_here(line)).collect()
        };
        prop_assert_eq!(others(&text), others(&edited));
        prop_assert_eq!(edited.split('\n').filter(|line| is_set_here(line)).count(), 1);
    }
}

fn is_set_here(line: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("export").map_or(line, str::trim_start);
    line.strip_prefix("ours").is_some_and(|rest| rest.trim_start().starts_with('='))
}

fn ours() -> KeyPath {
    KeyPath::new("ours")
}

fn put(text: &str, value: &Value) -> Result<String, EditError> {
    upsert(text.as_bytes(), Dialect::Env, &ours(), value, 0).map(|edit| String::from_utf8(edit.text).unwrap())
}

fn at(line: usize, column: usize) -> Position {
    Position { line, column }
}

fn check_refused(what: &str, text: &str, line: usize, column: usize) {
    let expect = EditError::NotSafe { obstacle: Obstacle::Unclear, at: at(line, column) };
    assert_eq!(put(text, &json!("T")), Err(expect), "{what}");
}

#[test]
fn a_value_that_programs_read_differently_is_refused() {
    for value in ["$OLD", "a$b", "'$OLD'", "\"${OLD}\"", "a\\", "\"a\\\"b\"", "`x`", "'a`b'"] {
        check_refused("expanded or escaped", &format!("A=1\nours={value}\nB=2\n"), 2, 6);
    }
    for value in
        ["a b", "a; export ours", "a&b", "a|b", "a#b", "#", "it's'", "'a'b", "\"a\"\"b\"", "'a'#b", "(a)"]
    {
        check_refused("bare", &format!("  export ours={value}"), 1, 15);
    }
    check_refused("on several lines", "ours=\"a\nb\"\n", 1, 6);
    check_refused("continued", "ours=a\\\nA=1\n", 1, 6);
}

#[test]
fn a_line_that_only_some_programs_take_for_ours_is_refused() {
    check_refused("in a value of several lines", "A='\nours=x\n'\n", 2, 1);
    check_refused("behind a continued line", "A=1 \\\nours=x\n", 2, 1);
    check_refused("behind a continued comment", "# C:\\\nours=x\n", 2, 1);
    check_refused("an unfinished last line", "A=1\nB=2\\", 2, 4);
    check_refused("an unfinished last line", "A=1\\\n", 1, 4);
    check_refused("another separator", "A=1\nours: x\n", 2, 1);
    check_refused("appended to", "ours+=x", 1, 1);
    check_refused("no value", "ours\n", 1, 1);
    check_refused("a quoted name", "'ours'=x\n", 1, 1);
    check_refused("an odd blank", "\u{a0}ours=x\n", 1, 1);
    check_refused("behind a lone carriage return", "A=1\rours=x\n", 2, 1);
    check_refused("in front of one", "ours=x\rA=1\n", 1, 1);
    check_refused("a quote that ends in the middle of a line", "A=\"x\nB=\"y\"\n", 1, 3);
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let refused = |text: &[u8]| upsert(text, Dialect::Env, &ours(), &json!("T"), 0).err();
    let twice = EditError::DuplicateKey { key: "ours".into(), first: at(1, 1), second: at(3, 1) };
    assert_eq!(refused(b"ours=a\n\nexport ours=b\n"), Some(twice));
    let open = EditError::Syntax { fault: SyntaxFault::UnterminatedString, at: at(2, 3) };
    assert_eq!(refused(b"A=1\nB='x\nC=2\n"), Some(open));
    assert_eq!(refused(b"A=\0\n"), Some(EditError::NulByte { at: at(1, 3) }));
    assert_eq!(refused(b"A=1\n\xE9=2\n"), Some(EditError::NotUtf8 { at: at(2, 1) }));
    assert_eq!(refused(b"\xFF\xFEA\0=\0"), Some(EditError::Utf16));
    assert_eq!(refused(b"\xEF\xBB\xBFA=1\n"), Some(EditError::ByteOrderMark));
    assert!(
        read(b"ours=$A\n", Dialect::Env, &ours())
            .is_err_and(|error| error == EditError::NotSafe { obstacle: Obstacle::Unclear, at: at(1, 6) })
    );
}

#[test]
fn only_a_token_is_written_and_only_under_a_name() {
    let no_such_value = |at| EditError::NotSafe { obstacle: Obstacle::NoSuchValue, at };
    for text in ["", "a b", "a\nB=1", "$(id)", "a#b", "\"a\"", "a\\", "~root", "caf\u{e9}", "a;b"] {
        assert_eq!(put("A=1\n", &json!(text)), Err(no_such_value(at(2, 1))), "{text:?}");
        assert_eq!(put("A=1\nours=old\n", &json!(text)), Err(no_such_value(at(2, 6))), "{text:?}");
    }
    let other = EditError::OtherType {
        path: ours(),
        found: JsonType::String,
        wanted: JsonType::Object,
        at: at(1, 6),
    };
    assert_eq!(put("ours=old", &json!({})), Err(other));
    assert_eq!(put("", &json!(1)), Err(no_such_value(at(1, 1))));
    for path in [KeyPath::new("a b"), KeyPath::new("1A"), KeyPath::new(""), ours().join("x")] {
        let refused = upsert(b"A=1\n", Dialect::Env, &path, &json!("T"), 0).err();
        assert_eq!(refused, Some(no_such_value(at(1, 1))), "{path}");
    }
    let list = upsert_item(b"", Dialect::Env, &ours(), "id", &json!("T")).err();
    assert_eq!(list, Some(EditError::NotSafe { obstacle: Obstacle::Layout, at: at(1, 1) }));
}

#[test]
fn reading_tells_the_value_or_the_variables_that_are_there() {
    let found = |text: &str| read(text.as_bytes(), Dialect::Env, &ours()).unwrap_or_else(|e| panic!("{e}"));
    let Found::Present(there) = found("export ours='a # b' # c\n") else { panic!("it is there") };
    assert_eq!((there.value, &*there.raw), (Some(json!("a # b")), "'a # b'"));
    let siblings = ["A", "B.c"].map(str::to_owned).to_vec();
    assert!(
        found("A=1\n# x=1\nexport B.c=\"\nD=1\n\"\nnothing\n")
            == Found::Absent(Absent { depth: 0, siblings })
    );
    let missing = upsert(b"A=1\n", Dialect::Env, &ours(), &json!("T"), 1).err();
    assert_eq!(missing, Some(EditError::MissingEntry { path: ours(), siblings: vec!["A".into()] }));
}

#[test]
fn taking_back_leaves_what_came_later() {
    let edit = upsert(b"A=1", Dialect::Env, &ours(), &json!("T"), 0).unwrap_or_else(|e| panic!("{e}"));
    let take = |text: &str, undo: &Undo| remove(text.as_bytes(), Dialect::Env, &ours(), undo, |v| v == "T");
    let left = |text: &str, undo: &Undo| match take(text, undo) {
        Ok(Removal::Done(left)) => String::from_utf8(left).unwrap(),
        Ok(Removal::Nothing | Removal::Foreign { .. }) | Err(_) => panic!("{text:?} is left as it is"),
    };
    assert_eq!(left("A=1\nours=T", &edit.undo), "A=1");
    assert_eq!(left("A=1\nours=T\nB=2\n", &edit.undo), "A=1\nB=2\n");
    assert_eq!(left("A=1\n# said\nexport ours = 'T' # ours\nB=2\n", &edit.undo), "A=1\n# said\nB=2\n");
    assert_eq!(left("A=1\nours=T\n", &Undo::without_record()), "A=1\n");
    let replaced = upsert(b"ours='old' # c\n", Dialect::Env, &ours(), &json!("T"), 0);
    let undo = replaced.unwrap_or_else(|e| panic!("{e}")).undo;
    assert_eq!(left("B=2\nours='T' # c\n", &undo), "B=2\nours='old' # c\n");
    assert!(take("A=1\n", &undo) == Ok(Removal::Nothing));
    for text in ["A=1\nours=theirs\n", "A=1\nours=$T\n"] {
        assert!(take(text, &undo) == Ok(Removal::Foreign { at: at(2, 6) }), "{text}");
    }
    let greedy =
        r#"{"kind":"added","prefix":"X=1\nours=","suffix":"\n","comma":false,"created":0,"blank":null}"#;
    let undo: Undo = serde_json::from_str(greedy).unwrap();
    assert_eq!(left("X=1\nours=T\n", &undo), "X=1\n", "an undo of another edit takes no line of others");
}
