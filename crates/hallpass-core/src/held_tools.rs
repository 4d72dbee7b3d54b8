//! What was held back of a list of tools: a gap, and the tool after it, until it is known whether it is shown.

use crate::tool_sieve::Unreadable;
use std::borrow::Cow;
use std::ops::Range;

/// The largest description of a tool, in bytes, with the white space before it.
const MOST: usize = 1 << 20;

/// A gap, and perhaps the begin of the tool after it.
#[derive(Debug, Default)]
pub(crate) struct HeldTools {
    bytes: Vec<u8>,
    /// Where the gap's comma is.
    comma: Option<usize>,
    /// Where the tool begins.
    tool: Option<usize>,
    /// What is no part of the document.
    framing: Vec<Range<usize>>,
    /// Some tool was shown already.
    has_shown: bool,
}

impl HeldTools {
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        if self.bytes.len() + bytes.len() > MOST {
            return Err(Unreadable);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The next so many bytes are no part of the document.
    pub(crate) fn framing_comes(&mut self, length: usize) {
        let start = self.bytes.len();
        match self.framing.last_mut() {
            Some(last) if last.end == start => last.end += length,
            Some(_) | None => self.framing.push(start..start + length),
        }
    }

    /// The next byte is the comma between two tools.
    pub(crate) fn comma_comes(&mut self) {
        self.comma = Some(self.bytes.len());
    }

    /// The next byte is a tool's first.
    pub(crate) fn tool_begins(&mut self) {
        self.tool = Some(self.bytes.len());
    }

    /// The tool's text, without what is no part of the document.
    pub(crate) fn tool_text(&self) -> Cow<'_, [u8]> {
        let start = self.tool.unwrap_or_default();
        let mut inside = self.framing.iter().filter(|framing| framing.start >= start).peekable();
        if inside.peek().is_none() {
            return Cow::Borrowed(&self.bytes[start..]);
        }
        let mut from = start;
        let mut text = Vec::with_capacity(self.bytes.len());
        for framing in inside {
            text.extend_from_slice(&self.bytes[from..framing.start]);
            text.push(b'\n');
            from = framing.end;
        }
        text.extend_from_slice(&self.bytes[from..]);
        Cow::Owned(text)
    }

    /// Lets the gap and the tool go. The first tool shown has no comma before it.
    pub(crate) fn show(&mut self, out: &mut Vec<u8>) {
        match self.comma.filter(|_| !self.has_shown) {
            Some(comma) => {
                out.extend_from_slice(&self.bytes[..comma]);
                out.extend_from_slice(&self.bytes[comma + 1..]);
            }
            None => out.extend_from_slice(&self.bytes),
        }
        self.has_shown = true;
        self.forget();
    }

    /// Leaves the gap and the tool out.
    pub(crate) fn forget(&mut self) {
        self.bytes.clear();
        self.framing.clear();
        (self.comma, self.tool) = (None, None);
    }

    /// Lets the last gap go: white space only, since no comma stands before the end of a list.
    pub(crate) fn list_ends(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.bytes);
    }
}
