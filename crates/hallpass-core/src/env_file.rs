//! Reads the text of an environment file (`NAME=value` lines). Expands nothing and executes nothing.

use std::fmt;
use zeroize::Zeroizing;

/// What is wrong with a line. Never quotes it: the value may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvFault {
    /// No `NAME=` at its start.
    NotAnAssignment {
        /// From 1.
        line: usize,
    },
    /// A quote that never ends.
    OpenQuote {
        /// From 1.
        line: usize,
    },
    /// A name that was set before.
    Twice {
        /// From 1.
        line: usize,
    },
    /// A value that one program would read differently from another.
    Unclear {
        /// From 1.
        line: usize,
    },
}

impl fmt::Display for EnvFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnAssignment { line } => write!(f, "line {line} is not `NAME=value`"),
            Self::OpenQuote { line } => write!(f, "the quote in line {line} never ends"),
            Self::Twice { line } => write!(f, "line {line} sets a name that was set before"),
            Self::Unclear { line } => {
                write!(f, "line {line} has `$`, `\\` or text behind a quote, which programs read differently")
            }
        }
    }
}

impl std::error::Error for EnvFault {}

/// The assignments of an environment file, in its order.
pub struct EnvFile(Vec<Assignment>);

struct Assignment {
    name: String,
    line: usize,
    value: Value,
}

enum Value {
    /// As every program reads it.
    Plain(Zeroizing<String>),
    /// One program would expand, unescape or cut off what another takes as it stands.
    Unclear,
}

impl EnvFile {
    /// Reads blank lines, `# comments`, `NAME=value`, `export NAME=value`, and values in single or double quotes. After a
    /// bare value, white space and `#` begin a comment.
    pub fn parse(text: &str) -> Result<Self, EnvFault> {
        let mut assignments: Vec<Assignment> = Vec::new();
        for (line, text) in text.lines().enumerate().map(|(index, text)| (index + 1, text.trim())) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let text = text.strip_prefix("export ").unwrap_or(text);
            let (name, value) = text.split_once('=').ok_or(EnvFault::NotAnAssignment { line })?;
            let name = name.trim_end();
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(EnvFault::NotAnAssignment { line });
            }
            if assignments.iter().any(|known| known.name == name) {
                return Err(EnvFault::Twice { line });
            }
            let value = Value::of(value.trim_start()).ok_or(EnvFault::OpenQuote { line })?;
            assignments.push(Assignment { name: name.to_owned(), line, value });
        }
        Ok(Self(assignments))
    }

    /// A variable's value; a blank one counts as not set. One that programs read differently is refused here, where it is
    /// asked for: the rest of the file is nobody's concern.
    pub fn get(&self, name: &str) -> Result<Option<&str>, EnvFault> {
        let found = self.0.iter().find(|known| known.name == name);
        found.map_or(Ok(None), Assignment::text)
    }

    /// Every variable whose name starts with `prefix` and that is not blank: the rest of the name, and the value.
    pub fn with_prefix(&self, prefix: &str) -> Result<Vec<(&str, &str)>, EnvFault> {
        let named = self.0.iter().filter_map(|known| Some((known.name.strip_prefix(prefix)?, known)));
        let read = named.map(|(rest, known)| Ok(known.text()?.map(|value| (rest, value))));
        read.filter_map(Result::transpose).collect()
    }
}

impl Assignment {
    fn text(&self) -> Result<Option<&str>, EnvFault> {
        match &self.value {
            Value::Plain(text) => Ok(Some(text.as_str()).filter(|text| !text.trim().is_empty())),
            Value::Unclear => Err(EnvFault::Unclear { line: self.line }),
        }
    }
}

impl Value {
    /// `None`: a quote that never ends.
    fn of(text: &str) -> Option<Self> {
        let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
            return Some(Self::plain_if(!text.contains('$'), without_comment(text)));
        };
        let (quoted, behind) = text[1..].split_once(quote)?;
        let nothing_behind = behind.trim().is_empty() || without_comment(behind).is_empty();
        let as_it_stands = !quoted.contains('\\') && (quote == '\'' || !quoted.contains('$'));
        Some(Self::plain_if(nothing_behind && as_it_stands, quoted))
    }

    fn plain_if(clear: bool, text: &str) -> Self {
        if clear { Self::Plain(Zeroizing::new(text.to_owned())) } else { Self::Unclear }
    }
}

fn without_comment(text: &str) -> &str {
    let comment = text.char_indices().find(|(at, c)| *c == '#' && text[..*at].ends_with([' ', '\t']));
    comment.map_or(text, |(at, _)| &text[..at]).trim_end()
}

#[cfg(test)]
mod tests {
    use super::{EnvFault, EnvFile};

    #[test]
    fn assignments_are_read_as_they_are_written() {
        let file = EnvFile::parse(
            "# comment\n\nA=1\nexport B = two words # why\nC=\"x # y\" \nD='$HOME'\nE=\nF=a#b\r\nP_ONE=1\nP_TWO=\nG='x' # why\nH=\"  \"\nI=a\\b",
        )
        .unwrap();
        for (name, value) in [
            ("A", Some("1")),
            ("B", Some("two words")),
            ("C", Some("x # y")),
            ("D", Some("$HOME")),
            ("E", None),
            ("F", Some("a#b")),
            ("G", Some("x")),
            ("H", None),
            ("I", Some("a\\b")),
        ] {
            assert_eq!(file.get(name), Ok(value), "{name}");
        }
        assert_eq!(file.with_prefix("P_"), Ok(vec![("ONE", "1")]));
    }

    #[test]
    fn a_value_that_programs_read_differently_is_refused_when_it_is_asked_for() {
        for value in [
            "${SECRET}",
            "a$b",
            "\"$SECRET\"",
            "\"a\\\"b\"",
            "\"a\\nb\"",
            "'a\\'",
            "\"a\"b",
            "'a'#b",
            "\"a\" \"b\"",
        ] {
            let file = EnvFile::parse(&format!("A=1\nP_B={value}\n")).unwrap();
            assert_eq!(file.get("A"), Ok(Some("1")), "{value}");
            assert_eq!(file.get("P_B"), Err(EnvFault::Unclear { line: 2 }), "{value}");
            assert_eq!(file.with_prefix("P_"), Err(EnvFault::Unclear { line: 2 }), "{value}");
        }
    }

    #[test]
    fn mistakes_name_the_line_and_quote_nothing() {
        for (text, fault) in [
            ("A=1\nsecret", EnvFault::NotAnAssignment { line: 2 }),
            ("A B=1", EnvFault::NotAnAssignment { line: 1 }),
            ("A=\"x", EnvFault::OpenQuote { line: 1 }),
            ("A=1\nA=2", EnvFault::Twice { line: 2 }),
        ] {
            assert_eq!(EnvFile::parse(text).err(), Some(fault), "{text}");
        }
    }
}
