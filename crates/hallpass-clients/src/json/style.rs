//! Finds out how a document is laid out around a place, so that new text looks like its neighbours. Writes nothing.

use std::ops::Range;

use super::render::Layout;
use super::scan::{Trivia, trivia};
use super::tree::{Kind, Member, Node};

/// What there is to go by: the text and the objects from the root down to the one that is edited.
pub(super) struct Surroundings<'a, 't> {
    pub(super) text: &'t str,
    pub(super) objects: Vec<&'a Node<'t>>,
}

impl<'t> Surroundings<'_, 't> {
    /// The layout for a value that begins on the line of `at`, with an indentation of `indent`.
    pub(super) fn layout(&self, at: usize, indent: String) -> Layout<'t> {
        let colon = self.colon();
        let eol = match line_end(self.text, at) {
            // Not every reader ends a comment there.
            "\r" if self.text.contains("//") => "\n",
            eol => eol,
        };
        Layout {
            eol,
            unit: self.unit(),
            indent,
            colon,
            gap: if colon.ends_with(':') { "" } else { " " },
            pad: "",
            breaks: true,
            arrays_break: self.arrays_break(),
            trailing_comma: false,
        }
    }

    /// One step of indentation: of the nearest object that has lines, else of the first in the document.
    fn unit(&self) -> &'t str {
        let near = self.objects.iter().rev().find_map(|object| own_unit(self.text, object));
        let any = || self.objects.first().and_then(|root| find(root, &|node| own_unit(self.text, node)));
        near.or_else(any).unwrap_or("  ")
    }

    /// The colon of the nearest member, unless a line end or a comment stands by it.
    fn colon(&self) -> &'t str {
        let last = self.objects.iter().rev().find_map(|object| object.members()?.last());
        let colon = last.map(|member| &self.text[member.key_end()..member.value.start]);
        colon.filter(|colon| is_blank(&colon.replacen(':', "", 1))).unwrap_or(": ")
    }

    /// Arrays have a line for each element unless the nearest one shows otherwise.
    fn arrays_break(&self) -> bool {
        let breaks = |node: &Node| match &node.kind {
            Kind::Array(items) if !items.is_empty() => Some(has_break(node.raw)),
            _ => None,
        };
        self.objects.iter().rev().find_map(|object| find(object, &breaks)).unwrap_or(true)
    }
}

/// The first answer in a tree, outermost first.
fn find<'t, T>(node: &Node<'t>, ask: &impl Fn(&Node<'t>) -> Option<T>) -> Option<T> {
    ask(node).or_else(|| match &node.kind {
        Kind::Array(items) => items.iter().find_map(|item| find(item, ask)),
        Kind::Object(members) => members.iter().find_map(|member| find(&member.value, ask)),
        Kind::Null | Kind::Bool(_) | Kind::Number | Kind::String => None,
    })
}

fn own_unit<'t>(text: &'t str, object: &Node<'t>) -> Option<&'t str> {
    let first = object.members()?.first()?;
    // First, because looking for the start of a long line once for each object on it would take for ever.
    if !starts_line(text, object, 0) {
        return None;
    }
    let unit = line_indent(text, first.start).strip_prefix(line_indent(text, object.start))?;
    Some(unit).filter(|unit| !unit.is_empty())
}

/// Whether a member has a line end before it.
pub(super) fn starts_line(text: &str, object: &Node, index: usize) -> bool {
    let members = object.members().unwrap_or_default();
    let before = index.checked_sub(1).map_or(object.start + 1, |previous| members[previous].end());
    has_break(&text[before..members[index].start])
}

/// The blanks between an object's brace and its first member, if those are on one line.
pub(super) fn opening_pad<'t>(text: &'t str, object: &Node) -> Option<&'t str> {
    let first: &Member = object.members()?.first()?;
    Some(&text[object.start + 1..first.start]).filter(|pad| is_blank(pad))
}

/// The blanks that the line of an offset begins with.
pub(crate) fn line_indent(text: &str, offset: usize) -> &str {
    let start = text[..offset].rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let line = &text[start..offset];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// The line end in use near an offset: the one before it, else the first after it.
pub(crate) fn line_end(text: &str, offset: usize) -> &'static str {
    let (before, after) = text.split_at(offset);
    let at = match before.rfind(['\n', '\r']) {
        Some(at) => at,
        None => match after.find(['\n', '\r']) {
            Some(at) => offset + at,
            None => return "\n",
        },
    };
    match &text.as_bytes()[at.saturating_sub(1)..text.len().min(at + 2)] {
        [b'\r', b'\n', ..] | [_, b'\r', b'\n'] => "\r\n",
        _ if text.as_bytes()[at] == b'\r' => "\r",
        _ => "\n",
    }
}

/// The comments at the end of a line.
pub(super) struct LineRest {
    /// Behind the last comment, or where the search began.
    pub(super) end: usize,
    /// Whether there is a comment that only a line end ends.
    pub(super) line_comment: bool,
}

/// What follows on the line of `range.start`, up to a line end or `range.end`.
pub(super) fn rest_of_line(text: &str, range: Range<usize>) -> LineRest {
    let mut rest = LineRest { end: range.start, line_comment: false };
    for (kind, span) in trivia(text, range) {
        match kind {
            Trivia::Break => break,
            Trivia::Space => {}
            Trivia::LineComment | Trivia::BlockComment => {
                rest.end = span.end;
                rest.line_comment |= kind == Trivia::LineComment;
            }
        }
    }
    rest
}

/// The last comment in a gap.
pub(super) fn last_comment(text: &str, gap: Range<usize>) -> Option<(Trivia, Range<usize>)> {
    trivia(text, gap).filter(|(kind, _)| matches!(kind, Trivia::LineComment | Trivia::BlockComment)).last()
}

pub(super) fn has_break(text: &str) -> bool {
    text.contains(['\n', '\r'])
}

pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t'))
}
