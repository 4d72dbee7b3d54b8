//! Spells keys and values of ours in YAML, so that readers of 1.1 and of 1.2 take them for the same. Chooses no place.

use serde_json::Value;

use crate::json::render::in_order;

/// Words that some readers take for something else than text.
const WORDS: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan"];

/// How new lines are laid out.
pub(super) struct Layout<'t> {
    pub(super) eol: &'t str,
    /// Blanks before what begins on a new line.
    pub(super) indent: usize,
    /// Blanks for each step inwards.
    pub(super) unit: usize,
    /// Whether a list has a line for each element.
    pub(super) lists_break: bool,
}

impl Layout<'_> {
    fn inner(&self) -> Self {
        Self { indent: self.indent + self.unit, ..*self }
    }

    fn new_line(&self) -> String {
        format!("{}{}", self.eol, " ".repeat(self.indent))
    }
}

/// A key with its value, as it goes into a block.
pub(super) fn member(key: &str, value: &Value, layout: &Layout<'_>) -> String {
    let inner = layout.inner();
    if is_block(value, layout) {
        return format!("{}:{}{}", string(key), inner.new_line(), body(value, &inner));
    }
    flow_member(key, value)
}

fn is_block(value: &Value, layout: &Layout<'_>) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty() && layout.lists_break,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The lines of a value, of which the first is indented already.
pub(super) fn body(value: &Value, layout: &Layout<'_>) -> String {
    let lines: Vec<String> = match value {
        Value::Object(map) if !map.is_empty() => {
            in_order(map).map(|(key, value)| member(key, value, layout)).collect()
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().map(|item| format!("- {}", flow(item))).collect()
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => vec![flow(value)],
    };
    lines.join(&layout.new_line())
}

/// A value on one line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let members: Vec<_> = in_order(map).map(|(key, value)| flow_member(key, value)).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A key with its value on one line.
pub(super) fn flow_member(key: &str, value: &Value) -> String {
    format!("{}: {}", string(key), flow(value))
}

fn string(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

/// JSON's escapes are YAML's; what YAML does not take for printable, or takes for a line end, needs one too.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    let spelt = json.chars().map(|char| match char {
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
            format!("\\u{:04X}", u32::from(char))
        }
        same => same.to_string(),
    });
    spelt.collect()
}
