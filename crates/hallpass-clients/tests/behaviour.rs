//! What the functions promise, one by one.

use hallpass_clients::{
    Absent, Dialect, Edit, EditError, Found, KeyPath, Present, Removal, Undo, read, remove, upsert,
};
use serde_json::{Value, json};

const TOKEN: &str = "eyJraWQiOiJocC-our-token";

fn path(keys: &[&str]) -> KeyPath {
    KeyPath::try_from(keys.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

fn put(text: &str, keys: &[&str], value: &Value) -> Edit {
    upsert(text.as_bytes(), Dialect::Jsonc, &path(keys), value, 0)
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn text(edit: &Edit) -> &str {
    str::from_utf8(&edit.text).unwrap()
}

fn take(text: &str, keys: &[&str], undo: &Undo, ours: &Value) -> Removal {
    remove(text.as_bytes(), Dialect::Jsonc, &path(keys), undo, |value| value == ours).unwrap()
}

fn check_put(what: &str, before: &str, keys: &[&str], after: &str) {
    let edit = put(before, keys, &json!("T"));
    assert_eq!(text(&edit), after, "{what}");
    assert!(take(after, keys, &edit.undo, &json!("T")) == Removal::Done(before.into()), "{what}: comes back");
}

#[test]
fn a_new_member_looks_like_its_neighbours() {
    check_put("one line", r#"{ "a": 1, "b": 2 }"#, &["k"], r#"{ "a": 1, "b": 2, "k": "T" }"#);
    check_put("no blanks", r#"{"a":1}"#, &["k"], r#"{"a":1,"k":"T"}"#);
    check_put("no blanks, nested", r#"{"a":1}"#, &["k", "l"], r#"{"a":1,"k":{"l":"T"}}"#);
    check_put("blanks around the colon", r#"{ "a" : 1 }"#, &["k"], r#"{ "a" : 1, "k" : "T" }"#);
    check_put("value on the next line", "{ \"a\":\n1 }", &["k"], "{ \"a\":\n1, \"k\": \"T\" }");
    check_put("comma after a comment", "{ \"a\": 1 /*x*/ , }", &["k"], "{ \"a\": 1 /*x*/ , \"k\": \"T\", }");
    check_put("block comment", "{\"a\": 1 /*x*/}", &["k"], "{\"a\": 1, /*x*/ \"k\": \"T\"}");
    check_put("line comment", "{\"a\": 1 //x,\n}", &["k"], "{\"a\": 1, //x,\n  \"k\": \"T\"\n}");
    let nested = "{ \"a\": {\n\t\"b\": 1\n}, \"c\": 2 // x\n}";
    check_put("the file's own indent", nested, &["k"], &nested.replace("2 // x", "2, // x\n\t\"k\": \"T\""));
    check_put("trailing comma", "{\n\t\"a\": 1,\n}", &["k"], "{\n\t\"a\": 1,\n\t\"k\": \"T\",\n}");
    check_put("CRLF", "{\r\n \"a\": 1\r\n}\r\n", &["k"], "{\r\n \"a\": 1,\r\n \"k\": \"T\"\r\n}\r\n");
    check_put("CR", "{\r \"a\": 1\r}\r", &["k"], "{\r \"a\": 1,\r \"k\": \"T\"\r}\r");
    check_put("brace on the last line", "{\n  \"a\": 1 }", &["k"], "{\n  \"a\": 1,\n  \"k\": \"T\" }");
}

#[test]
fn a_mixed_file_keeps_the_line_ends_of_each_part() {
    let before = "{\r\n  \"a\": {\n    \"x\": 1\n  }\r\n}\r\n";
    check_put(
        "LF inside",
        before,
        &["a", "k"],
        "{\r\n  \"a\": {\n    \"x\": 1,\n    \"k\": \"T\"\n  }\r\n}\r\n",
    );
    check_put("CRLF outside, first line", "{\r\n}\n", &["k"], "{\r\n  \"k\": \"T\"\r\n}\n");
}

#[test]
fn an_empty_object_is_opened() {
    check_put("root", "{}", &["k"], "{\n  \"k\": \"T\"\n}");
    check_put("on a line of its own", "{\n \"e\": {}\n}", &["e", "k"], "{\n \"e\": {\n  \"k\": \"T\"\n }\n}");
    check_put(
        "among others on a line",
        "{ \"e\": { }, \"f\": 1 }",
        &["e", "k"],
        "{ \"e\": { \"k\": \"T\" }, \"f\": 1 }",
    );
    check_put("open already", "{\n\n}", &["k"], "{\n  \"k\": \"T\"\n\n}");
    check_put("comment on its line", "{ // x\n}", &["k"], "{ // x\n  \"k\": \"T\"\n}");
    check_put("comment between", "{ /* x */ }", &["k"], "{ /* x */ \n  \"k\": \"T\"\n}");
    check_put("commented line", "{\n    // x\n}", &["k"], "{\n    // x\n    \"k\": \"T\"\n}");
}

#[test]
fn a_text_without_a_document_gets_one() {
    check_put("empty", "", &["m", "k"], "{\n  \"m\": {\n    \"k\": \"T\"\n  }\n}\n");
    check_put("white space goes and comes back", " \r\n\t", &["k"], "{\n  \"k\": \"T\"\n}\n");
    check_put(
        "comments stay in front",
        "// a\r\n/* b */",
        &["k"],
        "// a\r\n/* b */\r\n{\r\n  \"k\": \"T\"\r\n}\r\n",
    );
}

#[test]
fn replacing_touches_the_value_alone() {
    let before = "{ \"a\" : /* was */ \"\" /* empty */, \"b\": 1e5 }";
    check_put("string", before, &["a"], "{ \"a\" : /* was */ \"T\" /* empty */, \"b\": 1e5 }");
}

#[test]
fn an_equal_value_is_left_as_it_is_spelled() {
    let before = r#"{"a": {"y": [1.5, "\u0074"], /* c */ "x": null}}"#;
    let edit = put(before, &["a"], &json!({"x": null, "y": [1.5, "t"]}));
    assert!(!edit.changed && text(&edit) == before);
    assert!(take(before, &["a"], &edit.undo, &json!({"x": null, "y": [1.5, "t"]})) == Removal::Nothing);
}

#[test]
fn what_stays_keeps_its_spelling() {
    let twins = "\"caf\u{e9}\": -0, \"cafe\u{301}\": 1e999";
    let odd = [r#"{"__proto__": 1.0E+2, "": "\/\ud800\u00E9", "constructor": {"x": []}, "#, twins].concat();
    let edit = put(&format!("{odd}}}"), &["k"], &json!("T"));
    assert_eq!(text(&edit), format!("{odd}, \"k\": \"T\"}}"));
}

#[test]
fn new_text_is_escaped_where_json_asks_for_it_and_nowhere_else() {
    let edit = put("{}", &["a\"\n"], &json!("C:\\é/\u{7f}\u{1}\""));
    assert_eq!(text(&edit), "{\n  \"a\\\"\\n\": \"C:\\\\é/\u{7f}\\u0001\\\"\"\n}");
}

#[test]
fn reading_tells_what_is_there_or_what_is_there_instead() {
    let text = br#"{"m": {"e": {"v": "\u0074" }, "f\ud800": 1}}"#;
    let read = |keys: &[&str]| read(text, Dialect::Json, &path(keys)).unwrap();
    let present = Present { value: Some(json!("t")), raw: r#""\u0074""#.into() };
    assert!(read(&["m", "e", "v"]) == Found::Present(present));
    let siblings = vec!["e".into(), "f\u{FFFD}\u{FFFD}\u{FFFD}".into()];
    assert!(read(&["m", "x", "v"]) == Found::Absent(Absent { depth: 1, siblings }));
    assert!(read(&["M"]) == Found::Absent(Absent { depth: 0, siblings: vec!["m".into()] }));
    let Found::Present(whole) = read(&["m"]) else { panic!("it is there") };
    assert_eq!(whole.value, None, "a lone surrogate fits in no string of ours");
}

#[test]
fn removing_after_a_rotation_gives_back_the_first_bytes() {
    let before = "{\n  \"a\": 1 // last\n}\n";
    let first = put(before, &["e", "k"], &json!(TOKEN));
    let second = put(text(&first), &["e", "k"], &json!("a longer token of ours, much longer"));
    assert!(second.changed);
    let ours = json!("a longer token of ours, much longer");
    assert!(take(text(&second), &["e", "k"], &first.undo, &ours) == Removal::Done(before.into()));
}

#[test]
fn removing_gives_back_what_was_replaced() {
    let before = "{\"a\": {\"x\": 1.0 /* theirs */}, \"b\": 2}";
    let edit = put(before, &["a"], &json!({"ours": 1}));
    let moved = text(&edit).replace("\"b\": 2", "\"b\": 3, \"c\": 4");
    let expect = "{\"a\": {\"x\": 1.0 /* theirs */}, \"b\": 3, \"c\": 4}";
    assert!(take(&moved, &["a"], &edit.undo, &json!({"ours": 1})) == Removal::Done(expect.into()));
}

/// Our edit in `before` was followed by a person's, which made `now`; taking ours back makes `after`.
fn check_cut(what: &str, before: &str, keys: &[&str], now: &str, after: &str) {
    let edit = put(before, keys, &json!("T"));
    match take(now, keys, &edit.undo, &json!("T")) {
        Removal::Done(text) => assert_eq!(String::from_utf8(text).unwrap(), after, "{what}"),
        Removal::Nothing | Removal::Foreign { .. } => panic!("{what}: not removed"),
    }
}

#[test]
fn removing_after_other_edits_takes_our_member_alone() {
    let one = "{\n  \"a\": 1\n}\n";
    check_cut("reformatted", one, &["k"], "{\"a\":1,\"k\":\"T\"}", "{\"a\":1}");
    check_cut("reindented", one, &["k"], "{\n\t\"a\": 1,\n\t\"k\": \"T\"\n}", "{\n\t\"a\": 1\n}");
    check_cut("sorted", "{\"z\": 1}", &["k"], "{\"k\": \"T\", \"z\": 1}", "{\"z\": 1}");
    check_cut("sorted lines", one, &["k"], "{\n  \"k\": \"T\",\n  \"z\": 1\n}", "{\n  \"z\": 1\n}");
    check_cut("comment", one, &["k"], "{\n  \"k\": \"T\", // x\n  \"z\": 1\n}", "{\n  // x\n  \"z\": 1\n}");
    check_cut(
        "comment first",
        one,
        &["k"],
        "{\n  \"k\": \"T\" /* x */ ,\n  \"z\": 1\n}",
        "{\n  /* x */ \n  \"z\": 1\n}",
    );
    check_cut("only ours left", one, &["k"], "{\n  \"k\": \"T\"\n}\n", "{}\n");
    let commented = "{\n  \"a\": 1, // x\n  \"k\": \"T\",\n  \"b\": 2\n}";
    check_cut("one added behind", one, &["k"], commented, "{\n  \"a\": 1, // x\n  \"b\": 2\n}");
}

#[test]
fn objects_that_we_made_go_when_they_are_empty() {
    let one = "{\n  \"a\": 1\n}\n";
    check_cut("alone", one, &["e", "k"], "{\"a\":1,\"e\":{\"k\":\"T\"}}", "{\"a\":1}");
    check_cut(
        "shared",
        one,
        &["e", "k"],
        "{\"a\":1,\"e\":{\"k\":\"T\",\"l\":1}}",
        "{\"a\":1,\"e\":{\"l\":1}}",
    );
    check_cut("commented", one, &["e", "k"], "{\"e\":{/*x*/\"k\":\"T\"}}", "{\"e\":{/*x*/}}");
    check_cut("theirs", "{\"e\":{}}", &["e", "k"], "{ \"e\": { \"k\" : \"T\" } }", "{ \"e\": {} }");
    check_cut("the whole document", "", &["e", "k"], "{ \"e\": { \"k\": \"T\" } }", "{}");
}

#[test]
fn an_entry_whose_record_is_lost_can_be_taken_out() {
    let done =
        take("{\n  \"e\": {\n    \"k\": \"T\"\n  }\n}", &["e", "k"], &Undo::without_record(), &json!("T"));
    assert!(done == Removal::Done("{\n  \"e\": {}\n}".into()));
}

#[test]
fn what_is_gone_or_foreign_is_left_alone() {
    let undo = put("{}", &["e", "k"], &json!("T")).undo;
    for text in ["", "// x", "{}", "{\"e\": {}}", "{\"e\": null}", "[]", "{\"e\": [\"k\"]}"] {
        assert!(take(text, &["e", "k"], &undo, &json!("T")) == Removal::Nothing, "{text}");
    }
    for text in
        ["{\n \"e\": {\"k\": \"theirs\"}}", "{\n \"e\": {\"k\": \"\\ud800\"}}", "{\n \"e\": {\"k\": null}}"]
    {
        let Removal::Foreign { at } = take(text, &["e", "k"], &undo, &json!("T")) else { panic!("{text}") };
        assert_eq!((at.line, at.column), (2, 13), "{text}");
    }
}

#[test]
fn an_undo_survives_storage_and_holds_no_token_of_ours() {
    let edit = put("{\"a\": 1}", &["e", "k"], &json!(TOKEN));
    let stored = serde_json::to_string(&edit.undo).unwrap();
    assert!(!stored.contains(TOKEN) && format!("{:?}", edit.undo) == "Undo(..)", "{stored}");
    let undo: Undo = serde_json::from_str(&stored).unwrap();
    assert!(take(text(&edit), &["e", "k"], &undo, &json!(TOKEN)) == Removal::Done(b"{\"a\": 1}".into()));
}

#[test]
fn an_undo_of_another_edit_does_no_harm() {
    let undo: Undo = serde_json::from_str(r#"{"kind":"replaced","raw":"1, \"x\": 2"}"#).unwrap();
    let edited = remove(br#"{"k": "T"}"#, Dialect::Json, &path(&["k"]), &undo, |_| true);
    assert!(edited == Err(EditError::Guard));
    let far = r#"{"kind":"added","prefix":"{\"k\": ","suffix":"","comma":true,"created":18446744073709551615,"blank":""}"#;
    let undo: Undo = serde_json::from_str(far).unwrap();
    let edited = remove(br#"{"k": "T"}"#, Dialect::Json, &path(&["k"]), &undo, |_| true);
    assert!(edited == Ok(Removal::Done(b"{}".into())));
    let greedy = r#"{"kind":"added","prefix":", \"x\": 1, \"k\": ","suffix":"","comma":false,"created":0,"blank":null}"#;
    let undo: Undo = serde_json::from_str(greedy).unwrap();
    let edited = remove(br#"{"a": 0, "x": 1, "k": "T"}"#, Dialect::Json, &path(&["k"]), &undo, |_| true);
    assert!(edited == Ok(Removal::Done(br#"{"a": 0, "x": 1}"#.into())), "theirs stays");
}

#[test]
fn fields_are_in_the_order_that_people_write_them() {
    let entry = json!({"headers": {}, "cwd": ".", "url": "u", "type": "http"});
    let expect = r#"{"x":1,"e":{"type":"http","url":"u","headers":{},"cwd":"."}}"#;
    assert_eq!(text(&put("{\"x\":1}", &["e"], &entry)), expect);
}

/// Long lines and many entries: each part of the work looks at the text a fixed number of times.
#[test]
fn a_large_file_on_one_line_is_edited_in_no_time() {
    let entries = |entry: &str| (0..50_000).map(|n| format!("\"{n}\":{entry}")).collect::<Vec<_>>().join(",");
    for entry in ["{\"a\":[1]}", "{}", "{\n\"a\":1}"] {
        let before = format!("{{\"m\":{{{}}}}}", entries(entry));
        check_put("large", &before, &["m", "k"], &format!("{},\"k\":\"T\"}}}}", &before[..before.len() - 2]));
    }
}

#[test]
fn a_path_is_shown_so_that_its_keys_can_be_told_apart() {
    let path = path(&["mcpServers", "github.com/a", "", "he said \"hi\"", "env"]);
    assert_eq!(path.to_string(), r#"mcpServers["github.com/a"][""]["he said \"hi\""].env"#);
    assert!(serde_json::from_str::<KeyPath>("[]").is_err(), "a path has a key");
}
