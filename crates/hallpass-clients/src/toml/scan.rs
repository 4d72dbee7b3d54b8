//! A text as statements with their spans, and as what a reader of TOML makes of it. Changes nothing.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Number, Value};
use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};
use toml_parser::{ParseError, Source};

use crate::outline::Outline;
use crate::{EditError, MAX_DEPTH, Position, SyntaxFault, encoding};

pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    pub(super) statements: Vec<Statement>,
    pub(super) root: toml::Table,
}

/// A header, or a key with its value.
pub(super) struct Statement {
    /// From the document's root.
    pub(super) path: Vec<String>,
    /// Without the blanks and the comment around it.
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
    /// Whether it belongs to an element of a list of tables.
    pub(super) in_list: bool,
}

pub(super) enum Kind {
    Header,
    ListHeader,
    Pair(Node),
}

pub(super) struct Node {
    pub(super) span: Range<usize>,
    /// The members, if it is an inline table.
    pub(super) members: Option<Vec<Member>>,
}

/// A key of an inline table with its value.
pub(super) struct Member {
    pub(super) keys: Vec<String>,
    pub(super) start: usize,
    pub(super) node: Node,
    pub(super) comma: Option<usize>,
}

/// Reads a whole text.
pub(super) fn parse(bytes: &[u8]) -> Result<Document<'_>, EditError> {
    let text = encoding::text(bytes)?;
    let statements = Reader { text, events: events(text)?, at: 0 }.statements()?;
    let root = text.parse::<toml::Table>().map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        repeated(text, &statements, at).unwrap_or_else(|| not_toml(text, at))
    })?;
    Ok(Document { text, statements, root })
}

fn not_toml(text: &str, at: usize) -> EditError {
    let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    EditError::Syntax { fault: SyntaxFault::NotToml, at: Position::of(text, at) }
}

/// The statement at `at` says again what an earlier one said.
fn repeated(text: &str, statements: &[Statement], at: usize) -> Option<EditError> {
    let second = statements.iter().position(|statement| statement.span.contains(&at))?;
    let path = &statements[second].path;
    let first = statements[..second].iter().find(|statement| statement.path == *path)?;
    Some(EditError::DuplicateKey {
        key: path.last()?.clone(),
        first: Position::of(text, first.span.start),
        second: Position::of(text, statements[second].span.start),
    })
}

