//! What holds for any text and any entry: the rest is as it was, a second edit changes nothing, the way back leads to
//! the same bytes. The fuzz targets hold it too.

use hallpass_clients::{Dialect, Edit, Found, KeyPath, Removal, Undo, read, remove, upsert};
use serde_json::{Value, json};

/// An entry as it is placed, with `token` in it.
pub(crate) fn entry(token: &str) -> Value {
    json!({"url": "https://gw.example.test/mcp", "http_headers": {"Authorization": format!("Bearer {token}")}})
}

/// Holds the property for one text; a refusal is as good as an edit.
pub(crate) fn any_text(text: &[u8], dialect: Dialect) {
    let container = KeyPath::new("servers");
    if dialect == Dialect::Env {
        any_entry(text, dialect, &KeyPath::new("ours"), &json!("one"), &json!("two.~+/="));
        any_entry(text, dialect, &container, &json!("one"), &json!("two.~+/="));
        return;
    }
    for path in [container.clone().join("ours"), KeyPath::new("ours"), container.join("ours").join("url")] {
        any_entry(text, dialect, &path, &entry("one"), &entry("two"));
        any_entry(text, dialect, &path, &json!("one"), &json!("two # no: [comment"));
    }
}

/// Holds the property for one edit; `other` is what a rotation puts there.
pub(crate) fn any_entry(text: &[u8], dialect: Dialect, path: &KeyPath, value: &Value, other: &Value) {
    let Ok(edit) = upsert(text, dialect, path, value, 0) else { return };
    assert!(there(&edit.text, dialect, path).as_ref() == Some(value), "the value is read back");
    let Ok(again) = upsert(&edit.text, dialect, path, value, 0) else { panic!("an edit cannot be repeated") };
    assert!(!again.changed && again.text == edit.text, "a second edit changes a byte");
    if !edit.changed {
        assert!(edit.text == text, "an edit that changes nothing changed something");
        return;
    }
    if let Ok(Found::Absent(_)) = read(text, dialect, path) {
        inserted_only(text, &edit, dialect);
    }
    comes_back(text, &edit.text, dialect, path, &edit.undo, value);
    if let Ok(rotated) = upsert(&edit.text, dialect, path, other, 0) {
        comes_back(text, &rotated.text, dialect, path, &edit.undo, other);
    }
    if let Ok(Removal::Done(left)) = remove(&edit.text, dialect, path, &Undo::without_record(), |_| true) {
        assert!(there(&left, dialect, path).is_none(), "what was removed is still there");
    }
}

fn there(text: &[u8], dialect: Dialect, path: &KeyPath) -> Option<Value> {
    match read(text, dialect, path) {
        Ok(Found::Present(present)) => present.value,
        Ok(Found::Absent(_)) | Err(_) => None,
    }
}

/// Every byte that was there stands before or behind what is new.
fn inserted_only(text: &[u8], edit: &Edit, dialect: Dialect) {
    // JSON may need a comma at another place. White space alone goes.
    let unmarked = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    if matches!(dialect, Dialect::Json | Dialect::Jsonc) || unmarked.trim_ascii().is_empty() {
        return;
    }
    let same = |(one, other): &(&u8, &u8)| one == other;
    let before = text.iter().zip(&edit.text).take_while(same).count();
    let behind = text.iter().rev().zip(edit.text.iter().rev()).take_while(same).count();
    assert!(before + behind >= text.len(), "bytes outside of our entry changed");
}

fn comes_back(text: &[u8], edited: &[u8], dialect: Dialect, path: &KeyPath, undo: &Undo, ours: &Value) {
    match remove(edited, dialect, path, undo, |value| value == ours) {
        Ok(Removal::Done(before)) => assert!(
            before == text,
            "what was there does not come back: {:?} for {:?} by {:?}",
            String::from_utf8_lossy(&before),
            String::from_utf8_lossy(text),
            String::from_utf8_lossy(edited),
        ),
        Ok(Removal::Nothing | Removal::Foreign { .. }) => panic!("ours is not found"),
        Err(error) => {
            panic!("{error}: {:?} by {:?}", String::from_utf8_lossy(text), String::from_utf8_lossy(edited))
        }
    }
}
