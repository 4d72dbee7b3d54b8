//! What a person or a program reads on standard output and standard error. Decides nothing.

use crate::fault::{Fault, Result};
use std::borrow::Cow;
use std::io::{BufRead, IsTerminal, Write};

/// Where a command's words go.
#[derive(Clone, Copy, Debug)]
pub struct Output(Reader);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// A person.
    Eyes,
    /// A program: one JSON document.
    Program,
    /// A program that will be told by somebody else.
    Nobody,
}

/// Colour and weight of some words; anstream takes them out where they are not wanted (`NO_COLOR`, pipes).
#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// Of a part of a story.
    Title,
    /// What went as it should.
    Good,
    /// `error:`
    Error,
    /// `hint:`
    Hint,
}

impl Style {
    /// The words in it, with nothing else that steers a terminal.
    fn of(self, words: &str) -> String {
        let begin = match self {
            Self::Title => "1",
            Self::Good => "32",
            Self::Error => "1;31",
            Self::Hint => "1;36",
        };
        format!("\u{1b}[{begin}m{}\u{1b}[0m", harmless(words))
    }
}

impl Output {
    /// Text, or one JSON document.
    pub fn new(json: bool) -> Self {
        Self(if json { Reader::Program } else { Reader::Eyes })
    }

    /// For a step of a command that says the whole in a document of its own. A person still reads every line.
    #[must_use]
    pub fn without_documents(self) -> Self {
        match self.0 {
            Reader::Eyes => self,
            Reader::Program | Reader::Nobody => Self(Reader::Nobody),
        }
    }

    /// Whether a program reads.
    pub fn is_json(self) -> bool {
        self.0 != Reader::Eyes
    }

    /// A line for eyes on standard output; nothing when a program reads.
    pub fn line(self, text: impl AsRef<str>) {
        if self.0 == Reader::Eyes {
            print_line(&harmless(text.as_ref()));
        }
    }

    /// The same, some words of it in a style.
    pub fn styled_line(self, before: &str, style: Style, words: &str, after: &str) {
        if self.0 == Reader::Eyes {
            print_line(&format!("{}{}{}", harmless(before), style.of(words), harmless(after)));
        }
    }

    /// The JSON document, when a program reads.
    pub fn document(self, document: &serde_json::Value) {
        if self.0 == Reader::Program {
            print_data(&hallpass_core::harmless_json(&format!("{document:#}")));
        }
    }

    /// A line for eyes on standard error, in both modes.
    pub fn note(self, text: impl AsRef<str>) {
        note(text.as_ref());
    }

    /// Asks for a plain yes. Without a terminal nobody is there to answer, and that is a refusal.
    pub fn confirm(self, question: &str) -> Result<bool> {
        if !std::io::stdin().is_terminal() || self.is_json() {
            return Err(Fault::new("this would change things, and there is no terminal to ask")
                .hint("look at it with `--dry-run`, then say `--yes`"));
        }
        let mut err = anstream::stderr();
        let _ = write!(err, "{question} [y/N] ");
        let _ = err.flush();
        let mut answer = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut answer)
            .map_err(|error| Fault::new(format!("no answer: {error}")))?;
        if !answer.ends_with('\n') {
            // The end of input (Ctrl-D) leaves the cursor behind the question.
            let _ = writeln!(err);
        }
        Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
    }
}

/// One line on standard output. Returns whether somebody took it: a reader may have left early (`| head`), and that
/// must not stop a command half-way.
pub fn print_line(text: &str) -> bool {
    let mut out = anstream::stdout();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// Data on standard output: into a file or a pipe to the byte. A terminal is sent nothing that steers it.
pub fn print_data(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    let text = if out.is_terminal() { harmless(text) } else { Cow::Borrowed(text) };
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// One line on standard error. What has the look of a token is not repeated, wherever it came from.
pub fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", shown(text));
}

/// The text as a person may see it: no token, nothing that steers a terminal.
fn shown(text: &str) -> String {
    harmless(&without_tokens(text)).into_owned()
}

/// What begins like a token and is as long is one, or a part of one: TOML takes the dots in a name apart.
const PART_LEAST: usize = 40;

/// A token typed as an argument, or standing in a line of a file that is refused, is in errors about it otherwise.
pub fn without_tokens(text: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find("eyJ") {
        let (before, from) = rest.split_at(start);
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let (word, after) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
        shown += before;
        shown += if word.contains('.') || word.len() >= PART_LEAST { "(a token)" } else { word };
        rest = after;
    }
    shown + rest
}

/// `error: ...` and, if there is one, `hint: ...`.
pub fn print_fault(fault: &Fault) {
    let mut err = anstream::stderr();
    let _ = writeln!(err, "{} {}", Style::Error.of("error:"), shown(&fault.to_string()));
    if let Some(hint) = fault.next_step() {
        let _ = writeln!(err, "{} {}", Style::Hint.of("hint:"), shown(hint));
    }
}

/// The text without anything that could steer a terminal: names and paths in it may be somebody else's.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c.is_control() && c != '\n') {
        return Cow::Borrowed(text);
    }
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { c.escape_default().to_string() } else { c.into() })
        .collect()
}

/// One word for a shell, whatever is in it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// `1 token`, `2 tokens`.
pub fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A table without frames, columns aligned.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row.clone());
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// `in 89 days`, `3 hours ago`: how far `then` is from `now`, in the largest unit that fits; `just now` if it is not.
pub fn distance(then: i64, now: i64) -> String {
    let seconds = then.abs_diff(now);
    let (count, unit) = match seconds {
        0 => return "just now".into(),
        1..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if then >= now { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
}

#[cfg(test)]
mod tests {
    use super::{Style, distance, without_tokens};

    #[test]
    fn what_has_the_look_of_a_token_is_not_repeated() {
        let said = "`eyJhbGciOi.eyJzdWIiOi-_.c2ln` is no name, but `eyJ` and `a.b.c` are: eyJx.y.";
        assert_eq!(without_tokens(said), "`(a token)` is no name, but `eyJ` and `a.b.c` are: (a token)");
    }

    #[test]
    fn a_part_of_a_token_is_not_repeated_either() {
        let claims = format!("unknown field `eyJ{}`", "a".repeat(40));
        assert_eq!(without_tokens(&claims), "unknown field `(a token)`");
    }

    #[test]
    fn words_in_a_style_steer_nothing_else() {
        assert_eq!(Style::Title.of("a\u{1b}[2Jb"), "\u{1b}[1ma\\u{1b}[2Jb\u{1b}[0m");
    }

    #[test]
    fn distances_use_the_largest_unit_that_fits() {
        assert_eq!(distance(90 * 86_400, 0), "in 90 days");
        assert_eq!(distance(0, 3600), "1 hour ago");
        assert_eq!(distance(0, 59), "59 seconds ago");
        assert_eq!(distance(7, 7), "just now");
    }
}
