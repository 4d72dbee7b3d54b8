//! Finds an entry and puts a value there. Takes nothing back.

use std::ops::Range;

use serde_json::{Map, Value};

use super::render;
use super::scan::{Document, Kind, Member, Node, Statement, parse, to_json};
use super::site::{Site, Walk, type_of};
use crate::json::edit::{json_type, missing, unchanged};
use crate::json::style;
use crate::undo::{Added, Inverse};
use crate::{Absent, Edit, EditError, Found, KeyPath, MAX_BYTES, Obstacle, Position, Present, Undo};

pub(crate) fn read(text: &[u8], path: &KeyPath) -> Result<Found, EditError> {
    let document = parse(text)?;
    Ok(match document.walk(path)? {
        Walk::Value(value) => {
            Found::Present(Present { value: to_json(value), raw: document.raw(path.segments()) })
        }
        Walk::Lacking(table, depth) => {
            Found::Absent(Absent { depth, siblings: table.keys().cloned().collect() })
        }
    })
}

pub(crate) fn upsert(
    text: &[u8],
    path: &KeyPath,
    value: &Value,
    must_exist: usize,
) -> Result<Edit, EditError> {
    let document = parse(text)?;
    let request = Request { document: &document, path, value };
    match document.walk(path)? {
        Walk::Lacking(table, depth) if depth < must_exist => {
            Err(missing(path, depth, table.keys().cloned().collect()))
        }
        Walk::Lacking(_, depth) => request.insert(depth),
        Walk::Value(there) if to_json(there).as_ref() == Some(value) => Ok(unchanged(text)),
        Walk::Value(there) => request.replace(there),
    }
}

struct Request<'r, 't> {
    document: &'r Document<'t>,
    path: &'r KeyPath,
    value: &'r Value,
}

/// What goes where, and what goes around it.
struct Insertion {
    at: usize,
    lead: String,
    item: String,
    tail: String,
    created: usize,
}

impl Request<'_, '_> {
    fn not_safe(&self, obstacle: Obstacle, at: usize) -> EditError {
        EditError::NotSafe { obstacle, at: Position::of(self.document.text, at) }
    }

    fn replace(&self, there: &toml::Value) -> Result<Edit, EditError> {
        let (document, keys) = (self.document, self.path.segments());
        let at = document.offset(keys);
        let (found, wanted) = (type_of(there), json_type(self.value));
        if found != wanted {
            let at = Position::of(document.text, at);
            return Err(EditError::OtherType { path: self.path.clone(), found, wanted, at });
        }
        let no_word = || self.not_safe(Obstacle::NoSuchValue, at);
        let (span, new) = match document.site(keys) {
            Some(Site::Pair { node, .. }) => {
                (node.span.clone(), render::value(self.value).ok_or_else(no_word)?)
            }
            Some(Site::Runs(runs)) if self.is_section(&runs) => {
                let span = document.span(&runs[0]);
                let (eol, indent) = (style::line_end(document.text, span.start), self.body_indent(&runs[0]));
                (span, render::section(keys, self.value, eol, indent).ok_or_else(no_word)?)
            }
            Some(Site::Runs(_)) | None => return Err(self.not_safe(Obstacle::Layout, at)),
        };
        let raw = document.text[span.clone()].to_owned();
        let edited = [&document.text[..span.start], &new, &document.text[span.end..]].concat();
        self.finish(edited, Inverse::Replaced { raw })
    }

    /// Whether a header of its own begins what is there, and all of it stands together.
    fn is_section(&self, runs: &[Range<usize>]) -> bool {
        let [run] = runs else { return false };
        let first = &self.document.statements[run.start];
        matches!(first.kind, Kind::Header) && first.path == self.path.segments()
    }

    fn body_indent(&self, run: &Range<usize>) -> &str {
        let first =
            self.document.statements[run.clone()].iter().find(|line| matches!(line.kind, Kind::Pair(_)));
        first.map_or("", |line| style::line_indent(self.document.text, line.span.start))
    }

    fn insert(&self, depth: usize) -> Result<Edit, EditError> {
        let keys = self.path.segments();
        let owner = &keys[..depth];
        let insertion = match self.document.site(owner) {
            Some(Site::Pair { node: Node { span, members: Some(members) }, .. }) => {
                self.insert_inline(depth, span, members)
            }
            Some(Site::Pair { node, .. }) => return Err(self.not_safe(Obstacle::Layout, node.span.start)),
            Some(Site::Runs(_)) | None => self.insert_below(depth),
        };
        let Some(new) = insertion else {
            return Err(self.not_safe(Obstacle::NoSuchValue, self.document.offset(owner)));
        };
        let text = self.document.text;
        let edited = [&text[..new.at], &new.lead, &new.item, &new.tail, &text[new.at..]].concat();
        let added =
            Added { prefix: new.lead, suffix: new.tail, comma: false, created: new.created, blank: None };
        self.finish(edited, Inverse::Added(added)).map_err(|error| match error {
            // Dotted keys may not be added to by a header, and the like.
            EditError::Guard => self.not_safe(Obstacle::Layout, self.document.offset(owner)),
            other => other,
        })
    }

