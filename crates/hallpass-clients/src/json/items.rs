//! Puts an element of ours into a list, known by one of its members, and takes it out again.

use std::ops::Range;

use serde_json::{Value, json};

use super::edit::{End, unchanged, upsert, walk};
use super::render::render;
use super::scan::{Trivia, trivia};
use super::style::{self, Surroundings};
use super::take_back::{remove, with_blanks, without};
use super::tree::{Document, Kind, Node, parse};
use crate::undo::{Added, Inverse};
use crate::{Dialect, Edit, EditError, JsonType, KeyPath, MAX_BYTES, Obstacle, Position, Removal, Undo};

pub(crate) fn upsert_item(
    text: &[u8],
    dialect: Dialect,
    path: &KeyPath,
    id: &str,
    value: &Value,
) -> Result<Edit, EditError> {
    let document = parse(text, dialect)?;
    let list = match &document.root {
        None => None,
        Some(root) => match walk(document.text, root, path)?.end {
            End::Value(node) => Some(node),
            End::Lacking(_) => None,
        },
    };
    let Some(node) = list else { return upsert(text, dialect, path, &json!([value]), 0) };
    let list = List::of(&document, path, node)?;
    match list.items.iter().find(|item| item.to_value().is_some_and(|item| item.get(id) == value.get(id))) {
        Some(there) if there.to_value().as_ref() == Some(value) => Ok(unchanged(text)),
        Some(there) => list.replace(dialect, there, value),
        None => list.append(dialect, value),
    }
}

pub(crate) fn remove_item(
    text: &[u8],
    dialect: Dialect,
    path: &KeyPath,
    undo: &Undo,
    is_ours: impl Fn(&Value) -> bool,
) -> Result<Removal, EditError> {
    if matches!(&undo.0, Inverse::Added(_)) {
        let only_ours =
            |list: &Value| matches!(list.as_array().map(Vec::as_slice), Some([item]) if is_ours(item));
        let removal = remove(text, dialect, path, undo, only_ours)?;
        if !matches!(removal, Removal::Foreign { .. }) {
            return Ok(removal);
        }
    }
    let document = parse(text, dialect)?;
    let Some(root) = &document.root else { return Ok(Removal::Nothing) };
    let End::Value(node) = walk(document.text, root, path)?.end else { return Ok(Removal::Nothing) };
    let list = List::of(&document, path, node)?;
    let ours = list.items.iter().position(|item| item.to_value().as_ref().is_some_and(&is_ours));
    match (ours, &undo.0) {
        (None, _) | (_, Inverse::Nothing) => Ok(Removal::Nothing),
        (Some(index), Inverse::Replaced { raw }) => list.restore(dialect, index, raw),
        (Some(index), Inverse::Item(added)) => list.take_out(dialect, index, Some(added)),
        (Some(index), Inverse::Added(_)) => list.take_out(dialect, index, None),
    }
}

struct List<'a, 't> {
    document: &'a Document<'t>,
    path: &'a KeyPath,
    node: &'a Node<'t>,
    items: &'a [Node<'t>],
}

impl<'a, 't> List<'a, 't> {
    fn of(document: &'a Document<'t>, path: &'a KeyPath, node: &'a Node<'t>) -> Result<Self, EditError> {
        match &node.kind {
            Kind::Array(items) => Ok(Self { document, path, node, items }),
            Kind::Null | Kind::Bool(_) | Kind::Number | Kind::String | Kind::Object(_) => {
                let at = Position::of(document.text, node.start);
                let (found, wanted) = (node.json_type(), JsonType::Array);
                Err(EditError::OtherType { path: path.clone(), found, wanted, at })
            }
        }
    }

