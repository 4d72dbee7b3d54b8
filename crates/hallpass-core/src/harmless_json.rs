//! JSON that steers no terminal, whatever a caller wrote into it. Reads no JSON.

use std::borrow::Cow;

/// The same JSON, in which DEL and the control characters above ASCII (U+007F to U+009F) are spelled out. Those below stand
/// as escapes in any JSON, and these can only be within strings.
pub fn harmless_json(json: &str) -> Cow<'_, str> {
    // In UTF-8 each of them is DEL, or begins with 0xc2. Counted, not searched for: so many bytes are looked at at once.
    if json.bytes().filter(|byte| matches!(byte, 0x7f | 0xc2)).count() == 0 {
        return Cow::Borrowed(json);
    }
    let steers = |c: char| matches!(c, '\u{7f}'..='\u{9f}');
    json.chars().map(|c| if steers(c) { format!("\\u{:04x}", u32::from(c)) } else { c.into() }).collect()
}

#[cfg(test)]
mod tests {
    use super::harmless_json;

    #[test]
    fn json_stays_what_it_was_and_steers_nothing() {
        let said = serde_json::json!("a\u{7f}b\u{9b}31m\u{1b}\u{a0}é");
        let shown = harmless_json(&said.to_string()).into_owned();
        assert_eq!(shown, "\"a\\u007fb\\u009b31m\\u001b\u{a0}é\"");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), said);
    }
}
