//! Chooses where in an object a new member goes and how it is laid out. Writes nothing.

use super::edit::Way;
use super::render::Layout;
use super::style::{self, Surroundings};
use super::tree::{Member, Node};

/// The place for a new member.
pub(super) struct Slot<'t> {
    /// Where it goes.
    pub(super) at: usize,
    /// Where a comma goes first, at or before `at`.
    pub(super) comma_at: Option<usize>,
    /// What goes before its key.
    pub(super) lead: String,
    /// What goes after its value.
    pub(super) tail: String,
    /// How it is laid out.
    pub(super) layout: Layout<'t>,
}

/// The place for a new member in `object`, the end of `way`; `entry` says that it is an object like its siblings.
pub(super) fn slot<'t>(text: &'t str, way: &Way<'_, 't>, object: &Node<'t>, entry: bool) -> Slot<'t> {
    let objects = way.steps.iter().map(|(object, _)| *object).chain([object]).collect();
    let around = Surroundings { text, objects };
    match object.members().unwrap_or_default() {
        [] => in_empty(&around, way, object),
        members => behind_last(&around, object, members, entry),
    }
}

fn behind_last<'t>(
    around: &Surroundings<'_, 't>,
    object: &Node<'t>,
    members: &[Member<'t>],
    entry: bool,
) -> Slot<'t> {
    let (text, last) = (around.text, &members[members.len() - 1]);
    let rest = style::rest_of_line(text, last.end()..object.end() - 1);
    let own_line = style::starts_line(text, object, members.len() - 1);
    let mut layout = around.layout(last.start, style::line_indent(text, last.start).to_owned());
    if !own_line {
        layout.indent = format!("{}{}", style::line_indent(text, object.start), layout.unit);
    }
    layout.breaks = own_line || rest.line_comment;
    let lead = if layout.breaks {
        format!("{}{}", layout.eol, layout.indent)
    } else {
        layout.pad = style::opening_pad(text, object).unwrap_or_default();
        separator(text, members).unwrap_or(layout.gap).to_owned()
    };
    layout.trailing_comma = last.comma.is_some();
    let tail = if last.comma.is_some() { "," } else { "" }.to_owned();
    if entry && layout.breaks {
        follow_siblings(text, members, &mut layout);
    }
    Slot { at: rest.end, comma_at: last.comma.is_none().then(|| last.value.end()), lead, tail, layout }
}

/// The blanks before the last member of several on one line.
fn separator<'t>(text: &'t str, members: &[Member]) -> Option<&'t str> {
    let [.., previous, last] = members else { return None };
    Some(&text[previous.end()..last.start]).filter(|gap| style::is_blank(gap))
}

/// Where all the other entries stand on one line each, so does the new one.
fn follow_siblings<'t>(text: &'t str, members: &[Member<'t>], layout: &mut Layout<'t>) {
    let mut entries = members
        .iter()
        .map(|member| &member.value)
        .filter(|value| value.members().is_some_and(|members| !members.is_empty()));
    let Some(first) = entries.next() else { return };
    if style::has_break(first.raw) || entries.any(|entry| style::has_break(entry.raw)) {
        return;
    }
    layout.breaks = false;
    layout.pad = style::opening_pad(text, first).unwrap_or_default();
}

fn in_empty<'t>(around: &Surroundings<'_, 't>, way: &Way<'_, 't>, object: &Node<'t>) -> Slot<'t> {
    let (text, interior) = (around.text, object.interior());
    let inside = &text[interior.clone()];
    let on_own_line = way.steps.last().is_none_or(|(parent, index)| style::starts_line(text, parent, *index));
    let mut layout = around.layout(object.start, String::new());
    layout.breaks = on_own_line || style::has_break(inside);
    let comment = style::last_comment(text, interior.clone());
    let at = comment.as_ref().map_or(interior.start, |(_, span)| span.end);
    if !layout.breaks {
        let lead = if comment.is_some() { " " } else { inside }.to_owned();
        return Slot { at, comma_at: None, lead, tail: String::new(), layout };
    }
    let outer = style::line_indent(text, object.start);
    layout.indent = match &comment {
        Some((_, span)) if style::has_break(&text[interior.start..span.start]) => {
            style::line_indent(text, span.start).to_owned()
        }
        Some(_) | None => format!("{outer}{}", layout.unit),
    };
    let lead = format!("{}{}", layout.eol, layout.indent);
    if style::has_break(&text[at..interior.end]) {
        return Slot { at, comma_at: None, lead, tail: String::new(), layout };
    }
    // The blanks that stood between the braces stay in front of the new line.
    let tail = format!("{}{outer}", layout.eol);
    Slot { at: interior.end, comma_at: None, lead, tail, layout }
}
