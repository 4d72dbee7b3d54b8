//! Finds an entry and puts a value there. Takes nothing back.

use serde_json::Value;

use super::guard;
use super::render::{Layout, render, render_key};
use super::slot::{Slot, slot};
use super::style::{self, Surroundings};
use super::tree::{Document, Kind, Node, parse};
use crate::undo::{Added, Inverse};
use crate::{Absent, Dialect, Edit, EditError, Found, JsonType, KeyPath, MAX_BYTES, Position, Present, Undo};

/// A way into a document: the objects that were entered, each with the index of the member that was taken.
pub(super) struct Way<'a, 't> {
    pub(super) steps: Vec<(&'a Node<'t>, usize)>,
    pub(super) end: End<'a, 't>,
}

pub(super) enum End<'a, 't> {
    /// The value at the path.
    Value(&'a Node<'t>),
    /// The object that lacks the next key.
    Lacking(&'a Node<'t>),
}

/// Goes down a path as far as it exists.
pub(super) fn walk<'a, 't>(text: &str, root: &'a Node<'t>, path: &KeyPath) -> Result<Way<'a, 't>, EditError> {
    let (mut node, mut steps) = (root, Vec::new());
    for (depth, key) in path.segments().iter().enumerate() {
        let Some(members) = node.members() else { return Err(not_object(text, node, path, depth)) };
        let Some(index) = node.index_of(key) else { return Ok(Way { steps, end: End::Lacking(node) }) };
        steps.push((node, index));
        node = &members[index].value;
    }
    Ok(Way { steps, end: End::Value(node) })
}

fn not_object(text: &str, node: &Node, path: &KeyPath, depth: usize) -> EditError {
    let (found, at) = (node.json_type(), Position::of(text, node.start));
    match depth {
        0 => EditError::RootNotObject { found, at },
        _ => EditError::NotObject { path: path.prefix(depth), found, at },
    }
}

pub(crate) fn read(text: &[u8], dialect: Dialect, path: &KeyPath) -> Result<Found, EditError> {
    let document = parse(text, dialect)?;
    let Some(root) = &document.root else {
        return Ok(Found::Absent(Absent { depth: 0, siblings: Vec::new() }));
    };
    let way = walk(document.text, root, path)?;
    Ok(match way.end {
        End::Value(node) => Found::Present(Present { value: node.to_value(), raw: node.raw.to_owned() }),
        End::Lacking(object) => Found::Absent(Absent { depth: way.steps.len(), siblings: keys(object) }),
    })
}

fn keys(object: &Node) -> Vec<String> {
    object.members().unwrap_or_default().iter().map(super::tree::Member::shown_key).collect()
}

pub(crate) fn upsert(
    text: &[u8],
    dialect: Dialect,
    path: &KeyPath,
    value: &Value,
    must_exist: usize,
) -> Result<Edit, EditError> {
    let document = parse(text, dialect)?;
    let request = Request { document: &document, dialect, path, value };
    let Some(root) = &document.root else {
        return if must_exist == 0 { request.new_document() } else { Err(missing(path, 0, Vec::new())) };
    };
    let way = walk(document.text, root, path)?;
    match way.end {
        End::Lacking(object) if way.steps.len() < must_exist => {
            Err(missing(path, way.steps.len(), keys(object)))
        }
        End::Lacking(object) => request.insert(&way, object),
        End::Value(node) if node.to_value().as_ref() == Some(value) => Ok(unchanged(text)),
        End::Value(node) => request.replace(&way, node),
    }
}

pub(crate) fn missing(path: &KeyPath, depth: usize, siblings: Vec<String>) -> EditError {
    EditError::MissingEntry { path: path.prefix(depth + 1), siblings }
}

pub(crate) fn unchanged(text: &[u8]) -> Edit {
    Edit { text: text.to_vec(), changed: false, undo: Undo(Inverse::Nothing) }
}

/// What is to be put where.
struct Request<'r, 't> {
    document: &'r Document<'t>,
    dialect: Dialect,
    path: &'r KeyPath,
    value: &'r Value,
}

