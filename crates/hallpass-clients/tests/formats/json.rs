//! Generated JSON with lists, and bytes that are no JSON. Documents at large are in `properties.rs`.

use hallpass_clients::{Dialect, EditError, KeyPath, Obstacle, Removal, Undo, remove_item, upsert_item};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::property;

const ITEMS: [&str; 7] = [
    r#"{ "id": "gh", "password": true }"#,
    r#"{"id":"x","text":"it's \"quoted\" // no ,]"}"#,
    "{\n\t\t\t\"id\": \"lines\"\n\t\t}",
    "1.50",
    "null",
    r#""text ]""#,
    r#"{ "id": "ours", "old": 1 }"#,
];

const GAPS: [&str; 7] = ["", " ", "\n    ", "\r\n\t\t", " /* , ] */ ", " // it's ]\n\t\t", "\n\n  "];

fn document() -> impl Strategy<Value = String> {
    let gap = || prop::sample::select(GAPS.as_slice());
    let item = (gap(), prop::sample::select(ITEMS.as_slice()), gap());
    let list = (prop::collection::vec(item, 0..4), any::<bool>(), gap(), gap());
    list.prop_map(|(items, trailing, before, after)| {
        let spelt: Vec<_> = items.iter().map(|(a, item, b)| format!("{a}{item}{b}")).collect();
        let comma = if trailing && !items.is_empty() { "," } else { "" };
        format!("{{{before}\"inputs\":{before}[{}{comma}{after}],\"servers\": {{}}}}{after}", spelt.join(","))
    })
}

fn back(text: &[u8], undo: &Undo, ours: &Value) -> Vec<u8> {
    match remove_item(text, Dialect::Jsonc, &KeyPath::new("inputs"), undo, |value| value == ours) {
        Ok(Removal::Done(before)) => before,
        Ok(Removal::Nothing | Removal::Foreign { .. }) => panic!("ours is not found"),
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn an_element_comes_and_goes_without_a_trace(text in document()) {
        let (list, ours) = (KeyPath::new("inputs"), json!({"id": "ours", "type": "promptString"}));
        let put = |text: &[u8]| upsert_item(text, Dialect::Jsonc, &list, "id", &ours);
        let edit = match put(text.as_bytes()) {
            Ok(edit) => edit,
            Err(EditError::NotSafe { obstacle: Obstacle::Layout, .. }) => return Ok(()),
            Err(error) => panic!("{error}: {text:?}"),
        };
        let Ok(again) = put(&edit.text) else { panic!("an edit cannot be repeated") };
        prop_assert!(edit.changed && !again.changed && again.text == edit.text);
        let before = back(&edit.text, &edit.undo, &ours);
        prop_assert_eq!(String::from_utf8_lossy(&before), &*text, "{}", String::from_utf8_lossy(&edit.text));
        let (without_it, kept) = (back(&edit.text, &Undo::without_record(), &ours), text.matches("\"gh\"").count());
        prop_assert_eq!(String::from_utf8_lossy(&without_it).matches("\"gh\"").count(), kept);
    }

    #[test]
    fn no_bytes_end_a_run(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        property::any_text(&bytes, Dialect::Json);
        property::any_text(&bytes, Dialect::Jsonc);
    }
}

#[test]
fn a_list_that_is_not_there_comes_and_goes_with_its_element() {
    let (list, ours) = (KeyPath::new("inputs"), json!({"id": "ours"}));
    for text in [
        "{\n  \"a\": 1\n}\n",
        "{}",
        "",
        "{\"inputs\": []}",
        "{\n\t\"inputs\": [\n\t\t{ \"id\": \"x\" },\n\t],\n}",
    ] {
        let edit = upsert_item(text.as_bytes(), Dialect::Jsonc, &list, "id", &ours).unwrap();
        assert_eq!(String::from_utf8(back(&edit.text, &edit.undo, &ours)).unwrap(), text);
    }
}
