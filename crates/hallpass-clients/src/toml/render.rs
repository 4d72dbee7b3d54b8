//! Spells keys and values of ours in TOML. Chooses no place.

use serde_json::Value;

use crate::json::render::in_order;

/// A dotted key.
pub(super) fn key(keys: &[String]) -> String {
    let spelled: Vec<_> = keys.iter().map(|key| simple_key(key)).collect();
    spelled.join(".")
}

fn simple_key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if bare { key.to_owned() } else { string(key) }
}

/// A value on one line, or nothing if TOML has no word for it.
pub(super) fn value(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) if number.is_u64() && !number.is_i64() => return None,
        Value::Number(number) => number.to_string(),
        Value::String(text) => string(text),
        Value::Array(items) => {
            let items = items.iter().map(self::value).collect::<Option<Vec<_>>>()?;
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let members = in_order(map).map(|(key, value)| pair(key, value)).collect::<Option<Vec<_>>>()?;
            format!("{{ {} }}", members.join(", "))
        }
    })
}

/// `key = value`
pub(super) fn pair(key: &str, value: &Value) -> Option<String> {
    Some(format!("{} = {}", simple_key(key), self::value(value)?))
}

/// A header and a line for each member.
pub(super) fn section(keys: &[String], map: &Value, eol: &str, indent: &str) -> Option<String> {
    let lines =
        in_order(map.as_object()?).map(|(name, value)| pair(name, value)).collect::<Option<Vec<_>>>()?;
    Some(lines.iter().fold(format!("[{}]", key(keys)), |text, line| format!("{text}{eol}{indent}{line}")))
}

/// JSON's escapes are TOML's, but JSON leaves one control character as it is.
fn string(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}
