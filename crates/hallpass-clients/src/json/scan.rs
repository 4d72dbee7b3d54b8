//! Cuts text into strings, numbers, words and the gaps between them. Knows nothing of nesting.

use std::ops::Range;

use crate::{Dialect, EditError, Obstacle, Position, SyntaxFault};

/// What stands between two tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trivia {
    /// Blanks and tabs.
    Space,
    /// One line end: CRLF, LF or CR.
    Break,
    /// `//` up to, and without, the line end.
    LineComment,
    /// `/* */`
    BlockComment,
}

/// The trivia from `range.start` on, up to the first token or `range.end`.
pub(super) fn trivia(text: &str, range: Range<usize>) -> impl Iterator<Item = (Trivia, Range<usize>)> {
    let bytes = &text.as_bytes()[..range.end];
    let mut at = range.start;
    std::iter::from_fn(move || {
        let (kind, len) = trivia_at(&bytes[at..])?;
        let start = at;
        at += len?;
        Some((kind, start..at))
    })
}

/// The kind and length of the trivia that `bytes` begin with; no length for a comment that never ends.
fn trivia_at(bytes: &[u8]) -> Option<(Trivia, Option<usize>)> {
    let run = |stop: fn(&u8) -> bool| bytes.iter().position(stop).unwrap_or(bytes.len());
    match bytes {
        [b' ' | b'\t', ..] => Some((Trivia::Space, Some(run(|b| !matches!(b, b' ' | b'\t'))))),
        [b'\r', b'\n', ..] => Some((Trivia::Break, Some(2))),
        [b'\n' | b'\r', ..] => Some((Trivia::Break, Some(1))),
        [b'/', b'/', ..] => Some((Trivia::LineComment, Some(run(|b| matches!(b, b'\n' | b'\r'))))),
        [b'/', b'*', rest @ ..] => {
            let end = rest.windows(2).position(|pair| pair == b"*/");
            Some((Trivia::BlockComment, end.map(|at| at + 4)))
        }
        _ => None,
    }
}

pub(super) struct Scanner<'t> {
    text: &'t str,
    dialect: Dialect,
    at: usize,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str, dialect: Dialect) -> Self {
        Self { text, dialect, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What was stepped over since an offset.
    pub(super) fn since(&self, start: usize) -> &'t str {
        &self.text[start..self.at]
    }

    pub(super) fn position(&self, offset: usize) -> Position {
        Position::of(self.text, offset)
    }

    pub(super) fn fault(&self, fault: SyntaxFault, offset: usize) -> EditError {
        EditError::Syntax { fault, at: self.position(offset) }
    }

    /// A fault at the next token; where there is none, the text was cut off.
    pub(super) fn unexpected(&self, fault: SyntaxFault) -> EditError {
        let fault = if self.peek().is_none() { SyntaxFault::UnexpectedEnd } else { fault };
        self.fault(fault, self.at)
    }

    /// Steps over `byte` if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    /// Steps over white space and comments.
    pub(super) fn gap(&mut self) -> Result<(), EditError> {
        while let Some((kind, len)) = trivia_at(&self.text.as_bytes()[self.at..]) {
            if self.dialect == Dialect::Json && matches!(kind, Trivia::LineComment | Trivia::BlockComment) {
                return Err(self.fault(SyntaxFault::CommentNotAllowed, self.at));
            }
            let len = len.ok_or_else(|| self.fault(SyntaxFault::UnterminatedComment, self.at))?;
            if kind == Trivia::LineComment {
                self.check_end(self.at..self.at + len)?;
            }
            self.at += len;
        }
        Ok(())
    }

    /// Readers differ in which characters but a line feed end a comment.
    fn check_end(&self, comment: Range<usize>) -> Result<(), EditError> {
        let rest = &self.text[comment.end..];
        let lone = (rest.starts_with('\r') && !rest.starts_with("\r\n")).then_some(comment.end);
        let inside = self.text[comment.clone()].find(['\u{2028}', '\u{2029}']).map(|at| comment.start + at);
        match inside.or(lone) {
            None => Ok(()),
            Some(at) => Err(EditError::NotSafe { obstacle: Obstacle::Unclear, at: self.position(at) }),
        }
    }

    /// Steps over a string and returns it with its quotes; the opening quote is next.
    pub(super) fn string(&mut self) -> Result<&'t str, EditError> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(self.fault(SyntaxFault::UnterminatedString, start)),
                Some(b'"') => break,
                Some(b'\\') => self.escape(start)?,
                Some(0..0x20) => return Err(self.control_character(start)),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        Ok(&self.text[start..self.at])
    }

    /// A line end in a string is a forgotten quote, and the quote is where the person has to look.
    fn control_character(&self, start: usize) -> EditError {
        match self.peek() {
            Some(b'\n' | b'\r') => self.fault(SyntaxFault::UnterminatedString, start),
            _ => self.fault(SyntaxFault::ControlCharacter, self.at),
        }
    }

    fn escape(&mut self, string_start: usize) -> Result<(), EditError> {
        let rest = &self.text.as_bytes()[self.at + 1..];
        let len = match rest {
            [] => return Err(self.fault(SyntaxFault::UnterminatedString, string_start)),
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => 6,
            _ => return Err(self.fault(SyntaxFault::BadEscape, self.at)),
        };
        self.at += len;
        Ok(())
    }

    /// Steps over a number; a minus or a digit is next.
    pub(super) fn number(&mut self) -> Result<&'t str, EditError> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits(start)?;
        }
        if self.eat(b'.') {
            self.digits(start)?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _signed = self.eat(b'+') || self.eat(b'-');
            self.digits(start)?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self, number_start: usize) -> Result<(), EditError> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == from { Err(self.fault(SyntaxFault::BadNumber, number_start)) } else { Ok(()) }
    }

    /// Steps over `true`, `false` or `null`.
    pub(super) fn word(&mut self, word: &str) -> Result<&'t str, EditError> {
        let start = self.at;
        if !self.text[start..].starts_with(word) {
            return Err(self.fault(SyntaxFault::ExpectedValue, start));
        }
        self.at += word.len();
        Ok(&self.text[start..self.at])
    }
}
