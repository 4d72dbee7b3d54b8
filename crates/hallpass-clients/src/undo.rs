//! What has to be remembered to take one edit back. Holds nothing that we wrote as a value: no token of ours.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The inverse of one edit, to be stored sealed: it can hold a value that stood in our place, so a foreign secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo(pub(crate) Inverse);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(crate) enum Inverse {
    /// The value was there already: nothing to take back.
    Nothing,
    /// A value stood there; this is its spelling.
    Replaced { raw: String },
    /// Nothing stood there.
    Added(Added),
    /// An element was added to a list.
    Item(Added),
}

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Added {
    /// What was written before the value, from the end of what stood there: line end, indent, keys, brackets.
    pub(crate) prefix: String,
    /// What was written after the value.
    pub(crate) suffix: String,
    /// A comma was put after the member before ours.
    pub(crate) comma: bool,
    /// How many objects around the value were created for it.
    pub(crate) created: usize,
    /// The white space that was the whole text before, if a new document was made.
    pub(crate) blank: Option<String>,
}

impl Undo {
    /// For an entry of ours whose record is lost: [`remove`](crate::remove) takes out the member and nothing more.
    pub fn without_record() -> Self {
        Self(Inverse::Added(Added::default()))
    }
}

impl fmt::Debug for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Undo(..)")
    }
}
