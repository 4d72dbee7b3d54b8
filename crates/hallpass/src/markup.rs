//! Text on its way into a page for a browser: what callers say of themselves is text and nothing else.

use hallpass_core::migration::on_one_line;
use std::fmt::Write as _;

/// Nothing in it is markup any more, in an element and in a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html += "&amp;",
            '<' => html += "&lt;",
            '>' => html += "&gt;",
            '"' => html += "&quot;",
            '\'' => html += "&#39;",
            c => html.push(c),
        }
    }
    html
}

/// What came from outside: nothing in it turns the reading direction or breaks the line, either.
pub fn outside(text: &str) -> String {
    escape(&on_one_line(text))
}

/// Words of ours: what stands between backticks is a name or a command.
pub fn rich(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 64);
    for (position, part) in text.split('`').enumerate() {
        let part = escape(part);
        if position % 2 == 1 {
            let _ = write!(html, "<code>{part}</code>");
        } else {
            html += &part;
        }
    }
    html
}

/// Words of ours with a capital at the start.
pub fn sentence(text: &str) -> String {
    rich(&capital(text))
}

/// The text with a capital at the start.
pub fn capital(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + rest.as_str()
}

#[cfg(test)]
mod tests {
    use super::{outside, rich, sentence};

    #[test]
    fn what_comes_from_outside_is_text_and_nothing_else() {
        assert_eq!(
            outside("<img onerror='x'>\n\u{202e}&"),
            "&lt;img onerror=&#39;x&#39;&gt;\\n\\u{202e}&amp;"
        );
        assert_eq!(rich("run `a <b>`"), "run <code>a &lt;b&gt;</code>");
        assert_eq!(sentence("all is well"), "All is well");
    }
}
