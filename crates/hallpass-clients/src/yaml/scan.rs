//! Reads a text into a tree of spans, with everything refused that clients could read in two ways. Changes nothing.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::tree::{Document, Kind, Member, Node};
use crate::{EditError, MAX_DEPTH, Obstacle, Position, SyntaxFault, encoding};

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
