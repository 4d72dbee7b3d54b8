//! A document as a tree of spans, with everything refused that clients could read in two ways. Changes nothing.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use serde_json::{Map, Number, Value};

use crate::outline::Outline;
use crate::{EditError, JsonType, MAX_DEPTH, Obstacle, Position, SyntaxFault, encoding};

pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    /// Nothing if there is only white space and comments.
    pub(super) root: Option<Node>,
}

pub(super) struct Node {
    /// Of a collection in block style only the start is of use: its end is where the parser noticed it.
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
    pub(super) anchor: bool,
    pub(super) tag: Option<String>,
}

pub(super) enum Kind {
    Scalar { text: String, style: ScalarStyle },
    Alias,
    List { items: Vec<Node>, flow: bool },
    Map { members: Vec<Member>, flow: bool },
}

pub(super) struct Member {
    pub(super) key: Node,
    pub(super) value: Node,
    /// Behind the last character of key and value.
    pub(super) end: usize,
}

impl Node {
    pub(super) fn members(&self) -> Option<&[Member]> {
        match &self.kind {
            Kind::Map { members, .. } => Some(members),
            Kind::Scalar { .. } | Kind::Alias | Kind::List { .. } => None,
        }
    }

    pub(super) fn index_of(&self, key: &str) -> Option<usize> {
        self.members()?.iter().position(|member| member.key.plain_text() == Some(key))
    }

    pub(super) fn is_flow(&self) -> bool {
        match self.kind {
            Kind::List { flow, .. } | Kind::Map { flow, .. } => flow,
            Kind::Scalar { .. } | Kind::Alias => false,
        }
    }

    /// The text of a scalar without tag and anchor.
    pub(super) fn plain_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if self.tag.is_none() && !self.anchor => Some(text),
            Kind::Scalar { .. } | Kind::Alias | Kind::List { .. } | Kind::Map { .. } => None,
        }
    }

    /// Behind the last character.
    pub(super) fn end(&self) -> usize {
        match &self.kind {
            Kind::List { items, flow: false } => items.last().map_or(self.span.start, Node::end),
            Kind::Map { members, flow: false } => members.last().map_or(self.span.start, |last| last.end),
            Kind::Scalar { .. } | Kind::Alias | Kind::List { .. } | Kind::Map { .. } => self.span.end,
        }
    }

    /// Whether the last thing in it is a text of lines behind `|` or `>`.
    pub(super) fn ends_in_block_scalar(&self) -> bool {
        match &self.kind {
            Kind::Scalar { style, .. } => matches!(style, ScalarStyle::Literal | ScalarStyle::Folded),
            Kind::Alias => false,
            Kind::List { items, .. } => items.last().is_some_and(Self::ends_in_block_scalar),
            Kind::Map { members, .. } => members.last().is_some_and(|last| last.value.ends_in_block_scalar()),
        }
    }

    pub(super) fn json_type(&self) -> JsonType {
        match &self.kind {
            Kind::Map { .. } => JsonType::Object,
            Kind::List { .. } => JsonType::Array,
            Kind::Alias => JsonType::String,
            Kind::Scalar { .. } => match self.to_value() {
                Some(Value::Null) => JsonType::Null,
                Some(Value::Bool(_)) => JsonType::Bool,
                Some(Value::Number(_)) => JsonType::Number,
                Some(Value::String(_) | Value::Array(_) | Value::Object(_)) | None => JsonType::String,
            },
        }
    }

    /// The value by the core schema of YAML 1.2; nothing for what has a tag or stands somewhere else.
    pub(super) fn to_value(&self) -> Option<Value> {
        if self.tag.is_some() {
            return None;
        }
        Some(match &self.kind {
            Kind::Scalar { text, style: ScalarStyle::Plain } => plain(text)?,
            Kind::Scalar { text, .. } => Value::from(text.as_str()),
            Kind::Alias => return None,
            Kind::List { items, .. } => {
                Value::Array(items.iter().map(Self::to_value).collect::<Option<_>>()?)
            }
            Kind::Map { members, .. } => {
                let entry =
                    |member: &Member| Some((member.key.plain_text()?.to_owned(), member.value.to_value()?));
                Value::Object(members.iter().map(entry).collect::<Option<Map<_, _>>>()?)
            }
        })
    }

    pub(super) fn outline(&self) -> Outline {
        let marks = format!("{} {}", self.anchor, self.tag.as_deref().unwrap_or_default());
        match &self.kind {
            Kind::Scalar { text, style } => Outline::Leaf(format!("{marks} {style:?} {text}")),
            Kind::Alias => Outline::Leaf(format!("{marks} alias")),
            Kind::List { items, flow } => {
                let marks = Outline::Leaf(format!("{marks} {flow}"));
                Outline::List(std::iter::once(marks).chain(items.iter().map(Self::outline)).collect())
            }
            Kind::Map { members, .. } => Outline::Map(
                members.iter().map(|member| (member.key.name(), member.value.outline())).collect(),
            ),
        }
    }

    /// A key for comparison; no key that is not plain text is named like one that is.
    fn name(&self) -> String {
        match self.plain_text() {
            Some(text) => text.to_owned(),
            None => format!("\0{}", self.span.len()),
        }
    }
}

