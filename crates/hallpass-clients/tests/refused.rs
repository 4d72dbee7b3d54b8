//! Files that must be left alone, each with the reason and the place.

use std::path::Path;

use hallpass_clients::{
    Dialect, EditError, JsonType, KeyPath, Obstacle, Position, SyntaxFault, read, upsert,
};
use serde_json::{Value, json};

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refused").join(name)).unwrap()
}

fn entry() -> KeyPath {
    KeyPath::new("mcpServers").join("hallpass")
}

fn at(line: usize, column: usize) -> Position {
    Position { line, column }
}

fn fault(fault: SyntaxFault, line: usize, column: usize) -> EditError {
    EditError::Syntax { fault, at: at(line, column) }
}

fn refusal(text: &[u8], dialect: Dialect, path: &KeyPath, value: &Value, must_exist: usize) -> EditError {
    match upsert(text, dialect, path, value, must_exist) {
        Err(error) => error,
        Ok(_) => panic!("{:?} was edited", String::from_utf8_lossy(text)),
    }
}

/// Refused in both dialects, and the words quote nothing of the values in the file.
fn check(what: &str, text: &[u8], expect: &EditError) {
    for dialect in [Dialect::Json, Dialect::Jsonc] {
        let error = refusal(text, dialect, &entry(), &json!({"command": "hallpass"}), 0);
        assert_eq!(&error, expect, "{what} as {dialect:?}");
        let words = format!("{error} {error:?}");
        assert!(
            !words.contains("hp_test") && !words.contains("Bearer") && !words.contains("example.test"),
            "{words}"
        );
    }
}

fn check_sample(name: &str, expect: &EditError) {
    check(name, &sample(name), expect);
}

#[test]
fn samples_with_an_odd_root() {
    let root = |found| EditError::RootNotObject { found, at: at(1, 1) };
    check_sample("array.json", &root(JsonType::Array));
    check_sample("null.json", &root(JsonType::Null));
    check_sample("string.json", &root(JsonType::String));
    check_sample("two-documents.json", &EditError::TrailingData { at: at(2, 1) });
}

#[test]
fn samples_with_an_odd_container() {
    let container = |found| EditError::NotObject { path: KeyPath::new("mcpServers"), found, at: at(1, 16) };
    check_sample("servers-null.json", &container(JsonType::Null));
    check_sample("servers-array.json", &container(JsonType::Array));
    check_sample("servers-string.json", &container(JsonType::String));
}

#[test]
fn samples_with_an_odd_entry() {
    let wanted = JsonType::Object;
    let entry = |found| EditError::OtherType { path: entry(), found, wanted, at: at(1, 29) };
    check_sample("entry-null.json", &entry(JsonType::Null));
    check_sample("entry-string.json", &entry(JsonType::String));
}

#[test]
fn an_array_of_headers_is_not_replaced_by_an_object_of_them() {
    let path = entry().join("headers").join("Authorization");
    let error = refusal(&sample("headers-array.json"), Dialect::Json, &path, &json!("Bearer new"), 2);
    let expect =
        EditError::NotObject { path: entry().join("headers"), found: JsonType::Array, at: at(1, 90) };
    assert_eq!(error, expect);
}

#[test]
fn samples_in_another_encoding() {
    check_sample("only-bom.json", &EditError::ByteOrderMark);
    check_sample("03-claude-desktop-bom-crlf.json", &EditError::ByteOrderMark);
    check_sample("nul-byte.json", &EditError::NulByte { at: at(1, 18) });
    for text in [b"{\0}\0".as_slice(), b"\0{\0}", b"\xFF\xFE{\0}\0", b"\xFE\xFF\0{\0}", b"{\0\0\0}\0\0\0"] {
        check("UTF-16 and UTF-32", text, &EditError::Utf16);
    }
    check("Latin-1", b"{\"a\":\n\"\xE9\"}", &EditError::NotUtf8 { at: at(2, 2) });
}

#[test]
fn samples_that_are_broken() {
    check_sample("13-truncated.json", &fault(SyntaxFault::UnterminatedString, 6, 37));
    check_sample("deep.json", &EditError::TooDeep { at: at(1, 321) });
    let (first, second) = (at(4, 5), at(5, 5));
    check_sample(
        "11-duplicate-keys.json",
        &EditError::DuplicateKey { key: "hallpass".into(), first, second },
    );
}

