//! Spells a value of ours in a given layout. Chooses no layout.

use serde_json::{Map, Value};

/// The order of an entry's fields as people write them; other fields follow in the order of the map.
const FIELD_ORDER: [&str; 14] = [
    "name",
    "type",
    "transport",
    "command",
    "cmd",
    "args",
    "url",
    "uri",
    "serverUrl",
    "httpUrl",
    "headers",
    "http_headers",
    "requestInit",
    "env",
];

/// How new text is laid out.
#[derive(Clone)]
pub(super) struct Layout<'t> {
    /// The line end.
    pub(super) eol: &'t str,
    /// One step of indentation.
    pub(super) unit: &'t str,
    /// The indentation of the line on which the value begins.
    pub(super) indent: String,
    /// The colon after a key, with the blanks around it.
    pub(super) colon: &'t str,
    /// The blanks after a comma on one line.
    pub(super) gap: &'t str,
    /// The blanks inside the braces of an object on one line.
    pub(super) pad: &'t str,
    /// Whether an object has a line for each member.
    pub(super) breaks: bool,
    /// Whether an array has a line for each element; only together with `breaks`.
    pub(super) arrays_break: bool,
    /// Whether a comma follows the last member on lines of their own.
    pub(super) trailing_comma: bool,
}

impl Layout<'_> {
    /// What stands between an object's brace and its first member.
    pub(super) fn after_open(&self) -> String {
        if self.breaks { format!("{}{}{}", self.eol, self.indent, self.unit) } else { self.pad.to_owned() }
    }

    /// What stands between an object's last member and its brace.
    pub(super) fn before_close(&self) -> String {
        let comma = if self.trailing_comma && self.breaks { "," } else { "" };
        if self.breaks { format!("{comma}{}{}", self.eol, self.indent) } else { self.pad.to_owned() }
    }

    /// The layout of what stands inside an object laid out like this.
    pub(super) fn inner(&self) -> Self {
        let indent = if self.breaks { format!("{}{}", self.indent, self.unit) } else { self.indent.clone() };
        Self { indent, ..self.clone() }
    }

    fn between(&self) -> String {
        if self.breaks {
            format!(",{}{}{}", self.eol, self.indent, self.unit)
        } else {
            format!(",{}", self.gap)
        }
    }
}

/// The text of `value`.
pub(super) fn render(value: &Value, layout: &Layout<'_>) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => object(map, layout),
        Value::Array(items) if !items.is_empty() => array(items, layout),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => value.to_string(),
    }
}

/// The text of a key with its colon.
pub(super) fn render_key(key: &str, layout: &Layout<'_>) -> String {
    format!("{}{}", Value::from(key), layout.colon)
}

fn object(map: &Map<String, Value>, layout: &Layout<'_>) -> String {
    let inner = layout.inner();
    let members: Vec<_> =
        in_order(map).map(|(key, value)| render_key(key, &inner) + &render(value, &inner)).collect();
    format!("{{{}{}{}}}", layout.after_open(), members.join(&layout.between()), layout.before_close())
}

/// The members of an entry in the order in which people write them.
pub(crate) fn in_order(map: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut members: Vec<_> = map.iter().collect();
    members.sort_by_key(|(key, _)| {
        FIELD_ORDER.iter().position(|field| field == key).unwrap_or(FIELD_ORDER.len())
    });
    members.into_iter()
}

fn array(items: &[Value], layout: &Layout<'_>) -> String {
    let layout = Layout { breaks: layout.breaks && layout.arrays_break, pad: "", ..layout.clone() };
    let inner = layout.inner();
    let items: Vec<_> = items.iter().map(|item| render(item, &inner)).collect();
    format!("[{}{}{}]", layout.after_open(), items.join(&layout.between()), layout.before_close())
}
