//! Takes an edit of ours back: exactly where the text around it still stands, else only our line.

use serde_json::Value;

use super::edit::{is_same_around, is_without, variable};
use super::scan::{Assignment, Document, parse};
use crate::undo::{Added, TakeBack};
use crate::{EditError, KeyPath, Position, Removal, Undo};

pub(crate) fn remove(
    text: &[u8],
    path: &KeyPath,
    undo: &Undo,
    is_ours: impl FnOnce(&Value) -> bool,
) -> Result<Removal, EditError> {
    let document = parse(text)?;
    let name = variable(path)?;
    let Some(ours) = document.find(name)? else { return Ok(Removal::Nothing) };
    if !ours.plain.is_some_and(|plain| is_ours(&Value::from(plain))) {
        return Ok(Removal::Foreign { at: Position::of(document.text, ours.value.start) });
    }
    Ours { document: &document, name, there: ours }.take_back(undo)
}

struct Ours<'a, 't> {
    document: &'a Document<'t>,
    name: &'a str,
    there: Assignment<'t>,
}

impl TakeBack for Ours<'_, '_> {
    fn restore(&self, raw: &str) -> Result<Removal, EditError> {
        let (text, span) = (self.document.text, &self.there.value);
        let before = [&text[..span.start], raw, &text[span.end..]].concat();
        let holds = parse(before.as_bytes()).is_ok_and(|reading| {
            reading.find(self.name).is_ok_and(|there| {
                there.is_some_and(|there| is_same_around(text, &self.there, &before, &there))
            })
        });
        if holds { Ok(Removal::Done(before.into_bytes())) } else { Err(EditError::Guard) }
    }

    fn exact(&self, added: &Added) -> Option<String> {
        added.taken_out(self.document.text, &self.there.value).filter(|before| self.lost(before))
    }

    fn cut_out(&self, _created: usize) -> Result<Removal, EditError> {
        let (text, line) = (self.document.text, &self.there.line);
        let before = [&text[..line.start], &text[line.end..]].concat();
        if self.lost(&before) { Ok(Removal::Done(before.into_bytes())) } else { Err(EditError::Guard) }
    }
}

impl Ours<'_, '_> {
    /// Whether `before` is the document without our line.
    fn lost(&self, before: &str) -> bool {
        parse(before.as_bytes()).is_ok_and(|reading| matches!(reading.find(self.name), Ok(None)))
            && is_without(before, self.document.text, &self.there)
    }
}
