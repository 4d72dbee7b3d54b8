//! A document as a tree of spans, with everything refused that clients could read in two ways. Changes nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Number, Value};

use super::name::{decode, decode_text};
use super::scan::Scanner;
use crate::{Dialect, EditError, JsonType, MAX_DEPTH, SyntaxFault, encoding};

/// A text that was read.
pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    /// Nothing if there is only white space and comments.
    pub(super) root: Option<Node<'t>>,
}

/// A value and where it stands.
pub(super) struct Node<'t> {
    pub(super) start: usize,
    pub(super) raw: &'t str,
    pub(super) kind: Kind<'t>,
}

pub(super) enum Kind<'t> {
    Null,
    Bool(bool),
    Number,
    String,
    Array(Vec<Node<'t>>),
    Object(Vec<Member<'t>>),
}

/// One key of an object with its value.
pub(super) struct Member<'t> {
    pub(super) start: usize,
    pub(super) raw_key: &'t str,
    pub(super) key: Cow<'t, [u8]>,
    pub(super) value: Node<'t>,
    /// The comma after the value.
    pub(super) comma: Option<usize>,
}

impl<'t> Node<'t> {
    pub(super) fn end(&self) -> usize {
        self.start + self.raw.len()
    }

    /// The bytes between an object's or array's brackets.
    pub(super) fn interior(&self) -> Range<usize> {
        self.start + 1..self.end() - 1
    }

    pub(super) fn members(&self) -> Option<&[Member<'t>]> {
        match &self.kind {
            Kind::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The index of a key in an object.
    pub(super) fn index_of(&self, key: &str) -> Option<usize> {
        self.members()?.iter().position(|member| *member.key == *key.as_bytes())
    }

    pub(super) fn json_type(&self) -> JsonType {
        match self.kind {
            Kind::Null => JsonType::Null,
            Kind::Bool(_) => JsonType::Bool,
            Kind::Number => JsonType::Number,
            Kind::String => JsonType::String,
            Kind::Array(_) => JsonType::Array,
            Kind::Object(_) => JsonType::Object,
        }
    }

    /// The decoded value, unless `serde_json` cannot hold it.
    pub(super) fn to_value(&self) -> Option<Value> {
        Some(match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(truth) => Value::Bool(*truth),
            Kind::Number => Value::Number(serde_json::from_str::<Number>(self.raw).ok()?),
            Kind::String => Value::String(decode_text(self.raw)?),
            Kind::Array(items) => Value::Array(items.iter().map(Node::to_value).collect::<Option<_>>()?),
            Kind::Object(members) => {
                Value::Object(members.iter().map(Member::to_entry).collect::<Option<Map<_, _>>>()?)
            }
        })
    }
}

impl Member<'_> {
    pub(super) fn key_end(&self) -> usize {
        self.start + self.raw_key.len()
    }

    /// Where the next token may begin: behind the comma, or the value.
    pub(super) fn end(&self) -> usize {
        self.comma.map_or(self.value.end(), |comma| comma + 1)
    }

    /// The key for people; a lone surrogate shows as replacement characters.
    pub(super) fn shown_key(&self) -> String {
        String::from_utf8_lossy(&self.key).into_owned()
    }

    fn to_entry(&self) -> Option<(String, Value)> {
        Some((decode_text(self.raw_key)?, self.value.to_value()?))
    }
}

/// Reads a whole text.
pub(super) fn parse(bytes: &[u8], dialect: Dialect) -> Result<Document<'_>, EditError> {
    let text = encoding::text(bytes)?;
    let mut reader = Reader { scan: Scanner::new(text, dialect) };
    reader.scan.gap()?;
    let root = match reader.scan.peek() {
        None => None,
        Some(_) => Some(reader.value(0)?),
    };
    reader.scan.gap()?;
    match reader.scan.peek() {
        None => Ok(Document { text, root }),
        Some(_) => Err(EditError::TrailingData { at: reader.scan.position(reader.scan.at()) }),
    }
}

struct Reader<'t> {
    scan: Scanner<'t>,
}

