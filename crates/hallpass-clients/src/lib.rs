//! Edits one entry in an MCP client's configuration text and leaves every other byte as it was.
//! Text in, text out: no files, no clock, no environment, no randomness. Knows the clients, as a table.

mod candidates;
mod client;
mod encoding;
mod env;
mod error;
mod json;
mod outline;
mod page;
mod path;
mod placement;
mod toml;
mod undo;
mod yaml;

use serde_json::Value;

pub use candidates::{Candidate, Machine, Os, Scope};
pub use client::{
    Client, Credential, Evidence, Format, Reference, ReferenceKind, Reload, app, apps, client, clients,
};
pub use error::{EditError, JsonType, Obstacle, Position, SyntaxFault};
pub use page::clients_page;
pub use path::KeyPath;
pub use placement::PlacementKind;
pub use undo::Undo;

/// A text longer than this is refused: no client's configuration comes near it.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Nesting deeper than this is refused, so that hostile input cannot exhaust the stack.
pub const MAX_DEPTH: usize = 64;

/// The spelling a client's parser accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// JSON as in RFC 8259.
    Json,
    /// JSON with `//` and `/* */` comments and trailing commas.
    Jsonc,
    /// TOML 1.0, and what 1.1 adds to it.
    Toml,
    /// One YAML document, for readers of 1.1 and of 1.2.
    Yaml,
    /// An environment file: `NAME=value` lines. A path is one name, a value a token.
    Env,
}

/// What [`read`] met at a path.
#[derive(PartialEq)]
pub enum Found {
    /// The whole path is there.
    Present(Present),
    /// The path ends early.
    Absent(Absent),
}

/// A value that is there. It may be a secret: there is no `Debug`.
#[derive(Clone, PartialEq)]
pub struct Present {
    /// The decoded value; `None` for what `serde_json` cannot hold (lone surrogates, a number out of range).
    pub value: Option<Value>,
    /// The bytes of the value as the file spells them.
    pub raw: String,
}

/// How far a path goes, and what stands where it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// How many leading segments are there as objects.
    pub depth: usize,
    /// The keys of the deepest object that is there, in the file's order.
    pub siblings: Vec<String>,
}

/// The outcome of [`upsert`]. The text holds secrets: there is no `Debug`.
#[derive(PartialEq)]
pub struct Edit {
    /// The text to write.
    pub text: Vec<u8>,
    /// Whether `text` differs from what was given.
    pub changed: bool,
    /// What [`remove`] needs to take the edit back. After a rotation keep the first one:
    /// it still holds, and the later one would carry our own old value.
    pub undo: Undo,
}

/// The outcome of [`remove`]. The text holds secrets: there is no `Debug`.
#[derive(PartialEq)]
pub enum Removal {
    /// Ours was there; this is the text without it, or with what stood there before.
    Done(Vec<u8>),
    /// There is nothing of ours to take back, or it stood there before us: leave the file alone.
    Nothing,
    /// Somebody else's value stands there now: leave the file alone and tell the person.
    Foreign {
        /// Where that value begins.
        at: Position,
    },
}

/// Looks up `path`.
pub fn read(text: &[u8], dialect: Dialect, path: &KeyPath) -> Result<Found, EditError> {
    match dialect {
        Dialect::Json | Dialect::Jsonc => json::read(text, dialect, path),
        Dialect::Toml => toml::read(unmarked(text).1, path),
        Dialect::Yaml => yaml::read(unmarked(text).1, path),
        Dialect::Env => env::read(text, path),
    }
}

/// Puts `value` at `path`. The first `must_exist` segments have to be there as objects, the rest may be created.
///
/// A text without a document (blank, or only comments) becomes a new document when `must_exist` is 0.
/// An equal value is left as it is; a value of another JSON type is refused and not replaced.
pub fn upsert(
    text: &[u8],
    dialect: Dialect,
    path: &KeyPath,
    value: &Value,
    must_exist: usize,
) -> Result<Edit, EditError> {
    match dialect {
        Dialect::Json | Dialect::Jsonc => json::upsert(text, dialect, path, value, must_exist),
        Dialect::Toml => marked(text, |text| toml::upsert(text, path, value, must_exist)),
        Dialect::Yaml => marked(text, |text| yaml::upsert(text, path, value, must_exist)),
        Dialect::Env => env::upsert(text, path, value, must_exist),
    }
}

/// Takes back what [`upsert`] did at `path`, if `is_ours` knows the value that stands there now.
///
/// When nothing else was touched since, or only our value was rotated, the original bytes come back exactly.
/// Otherwise our member goes, with the objects that we created for it and that hold nothing else,
/// or the value that stood there before comes back.
pub fn remove(
    text: &[u8],
    dialect: Dialect,
    path: &KeyPath,
    undo: &Undo,
    is_ours: impl FnOnce(&Value) -> bool,
) -> Result<Removal, EditError> {
    match dialect {
        Dialect::Json | Dialect::Jsonc => json::remove(text, dialect, path, undo, is_ours),
        Dialect::Toml => {
            let (mark, text) = unmarked(text);
            Ok(remarked(mark, toml::remove(text, path, undo, is_ours)?))
        }
        Dialect::Yaml => {
            let (mark, text) = unmarked(text);
            Ok(remarked(mark, yaml::remove(text, path, undo, is_ours)?))
        }
        Dialect::Env => env::remove(text, path, undo, is_ours),
    }
}

/// Puts `value` into the list at `list`, in place of the element that has the same `id` member, else behind the last one.
/// A list that is not there is created. Lists are edited in JSON only.
pub fn upsert_item(
    text: &[u8],
    dialect: Dialect,
    list: &KeyPath,
    id: &str,
    value: &Value,
) -> Result<Edit, EditError> {
    match dialect {
        Dialect::Json | Dialect::Jsonc => json::upsert_item(text, dialect, list, id, value),
        Dialect::Toml | Dialect::Yaml | Dialect::Env => Err(no_lists()),
    }
}

/// Takes back what [`upsert_item`] did: the element that `is_ours` knows.
pub fn remove_item(
    text: &[u8],
    dialect: Dialect,
    list: &KeyPath,
    undo: &Undo,
    is_ours: impl Fn(&Value) -> bool,
) -> Result<Removal, EditError> {
    match dialect {
        Dialect::Json | Dialect::Jsonc => json::remove_item(text, dialect, list, undo, is_ours),
        Dialect::Toml | Dialect::Yaml | Dialect::Env => Err(no_lists()),
    }
}

fn no_lists() -> EditError {
    EditError::NotSafe { obstacle: Obstacle::Layout, at: Position { line: 1, column: 1 } }
}

/// The byte order mark, and what follows it. Clients of TOML and YAML read over it, those of JSON do not.
fn unmarked(text: &[u8]) -> (&[u8], &[u8]) {
    let mark = if text.starts_with(encoding::MARK) { encoding::MARK.len() } else { 0 };
    text.split_at(mark)
}

fn marked(text: &[u8], edit: impl FnOnce(&[u8]) -> Result<Edit, EditError>) -> Result<Edit, EditError> {
    let (mark, text) = unmarked(text);
    let edit = edit(text)?;
    Ok(Edit { text: [mark, &edit.text].concat(), ..edit })
}

fn remarked(mark: &[u8], removal: Removal) -> Removal {
    match removal {
        Removal::Done(text) => Removal::Done([mark, &text].concat()),
        Removal::Nothing | Removal::Foreign { .. } => removal,
    }
}
