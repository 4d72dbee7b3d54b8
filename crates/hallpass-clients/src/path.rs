//! Names a place in a document by its literal keys. Knows no syntax: a dot in a key is a dot.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Literal keys from the document's root, at least one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// The path of one key at the root.
    pub fn new(first: impl Into<String>) -> Self {
        Self(vec![first.into()])
    }

    /// This path, one key deeper.
    #[must_use]
    pub fn join(mut self, key: impl Into<String>) -> Self {
        self.0.push(key.into());
        self
    }

    /// The keys, outermost first.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// The first `len` keys, and at least one.
    #[must_use]
    pub fn prefix(&self, len: usize) -> Self {
        Self(self.0[..len.clamp(1, self.0.len())].to_vec())
    }
}

impl TryFrom<Vec<String>> for KeyPath {
    type Error = &'static str;

    fn try_from(keys: Vec<String>) -> Result<Self, Self::Error> {
        if keys.is_empty() { Err("a key path has at least one key") } else { Ok(Self(keys)) }
    }
}

impl From<KeyPath> for Vec<String> {
    fn from(path: KeyPath) -> Self {
        path.0
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.0.iter().enumerate() {
            let plain =
                !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            match (plain, index) {
                (true, 0) => write!(f, "{key}")?,
                (true, _) => write!(f, ".{key}")?,
                (false, _) => write!(f, "[\"{}\"]", key.escape_debug())?,
            }
        }
        Ok(())
    }
}