impl<'t> Reader<'t> {
    /// Reads the value that is next, `depth` containers deep.
    fn value(&mut self, depth: usize) -> Result<Node<'t>, EditError> {
        let start = self.scan.at();
        let (kind, raw) = match self.scan.peek() {
            Some(b'{') => (self.object(depth)?, self.scan.since(start)),
            Some(b'[') => (self.array(depth)?, self.scan.since(start)),
            Some(b'"') => (Kind::String, self.scan.string()?),
            Some(b'-' | b'0'..=b'9') => (Kind::Number, self.scan.number()?),
            Some(b't') => (Kind::Bool(true), self.scan.word("true")?),
            Some(b'f') => (Kind::Bool(false), self.scan.word("false")?),
            Some(b'n') => (Kind::Null, self.scan.word("null")?),
            Some(_) | None => return Err(self.scan.unexpected(SyntaxFault::ExpectedValue)),
        };
        Ok(Node { start, raw, kind })
    }

    fn open(&mut self, bracket: u8, depth: usize) -> Result<(), EditError> {
        if depth == MAX_DEPTH {
            return Err(EditError::TooDeep { at: self.scan.position(self.scan.at()) });
        }
        self.scan.eat(bracket);
        self.scan.gap()
    }

    fn array(&mut self, depth: usize) -> Result<Kind<'t>, EditError> {
        self.open(b'[', depth)?;
        let mut items = Vec::new();
        let mut comma = None;
        while !self.closed(b']', comma)? {
            if !items.is_empty() && comma.is_none() {
                return Err(self.scan.unexpected(SyntaxFault::ExpectedCommaOrEnd));
            }
            items.push(self.value(depth + 1)?);
            comma = self.comma()?;
        }
        Ok(Kind::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<Kind<'t>, EditError> {
        self.open(b'{', depth)?;
        let mut members: Vec<Member<'t>> = Vec::new();
        let mut seen = BTreeMap::new();
        while !self.closed(b'}', members.last().and_then(|member| member.comma))? {
            if members.last().is_some_and(|member| member.comma.is_none()) {
                return Err(self.scan.unexpected(SyntaxFault::ExpectedCommaOrEnd));
            }
            let member = self.member(depth, &mut seen)?;
            members.push(member);
        }
        Ok(Kind::Object(members))
    }

    fn member(
        &mut self,
        depth: usize,
        seen: &mut BTreeMap<Cow<'t, [u8]>, usize>,
    ) -> Result<Member<'t>, EditError> {
        let start = self.scan.at();
        if self.scan.peek() != Some(b'"') {
            return Err(self.scan.unexpected(SyntaxFault::ExpectedKey));
        }
        let raw_key = self.scan.string()?;
        let key = decode(raw_key);
        if let Some(first) = seen.insert(key.clone(), start) {
            return Err(self.duplicate(&key, first, start));
        }
        self.scan.gap()?;
        if !self.scan.eat(b':') {
            return Err(self.scan.unexpected(SyntaxFault::ExpectedColon));
        }
        self.scan.gap()?;
        let value = self.value(depth + 1)?;
        let comma = self.comma()?;
        Ok(Member { start, raw_key, key, value, comma })
    }

    fn duplicate(&self, key: &[u8], first: usize, second: usize) -> EditError {
        EditError::DuplicateKey {
            key: String::from_utf8_lossy(key).into_owned(),
            first: self.scan.position(first),
            second: self.scan.position(second),
        }
    }

    /// Steps over a comma and the gaps around it.
    fn comma(&mut self) -> Result<Option<usize>, EditError> {
        self.scan.gap()?;
        let at = self.scan.at();
        let comma = self.scan.eat(b',').then_some(at);
        self.scan.gap()?;
        Ok(comma)
    }

    /// Steps over the closing bracket if it is next; `comma` is the one before it.
    fn closed(&mut self, bracket: u8, comma: Option<usize>) -> Result<bool, EditError> {
        let closed = self.scan.eat(bracket);
        match comma {
            Some(comma) if closed && self.scan.dialect() == Dialect::Json => {
                Err(self.scan.fault(SyntaxFault::TrailingComma, comma))
            }
            Some(_) | None => Ok(closed),
        }
    }
}
