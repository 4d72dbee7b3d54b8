//! Says why a text was not edited, and where. Quotes keys, never a value or a line: those may be secrets.

use std::fmt;

use crate::{KeyPath, MAX_BYTES, MAX_DEPTH};

const KEY_SHOWN_CHARS: usize = 64;
const SIBLINGS_SHOWN: usize = 8;

/// A place in a text, both numbers counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl Position {
    /// The place of a byte offset; CRLF, LF and a lone CR end a line.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let before = &text.as_bytes()[..offset];
        let after = text.as_bytes().get(offset);
        let ends_line =
            |(i, &b): (usize, &u8)| b == b'\n' || (b == b'\r' && before.get(i + 1).or(after) != Some(&b'\n'));
        let start = before.iter().enumerate().rposition(ends_line).map_or(0, |i| i + 1);
        let line = before.iter().enumerate().filter(|&at| ends_line(at)).count() + 1;
        Self { line, column: text[start..offset].chars().count() + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The six types of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonType {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl fmt::Display for JsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

/// What is wrong with the syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyntaxFault {
    /// Something that begins no value.
    ExpectedValue,
    /// Something else than a key in quotes.
    ExpectedKey,
    /// No colon after a key.
    ExpectedColon,
    /// Neither a comma nor the closing bracket after an element.
    ExpectedCommaOrEnd,
    /// The text ends inside an object or an array.
    UnexpectedEnd,
    /// A string without its closing quote.
    UnterminatedString,
    /// A block comment without its end.
    UnterminatedComment,
    /// A backslash followed by something that JSON does not know.
    BadEscape,
    /// A control character in a string.
    ControlCharacter,
    /// A number JSON does not know.
    BadNumber,
    /// A comment where the client reads strict JSON.
    CommentNotAllowed,
    /// A comma before a closing bracket where the client reads strict JSON.
    TrailingComma,
    /// Something that TOML does not know.
    NotToml,
    /// Something that YAML does not know.
    NotYaml,
}

impl fmt::Display for SyntaxFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExpectedValue => "expected a value",
            Self::ExpectedKey => "expected a key in double quotes",
            Self::ExpectedColon => "expected `:` after the key",
            Self::ExpectedCommaOrEnd => "expected `,` or a closing bracket",
            Self::UnexpectedEnd => "the file ends in the middle of an object or an array",
            Self::UnterminatedString => "this string never ends",
            Self::UnterminatedComment => "this comment never ends",
            Self::BadEscape => "unknown escape in a string",
            Self::ControlCharacter => "control character in a string",
            Self::BadNumber => "malformed number",
            Self::CommentNotAllowed => "this client reads strict JSON, which has no comments",
            Self::TrailingComma => "this client reads strict JSON, which has no trailing comma",
            Self::NotToml => "this is not TOML",
            Self::NotYaml => "this is not YAML",
        })
    }
}

/// What stands in the way of an edit that would leave everything else as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// An anchor: what stands here is used in other places too.
    Anchor,
    /// An alias: what it names stands somewhere else, and is used by others.
    Alias,
    /// A tag that says how to read what follows.
    Tag,
    /// `<<`, which takes members over from somewhere else.
    Merge,
    /// A key that is not plain text.
    OddKey,
    /// A layout that cannot be added to: an object spread over several places, say.
    Layout,
    /// The format has no way to write what was asked for.
    NoSuchValue,
    /// Programs read in different ways what stands here.
    Unclear,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anchor => "an anchor stands here, so that other places would change too",
            Self::Alias => "this is an alias of something that other places use too",
            Self::Tag => "a tag stands here",
            Self::Merge => "`<<` takes members over from somewhere else",
            Self::OddKey => "this key is not plain text",
            Self::Layout => "this layout cannot be edited without touching what is not ours",
            Self::NoSuchValue => "this format cannot hold what should be written here",
            Self::Unclear => "programs read in different ways what stands here",
        })
    }
}

