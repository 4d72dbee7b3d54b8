//! Finds an entry and puts a value there. Takes nothing back.

use serde_json::{Map, Value};

use super::render::{self, Layout};
use super::scan::parse;
use super::tree::{Document, Kind, Member, Node};
use crate::json::edit::{json_type, missing, unchanged};
use crate::json::style;
use crate::outline::gained;
use crate::undo::{Added, Inverse};
use crate::{
    Absent, Edit, EditError, Found, JsonType, KeyPath, MAX_BYTES, Obstacle, Position, Present, Undo,
};

/// A way into a document: the objects that were entered, each with the index of the member that was taken.
pub(super) struct Way<'d> {
    pub(super) steps: Vec<(&'d Node, usize)>,
    pub(super) end: End<'d>,
}

pub(super) enum End<'d> {
    Value(&'d Node),
    /// The object that lacks the next key.
    Lacking(&'d Node),
}

/// Goes down a path as far as it exists.
pub(super) fn walk<'d>(text: &str, root: &'d Node, path: &KeyPath) -> Result<Way<'d>, EditError> {
    let (mut node, mut steps) = (root, Vec::new());
    for (depth, key) in path.segments().iter().enumerate() {
        let at = Position::of(text, node.span.start);
        let members = match &node.kind {
            Kind::Map { members, .. } => members,
            Kind::Alias => return Err(EditError::NotSafe { obstacle: Obstacle::Alias, at }),
            Kind::Scalar { .. } | Kind::List { .. } if depth == 0 => {
                return Err(EditError::RootNotObject { found: node.json_type(), at });
            }
            Kind::Scalar { .. } | Kind::List { .. } => {
                return Err(EditError::NotObject { path: path.prefix(depth), found: node.json_type(), at });
            }
        };
        let Some(index) = node.index_of(key) else { return Ok(Way { steps, end: End::Lacking(node) }) };
        steps.push((node, index));
        node = &members[index].value;
    }
    Ok(Way { steps, end: End::Value(node) })
}

pub(crate) fn read(text: &[u8], path: &KeyPath) -> Result<Found, EditError> {
    let document = parse(text)?;
    let Some(root) = &document.root else {
        return Ok(Found::Absent(Absent { depth: 0, siblings: Vec::new() }));
    };
    let way = walk(document.text, root, path)?;
    Ok(match way.end {
        End::Value(node) => Found::Present(Present {
            value: node.to_value(),
            raw: document.text[node.span.start..node.end().max(node.span.start)].to_owned(),
        }),
        End::Lacking(object) => Found::Absent(Absent { depth: way.steps.len(), siblings: keys(object) }),
    })
}

fn keys(object: &Node) -> Vec<String> {
    let members = object.members().unwrap_or_default().iter();
    members.filter_map(|member| member.key.plain_text()).map(str::to_owned).collect()
}

pub(crate) fn upsert(
    text: &[u8],
    path: &KeyPath,
    value: &Value,
    must_exist: usize,
) -> Result<Edit, EditError> {
    let document = parse(text)?;
    let request = Request { document: &document, path, value };
    let Some(root) = &document.root else {
        return if must_exist == 0 { request.new_document() } else { Err(missing(path, 0, Vec::new())) };
    };
    let way = walk(document.text, root, path)?;
    match way.end {
        End::Lacking(object) if way.steps.len() < must_exist => {
            Err(missing(path, way.steps.len(), keys(object)))
        }
        End::Value(node) if node.to_value().as_ref() == Some(value) => Ok(unchanged(text)),
        End::Lacking(object) => {
            request.check_way(way.steps.iter().map(|(object, _)| *object).chain([object]))?;
            request.insert(way.steps.len(), object)
        }
        End::Value(node) => {
            request.check_way(way.steps.iter().map(|(object, _)| *object))?;
            request.replace(&way.steps, node)
        }
    }
}

struct Request<'r, 't> {
    document: &'r Document<'t>,
    path: &'r KeyPath,
    value: &'r Value,
}

