//! Finds an entry and puts a value there. Takes nothing back.

use std::ops::Range;

use serde_json::{Map, Value};

use super::render;
use super::scan::{Document, Kind, Member, Node, Statement, outline, parse, to_json};
use crate::json::edit::{json_type, missing, unchanged};
use crate::json::style;
use crate::outline::same_beside;
use crate::undo::{Added, Inverse};
use crate::{
    Absent, Edit, EditError, Found, JsonType, KeyPath, MAX_BYTES, Obstacle, Position, Present, Undo,
};

/// What a reader finds at a path.
pub(super) enum Walk<'d> {
    Value(&'d toml::Value),
    /// The table that lacks the next key, and how deep it is.
    Lacking(&'d toml::Table, usize),
}

/// Where the text says it.
pub(super) enum Site<'d> {
    /// A key with its value: on lines of its own, or among the members of an inline table.
    Pair { node: &'d Node, item: Range<usize>, beside: Option<(&'d [Member], usize)> },
    /// Headers and what follows them, or dotted keys: runs of statements that belong together.
    Runs(Vec<Range<usize>>),
}

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

fn type_of(value: &toml::Value) -> JsonType {
    match value {
        toml::Value::String(_) | toml::Value::Datetime(_) => JsonType::String,
        toml::Value::Integer(_) | toml::Value::Float(_) => JsonType::Number,
        toml::Value::Boolean(_) => JsonType::Bool,
        toml::Value::Array(_) => JsonType::Array,
        toml::Value::Table(_) => JsonType::Object,
    }
}

impl Document<'_> {
    pub(super) fn walk(&self, path: &KeyPath) -> Result<Walk<'_>, EditError> {
        let (mut table, keys) = (&self.root, path.segments());
        for (depth, key) in keys.iter().enumerate() {
            match table.get(key) {
                None => return Ok(Walk::Lacking(table, depth)),
                Some(value) if depth + 1 == keys.len() => return Ok(Walk::Value(value)),
                Some(toml::Value::Table(inner)) => table = inner,
                Some(value) => {
                    let at = Position::of(self.text, self.offset(&keys[..=depth]));
                    return Err(EditError::NotObject {
                        path: path.prefix(depth + 1),
                        found: type_of(value),
                        at,
                    });
                }
            }
        }
        Ok(Walk::Lacking(table, 0))
    }

    /// Where a path is said first.
    pub(super) fn offset(&self, keys: &[String]) -> usize {
        match self.site(keys) {
            Some(Site::Pair { node, .. }) => node.span.start,
            Some(Site::Runs(runs)) => runs.first().map_or(0, |run| self.statements[run.start].span.start),
            None => 0,
        }
    }

    pub(super) fn site(&self, keys: &[String]) -> Option<Site<'_>> {
        let pair = self.statements.iter().filter(|statement| !statement.in_list).find_map(|statement| {
            let Kind::Pair(node) = &statement.kind else { return None };
            let rest = keys.strip_prefix(&statement.path[..])?;
            within(node, statement.span.clone(), rest)
        });
        pair.or_else(|| {
            let runs = self.runs(keys);
            (!runs.is_empty()).then_some(Site::Runs(runs))
        })
    }

    /// The statements below `keys`, as ranges of indices.
    fn runs(&self, keys: &[String]) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (index, _) in self.statements.iter().enumerate().filter(|(_, below)| below.path.starts_with(keys))
        {
            match runs.last_mut() {
                Some(run) if run.end == index => run.end += 1,
                Some(_) | None => runs.push(index..index + 1),
            }
        }
        runs
    }

    /// From the first statement of a run to the end of its last.
    pub(super) fn span(&self, run: &Range<usize>) -> Range<usize> {
        self.statements[run.start].span.start..self.statements[run.end - 1].span.end
    }

    fn raw(&self, keys: &[String]) -> String {
        match self.site(keys) {
            Some(Site::Pair { node, .. }) => self.text[node.span.clone()].to_owned(),
            Some(Site::Runs(runs)) => runs.iter().map(|run| &self.text[self.span(run)]).collect(),
            None => String::new(),
        }
    }

    /// The header of `keys` and the lines right below it; for the root the lines above all headers.
    pub(super) fn own_statements(&self, keys: &[String]) -> Vec<&Statement> {
        let statements = &self.statements;
        if keys.is_empty() {
            return statements.iter().take_while(|line| matches!(line.kind, Kind::Pair(_))).collect();
        }
        let header =
            |line: &Statement| matches!(line.kind, Kind::Header) && !line.in_list && line.path == keys;
        let Some(start) = statements.iter().position(header) else { return Vec::new() };
        let below = statements[start + 1..].iter().take_while(|line| matches!(line.kind, Kind::Pair(_)));
        statements[start..=start].iter().chain(below).collect()
    }

    /// What is said outside of `keys`, letter for letter.
    fn beside(&self, keys: &[String]) -> Vec<&str> {
        let others = self
            .statements
            .iter()
            .filter(|statement| !statement.path.starts_with(keys) && !keys.starts_with(&statement.path));
        others.map(|statement| &self.text[statement.span.clone()]).collect()
    }

    /// Whether `after` says the same as this but for what is at `keys`.
    pub(super) fn agrees(&self, after: &Document<'_>, keys: &[String]) -> bool {
        same_beside(&outline(&self.root), &outline(&after.root), keys)
            && self.beside(keys) == after.beside(keys)
    }
}

fn within<'d>(node: &'d Node, item: Range<usize>, keys: &[String]) -> Option<Site<'d>> {
    if keys.is_empty() {
        return Some(Site::Pair { node, item, beside: None });
    }
    let members = node.members.as_deref()?;
    members.iter().enumerate().find_map(|(index, member)| {
        let rest = keys.strip_prefix(&member.keys[..])?;
        let item = member.start..member.node.span.end;
        match within(&member.node, item, rest)? {
            Site::Pair { node, item, beside: None } => {
                Some(Site::Pair { node, item, beside: Some((members, index)) })
            }
            deeper => Some(deeper),
        }
    })
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
                self.into_inline(depth, span, members)
            }
            Some(Site::Pair { node, .. }) => return Err(self.not_safe(Obstacle::Layout, node.span.start)),
            Some(Site::Runs(_)) | None => self.into_table(depth),
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

    fn into_inline(&self, depth: usize, span: &Range<usize>, members: &[Member]) -> Option<Insertion> {
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

    fn into_table(&self, depth: usize) -> Option<Insertion> {
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
