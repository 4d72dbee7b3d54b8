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
}

impl fmt::Display for EnvFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnAssignment { line } => write!(f, "line {line} is not `NAME=value`"),
            Self::OpenQuote { line } => write!(f, "the quote in line {line} never ends"),
            Self::Twice { line } => write!(f, "line {line} sets a name that was set before"),
        }
    }
}

impl std::error::Error for EnvFault {}

/// The assignments of an environment file, in its order.
pub struct EnvFile(Vec<(String, Zeroizing<String>)>);

impl EnvFile {
    /// Reads blank lines, `# comments`, `NAME=value`, `export NAME=value`, and values in single or double quotes. After a
    /// bare value, white space and `#` begin a comment.
    pub fn parse(text: &str) -> Result<Self, EnvFault> {
        let mut variables: Vec<(String, Zeroizing<String>)> = Vec::new();
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
            if variables.iter().any(|(known, _)| known == name) {
                return Err(EnvFault::Twice { line });
            }
            let value = value_of(value.trim_start()).ok_or(EnvFault::OpenQuote { line })?;
            variables.push((name.to_owned(), Zeroizing::new(value.to_owned())));
        }
        Ok(Self(variables))
    }

    /// A variable's value; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Every variable whose name starts with `prefix` and that is not empty: the rest of the name, and the value.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, value)| {
            let rest = name.strip_prefix(prefix)?;
            (!value.is_empty()).then_some((rest, value.as_str()))
        })
    }
}

fn value_of(text: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            return quoted.split_once(quote).map(|(value, _)| value);
        }
    }
    let comment = text.char_indices().find(|(at, c)| *c == '#' && text[..*at].ends_with([' ', '\t']));
    Some(comment.map_or(text, |(at, _)| &text[..at]).trim_end())
}

#[cfg(test)]
mod tests {
    use super::{EnvFault, EnvFile};

    #[test]
    fn assignments_are_read_as_they_are_written() {
        let file = EnvFile::parse(
            "# comment\n\nA=1\nexport B = two words # why\nC=\"x # y\" \nD='$HOME'\nE=\nF=a#b\r\nP_ONE=1\nP_TWO=\n",
        )
        .unwrap();
        for (name, value) in [
            ("A", Some("1")),
            ("B", Some("two words")),
            ("C", Some("x # y")),
            ("D", Some("$HOME")),
            ("E", None),
            ("F", Some("a#b")),
        ] {
            assert_eq!(file.get(name), value, "{name}");
        }
        assert_eq!(file.with_prefix("P_").collect::<Vec<_>>(), [("ONE", "1")]);
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