#[test]
fn keys_are_compared_decoded_and_at_any_depth() {
    let duplicate = |key: &str, first, second| EditError::DuplicateKey { key: key.into(), first, second };
    check(
        "escaped",
        br#"{"mcpServers":{},"mcp\u0053ervers":{}}"#,
        &duplicate("mcpServers", at(1, 2), at(1, 18)),
    );
    check("in an array", br#"{"x":[{"a":1,"a":1}]}"#, &duplicate("a", at(1, 8), at(1, 14)));
    check("far from ours", b"{\"x\":{\r\n\"\":1,\r\n\"\":2}}", &duplicate("", at(2, 1), at(3, 1)));
    check(
        "a pair of surrogates",
        "{\"😀\":1,\"\\ud83d\\ude00\":1}".as_bytes(),
        &duplicate("😀", at(1, 2), at(1, 8)),
    );
    let lone = duplicate("\u{FFFD}\u{FFFD}\u{FFFD}", at(1, 2), at(1, 14));
    check("a lone surrogate", br#"{"\ud800":1, "\uD800":1}"#, &lone);
}

#[test]
fn broken_syntax_is_named_with_its_place() {
    check("no value", b"{\"a\": }", &fault(SyntaxFault::ExpectedValue, 1, 7));
    check("a word", b"{\"a\": nul}", &fault(SyntaxFault::ExpectedValue, 1, 7));
    check("no quotes", b"{\n  a: 1}", &fault(SyntaxFault::ExpectedKey, 2, 3));
    check("no colon", b"{\"a\" 1}", &fault(SyntaxFault::ExpectedColon, 1, 6));
    check("no comma", b"{\"a\": 1 \"b\": 2}", &fault(SyntaxFault::ExpectedCommaOrEnd, 1, 9));
    check("no comma in an array", b"{\"a\": [1 2]}", &fault(SyntaxFault::ExpectedCommaOrEnd, 1, 10));
    check("two commas", b"{\"a\": [1,,2]}", &fault(SyntaxFault::ExpectedValue, 1, 10));
    check("only a comma", b"{,}", &fault(SyntaxFault::ExpectedKey, 1, 2));
    check("cut off", b"{\"a\": {\n", &fault(SyntaxFault::UnexpectedEnd, 2, 1));
    check("forgotten quote", b"{\"a\": \"x,\n\"b\": 1}", &fault(SyntaxFault::UnterminatedString, 1, 7));
    check("tab in a string", b"{\"a\": \"\t\"}", &fault(SyntaxFault::ControlCharacter, 1, 8));
    check("the last control character", b"{\"a\": \"\x1f\"}", &fault(SyntaxFault::ControlCharacter, 1, 8));
    check("unknown escape", b"{\"a\": \"\\x\"}", &fault(SyntaxFault::BadEscape, 1, 8));
    check("short escape", b"{\"a\": \"\\u12\"}", &fault(SyntaxFault::BadEscape, 1, 8));
    check("half a number", b"{\"a\": -}", &fault(SyntaxFault::BadNumber, 1, 7));
    check("columns are characters", "{\"é😀\" 1}".as_bytes(), &fault(SyntaxFault::ExpectedColon, 1, 7));
    check("a lone CR ends a line", b"{\r\"a\"\r\n1}", &fault(SyntaxFault::ExpectedColon, 3, 1));
}

#[test]
fn strict_json_has_no_comments_and_no_trailing_commas() {
    let check = |text: &[u8], expect| {
        assert_eq!(refusal(text, Dialect::Json, &entry(), &json!({}), 0), expect);
        assert!(upsert(text, Dialect::Jsonc, &entry(), &json!({}), 0).is_ok(), "JSONC has them");
    };
    check(b"{} // x", fault(SyntaxFault::CommentNotAllowed, 1, 4));
    check(b"/**/", fault(SyntaxFault::CommentNotAllowed, 1, 1));
    check(b"{\"a\": 1,}", fault(SyntaxFault::TrailingComma, 1, 8));
    check(b"{\"a\": [1, ]}", fault(SyntaxFault::TrailingComma, 1, 9));
    let open = refusal(b"{} /* x", Dialect::Jsonc, &entry(), &json!({}), 0);
    assert_eq!(open, fault(SyntaxFault::UnterminatedComment, 1, 4));
}

#[test]
fn a_comment_that_only_some_readers_end_is_refused() {
    let unclear = |at| EditError::NotSafe { obstacle: Obstacle::Unclear, at };
    let check = |text: &str, at| {
        assert_eq!(
            refusal(text.as_bytes(), Dialect::Jsonc, &entry(), &json!({}), 0),
            unclear(at),
            "{text:?}"
        );
    };
    check("{ // x\r\"a\": 1 }", at(1, 7));
    check("{\n// x\u{2028}\"a\": 1\n}", at(2, 5));
    for text in ["{ // x\r\n\"a\": 1 }", "{ /* x\r\u{2029} */ \"a\": \"//\u{2028}\" }", "{\r\"a\": 1 // x\n}"]
    {
        assert!(upsert(text.as_bytes(), Dialect::Jsonc, &entry(), &json!({}), 0).is_ok(), "{text:?}");
    }
}

#[test]
fn the_limits_are_where_they_are_said_to_be() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(upsert(nested(64).as_bytes(), Dialect::Json, &entry(), &json!({}), 0).is_ok());
    check("65 levels", nested(65).as_bytes(), &EditError::TooDeep { at: at(1, 69) });
    let long = |len: usize| format!("{{}}{}", " ".repeat(len - 2)).into_bytes();
    check("a byte too many", &long(8 * 1024 * 1024 + 1), &EditError::TooLarge { bytes: 8 * 1024 * 1024 + 1 });
    assert!(read(&long(8 * 1024 * 1024), Dialect::Json, &entry()).is_ok());
    let grown = refusal(&long(8 * 1024 * 1024), Dialect::Json, &entry(), &json!({}), 0);
    assert!(matches!(grown, EditError::TooLarge { .. }), "{grown}");
}

#[test]
fn what_has_to_exist_is_named_with_its_neighbours() {
    let path = entry().join("env").join("T");
    let refuse = |text: &[u8]| refusal(text, Dialect::Json, &path, &json!("t"), 2);
    let missing = |path, siblings: &[&str]| EditError::MissingEntry {
        path,
        siblings: siblings.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(refuse(b""), missing(KeyPath::new("mcpServers"), &[]));
    assert_eq!(refuse(br#"{"servers": {}}"#), missing(KeyPath::new("mcpServers"), &["servers"]));
    let error = refuse(br#"{"mcpServers": {"b": {}, "a\u001b[2J": {}}}"#);
    assert_eq!(error, missing(entry(), &["b", "a\u{1b}[2J"]));
    assert_eq!(error.to_string(), r"there is no `mcpServers.hallpass` (entries there: `b`, `a\u{1b}[2J`)");
}