impl<'r> Request<'r, '_> {
    fn not_safe(&self, obstacle: Obstacle, at: usize) -> EditError {
        EditError::NotSafe { obstacle, at: Position::of(self.document.text, at) }
    }

    /// What is used or completed elsewhere cannot be changed here alone.
    fn check_way(&self, objects: impl Iterator<Item = &'r Node>) -> Result<(), EditError> {
        for object in objects {
            self.check_marks(object)?;
            if let Some(index) = object.index_of("<<") {
                let at = object.members().map_or(0, |members| members[index].key.span.start);
                return Err(self.not_safe(Obstacle::Merge, at));
            }
        }
        Ok(())
    }

    fn check_marks(&self, node: &Node) -> Result<(), EditError> {
        match (node.anchor, &node.tag) {
            (true, _) => Err(self.not_safe(Obstacle::Anchor, node.span.start)),
            (false, Some(_)) => Err(self.not_safe(Obstacle::Tag, node.span.start)),
            (false, None) => Ok(()),
        }
    }

    /// `near`: the object whose lists show how ours should look.
    fn layout(&self, at: usize, indent: usize, near: Option<&Node>) -> Layout<'static> {
        let (text, root) = (self.document.text, self.document.root.as_ref());
        let unit = root.and_then(|root| unit(text, root)).unwrap_or(2);
        let lists_break = near.and_then(lists_break).or_else(|| root.and_then(lists_break)).unwrap_or(true);
        Layout { eol: style::line_end(text, at), indent, unit, lists_break }
    }

    /// The objects that are missing around the value, so that one key is left.
    fn wrapped(&self, depth: usize) -> (&'r str, Value) {
        let keys = &self.path.segments()[depth..];
        let value = keys[1..]
            .iter()
            .rev()
            .fold(self.value.clone(), |value, key| Value::Object(Map::from_iter([(key.clone(), value)])));
        (&keys[0], value)
    }

    fn insert(&self, depth: usize, object: &Node) -> Result<Edit, EditError> {
        let text = self.document.text;
        let (key, value) = self.wrapped(depth);
        let members = object.members().unwrap_or_default();
        let (at, lead, item, tail) = match members.last() {
            Some(last) if object.is_flow() => {
                let rest = &text[last.end..];
                let blanks = rest.len() - rest.trim_start().len();
                let item = render::flow_member(key, &value);
                if rest[blanks..].starts_with(',') {
                    (last.end + blanks + 1, " ".to_owned(), item, ",")
                } else {
                    (last.end, ", ".to_owned(), item, "")
                }
            }
            None => (object.span.start + 1, String::new(), render::flow_member(key, &value), ""),
            Some(last) => {
                let indent = column(text, members[0].key.span.start);
                let layout = self.layout(members[0].key.span.start, indent, Some(object));
                let rest = &text[last.end..];
                let at = last.end + rest.find(['\n', '\r']).unwrap_or(rest.len());
                // A text of lines that ends with the file would gain a line end.
                if at == text.len() && last.value.ends_in_block_scalar() {
                    return Err(self.not_safe(Obstacle::Layout, last.key.span.start));
                }
                (
                    at,
                    format!("{}{}", layout.eol, " ".repeat(indent)),
                    render::member(key, &value, &layout),
                    "",
                )
            }
        };
        let edited = [&text[..at], &lead, &item, tail, &text[at..]].concat();
        let created = self.path.segments().len() - depth - 1;
        let added = Added { prefix: lead, suffix: tail.to_owned(), comma: false, created, blank: None };
        self.finish(edited, Inverse::Added(added), object.span.start)
    }

    fn replace(&self, steps: &[(&Node, usize)], node: &Node) -> Result<Edit, EditError> {
        let (text, start) = (self.document.text, node.span.start);
        self.check_marks(node)?;
        if matches!(node.kind, Kind::Alias) {
            return Err(self.not_safe(Obstacle::Alias, start));
        }
        let (found, wanted) = (node.json_type(), json_type(self.value));
        if found != wanted {
            let at = Position::of(text, start);
            return Err(EditError::OtherType { path: self.path.clone(), found, wanted, at });
        }
        let in_flow = steps.iter().any(|(object, _)| object.is_flow());
        let is_block = matches!(found, JsonType::Object | JsonType::Array) && !node.is_flow() && !in_flow;
        let new = if is_block {
            render::body(
                self.value,
                &self.layout(start, column(text, start), steps.last().map(|step| step.0)),
            )
        } else {
            render::flow(self.value)
        };
        let end = node.end();
        let edited = [&text[..start], &new, &text[end..]].concat();
        self.finish(edited, Inverse::Replaced { raw: text[start..end].to_owned() }, start)
    }

    /// Puts a document behind the comments of a text that has none; white space alone goes.
    fn new_document(&self) -> Result<Edit, EditError> {
        let text = self.document.text;
        let blank = text.trim().is_empty().then(|| text.to_owned());
        let kept = if blank.is_some() { "" } else { text };
        let layout = self.layout(kept.len(), 0, None);
        let lead = if kept.is_empty() || kept.ends_with(['\n', '\r']) { "" } else { layout.eol };
        let (key, value) = self.wrapped(0);
        let edited = [kept, lead, &render::member(key, &value, &layout), layout.eol].concat();
        let added = Added {
            prefix: lead.to_owned(),
            suffix: layout.eol.to_owned(),
            comma: false,
            created: self.path.segments().len() - 1,
            blank,
        };
        self.finish(edited, Inverse::Added(added), 0)
    }

    fn finish(&self, edited: String, inverse: Inverse, at: usize) -> Result<Edit, EditError> {
        if edited.len() > MAX_BYTES {
            return Err(EditError::TooLarge { bytes: edited.len() });
        }
        let holds = parse(edited.as_bytes()).is_ok_and(|after| {
            let Some(root) = &after.root else { return false };
            let Ok(Way { end: End::Value(node), .. }) = walk(after.text, root, self.path) else {
                return false;
            };
            let before = self.document.root.as_ref().map(Node::outline);
            node.to_value().as_ref() == Some(self.value)
                && gained(before.as_ref(), &root.outline(), self.path.segments())
        });
        if !holds {
            return Err(self.not_safe(Obstacle::Layout, at));
        }
        Ok(Edit { text: edited.into_bytes(), changed: true, undo: Undo(inverse) })
    }
}

/// How far an offset is from the start of its line.
fn column(text: &str, offset: usize) -> usize {
    let start = text[..offset].rfind(['\n', '\r']).map_or(0, |at| at + 1);
    text[start..offset].chars().count()
}

/// Whether the first list in it that is not empty has a line for each element.
fn lists_break(node: &Node) -> Option<bool> {
    match &node.kind {
        Kind::List { items, flow } if !items.is_empty() => Some(!flow),
        Kind::Map { members, .. } => members.iter().find_map(|member| lists_break(&member.value)),
        Kind::List { .. } | Kind::Scalar { .. } | Kind::Alias => None,
    }
}

/// One step of indentation: that of the first object that stands in another one.
fn unit(text: &str, node: &Node) -> Option<usize> {
    let start = |member: &Member| column(text, member.key.span.start);
    let members = node.members().filter(|_| !node.is_flow())?;
    members.iter().find_map(|member| {
        let inner = member.value.members().filter(|_| !member.value.is_flow())?;
        let step = start(inner.first()?).checked_sub(start(member)).filter(|step| *step > 0);
        step.or_else(|| unit(text, &member.value))
    })
}
