//! What has to be remembered to take one edit back. Holds nothing that we wrote as a value: no token of ours.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{EditError, Removal};

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

impl Added {
    /// The text without the member at `item` and what was written around it, if that still stands as it was written.
    pub(crate) fn taken_out(&self, text: &str, item: &Range<usize>) -> Option<String> {
        let start = item.start.checked_sub(self.prefix.len())?;
        let end = item.end + self.suffix.len();
        let stands = text.get(start..item.start) == Some(&*self.prefix)
            && text.get(item.end..end) == Some(&*self.suffix)
            && !(self.prefix.is_empty() && self.suffix.is_empty());
        stands.then(|| [&text[..start], &text[end..]].concat())
    }
}

/// A value of ours in a document, and the ways to take it back. One for each format.
pub(crate) trait TakeBack {
    /// Puts back what stood there.
    fn restore(&self, raw: &str) -> Result<Removal, EditError>;

    /// The text before our edit, if what we wrote around our value still stands as we wrote it.
    fn exact(&self, added: &Added) -> Option<String>;

    /// Removes our member, and up to `created` objects around it that hold nothing else.
    fn cut_out(&self, created: usize) -> Result<Removal, EditError>;

    /// As the edit was: exactly if that can be, else as little as can be.
    fn take_back(&self, undo: &Undo) -> Result<Removal, EditError> {
        match &undo.0 {
            Inverse::Nothing => Ok(Removal::Nothing),
            Inverse::Replaced { raw } => self.restore(raw),
            Inverse::Added(added) | Inverse::Item(added) => match self.exact(added) {
                Some(before) => Ok(Removal::Done(before.into_bytes())),
                None => self.cut_out(added.created),
            },
        }
    }
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
