//! Takes an edit of ours back: exactly where the text around it still stands, else only our lines.

use std::ops::Range;

use serde_json::Value;

use super::edit::{End, Way, walk};
use super::scan::parse;
use super::tree::{Document, Node};
use crate::json::take_back::{with_blanks, without};
use crate::outline::{gained, lost};
use crate::undo::{Added, TakeBack};
use crate::{EditError, KeyPath, Position, Removal, Undo};

pub(crate) fn remove(
    text: &[u8],
    path: &KeyPath,
    undo: &Undo,
    is_ours: impl FnOnce(&Value) -> bool,
) -> Result<Removal, EditError> {
    let document = parse(text)?;
    let Some(root) = &document.root else { return Ok(Removal::Nothing) };
    let Ok(Way { steps, end: End::Value(node) }) = walk(document.text, root, path) else {
        return Ok(Removal::Nothing);
    };
    if !node.to_value().as_ref().is_some_and(is_ours) {
        return Ok(Removal::Foreign { at: Position::of(document.text, node.span.start) });
    }
    let ours = Ours { document: &document, path, root, steps, node };
    ours.take_back(undo)
}

struct Ours<'a, 't> {
    document: &'a Document<'t>,
    path: &'a KeyPath,
    root: &'a Node,
    steps: Vec<(&'a Node, usize)>,
    node: &'a Node,
}

impl TakeBack for Ours<'_, '_> {
    fn restore(&self, raw: &str) -> Result<Removal, EditError> {
        let text = self.document.text;
        let before = [&text[..self.node.span.start], raw, &text[self.node.end()..]].concat();
        let holds = parse(before.as_bytes()).is_ok_and(|reading| {
            reading.root.is_some_and(|after| {
                gained(Some(&self.root.outline()), &after.outline(), self.path.segments())
            })
        });
        if holds { Ok(Removal::Done(before.into_bytes())) } else { Err(EditError::Guard) }
    }

    fn exact(&self, added: &Added) -> Option<String> {
        let level = self.steps.len().checked_sub(added.created.saturating_add(1))?;
        let before = added.taken_out(self.document.text, &self.item(level)?)?;
        self.lost(&before, level).then(|| match &added.blank {
            Some(blank) if before.is_empty() => blank.clone(),
            Some(_) | None => before,
        })
    }

    fn cut_out(&self, created: usize) -> Result<Removal, EditError> {
        let last = self.steps.len() - 1;
        let alone = |level: &usize| self.steps[*level].0.members().is_some_and(|members| members.len() == 1);
        let empty = (1..=last).rev().take(created).take_while(alone).count();
        let text = self.document.text;
        let level = last - empty;
        let Some(item) = self.item(level) else { return Err(EditError::Guard) };
        let cut = without(text, &[self.cut(level, item.clone())]);
        // An object whose last member goes has to say that it is empty, and so has a document that says where it ends.
        let emptied = [&text[..item.start], "{}", &text[item.end..]].concat();
        let ended =
            |before: &str| before.lines().any(|line| line.starts_with("...") || line.starts_with("---"));
        let is_good = |before: &String| {
            self.lost(before, level)
                && (!ended(before) || parse(before.as_bytes()).is_ok_and(|reading| reading.root.is_some()))
        };
        let before = [cut, emptied].into_iter().find(is_good);
        before.map(|before| Removal::Done(before.into_bytes())).ok_or(EditError::Guard)
    }
}

impl Ours<'_, '_> {
    /// Key and value of the member that was taken at `level`.
    fn item(&self, level: usize) -> Option<Range<usize>> {
        let (object, index) = self.steps.get(level)?;
        let member = object.members()?.get(*index)?;
        Some(member.key.span.start..member.end)
    }

    fn cut(&self, level: usize, item: Range<usize>) -> Range<usize> {
        let (object, index) = self.steps[level];
        let members = object.members().unwrap_or_default();
        if !object.is_flow() {
            return with_blanks(self.document.text, item);
        }
        match (members.get(index + 1), index.checked_sub(1).map(|previous| members[previous].end)) {
            (Some(next), _) => item.start..next.key.span.start,
            (None, Some(previous)) => previous..item.end,
            (None, None) => {
                let comma = self.document.text[item.end..].starts_with(',');
                item.start..item.end + usize::from(comma)
            }
        }
    }

    /// Whether `before` reads as the document without the member at `level`.
    fn lost(&self, before: &str, level: usize) -> bool {
        let keys = &self.path.segments()[..=level];
        parse(before.as_bytes()).is_ok_and(|reading| {
            lost(&self.root.outline(), reading.root.as_ref().map(Node::outline).as_ref(), keys)
        })
    }
}
