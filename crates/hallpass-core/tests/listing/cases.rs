//! Cases that the properties do not meet: what is no list, what cannot be told, scopes for caches, odd streams.

use crate::document::{LIST, policy, sieved, sieved_events};
use hallpass_core::policy::Effect;
use hallpass_core::tool_sieve::{Expected, Form, ToolSieve, Unreadable};

const OTHER: Expected = Expected { list: false, caches: false };
const MODERN: Expected = Expected { list: true, caches: true };

/// Only the tool `a`, in one piece and byte for byte.
fn only_a(expected: Expected, text: &str) -> Result<String, Unreadable> {
    let policy = policy(&["allow docs/a"], Effect::Deny);
    let whole = sieved(&policy, expected, text.as_bytes(), text.len().max(1));
    assert_eq!(sieved(&policy, expected, text.as_bytes(), 1), whole, "{text}");
    whole
}

fn only_a_of_events(text: &str) -> Result<String, Unreadable> {
    let policy = policy(&["allow docs/a"], Effect::Deny);
    let whole = sieved_events(&policy, LIST, text.as_bytes(), text.len());
    assert_eq!(sieved_events(&policy, LIST, text.as_bytes(), 1), whole, "{text}");
    whole
}

#[test]
fn commas_are_where_they_belong_whichever_tools_go() {
    let (a, b) = (r#"{"name":"a"}"#, r#"{"name":"b"}"#);
    for (before, after) in [
        (format!("[{a},{b},{a}]"), format!("[{a},{a}]")),
        (format!("[{b} , {a} , {b}]"), format!("[  {a}]")),
        (format!("[ {b} ]"), "[ ]".to_owned()),
        (format!("[\n  {a},\n  {b}\n]"), format!("[\n  {a}\n]")),
        (format!("[{b},{b},{a}]"), format!("[{a}]")),
        ("[]".to_owned(), "[]".to_owned()),
    ] {
        let answer = |list: &str| format!(r#"{{"id":1,"result":{{"tools":{list}}}}}"#);
        assert_eq!(only_a(LIST, &answer(&before)).unwrap(), answer(&after));
    }
}

/// Only the tool `a` of a frame of the hello dialect.
fn only_a_of_frame(text: &str) -> Result<String, Unreadable> {
    let mut sieve = ToolSieve::new(policy(&["allow docs/a"], Effect::Deny), crate::document::docs(), LIST);
    sieve.take_form(Form::Frame);
    let mut out = Vec::new();
    for byte in text.bytes() {
        sieve.text(&[byte], &mut out)?;
    }
    sieve.end()?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn a_frame_of_the_hello_dialect_lists_its_tools_itself() {
    let (a, b) = (r#"{"name":"a","x":{"tools":[1]}}"#, r#"{"name":"b"}"#);
    for (before, after) in [
        (
            format!(r#"{{"op":"list_tools_res","request_id":1,"tools":[{b}, {a},{b}]}}"#),
            format!(r#"{{"op":"list_tools_res","request_id":1,"tools":[ {a}]}}"#),
        ),
        (
            format!(r#"{{"tools":[{b}],"op":"list_tools_res"}} "#),
            r#"{"tools":[],"op":"list_tools_res"} "#.into(),
        ),
        // Not where this dialect lists any.
        (format!(r#"{{"op":"call_tool_res","result":{{"tools":[{b}]}}}}"#), String::new()),
        (format!(r#"{{"op":"call_tool_res","outputs":[{{"tools":[{b},7]}}]}}"#), String::new()),
        ("not JSON".into(), String::new()),
        (r#"{"op":"progress","cacheScope":"public"}"#.into(), String::new()),
    ] {
        let expect = if after.is_empty() { before.clone() } else { after };
        assert_eq!(only_a_of_frame(&before), Ok(expect), "{before}");
    }
    for bad in [
        r#"{"op":"list_tools_res","tools":["b"]}"#,
        r#"{"op":"list_tools_res","tools":{"b":{}}}"#,
        r#"{"op":"list_tools_res","Tools":[]}"#,
        r#"{"op":"list_tools_res","tools":[],"tools":[{"name":"b"}]}"#,
        r#"{"op":"list_tools_res","tools":[{"name":"a"}"#,
    ] {
        assert_eq!(only_a_of_frame(bad), Err(Unreadable), "{bad}");
    }
}

#[test]
fn what_lists_no_tools_passes_as_it_is() {
    for text in [
        "",
        " \r\n",
        "Accepted",
        "<html>{</html>",
        "\"text\"",
        "NaN",
        r#"{"id":1,"error":{"data":{"tools":[{"name":"b"}]}}}"#,
        r#"{"id":1,"result":{"capabilities":{"tools":{"listChanged":true}}}}"#,
        r#"{"id":1,"result":{"structuredContent":{"tools":[{"name":"b"}]},"n":NaN}}"#,
        r#"{"method":"sampling/createMessage","params":{"tools":[{"name":"b"}]}}"#,
        r#"{"id":1,"result":{"tools":null}}"#,
        r#"{"id":1,"result":[{"tools":[{"name":"b"}]}]}"#,
        r#"{"id":1,"tools":[{"name":"b"}]}"#,
        r#"[{"id":1,"result":{}},{"id":2,"result":{"x":1}}]"#,
    ] {
        assert_eq!(only_a(LIST, text).unwrap(), text);
        assert_eq!(only_a(OTHER, text).unwrap(), text);
    }
}

#[test]
fn what_cannot_be_told_for_certain_is_not_passed_on() {
    let deep = format!(r#"{{"result":{}"#, "[".repeat(2000));
    let large = format!(r#"{{"result":{{"tools":[{{"name":"a","x":"{}"}}]}}}}"#, "x".repeat(1 << 20));
    let gap = format!(r#"{{"result":{{"tools":[{}]}}}}"#, " ".repeat((1 << 20) + 1));
    for text in [
        r#"{"result":{"tools":[{"name":"b","name":"a"}]}}"#,
        r#"{"result":{"tools":[{"name":"a","n\u0061me":"b"}]}}"#,
        r#"{"result":{"tools":[{"Name":"b","name":"a"}]}}"#,
        r#"{"result":{"tools":[{"name":1}]}}"#,
        r#"{"result":{"tools":[{"name":"\ud800"}]}}"#,
        r#"{"result":{"tools":["b"]}}"#,
        r#"{"result":{"tools":[["b"]]}}"#,
        r#"{"result":{"tools":{"b":{}}}}"#,
        r#"{"result":{"tools":[],"tools":[{"name":"b"}]}}"#,
        r#"{"result":{"tools":[],"TOOLS":[{"name":"b"}]}}"#,
        "{\"result\":{\"tool\u{17f}\":[{\"name\":\"b\"}]}}",
        r#"{"result":{},"result":{"tools":[{"name":"b"}]}}"#,
        r#"{"Result":{"tools":[{"name":"b"}]}}"#,
        r#"{"\u0052esult":{}}"#,
        r#"{"resu\xlt":{}}"#,
        r#"{"result":{"tools":[{"name":"a"},]}}"#,
        r#"{"result":{"tools":[{"name":"a"}]}"#,
        r#"{"result":{}} {}"#,
        "{\"result\":{\"tools\":[{\"name\":\"a\"}\u{0}]}}",
        "\u{feff}{\"result\":{}}",
        "\u{0}{\u{0}\"",
        "{\u{0}\"\u{0}",
        &deep,
        &large,
        &gap,
    ] {
        assert_eq!(only_a(LIST, text), Err(Unreadable), "{}", text.get(..80).unwrap_or(text));
    }
    let policy = policy(&[], Effect::Allow);
    assert_eq!(sieved(&policy, LIST, b"{\"result\":{\"tools\":[{\"name\":\"\xff\"}]}}", 5), Err(Unreadable));
    assert_eq!(sieved(&policy, LIST, b"{\"r\xffsult\":1}", 5), Err(Unreadable));
}

#[test]
fn a_tool_without_a_name_is_shown_if_a_call_without_one_may_be_made() {
    let text = r#"{"result":{"tools":[{"title":"a"}]}}"#;
    assert_eq!(only_a(LIST, text).unwrap(), r#"{"result":{"tools":[]}}"#);
    assert_eq!(sieved(&policy(&["allow docs/*"], Effect::Deny), LIST, text.as_bytes(), 9).unwrap(), text);
}

#[test]
fn a_list_is_private_for_caches() {
    let tools = r#""tools":[{"name":"b"}]"#;
    for (before, after) in [
        (format!(r#"{{{tools},"cacheScope":"public"}}"#), r#"{"tools":[],"cacheScope":"private"}"#),
        (format!(r#"{{"cacheScope" : "public" ,{tools}}}"#), r#"{"cacheScope" : "private",{}}"#),
        (
            format!(r#"{{{tools},"cacheScope":{{"x":[1,"}}"]}},"ttlMs":1}}"#),
            r#"{"tools":[],"cacheScope":"private","ttlMs":1}"#,
        ),
        (format!(r#"{{{tools},"cacheScope":null}}"#), r#"{"tools":[],"cacheScope":"private"}"#),
        (format!("{{{tools}}}"), r#"{"tools":[],"cacheScope":"private"}"#),
        (r#"{"resultType":"input_required"}"#.to_owned(), r#"{"resultType":"input_required"}"#),
    ] {
        let after = after.replace("{}", r#""tools":[]"#);
        let answer = |result: &str| format!(r#"{{"result":{result},"id":1}}"#);
        assert_eq!(only_a(MODERN, &answer(&before)).unwrap(), answer(&after));
    }
    let legacy = r#"{"result":{"tools":[{"name":"a"}]}}"#;
    assert_eq!(only_a(LIST, legacy).unwrap(), legacy, "older revisions have no such member");
}

#[test]
fn what_is_no_list_keeps_its_scope() {
    let read = r#"{"result":{"contents":[],"cacheScope":"public"}}"#;
    assert_eq!(only_a(Expected { list: false, caches: true }, read).unwrap(), read);
    let after = r#"{"result":{"tools":[],"cacheScope":"public"}}"#;
    assert_eq!(only_a(OTHER, after).unwrap(), after.replace("public", "private"));
    let before = r#"{"result":{"cacheScope":"public","tools":[]}}"#;
    assert_eq!(only_a(OTHER, before), Err(Unreadable), "what has passed cannot be called back");
    assert_eq!(only_a(LIST, r#"{"result":{"CacheScope":"public"}}"#), Err(Unreadable));
}

#[test]
fn each_message_of_a_stream_is_looked_at() {
    let stream = "id: 1\ndata:\n\n: comment\n\nevent: x\ndata: not json {\n\nretry: 5\n\n";
    assert_eq!(only_a_of_events(stream).unwrap(), stream);
    let list = "data: {\"id\":9,\"result\":{\"tools\":[{\"name\":\"b\"},{\"name\":\"a\"}]}}\nid: 2\n\n";
    let left = "data: {\"id\":9,\"result\":{\"tools\":[{\"name\":\"a\"}]}}\nid: 2\n\n";
    assert_eq!(
        only_a_of_events(&format!("{stream}{list}{stream}{list}")).unwrap(),
        format!("{stream}{left}{stream}{left}")
    );
    assert_eq!(only_a_of_events(&format!("\u{feff}{list}")).unwrap(), format!("\u{feff}{left}"));
    let bare = list.replace("data: ", "data:");
    assert_eq!(only_a_of_events(&bare).unwrap(), left.replace("data: ", "data:"));
}

#[test]
fn data_over_several_lines_is_one_message() {
    let list = "data: {\"result\":{\"tools\":[\ndata: {\"name\":\ndata\ndata: \"b\"}\ndata: ,{\"name\":\r\ndata: \"a\"}\ndata: ]}}\n\n";
    let left = "data: {\"result\":{\"tools\":[\ndata: {\"name\":\r\ndata: \"a\"}\ndata: ]}}\n\n";
    assert_eq!(only_a_of_events(list).unwrap(), left);
}

#[test]
fn a_stream_that_cannot_be_read_for_certain_goes_no_further() {
    for stream in [
        "data: {\"result\":{\"tools\":[{\"name\":\"a\"\n\n",
        "data: {\"result\":{}}\ndata: {\"result\":{\"tools\":[]}}\n\n",
        "data: {\"result\":{\"tools\":[{\"name\":\nid: 5\ndata: \"b\"}]}}\n\n",
        "data: {\"result\":{\"tools\":[\n: comment\ndata: ]}}\n\n",
        "data: {\"result\":{\"tools\":[{\"name\":\"a\ndata: \"}]}}\n\n",
        "data: \ndata: \u{feff}{\"result\":{}}\n\n",
    ] {
        assert_eq!(only_a_of_events(stream), Err(Unreadable), "{stream}");
    }
}

#[test]
fn what_was_passed_before_a_fault_shows_no_more_than_may_be_called() {
    let policy = policy(&["allow docs/a"], Effect::Deny);
    let mut sieve = hallpass_core::tool_sieve::ToolSieve::new(policy, crate::document::docs(), LIST);
    let mut out = Vec::new();
    let text = br#"{"result":{"tools":[{"name":"b","secret":1},{"name":"a"},{"name":"c","name":"a"}]}}"#;
    assert_eq!(sieve.text(text, &mut out), Err(Unreadable));
    assert_eq!(out, br#"{"result":{"tools":[{"name":"a"}"#);
}
