//! A row of comma-separated values as RFC 4180 and spreadsheets have it. Knows no column.

use serde_json::Value;

/// Texts are quoted where they have to be.
pub(super) fn row(cells: &[Value]) -> String {
    cells.iter().map(cell).collect::<Vec<_>>().join(",")
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// What a spreadsheet would take for a formula gets an apostrophe in front: tools and methods are what callers make up.
fn quoted(text: &str) -> String {
    // Some programs pass over what is blank before they look.
    let is_formula =
        text.starts_with(['\t', '\r', '\n']) || text.trim_start().starts_with(['=', '+', '-', '@']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::row;
    use serde_json::{Value, json};

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        for (cell, expect) in [
            (json!("echo"), "echo"),
            (json!(""), ""),
            (json!("a,b"), "\"a,b\""),
            (json!("say \"x\""), "\"say \"\"x\"\"\""),
            (json!("=HYPERLINK(1)"), "'=HYPERLINK(1)"),
            (json!("@x,y"), "\"'@x,y\""),
            (json!("\n=cmd|x"), "\"'\n=cmd|x\""),
            (json!("\nx"), "\"'\nx\""),
            (json!(" \u{a0}+1"), "' \u{a0}+1"),
            (json!(-7), "-7"),
            (Value::Null, ""),
        ] {
            assert_eq!(row(&[cell]), expect);
        }
        assert_eq!(row(&[json!("a"), Value::Null, json!(7), json!(true)]), "a,,7,true");
    }
}