/// Why a text was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditError {
    /// Not UTF-8.
    NotUtf8 {
        /// The first bad byte.
        at: Position,
    },
    /// UTF-16 (or UTF-32), as some editors on Windows save.
    Utf16,
    /// A UTF-8 byte order mark, which strict clients cannot read.
    ByteOrderMark,
    /// A NUL byte.
    NulByte {
        /// Where it is.
        at: Position,
    },
    /// Not JSON.
    Syntax {
        /// What is wrong.
        fault: SyntaxFault,
        /// Where.
        at: Position,
    },
    /// One key twice in one object: clients differ in which one they take.
    DuplicateKey {
        /// The decoded key.
        key: String,
        /// Its first place.
        first: Position,
        /// Its second place.
        second: Position,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep {
        /// The first bracket too many.
        at: Position,
    },
    /// Longer than [`MAX_BYTES`].
    TooLarge {
        /// The length.
        bytes: usize,
    },
    /// Something follows the document.
    TrailingData {
        /// Where it begins.
        at: Position,
    },
    /// The document is not an object.
    RootNotObject {
        /// What it is.
        found: JsonType,
        /// Where it begins.
        at: Position,
    },
    /// Something on the way to the entry is not an object.
    NotObject {
        /// The path to it.
        path: KeyPath,
        /// What it is.
        found: JsonType,
        /// Where it begins.
        at: Position,
    },
    /// The value there has another type than ours: somebody's data would be lost.
    OtherType {
        /// The path to it.
        path: KeyPath,
        /// What it is.
        found: JsonType,
        /// What we would put there.
        wanted: JsonType,
        /// Where it begins.
        at: Position,
    },
    /// A part of the path that has to be there is not.
    MissingEntry {
        /// The path down to the first missing key.
        path: KeyPath,
        /// The keys that are there instead.
        siblings: Vec<String>,
    },
    /// It can be read, but not edited without changing something that is not ours.
    NotSafe {
        /// What stands in the way.
        obstacle: Obstacle,
        /// Where.
        at: Position,
    },
    /// The edited text does not read back as the old one plus (or less) our entry.
    Guard,
}

impl std::error::Error for EditError {}

impl EditError {
    /// Where it is, if it is in one place.
    pub fn at(&self) -> Option<Position> {
        match self {
            Self::NotUtf8 { at }
            | Self::NulByte { at }
            | Self::Syntax { at, .. }
            | Self::DuplicateKey { second: at, .. }
            | Self::TooDeep { at }
            | Self::TrailingData { at }
            | Self::RootNotObject { at, .. }
            | Self::NotObject { at, .. }
            | Self::OtherType { at, .. }
            | Self::NotSafe { at, .. } => Some(*at),
            Self::Utf16
            | Self::ByteOrderMark
            | Self::TooLarge { .. }
            | Self::MissingEntry { .. }
            | Self::Guard => None,
        }
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 { at } => write!(f, "not UTF-8 at {at}"),
            Self::Utf16 => f.write_str("the file is UTF-16, and MCP clients read UTF-8"),
            Self::ByteOrderMark => {
                f.write_str("the file begins with a byte order mark, which MCP clients may not read")
            }
            Self::NulByte { at } => write!(f, "NUL byte at {at}"),
            Self::Syntax { fault, at } => write!(f, "{fault}, at {at}"),
            Self::DuplicateKey { key, first, second } => {
                write!(f, "the key `{}` is there twice: at {first} and at {second}", Key(key))
            }
            Self::TooDeep { at } => write!(f, "nested deeper than {MAX_DEPTH} levels at {at}"),
            Self::TooLarge { bytes } => write!(f, "{bytes} bytes is more than the {MAX_BYTES} that are read"),
            Self::TrailingData { at } => write!(f, "the document has ended, but more follows at {at}"),
            Self::RootNotObject { found, at } => write!(f, "the document is {found}, not an object, at {at}"),
            Self::NotObject { path, found, at } => write!(f, "`{path}` is {found}, not an object, at {at}"),
            Self::OtherType { path, found, wanted, at } => {
                write!(f, "`{path}` is {found}, not {wanted}, at {at}: it is not replaced")
            }
            Self::MissingEntry { path, siblings } => {
                write!(f, "there is no `{path}` ({})", Siblings(siblings))
            }
            Self::NotSafe { obstacle, at } => write!(f, "{obstacle}, at {at}"),
            Self::Guard => {
                f.write_str("the edited text would not read back as the old one with only our entry changed")
            }
        }
    }
}

/// A key as shown: cut to a length, without anything that could steer a terminal.
struct Key<'a>(&'a str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars().take(KEY_SHOWN_CHARS) {
            write!(f, "{}", char.escape_debug())?;
        }
        if self.0.chars().count() > KEY_SHOWN_CHARS { f.write_str("...") } else { Ok(()) }
    }
}

struct Siblings<'a>(&'a [String]);

impl fmt::Display for Siblings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing is there");
        }
        f.write_str("entries there: ")?;
        for (index, key) in self.0.iter().take(SIBLINGS_SHOWN).enumerate() {
            write!(f, "{}`{}`", if index == 0 { "" } else { ", " }, Key(key))?;
        }
        match self.0.len().checked_sub(SIBLINGS_SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more"),
        }
    }
}