fn plain(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let number = digits.starts_with(|first: char| first.is_ascii_digit())
        || digits.strip_prefix('.').is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" | ".nan" | ".NaN" | ".NAN" => return None,
        _ if number => {
            let radix =
                |prefix, radix| text.strip_prefix(prefix).map(|digits| i64::from_str_radix(digits, radix));
            match (text.parse::<i64>(), radix("0o", 8).or_else(|| radix("0x", 16)), text.parse::<f64>()) {
                (Ok(number), _, _) | (Err(_), Some(Ok(number)), _) => Value::from(number),
                (Err(_), _, Ok(number)) => Number::from_f64(number).map(Value::Number)?,
                (Err(_), _, Err(_)) => Value::from(text),
            }
        }
        _ => Value::from(text),
    })
}

/// Reads a whole text.
pub(super) fn parse(bytes: &[u8]) -> Result<Document<'_>, EditError> {
    let text = encoding::text(bytes)?;
    // Line ends in 1.1, letters in 1.2.
    if let Some(at) = text.find(['\u{85}', '\u{2028}', '\u{2029}']) {
        return Err(EditError::NotSafe { obstacle: Obstacle::Unclear, at: Position::of(text, at) });
    }
    let offsets =
        if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(offset, _)| offset).collect() };
    let mut reader = Reader { text, offsets, parser: Parser::new_from_str(text) };
    let mut root = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(Document { text, root }),
            Event::DocumentStart(_) if root.is_some() => {
                let at = Position::of(text, reader.offset(span.start.index()));
                return Err(EditError::TrailingData { at });
            }
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            event => root = Some(reader.node(event, span, 0)?),
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    /// Of each character, if there are some that are not ASCII.
    offsets: Vec<usize>,
    parser: Parser<'t, StrInput<'t>>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), EditError> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.not_yaml(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn not_yaml(&self, error: &ScanError) -> EditError {
        let at = Position::of(self.text, self.offset(error.marker().index()));
        EditError::Syntax { fault: SyntaxFault::NotYaml, at }
    }

    fn offset(&self, index: usize) -> usize {
        let offset = if self.offsets.is_empty() { Some(index) } else { self.offsets.get(index).copied() };
        offset.unwrap_or(self.text.len()).min(self.text.len())
    }

    fn span(&self, span: Span) -> Range<usize> {
        self.offset(span.start.index())..self.offset(span.end.index())
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, EditError> {
        let range = self.span(span);
        if depth > MAX_DEPTH {
            return Err(EditError::TooDeep { at: Position::of(self.text, range.start) });
        }
        let tag_of =
            |tag: Option<std::borrow::Cow<'_, saphyr_parser::Tag>>| tag.map(|tag| format!("{tag:?}"));
        Ok(match event {
            Event::Scalar(text, style, anchor, tag) => {
                let span = range.start..self.scalar_end(&range, style);
                let kind = Kind::Scalar { text: text.into_owned(), style };
                Node { span, kind, anchor: anchor != 0, tag: tag_of(tag) }
            }
            Event::SequenceStart(anchor, tag) => {
                let flow = self.text[self.behind_marks(&range)..range.end].starts_with('[');
                let (items, end) = self.items(depth)?;
                let span = range.start..self.behind_bracket(&end, flow);
                Node { span, kind: Kind::List { items, flow }, anchor: anchor != 0, tag: tag_of(tag) }
            }
            Event::MappingStart(anchor, tag) => {
                let flow = self.text[self.behind_marks(&range)..range.end].starts_with('{');
                let (members, end) = self.members(depth)?;
                let span = range.start..self.behind_bracket(&end, flow);
                Node { span, kind: Kind::Map { members, flow }, anchor: anchor != 0, tag: tag_of(tag) }
            }
            Event::Alias(_)
            | Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Node { span: range, kind: Kind::Alias, anchor: false, tag: None },
        })
    }

    /// Where a value begins that may have an anchor, a tag and comments in front.
    fn behind_marks(&self, range: &Range<usize>) -> usize {
        let mut rest = &self.text[range.clone()];
        loop {
            rest = rest.trim_start();
            let stop = match rest.as_bytes() {
                [b'!', b'<', ..] => rest.find('>').map(|at| at + 1),
                [b'!' | b'&', ..] => rest.find(|char: char| char.is_whitespace() || ",[]{}".contains(char)),
                [b'#', ..] => rest.find(['\n', '\r']),
                _ => return range.end - rest.len(),
            };
            rest = stop.map_or("", |stop| &rest[stop..]);
        }
    }

    /// Without what the parser counts to a scalar that it has to look beyond: line ends, or a comment at the very end.
    fn scalar_end(&self, range: &Range<usize>, style: ScalarStyle) -> usize {
        let range = self.behind_marks(range)..range.end;
        match style {
            ScalarStyle::SingleQuoted => self.behind_quote(&range, b'\'', None),
            ScalarStyle::DoubleQuoted => self.behind_quote(&range, b'"', Some(b'\\')),
            ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => {
                range.start + self.text[range.clone()].trim_end_matches([' ', '\t', '\r', '\n']).len()
            }
        }
    }

    /// Behind the closing quote; a doubled one is none if there is no `escape`.
    fn behind_quote(&self, range: &Range<usize>, quote: u8, escape: Option<u8>) -> usize {
        let bytes = &self.text.as_bytes()[..range.end];
        let mut at = range.start + 1;
        while let Some(byte) = bytes.get(at) {
            let doubled = escape.is_none() && bytes.get(at + 1) == Some(&quote);
            match *byte {
                byte if byte == quote && !doubled => return at + 1,
                byte if byte == quote || Some(byte) == escape => at += 2,
                _ => at += 1,
            }
        }
        range.end
    }

    /// Behind the closing bracket. The parser ends a collection at the comma that comes last in it, or else behind the
    /// comment that follows the bracket.
    fn behind_bracket(&self, end: &Range<usize>, flow: bool) -> usize {
        if !flow {
            return end.end;
        }
        let mut rest = self.text[end.start..].trim_start_matches(',').trim_start();
        while rest.starts_with('#') {
            rest = rest.trim_start_matches(|char| !matches!(char, '\n' | '\r')).trim_start();
        }
        self.text.len() - rest.len() + usize::from(rest.starts_with([']', '}']))
    }

    fn items(&mut self, depth: usize) -> Result<(Vec<Node>, Range<usize>), EditError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, span) => return Ok((items, self.span(span))),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn members(&mut self, depth: usize) -> Result<(Vec<Member>, Range<usize>), EditError> {
        let mut members: Vec<Member> = Vec::new();
        let mut seen = std::collections::BTreeMap::new();
        loop {
            let (event, span) = match self.next()? {
                (Event::MappingEnd | Event::StreamEnd, span) => return Ok((members, self.span(span))),
                next => next,
            };
            let key = self.node(event, span, depth + 1)?;
            if let Some(first) =
                key.plain_text().and_then(|text| seen.insert(text.to_owned(), key.span.start))
            {
                return Err(EditError::DuplicateKey {
                    key: key.plain_text().unwrap_or_default().to_owned(),
                    first: Position::of(self.text, first),
                    second: Position::of(self.text, key.span.start),
                });
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let end = self.member_end(&key, &value);
            members.push(Member { key, value, end });
        }
    }

    /// A value that is not written at all has its place where the parser gave up: the colon counts.
    fn member_end(&self, key: &Node, value: &Node) -> usize {
        let written = !value.span.is_empty() || value.members().is_some_and(|members| !members.is_empty());
        if written {
            return value.end();
        }
        let rest = &self.text[key.end()..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        key.end() + if rest[blanks..].starts_with(':') { blanks + 1 } else { 0 }
    }
}
