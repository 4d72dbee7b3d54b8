//! A text as lines, and the one that sets a variable, if every reader finds the same one. Changes nothing.

use std::ops::Range;

use crate::{EditError, Obstacle, Position, SyntaxFault, encoding};

const QUOTES: [char; 3] = ['"', '\'', '`'];

pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    lines: Vec<Line>,
}

struct Line {
    /// Without its end.
    span: Range<usize>,
    /// Behind its end.
    next: usize,
    /// Whether some readers take it for a part of the value before it.
    within: bool,
}

/// The line that sets a variable.
pub(super) struct Assignment<'t> {
    /// With its end.
    pub(super) line: Range<usize>,
    /// As it is spelt, with its quotes.
    pub(super) value: Range<usize>,
    /// What every reader makes of it; nothing if they differ.
    pub(super) plain: Option<&'t str>,
}

/// Reads a whole text.
pub(super) fn parse(bytes: &[u8]) -> Result<Document<'_>, EditError> {
    let text = encoding::text(bytes)?;
    let mut document = Document { text, lines: lines(text) };
    document.mark_values_of_several_lines()?;
    Ok(document)
}

fn lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = text[start..].find(['\n', '\r']).map_or(text.len(), |at| start + at);
        let ends = if text[end..].starts_with("\r\n") { 2 } else { usize::from(end < text.len()) };
        lines.push(Line { span: start..end, next: end + ends, within: false });
        start = end + ends;
    }
    lines
}

impl<'t> Document<'t> {
    /// The variables that are set, in the file's order.
    pub(super) fn names(&self) -> Vec<String> {
        let heads = self.lines.iter().filter(|line| !line.within).filter_map(|line| self.head(line));
        heads.map(|(name, _)| name.to_owned()).collect()
    }

