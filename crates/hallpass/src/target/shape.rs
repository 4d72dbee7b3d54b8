//! In what shape a token gets to its client, and how what stands in a file compares with it. Reads and writes no file.

use hallpass_clients::KeyPath;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Stands in an entry for the header with the token, until it is written.
pub(super) const TOKEN: &str = "Bearer {token}";
/// Before the token in a header.
const SCHEME: &str = "Bearer ";

/// How the token gets to the client.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// The token itself, as a variable of an entry that is there already, or as a line of an environment file.
    Variable {
        /// Where.
        path: KeyPath,
        /// What the entry starts, if that is ours to say.
        shim: Option<ShimCommand>,
    },
    /// Entries of our own.
    Entries {
        /// One a server.
        entries: Vec<Entry>,
        /// Where the token is.
        secret: Secret,
    },
    /// Entries that a person puts in: the file has no editor.
    ByHand {
        /// What to put in, as the client spells it.
        text: String,
        /// What the bridge reads.
        token_file: TokenFile,
    },
}

/// Where the token of entries is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// In a file of the home: the entries hold no secret.
    InFile(TokenFile),
    /// In the entries.
    InEntries,
}

/// A file of the home that holds a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFile {
    /// Where.
    pub path: PathBuf,
    /// It is a line `VARIABLE=TOKEN`, for a shell; else the token alone.
    pub variable: Option<String>,
    /// It is read again and again, not only when the client starts.
    pub afresh: bool,
}

/// The `command` of an entry that starts the shim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShimCommand {
    /// Where it stands.
    pub path: KeyPath,
    /// The link by which this program is the shim, whatever its arguments.
    pub link: PathBuf,
}

/// An entry of our own in a client's file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where it stands.
    pub path: KeyPath,
    /// What it is, without the token.
    value: Value,
}

impl Shape {
    /// The file of the home that the client's token is in.
    pub fn token_file(&self) -> Option<&TokenFile> {
        match self {
            Self::Variable { .. } | Self::Entries { secret: Secret::InEntries, .. } => None,
            Self::Entries { secret: Secret::InFile(file), .. } | Self::ByHand { token_file: file, .. } => {
                Some(file)
            }
        }
    }

    /// Whether the client's token is read from that file.
    pub fn reads(&self, file: &Path) -> bool {
        self.token_file().is_some_and(|own| own.path == file)
    }

    /// Whether the client's own file holds the token.
    pub fn is_literal(&self) -> bool {
        self.token_file().is_none()
    }

    /// Whether a new token is read without a restart.
    pub fn is_read_afresh(&self) -> bool {
        self.token_file().is_some_and(|file| file.afresh)
    }

    /// The places in the client's file that are written.
    pub fn paths(&self) -> Vec<&KeyPath> {
        match self {
            Self::Variable { path, shim } => {
                [path].into_iter().chain(shim.as_ref().map(|shim| &shim.path)).collect()
            }
            Self::Entries { entries, .. } => entries.iter().map(|entry| &entry.path).collect(),
            Self::ByHand { .. } => Vec::new(),
        }
    }
}

impl TokenFile {
    /// What it holds.
    pub fn line(&self, token: &str) -> String {
        match &self.variable {
            Some(variable) => format!("{variable}={token}\n"),
            None => format!("{token}\n"),
        }
    }
}

/// The token in a file of the home: alone, or behind `VARIABLE=`, which no token has in it.
pub fn token_in(text: &str) -> &str {
    let line = text.trim_end();
    line.split_once('=').map_or(line, |(_, token)| token)
}

impl Entry {
    /// With the text `Bearer {token}` where the header goes, if the token goes into the entry.
    pub fn new(path: KeyPath, value: Value) -> Self {
        Self { path, value }
    }

    /// As it is written. `token`: for an entry that holds one; without it, the one in `there` stays.
    pub fn filled(&self, token: Option<&str>, there: Option<&Value>) -> Value {
        let token = token.or_else(|| self.token_of(there?)).unwrap_or_default();
        filled(&self.value, &format!("{SCHEME}{token}"))
    }

    /// The token in the place where this entry has one.
    pub fn token_of<'a>(&self, there: &'a Value) -> Option<&'a str> {
        token_of(&self.value, there)
    }

    /// Whether `there` is this entry, whichever token is in it. Members that a person added are theirs.
    pub fn is_in_place(&self, there: &Value) -> bool {
        covers(there, &self.value)
    }

    /// Whether `there` is of the same kind: an entry that started a program is none that calls an address.
    pub fn has_its_members(&self, there: &Value) -> bool {
        let (Some(wanted), Some(there)) = (self.value.as_object(), there.as_object()) else { return false };
        wanted.iter().all(|(key, value)| {
            there.get(key).is_some_and(|there| std::mem::discriminant(there) == std::mem::discriminant(value))
        })
    }
}

fn filled(template: &Value, header: &str) -> Value {
    match template {
        Value::String(text) if text == TOKEN => Value::from(header),
        Value::Object(map) => Value::Object(
            map.iter().map(|(key, value)| (key.clone(), filled(value, header))).collect::<Map<_, _>>(),
        ),
        other => other.clone(),
    }
}

fn token_of<'a>(template: &Value, there: &'a Value) -> Option<&'a str> {
    match (template, there) {
        (Value::String(text), Value::String(there)) if text == TOKEN => there.strip_prefix(SCHEME),
        (Value::Object(map), Value::Object(there)) => {
            map.iter().find_map(|(key, value)| token_of(value, there.get(key)?))
        }
        _ => None,
    }
}

fn covers(there: &Value, template: &Value) -> bool {
    match (template, there) {
        (Value::Object(map), Value::Object(there)) => {
            map.iter().all(|(key, value)| there.get(key).is_some_and(|there| covers(there, value)))
        }
        (Value::String(text), Value::String(there)) if text == TOKEN => there.starts_with(SCHEME),
        (template, there) => template == there,
    }
}

/// The values of an entry that are no objects, with the keys that lead to them.
pub fn leaves(value: &Value) -> Vec<(Vec<&str>, &Value)> {
    let Value::Object(map) = value else { return vec![(Vec::new(), value)] };
    map.iter()
        .flat_map(|(key, value)| {
            leaves(value).into_iter().map(move |(mut path, leaf)| {
                path.insert(0, key);
                (path, leaf)
            })
        })
        .collect()
}
