//! Takes an edit of ours back: exactly where the text around it still stands, else only our member.
//! Decides nothing about whose value it is: the caller says.

use std::ops::Range;

use serde_json::Value;

use super::edit::{End, Way, walk};
use super::guard;
use super::style;
use super::tree::{Document, Member, Node, parse};
use crate::undo::{Added, TakeBack};
use crate::{Dialect, EditError, KeyPath, Position, Removal, Undo};

pub(crate) fn remove(
    text: &[u8],
    dialect: Dialect,
    path: &KeyPath,
    undo: &Undo,
    is_ours: impl FnOnce(&Value) -> bool,
) -> Result<Removal, EditError> {
    let document = parse(text, dialect)?;
    let Some(root) = &document.root else { return Ok(Removal::Nothing) };
    // Something else on the way than an object means that our entry went with what was there.
    let Ok(Way { steps, end: End::Value(node) }) = walk(document.text, root, path) else {
        return Ok(Removal::Nothing);
    };
    if !node.to_value().as_ref().is_some_and(is_ours) {
        return Ok(Removal::Foreign { at: Position::of(document.text, node.start) });
    }
    let ours = Ours { document: &document, dialect, path, root, steps, node };
    ours.take_back(undo)
}

/// Our value and the way to it.
struct Ours<'a, 't> {
    document: &'a Document<'t>,
    dialect: Dialect,
    path: &'a KeyPath,
    root: &'a Node<'t>,
    steps: Vec<(&'a Node<'t>, usize)>,
    node: &'a Node<'t>,
}

impl TakeBack for Ours<'_, '_> {
    fn restore(&self, raw: &str) -> Result<Removal, EditError> {
        let text = self.document.text;
        let before = [&text[..self.node.start], raw, &text[self.node.end()..]].concat();
        let reading = parse(before.as_bytes(), self.dialect).map_err(|_| EditError::Guard)?;
        match &reading.root {
            Some(after) if guard::restored(self.root, after, self.path.segments(), raw) => {
                Ok(Removal::Done(before.into_bytes()))
            }
            Some(_) | None => Err(EditError::Guard),
        }
    }

    fn exact(&self, added: &Added) -> Option<String> {
        let (text, top) =
            (self.document.text, self.steps.len().checked_sub(added.created.saturating_add(1))?);
        let start = self.node.start.checked_sub(added.prefix.len())?;
        let end = self.node.end() + added.suffix.len();
        let stands = text.get(start..self.node.start) == Some(&*added.prefix)
            && text.get(self.node.end()..end) == Some(&*added.suffix);
        if !stands || added.prefix.is_empty() {
            return None;
        }
        let comma = match (added.comma, self.previous(top).and_then(|previous| previous.comma)) {
            (true, comma) => comma.map(|comma| comma..comma + 1).filter(|comma| comma.end <= start)?,
            (false, _) => start..start,
        };
        let before = without(text, &[comma, start..end]);
        self.lost(&before, top).then(|| match &added.blank {
            Some(blank) if before.is_empty() => blank.clone(),
            Some(_) | None => before,
        })
    }

    fn cut_out(&self, created: usize) -> Result<Removal, EditError> {
        let text = self.document.text;
        let alone = |level: &usize| holds_only_one(text, self.steps[*level].0);
        let last = self.steps.len() - 1;
        let empty = (1..=last).rev().take(created).take_while(alone).count();
        let (object, index) = self.steps[last - empty];
        let before = without(text, &member_cuts(text, object, index));
        if self.lost(&before, last - empty) {
            Ok(Removal::Done(before.into_bytes()))
        } else {
            Err(EditError::Guard)
        }
    }
}

impl Ours<'_, '_> {
    /// The member before ours in the object that was entered at `level`.
    fn previous(&self, level: usize) -> Option<&Member<'_>> {
        let (object, index) = self.steps[level];
        object.members()?.get(index.checked_sub(1)?)
    }

    /// Whether `before` reads as the document without the member at `level`.
    fn lost(&self, before: &str, level: usize) -> bool {
        let keys = &self.path.segments()[..=level];
        parse(before.as_bytes(), self.dialect)
            .is_ok_and(|after| guard::lost(self.root, after.root.as_ref(), keys))
    }
}

/// Whether an object has one member and no comment of its own.
fn holds_only_one(text: &str, object: &Node) -> bool {
    let (Some([member]), interior) = (object.members(), object.interior()) else { return false };
    let comment_free = |gap: Range<usize>| style::last_comment(text, gap).is_none();
    comment_free(interior.start..member.start)
        && comment_free(member.value.end()..member.comma.unwrap_or(interior.end))
        && comment_free(member.end()..interior.end)
}

/// What has to go for a member to go: itself, one comma, and the blanks or the line that only it needed.
fn member_cuts(text: &str, object: &Node, index: usize) -> Vec<Range<usize>> {
    if holds_only_one(text, object) {
        return vec![object.interior()];
    }
    let members = object.members().unwrap_or_default();
    let member = &members[index];
    let near = member.comma.filter(|comma| text[member.value.end()..*comma].trim().is_empty());
    let mut cuts = vec![with_blanks(text, member.start..near.map_or(member.value.end(), |comma| comma + 1))];
    match (member.comma, index.checked_sub(1).and_then(|previous| members[previous].comma)) {
        (Some(comma), _) if near.is_none() => cuts.push(comma..comma + 1),
        (None, Some(comma)) => cuts.insert(0, comma..comma + 1),
        (Some(_), _) | (None, None) => {}
    }
    cuts
}

/// A span widened to its whole line if it stands there alone, else by the blanks on one side.
pub(crate) fn with_blanks(text: &str, span: Range<usize>) -> Range<usize> {
    let indent = text[..span.start].trim_end_matches([' ', '\t']).len();
    let begins_line = indent == 0 || text[..indent].ends_with(['\n', '\r']);
    let rest = text[span.end..].trim_start_matches([' ', '\t']);
    let rest_at = text.len() - rest.len();
    let line_end = ["\r\n", "\n", "\r"].into_iter().find(|end| rest.starts_with(end));
    match (begins_line, line_end) {
        (true, Some(end)) => indent..rest_at + end.len(),
        (true, None) if rest.is_empty() => indent..rest_at,
        (true, None) => span.start..rest_at,
        (false, _) if indent == span.start => span.start..rest_at,
        (false, _) => indent..span.end,
    }
}

/// A text without some spans, which are in order and apart.
pub(crate) fn without(text: &str, cuts: &[Range<usize>]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for cut in cuts {
        kept.push_str(&text[at..cut.start]);
        at = cut.end;
    }
    kept + &text[at..]
}