    /// The members that are missing, wrapped so that one key is left.
    fn wrapped(&self, depth: usize) -> Option<String> {
        let (key, rest) = self.path.segments()[depth..].split_first()?;
        let value = rest
            .iter()
            .rev()
            .fold(self.value.clone(), |value, key| Value::Object(Map::from_iter([(key.clone(), value)])));
        render::pair(key, &value)
    }

    fn insert_inline(&self, depth: usize, span: &Range<usize>, members: &[Member]) -> Option<Insertion> {
        let created = self.path.segments().len() - depth - 1;
        let item = self.wrapped(depth)?;
        let blank = span.end - span.start > 2;
        Some(match members.last() {
            Some(Member { comma: Some(comma), .. }) => {
                Insertion { at: comma + 1, lead: " ".to_owned(), item, tail: ",".to_owned(), created }
            }
            Some(last) => Insertion {
                at: last.node.span.end,
                lead: ", ".to_owned(),
                item,
                tail: String::new(),
                created,
            },
            None => {
                let tail = if blank { "" } else { " " }.to_owned();
                Insertion { at: span.start + 1, lead: " ".to_owned(), item, tail, created }
            }
        })
    }

    fn insert_below(&self, depth: usize) -> Option<Insertion> {
        let keys = self.path.segments();
        let owner = self.document.own_statements(&keys[..depth]);
        let has_pairs = owner.iter().any(|line| matches!(line.kind, Kind::Pair(_)));
        let one_of_many = depth > 0 && keys.len() == depth + 1 && has_pairs;
        match owner.last() {
            _ if self.value.is_object() && !one_of_many => self.new_section(keys, self.value),
            Some(last) => self.new_line(depth, last),
            None if depth == 0 => self.first_line(),
            None => {
                let rest = keys[depth..keys.len() - 1].iter().len();
                let owner = &keys[..depth + rest];
                let value =
                    Value::Object(Map::from_iter([(keys[keys.len() - 1].clone(), self.value.clone())]));
                self.new_section(owner, &value)
            }
        }
    }

    fn new_line(&self, depth: usize, last: &Statement) -> Option<Insertion> {
        let text = self.document.text;
        let eol = style::line_end(text, last.span.start);
        let indent = style::line_indent(text, last.span.start);
        let rest = &text[last.span.end..];
        let at = last.span.end + rest.find(['\n', '\r']).unwrap_or(rest.len());
        let created = self.path.segments().len() - depth - 1;
        Some(Insertion {
            at,
            lead: format!("{eol}{indent}"),
            item: self.wrapped(depth)?,
            tail: String::new(),
            created,
        })
    }

    /// A line of the root where there is none yet: it has to come before every header.
    fn first_line(&self) -> Option<Insertion> {
        let eol = style::line_end(self.document.text, 0).to_owned();
        let created = self.path.segments().len() - 1;
        Some(Insertion { at: 0, lead: String::new(), item: self.wrapped(0)?, tail: eol, created })
    }

    fn new_section(&self, keys: &[String], map: &Value) -> Option<Insertion> {
        let text = self.document.text;
        let eol = style::line_end(text, text.len());
        let ended = text.is_empty() || text.ends_with(['\n', '\r']);
        let spaced = text.trim().is_empty() || text.trim_end_matches([' ', '\t']).ends_with("\n\n");
        let lead = format!("{}{}", if ended { "" } else { eol }, if spaced { "" } else { eol });
        let item = render::section(keys, map, eol, "")?;
        let tail = if ended { eol.to_owned() } else { String::new() };
        Some(Insertion { at: text.len(), lead, item, tail, created: self.path.segments().len() - keys.len() })
    }

    fn finish(&self, edited: String, inverse: Inverse) -> Result<Edit, EditError> {
        if edited.len() > MAX_BYTES {
            return Err(EditError::TooLarge { bytes: edited.len() });
        }
        let after = parse(edited.as_bytes()).map_err(|_| EditError::Guard)?;
        let there = match after.walk(self.path) {
            Ok(Walk::Value(value)) => to_json(value),
            Ok(Walk::Lacking(..)) | Err(_) => None,
        };
        if there.as_ref() != Some(self.value) || !self.document.agrees(&after, self.path.segments()) {
            return Err(EditError::Guard);
        }
        Ok(Edit { text: edited.into_bytes(), changed: true, undo: Undo(inverse) })
    }
}
