//! Takes an edit of ours back: exactly where the text around it still stands, else only our lines.

use std::ops::Range;

use serde_json::Value;

use super::scan::{Document, Member, parse, to_json};
use super::site::{Site, Walk};
use crate::json::take_back::{with_blanks, without};
use crate::undo::{Added, TakeBack};
use crate::{EditError, KeyPath, Position, Removal, Undo};

pub(crate) fn remove(
    text: &[u8],
    path: &KeyPath,
    undo: &Undo,
    is_ours: impl FnOnce(&Value) -> bool,
) -> Result<Removal, EditError> {
    let document = parse(text)?;
    let Ok(Walk::Value(value)) = document.walk(path) else { return Ok(Removal::Nothing) };
    let at = Position::of(document.text, document.offset(path.segments()));
    if !to_json(value).as_ref().is_some_and(is_ours) {
        return Ok(Removal::Foreign { at });
    }
    let ours = Ours { document: &document, keys: path.segments() };
    ours.take_back(undo)
}

struct Ours<'a, 't> {
    document: &'a Document<'t>,
    keys: &'a [String],
}

impl TakeBack for Ours<'_, '_> {
    fn restore(&self, raw: &str) -> Result<Removal, EditError> {
        let (document, text) = (self.document, self.document.text);
        let span = match document.site(self.keys) {
            Some(Site::Pair { node, .. }) => node.span.clone(),
            Some(Site::Runs(runs)) if runs.len() == 1 => document.span(&runs[0]),
            Some(Site::Runs(_)) | None => return Err(EditError::Guard),
        };
        let before = [&text[..span.start], raw, &text[span.end..]].concat();
        match parse(before.as_bytes()) {
            Ok(reading) if document.agrees(&reading, self.keys) => Ok(Removal::Done(before.into_bytes())),
            Ok(_) | Err(_) => Err(EditError::Guard),
        }
    }

    fn exact(&self, added: &Added) -> Option<String> {
        let level = self.keys.len().checked_sub(added.created)?;
        let keys = &self.keys[..level];
        let site = match self.document.site(keys)? {
            Site::Pair { item, .. } => Some(item),
            Site::Runs(runs) if runs.len() == 1 => Some(self.document.span(&runs[0])),
            Site::Runs(_) => None,
        };
        let own = self.document.own_statements(keys);
        let section = own.first().zip(own.last()).map(|(first, last)| first.span.start..last.span.end);
        [site, section].into_iter().flatten().find_map(|item| self.without(&item, added))
    }

    fn cut_out(&self, created: usize) -> Result<Removal, EditError> {
        let levels = (self.keys.len().saturating_sub(created)..=self.keys.len()).filter(|level| *level > 0);
        for level in levels {
            let before = without(self.document.text, &self.cuts(&self.keys[..level]));
            if self.lost(&before) {
                return Ok(Removal::Done(before.into_bytes()));
            }
        }
        Err(EditError::Guard)
    }
}

impl Ours<'_, '_> {
    fn without(&self, item: &Range<usize>, added: &Added) -> Option<String> {
        let before = added.taken_out(self.document.text, item)?;
        self.lost(&before).then_some(before)
    }

    fn cuts(&self, keys: &[String]) -> Vec<Range<usize>> {
        let (document, text) = (self.document, self.document.text);
        match document.site(keys) {
            Some(Site::Pair { item, beside: Some((members, index)), .. }) => {
                vec![inline_cut(item, members, index)]
            }
            Some(Site::Pair { item, beside: None, .. }) => vec![with_blanks(text, item)],
            Some(Site::Runs(runs)) => runs.iter().map(|run| whole_lines(text, document.span(run))).collect(),
            None => Vec::new(),
        }
    }

    /// Whether `before` reads as the document without our member.
    fn lost(&self, before: &str) -> bool {
        parse(before.as_bytes()).is_ok_and(|reading| {
            let gone = KeyPath::try_from(self.keys.to_vec())
                .is_ok_and(|path| !matches!(reading.walk(&path), Ok(Walk::Value(_))));
            gone && self.document.agrees(&reading, self.keys)
        })
    }
}

/// A member with one comma.
fn inline_cut(item: Range<usize>, members: &[Member], index: usize) -> Range<usize> {
    let previous = index.checked_sub(1).and_then(|previous| members[previous].comma);
    match (members.get(index + 1), previous, members[index].comma) {
        (Some(next), _, _) => item.start..next.start,
        (None, Some(comma), None) => comma..item.end,
        (None, _, Some(comma)) => item.start..comma + 1,
        (None, None, None) => item,
    }
}

/// A section with the comment behind its last line, and one of the empty lines around it.
fn whole_lines(text: &str, span: Range<usize>) -> Range<usize> {
    let line_start = |at: usize| text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line_end = |at: usize| text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
    let (start, end) = (line_start(span.start), line_end(span.end));
    let before = start.checked_sub(1).map_or(0, line_start)..start;
    let behind = end..line_end(end);
    let is_empty = |line: &Range<usize>| text[line.clone()].trim().is_empty();
    match (is_empty(&before), behind.is_empty()) {
        (true, true) => before.start..end,
        (true, false) if is_empty(&behind) => start..behind.end,
        (true | false, _) => start..end,
    }
}