    /// The line that sets `name`.
    pub(super) fn find(&self, name: &str) -> Result<Option<Assignment<'t>>, EditError> {
        let mut found: Option<&Line> = None;
        for (index, line) in self.lines.iter().enumerate().filter(|(_, line)| self.concerns(line, name)) {
            if let Some(first) = found {
                let (first, second) = (self.position(first.span.start), self.position(line.span.start));
                return Err(EditError::DuplicateKey { key: name.to_owned(), first, second });
            }
            if line.within || self.has_odd_ends(index) || self.head(line).is_none_or(|(key, _)| key != name) {
                return Err(self.unclear(line.span.start));
            }
            found = Some(line);
        }
        Ok(found.and_then(|line| self.assignment(line)))
    }

    /// What readers differ about.
    pub(super) fn unclear(&self, at: usize) -> EditError {
        EditError::NotSafe { obstacle: Obstacle::Unclear, at: self.position(at) }
    }

    /// Where the last line asks for one more, so that a line put behind it would be its own.
    pub(super) fn open_end(&self) -> Option<usize> {
        self.lines.last().filter(|line| self.is_continued(line)).map(|line| line.span.end - 1)
    }

    fn position(&self, at: usize) -> Position {
        Position::of(self.text, at)
    }

    /// The name that a line sets, and where its `=` is.
    fn head(&self, line: &Line) -> Option<(&'t str, usize)> {
        let text = &self.text[line.span.clone()];
        let blanks = |text: &str| text.len() - text.trim_start_matches([' ', '\t']).len();
        let export = text.trim_start_matches([' ', '\t']).strip_prefix("export");
        let start = match export {
            Some(rest) if blanks(rest) > 0 => text.len() - rest.len() + blanks(rest),
            Some(_) | None => blanks(text),
        };
        let len = text[start..].bytes().position(|byte| !is_name_byte(byte)).unwrap_or(text.len() - start);
        let equals = start + len + blanks(&text[start + len..]);
        let is_set = len > 0 && text[equals..].starts_with('=');
        is_set.then(|| (&text[start..start + len], line.span.start + equals))
    }

    /// Whether some reader could think that a line sets `name`.
    fn concerns(&self, line: &Line, name: &str) -> bool {
        let text = self.text[line.span.clone()].trim_start();
        let exported = text.strip_prefix("export").filter(|rest| rest.starts_with(char::is_whitespace));
        let start = exported.unwrap_or(text).trim_start();
        let Some(rest) = start.trim_start_matches(QUOTES).strip_prefix(name) else { return false };
        let rest = rest.trim_start_matches(QUOTES);
        if rest.bytes().next().is_some_and(is_name_byte) {
            return false;
        }
        let rest = rest.trim_start();
        // Inside of another value words are only words, and `export NAME` alone sets nothing.
        let says_nothing = rest.is_empty() || rest.starts_with('#');
        if line.within { rest.starts_with(['=', ':', '+']) } else { exported.is_none() || !says_nothing }
    }

    fn assignment(&self, line: &Line) -> Option<Assignment<'t>> {
        let start = self.head(line)?.1 + 1;
        let text = &self.text[start..line.span.end];
        let (value, plain) = value(text);
        let value = start + value.start..start + value.end;
        Some(Assignment { line: line.span.start..line.next, value, plain })
    }

    /// A lone carriage return ends a line for some readers only.
    fn has_odd_ends(&self, index: usize) -> bool {
        let lines = &self.lines[index.saturating_sub(1)..=index];
        lines.iter().any(|line| self.text[line.span.end..line.next] == *"\r")
    }

    fn is_continued(&self, line: &Line) -> bool {
        let text = &self.text[line.span.clone()];
        !(text.len() - text.trim_end_matches('\\').len()).is_multiple_of(2)
    }

    fn mark_values_of_several_lines(&mut self) -> Result<(), EditError> {
        let mut index = 0;
        while index < self.lines.len() {
            let continued = index.checked_sub(1).is_some_and(|before| self.is_continued(&self.lines[before]));
            self.lines[index].within = continued;
            if let Some(open) = self.opening_quote(&self.lines[index]) {
                index = self.mark_quoted(index, open)?;
            }
            index += 1;
        }
        Ok(())
    }

    /// Marks the lines that a quote goes on over, and returns the last of them.
    fn mark_quoted(&mut self, first: usize, open: usize) -> Result<usize, EditError> {
        let Some(close) = behind_quotes(self.text, open) else {
            return Err(EditError::Syntax {
                fault: SyntaxFault::UnterminatedString,
                at: self.position(open),
            });
        };
        let mut index = first;
        while self.lines.get(index + 1).is_some_and(|next| next.span.start < close) {
            index += 1;
            self.lines[index].within = true;
        }
        let goes_on = index > first && !is_rest(&self.text[close..self.lines[index].span.end]);
        if goes_on { Err(self.unclear(open)) } else { Ok(index) }
    }

    fn opening_quote(&self, line: &Line) -> Option<usize> {
        let start = self.head(line)?.1 + 1;
        let value = self.text[start..line.span.end].trim_start();
        value.starts_with(QUOTES).then(|| line.span.end - value.len())
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

/// Behind the quoted text that begins at `open`, and any that follow without a blank; nothing if one never ends.
fn behind_quotes(text: &str, open: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = open;
    while let Some(quote) = bytes.get(at).filter(|byte| b"\"'`".contains(byte)) {
        at += 1;
        while bytes.get(at)? != quote {
            at += if bytes[at] == b'\\' { 2 } else { 1 };
        }
        at += 1;
    }
    Some(at)
}

/// Whether nothing but blanks and a comment is left of a line.
fn is_rest(text: &str) -> bool {
    let rest = text.trim_start_matches([' ', '\t']);
    rest.is_empty() || (rest.len() < text.len() && rest.starts_with('#'))
}

/// The place of a value in what follows the `=`, and its text if that is plain.
fn value(text: &str) -> (Range<usize>, Option<&str>) {
    if is_rest(text) {
        return (0..0, Some(""));
    }
    let start = text.len() - text.trim_start_matches([' ', '\t']).len();
    let rest = &text[start..];
    let quoted = rest.chars().next().filter(|first| matches!(first, '"' | '\''));
    let (inner, len) = match quoted.map(|quote| rest[1..].split_once(quote)) {
        Some(Some((inner, _))) => (inner, inner.len() + 2),
        Some(None) => return (start..text.len(), None),
        None => {
            let len = rest.find([' ', '\t']).unwrap_or(rest.len());
            (&rest[..len], len)
        }
    };
    let odd = |char: char| if quoted.is_some() { "\\$`".contains(char) } else { is_odd_when_bare(char) };
    let plain = !inner.contains(odd) && is_rest(&rest[len..]);
    if plain { (start..start + len, Some(inner)) } else { (start..start + rest.trim_end().len(), None) }
}

/// What a shell, or another reader, does not take as it stands where there are no quotes.
fn is_odd_when_bare(char: char) -> bool {
    char.is_whitespace() || char.is_control() || "\\$`'\"#;&|()".contains(char)
}