    fn append(&self, dialect: Dialect, value: &Value) -> Result<Edit, EditError> {
        let text = self.document.text;
        let Some(last) = self.items.last() else { return self.fill(dialect, value) };
        let comma = self.comma_after(last);
        let rest = style::rest_of_line(text, comma.map_or(last.end(), |at| at + 1)..self.node.interior().end);
        let before =
            self.items.len().checked_sub(2).map_or(self.node.start + 1, |index| self.items[index].end());
        let breaks = style::has_break(&text[before..last.start]) || rest.line_comment;
        let around = Surroundings { text, objects: self.document.root.iter().collect() };
        let mut layout = around.layout(last.start, style::line_indent(text, last.start).to_owned());
        let lead = if breaks { format!("{}{}", layout.eol, layout.indent) } else { " ".to_owned() };
        layout.trailing_comma = comma.is_some();
        if !breaks || !style::has_break(last.raw) {
            layout.breaks = false;
            layout.pad = style::opening_pad(text, last).unwrap_or_default();
        }
        let added = Added {
            prefix: lead,
            suffix: if comma.is_some() { "," } else { "" }.to_owned(),
            comma: comma.is_none(),
            ..Added::default()
        };
        let comma_at = if comma.is_some() { rest.end } else { last.end() };
        let comma = if comma.is_some() { "" } else { "," };
        let new = [&added.prefix, &*render(value, &layout), &added.suffix].concat();
        let edited = [&text[..comma_at], comma, &text[comma_at..rest.end], &new, &text[rest.end..]].concat();
        self.finish(dialect, edited, Inverse::Item(added), self.items.len(), value)
    }

    /// The first element.
    fn fill(&self, dialect: Dialect, value: &Value) -> Result<Edit, EditError> {
        let (text, interior) = (self.document.text, self.node.interior());
        if !text[interior.clone()].trim().is_empty() {
            let at = Position::of(text, self.node.start);
            return Err(EditError::NotSafe { obstacle: Obstacle::Layout, at });
        }
        let around = Surroundings { text, objects: self.document.root.iter().collect() };
        let mut layout = around.layout(self.node.start, String::new());
        layout.breaks = false;
        let edited = [&text[..interior.start], &render(value, &layout), &text[interior.start..]].concat();
        self.finish(dialect, edited, Inverse::Item(Added::default()), 0, value)
    }

    fn replace(&self, dialect: Dialect, there: &Node<'t>, value: &Value) -> Result<Edit, EditError> {
        let text = self.document.text;
        let around = Surroundings { text, objects: self.document.root.iter().collect() };
        let mut layout = around.layout(there.start, style::line_indent(text, there.start).to_owned());
        layout.breaks = style::has_break(there.raw);
        layout.pad = style::opening_pad(text, there).unwrap_or_default();
        let edited = [&text[..there.start], &render(value, &layout), &text[there.end()..]].concat();
        let index = self.items.iter().position(|item| item.start == there.start).unwrap_or_default();
        self.finish(dialect, edited, Inverse::Replaced { raw: there.raw.to_owned() }, index, value)
    }

    fn finish(
        &self,
        dialect: Dialect,
        edited: String,
        inverse: Inverse,
        index: usize,
        value: &Value,
    ) -> Result<Edit, EditError> {
        if edited.len() > MAX_BYTES {
            return Err(EditError::TooLarge { bytes: edited.len() });
        }
        let mut wanted: Vec<_> = self.items.iter().map(|item| Some(item.raw)).collect();
        match &inverse {
            Inverse::Item(_) => wanted.push(None),
            Inverse::Nothing | Inverse::Replaced { .. } | Inverse::Added(_) => wanted[index] = None,
        }
        let holds = self.reads(dialect, &edited, &wanted, |ours| ours.to_value().as_ref() == Some(value));
        if !holds {
            return Err(EditError::Guard);
        }
        Ok(Edit { text: edited.into_bytes(), changed: true, undo: Undo(inverse) })
    }

