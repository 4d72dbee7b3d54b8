//! Names of clients and servers, subjects, issuers and audiences: checked once, then types.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a name was refused. The offending text is the caller's to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// Nothing but the empty text.
    Empty,
    /// More characters than allowed.
    TooLong {
        /// The most characters allowed.
        most: usize,
    },
    /// A character outside the allowed set.
    Character {
        /// The first offending character.
        found: char,
    },
    /// Names start with a letter or a digit.
    Start,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong { most } => write!(f, "it has more than {most} characters"),
            Self::Character { found } => write!(f, "it contains `{}`", found.escape_debug()),
            Self::Start => f.write_str("it does not start with a lower-case letter or a digit"),
        }
    }
}

impl std::error::Error for NameFault {}

const NAME_MOST: usize = 63;
/// The longest subject, issuer and audience, in characters.
pub const TEXT_MOST: usize = 255;

/// `[a-z0-9][a-z0-9-]{0,62}`: safe as a file name, a path segment and a log field.
fn check_name(text: &str) -> Result<(), NameFault> {
    let Some(first) = text.chars().next() else { return Err(NameFault::Empty) };
    if let Some(found) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Err(NameFault::Character { found });
    }
    if first == '-' {
        return Err(NameFault::Start);
    }
    if text.len() > NAME_MOST {
        return Err(NameFault::TooLong { most: NAME_MOST });
    }
    Ok(())
}

/// Visible ASCII without quotes, backslash and angle brackets: nothing that a log or a page could stumble over.
fn check_text(text: &str) -> Result<(), NameFault> {
    if text.is_empty() {
        return Err(NameFault::Empty);
    }
    if let Some(found) =
        text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '\\' | '<' | '>' | '`'))
    {
        return Err(NameFault::Character { found });
    }
    if text.len() > TEXT_MOST {
        return Err(NameFault::TooLong { most: TEXT_MOST });
    }
    Ok(())
}

/// Any script, up to 255 characters, but nothing invisible that a log line or a terminal would obey: no control
/// characters, no line separators, no marks that turn the reading direction, and not only blanks.
pub(crate) fn check_subject(text: &str) -> Result<(), NameFault> {
    // Nearly all are short and of visible ASCII, where nothing of that kind is found.
    let is_visible = text.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic());
    if is_visible && (1..=TEXT_MOST).contains(&text.len()) {
        return Ok(());
    }
    if text.trim().is_empty() {
        return Err(NameFault::Empty);
    }
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if let Some(found) = text.chars().find(|c| steers(*c)) {
        return Err(NameFault::Character { found });
    }
    if text.chars().count() > TEXT_MOST {
        return Err(NameFault::TooLong { most: TEXT_MOST });
    }
    Ok(())
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks the text and keeps it.
            pub fn new(text: &str) -> Result<Self, NameFault> {
                $check(text).map(|()| Self(text.into()))
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameFault;
            fn try_from(text: String) -> Result<Self, NameFault> {
                Self::new(&text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameFault;
            fn from_str(text: &str) -> Result<Self, NameFault> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

checked_text!(
    /// A client's name: `[a-z0-9][a-z0-9-]{0,62}`, unique in an installation.
    ClientName,
    check_name
);
checked_text!(
    /// An MCP server's name behind the gateway: `[a-z0-9][a-z0-9-]{0,62}`.
    ServerName,
    check_name
);
checked_text!(
    /// A policy's name: `[a-z0-9][a-z0-9-]{0,62}`, unique in an installation.
    PolicyName,
    check_name
);
checked_text!(
    /// The `sub` claim of a client: up to 255 characters of any script, none of them invisible.
    Subject,
    check_subject
);
checked_text!(
    /// The `iss` claim: up to 255 visible ASCII characters.
    Issuer,
    check_text
);
checked_text!(
    /// The `aud` claim: up to 255 visible ASCII characters.
    Audience,
    check_text
);

#[cfg(test)]
mod tests {
    use super::{ClientName, NameFault, Subject};

    #[test]
    fn names_are_short_plain_words() {
        for good in ["a", "vscode1", "0", "ci-job-7", &"a".repeat(63)] {
            assert!(ClientName::new(good).is_ok(), "{good}");
        }
        for (bad, fault) in [
            ("", NameFault::Empty),
            ("a/b", NameFault::Character { found: '/' }),
            ("..", NameFault::Character { found: '.' }),
            ("VSCode", NameFault::Character { found: 'V' }),
            ("-a", NameFault::Start),
            (&"a".repeat(64), NameFault::TooLong { most: 63 }),
        ] {
            assert_eq!(ClientName::new(bad), Err(fault), "{bad}");
        }
    }

    #[test]
    fn subjects_hold_nothing_that_a_log_stumbles_over() {
        for good in ["vscode1@exai-mcp.local", "caf\u{e9}", "\u{5f20}\u{4f1f}@host", &"\u{e9}".repeat(255)] {
            assert!(Subject::new(good).is_ok(), "{good:?}");
        }
        for bad in ["", "  ", "a\nb", "a\u{85}b", "\u{202e}x", "a\u{2028}b", &"s".repeat(256)] {
            assert!(Subject::new(bad).is_err(), "{bad:?}");
        }
    }
}