impl<'r, 't> Request<'r, 't> {
    /// Adds a member to `object`, the last object of the path that is there.
    fn insert(&self, way: &Way<'r, 't>, object: &'r Node<'t>) -> Result<Edit, EditError> {
        let text = self.document.text;
        let keys = &self.path.segments()[way.steps.len()..];
        let Slot { at, comma_at, lead, tail, layout } =
            slot(text, way, object, keys.len() == 1 && self.value.is_object());
        let wrapped = wrap(keys, self.value, &layout);
        let added = Added {
            prefix: lead + &wrapped.prefix,
            suffix: wrapped.suffix + &tail,
            comma: comma_at.is_some(),
            created: keys.len() - 1,
            blank: None,
        };
        let (before, between) =
            comma_at.map_or((&text[..at], ""), |comma| (&text[..comma], &text[comma..at]));
        let comma = if comma_at.is_some() { "," } else { "" };
        let parts = [before, comma, between, &added.prefix, &wrapped.value, &added.suffix, &text[at..]];
        self.finish(parts.concat(), Inverse::Added(added))
    }

    fn replace(&self, way: &Way<'r, 't>, node: &Node<'t>) -> Result<Edit, EditError> {
        let (text, found, wanted) = (self.document.text, node.json_type(), json_type(self.value));
        if found != wanted {
            let at = Position::of(text, node.start);
            return Err(EditError::OtherType { path: self.path.clone(), found, wanted, at });
        }
        let objects = way.steps.iter().map(|(object, _)| *object).collect();
        let indent = style::line_indent(text, node.start).to_owned();
        let mut layout = Surroundings { text, objects }.layout(node.start, indent);
        if let Kind::Object(members) = &node.kind {
            layout.breaks = members.is_empty() || style::has_break(node.raw);
            layout.pad = style::opening_pad(text, node).unwrap_or_default();
            layout.trailing_comma = members.last().is_some_and(|last| last.comma.is_some());
        }
        let edited = [&text[..node.start], &render(self.value, &layout), &text[node.end()..]].concat();
        self.finish(edited, Inverse::Replaced { raw: node.raw.to_owned() })
    }

    /// Puts a document behind the comments of a text that has none; white space alone goes.
    fn new_document(&self) -> Result<Edit, EditError> {
        let text = self.document.text;
        let blank = text.trim_matches([' ', '\t', '\r', '\n']).is_empty().then(|| text.to_owned());
        let kept = if blank.is_some() { "" } else { text };
        let layout = Surroundings { text: kept, objects: Vec::new() }.layout(kept.len(), String::new());
        let lead = if kept.is_empty() || kept.ends_with(['\n', '\r']) { "" } else { layout.eol };
        let wrapped = wrap(self.path.segments(), self.value, &layout.inner());
        let added = Added {
            prefix: [lead, "{", &layout.after_open(), &wrapped.prefix].concat(),
            suffix: [&wrapped.suffix, &layout.before_close(), "}", layout.eol].concat(),
            comma: false,
            created: self.path.segments().len() - 1,
            blank,
        };
        let edited = [kept, &added.prefix, &wrapped.value, &added.suffix].concat();
        self.finish(edited, Inverse::Added(added))
    }

    fn finish(&self, edited: String, inverse: Inverse) -> Result<Edit, EditError> {
        if edited.len() > MAX_BYTES {
            return Err(EditError::TooLarge { bytes: edited.len() });
        }
        let after = parse(edited.as_bytes(), self.dialect).map_err(|_| EditError::Guard)?;
        if !guard::gained(self.document.root.as_ref(), after.root.as_ref(), self.path.segments(), self.value)
        {
            return Err(EditError::Guard);
        }
        Ok(Edit { text: edited.into_bytes(), changed: true, undo: Undo(inverse) })
    }
}

pub(crate) fn json_type(value: &Value) -> JsonType {
    match value {
        Value::Null => JsonType::Null,
        Value::Bool(_) => JsonType::Bool,
        Value::Number(_) => JsonType::Number,
        Value::String(_) => JsonType::String,
        Value::Array(_) => JsonType::Array,
        Value::Object(_) => JsonType::Object,
    }
}

/// A member with the objects around its value, cut where the value begins and ends.
struct Wrapped {
    prefix: String,
    value: String,
    suffix: String,
}

fn wrap(keys: &[String], value: &Value, layout: &Layout<'_>) -> Wrapped {
    let Some((key, rest)) = keys.split_first() else {
        return Wrapped { prefix: String::new(), value: render(value, layout), suffix: String::new() };
    };
    let prefix = render_key(key, layout);
    if rest.is_empty() {
        return Wrapped { prefix, value: render(value, layout), suffix: String::new() };
    }
    let inner = wrap(rest, value, &layout.inner());
    Wrapped {
        prefix: [&prefix, "{", &layout.after_open(), &inner.prefix].concat(),
        value: inner.value,
        suffix: [&inner.suffix, &layout.before_close(), "}"].concat(),
    }
}