    /// Whether an edited text reads as this one, with these elements in the list; `None` is ours.
    fn reads(
        &self,
        dialect: Dialect,
        edited: &str,
        wanted: &[Option<&str>],
        is_ours: impl Fn(&Node) -> bool,
    ) -> bool {
        let Ok(after) = parse(edited.as_bytes(), dialect) else { return false };
        let Some(root) = &after.root else { return false };
        let Ok(End::Value(node)) = walk(after.text, root, self.path).map(|way| way.end) else { return false };
        let Kind::Array(items) = &node.kind else { return false };
        let text = self.document.text;
        let outside = text[..self.node.start] == edited[..node.start]
            && text[self.node.end()..] == edited[node.end()..];
        let alike =
            |(item, raw): (&Node, Option<&str>)| raw.map_or_else(|| is_ours(item), |raw| raw == item.raw);
        outside && items.len() == wanted.len() && items.iter().zip(wanted.iter().copied()).all(alike)
    }

    fn restore(&self, dialect: Dialect, index: usize, raw: &str) -> Result<Removal, EditError> {
        let (text, ours) = (self.document.text, &self.items[index]);
        let before = [&text[..ours.start], raw, &text[ours.end()..]].concat();
        let mut wanted: Vec<_> = self.items.iter().map(|item| Some(item.raw)).collect();
        wanted[index] = Some(raw);
        let holds = self.reads(dialect, &before, &wanted, |_| false);
        if holds { Ok(Removal::Done(before.into_bytes())) } else { Err(EditError::Guard) }
    }

    /// Exactly as it was put in, or else with one comma and the line that only it needed.
    fn take_out(&self, dialect: Dialect, index: usize, added: Option<&Added>) -> Result<Removal, EditError> {
        let exact = added.and_then(|added| self.exact_cuts(index, added));
        let mut wanted: Vec<_> = self.items.iter().map(|item| Some(item.raw)).collect();
        wanted.remove(index);
        let cuts = [exact, Some(self.cuts(index))];
        let before = cuts.into_iter().flatten().map(|cuts| without(self.document.text, &cuts));
        let before = before.into_iter().find(|before| self.reads(dialect, before, &wanted, |_| false));
        before.map(|before| Removal::Done(before.into_bytes())).ok_or(EditError::Guard)
    }

    fn exact_cuts(&self, index: usize, added: &Added) -> Option<Vec<Range<usize>>> {
        let (text, ours) = (self.document.text, &self.items[index]);
        let start = ours.start.checked_sub(added.prefix.len())?;
        let end = ours.end() + added.suffix.len();
        let stands = text.get(start..ours.start) == Some(&*added.prefix)
            && text.get(ours.end()..end) == Some(&*added.suffix);
        let whole = std::iter::once(start..end);
        if !added.comma {
            return stands.then(|| whole.collect());
        }
        let comma = self.comma_after(&self.items[index.checked_sub(1)?]).filter(|comma| *comma < start)?;
        stands.then(|| std::iter::once(comma..comma + 1).chain(whole).collect())
    }

    fn cuts(&self, index: usize) -> Vec<Range<usize>> {
        let (text, ours) = (self.document.text, &self.items[index]);
        let previous = index.checked_sub(1).and_then(|index| self.comma_after(&self.items[index]));
        match (self.comma_after(ours), previous) {
            (Some(comma), _) => vec![with_blanks(text, ours.start..comma + 1)],
            (None, Some(comma)) => vec![comma..comma + 1, with_blanks(text, ours.start..ours.end())],
            (None, None) => std::iter::once(ours.start..ours.end()).collect(),
        }
    }

    /// The comma behind an element.
    fn comma_after(&self, item: &Node) -> Option<usize> {
        let text = self.document.text;
        let gap = item.end()..self.node.interior().end;
        let end =
            trivia(text, gap.clone()).map(|(_, span): (Trivia, _)| span.end).last().unwrap_or(gap.start);
        text[end..gap.end].starts_with(',').then_some(end)
    }
}