fn events(text: &str) -> Result<Vec<Event>, EditError> {
    let source = Source::new(text);
    let tokens = source.lex().into_vec();
    let mut events = Vec::new();
    let mut fault: Option<ParseError> = None;
    let mut collect = |event: Event| events.push(event);
    let limit = u32::try_from(MAX_DEPTH).unwrap_or(u32::MAX);
    parse_document(&tokens, &mut RecursionGuard::new(&mut collect, limit), &mut fault);
    match fault {
        None => Ok(events),
        Some(error) => {
            Err(not_toml(text, error.unexpected().or_else(|| error.context()).map_or(0, |span| span.start())))
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    events: Vec<Event>,
    at: usize,
}

impl Reader<'_> {
    fn statements(mut self) -> Result<Vec<Statement>, EditError> {
        let mut statements: Vec<Statement> = Vec::new();
        let mut lists: Vec<Vec<String>> = Vec::new();
        let mut table: Vec<String> = Vec::new();
        while let Some(event) = self.next() {
            let start = event.span().start();
            let kind = match event.kind() {
                EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                    let list = event.kind() == EventKind::ArrayTableOpen;
                    let end = if list { EventKind::ArrayTableClose } else { EventKind::StdTableClose };
                    table = self.keys(None, end)?;
                    if list && !lists.contains(&table) {
                        lists.push(table.clone());
                    }
                    if list { Kind::ListHeader } else { Kind::Header }
                }
                EventKind::SimpleKey => {
                    let keys = self.keys(Some(event), EventKind::KeyValSep)?;
                    let node = self.node();
                    self.check_depth(table.len() + keys.len(), start)?;
                    let end = node.span.end;
                    let path = [&table[..], &keys].concat();
                    let in_list = lists.iter().any(|list| path.starts_with(list));
                    let kind = Kind::Pair(node);
                    statements.push(Statement { path, span: start..end, kind, in_list });
                    continue;
                }
                _ => continue,
            };
            self.check_depth(table.len(), start)?;
            let end = self.events[self.at - 1].span().end();
            let in_list = lists.iter().any(|list| table.starts_with(list));
            statements.push(Statement { path: table.clone(), span: start..end, kind, in_list });
        }
        Ok(statements)
    }

    fn check_depth(&self, depth: usize, at: usize) -> Result<(), EditError> {
        if depth > MAX_DEPTH { Err(EditError::TooDeep { at: Position::of(self.text, at) }) } else { Ok(()) }
    }

    /// The next event that is neither a blank nor a comment.
    fn next(&mut self) -> Option<Event> {
        loop {
            let event = *self.events.get(self.at)?;
            self.at += 1;
            if !matches!(event.kind(), EventKind::Whitespace | EventKind::Comment | EventKind::Newline) {
                return Some(event);
            }
        }
    }

    /// The keys up to `end`, of which the first may have been read.
    fn keys(&mut self, first: Option<Event>, end: EventKind) -> Result<Vec<String>, EditError> {
        let mut keys = Vec::new();
        let mut event = first.or_else(|| self.next());
        while let Some(key) = event {
            if key.kind() == end {
                break;
            }
            if key.kind() == EventKind::SimpleKey {
                keys.push(self.key(&key)?);
            }
            event = self.next();
        }
        Ok(keys)
    }

    fn key(&self, event: &Event) -> Result<String, EditError> {
        let raw = Source::new(self.text).get(event);
        let mut key = Cow::Borrowed("");
        let mut fault: Option<ParseError> = None;
        if let Some(raw) = raw {
            raw.decode_key(&mut key, &mut fault);
        }
        match fault {
            None => Ok(key.into_owned()),
            Some(_) => Err(not_toml(self.text, event.span().start())),
        }
    }

    /// The value that is next.
    fn node(&mut self) -> Node {
        let Some(event) = self.next() else {
            let end = self.text.len();
            return Node { span: end..end, members: None };
        };
        let start = event.span().start();
        match event.kind() {
            EventKind::InlineTableOpen => {
                let members = self.members();
                Node { span: start..self.events[self.at - 1].span().end(), members: Some(members) }
            }
            EventKind::ArrayOpen => {
                self.skip_list();
                Node { span: start..self.events[self.at - 1].span().end(), members: None }
            }
            _ => Node { span: start..event.span().end(), members: None },
        }
    }

    fn skip_list(&mut self) {
        let mut depth = 1;
        while depth > 0 {
            match self.next().map(|event| event.kind()) {
                Some(EventKind::ArrayOpen) => depth += 1,
                Some(EventKind::ArrayClose) => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    fn members(&mut self) -> Vec<Member> {
        let mut members: Vec<Member> = Vec::new();
        while let Some(event) = self.next() {
            match event.kind() {
                EventKind::InlineTableClose => break,
                EventKind::ValueSep => {
                    if let Some(last) = members.last_mut() {
                        last.comma = Some(event.span().start());
                    }
                }
                EventKind::SimpleKey => {
                    let keys = self.keys(Some(event), EventKind::KeyValSep).unwrap_or_default();
                    let node = self.node();
                    members.push(Member { keys, start: event.span().start(), node, comma: None });
                }
                _ => {}
            }
        }
        members
    }
}

/// What a table says; the order of keys says nothing in TOML.
pub(super) fn outline(table: &toml::Table) -> Outline {
    let mut members: Vec<_> = table.iter().map(|(key, value)| (key.clone(), outline_of(value))).collect();
    members.sort_by(|(one, _), (other, _)| one.cmp(other));
    Outline::Map(members)
}

fn outline_of(value: &toml::Value) -> Outline {
    match value {
        toml::Value::Table(table) => outline(table),
        toml::Value::Array(items) => Outline::List(items.iter().map(outline_of).collect()),
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => Outline::Leaf(value.to_string()),
    }
}

/// The value as JSON has it, if JSON can hold it.
pub(super) fn to_json(value: &toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::Table(table) => Value::Object(
            table
                .iter()
                .map(|(key, value)| Some((key.clone(), to_json(value)?)))
                .collect::<Option<Map<_, _>>>()?,
        ),
        toml::Value::Array(items) => Value::Array(items.iter().map(to_json).collect::<Option<_>>()?),
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::Number(Number::from_f64(*number)?),
        toml::Value::Boolean(truth) => Value::Bool(*truth),
        toml::Value::Datetime(_) => return None,
    })
}
