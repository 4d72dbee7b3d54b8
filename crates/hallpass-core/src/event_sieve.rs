//! The same for a stream of events: finds the messages in it, and lets [`ToolSieve`] decide on what passes. Holds back
//! nothing that is no list of tools.

use crate::tool_sieve::{ToolSieve, Unreadable};

/// The field that holds messages.
const DATA: &[u8] = b"data";
/// May stand before the first event, and is no part of it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A reader of `text/event-stream`.
#[derive(Debug)]
pub struct EventSieve {
    sieve: ToolSieve,
    line: Line,
    after_return: bool,
    /// The present event has had a line of data.
    has_data: bool,
    /// How much of a byte order mark has come, as long as one may.
    mark: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Line {
    /// So much of `data` has come, and nothing else.
    Name(usize),
    Data {
        /// A space here is no part of the data.
        first: bool,
    },
    /// Another field, or a comment.
    Other,
}

impl EventSieve {
    /// For one stream.
    pub fn new(sieve: ToolSieve) -> Self {
        Self { sieve, line: Line::Name(0), after_return: false, has_data: false, mark: Some(0) }
    }

    /// A piece of the stream. What may pass is added to `out`.
    pub fn feed(&mut self, mut piece: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
        while let Some(&byte) = piece.first() {
            let taken = match self.line {
                Line::Data { first: false } | Line::Other if !is_line_end(byte) => {
                    let end = piece.iter().position(|byte| is_line_end(*byte)).unwrap_or(piece.len());
                    self.rest_of_line(&piece[..end], out)?;
                    end
                }
                Line::Data { .. } | Line::Other | Line::Name(_) => {
                    self.byte(byte, out)?;
                    1
                }
            };
            piece = &piece[taken..];
        }
        Ok(())
    }

    fn rest_of_line(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
        match self.line {
            Line::Data { .. } => self.sieve.text(text, out),
            Line::Other | Line::Name(_) => self.sieve.framing(text, out),
        }
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        if std::mem::take(&mut self.after_return) && byte == b'\n' {
            return self.sieve.framing(&[byte], out);
        }
        if self.is_mark(byte) {
            return self.sieve.framing(&[byte], out);
        }
        if is_line_end(byte) {
            self.after_return = byte == b'\r';
            self.line_ends()?;
            return self.sieve.framing(&[byte], out);
        }
        match self.line {
            Line::Name(come) if come == DATA.len() && byte == b':' => self.data_begins()?,
            Line::Name(come) if DATA.get(come) == Some(&byte) => self.line = Line::Name(come + 1),
            Line::Name(_) => {
                self.line = Line::Other;
                self.may_stand_here()?;
            }
            Line::Data { first: true } => {
                self.line = Line::Data { first: false };
                if byte != b' ' {
                    return self.sieve.text(&[byte], out);
                }
            }
            Line::Data { first: false } | Line::Other => {}
        }
        self.sieve.framing(&[byte], out)
    }

    fn is_mark(&mut self, byte: u8) -> bool {
        let Some(come) = self.mark else { return false };
        let goes_on = BYTE_ORDER_MARK.get(come) == Some(&byte);
        self.mark = goes_on.then_some(come + 1).filter(|come| *come < BYTE_ORDER_MARK.len());
        if !goes_on && come > 0 {
            self.line = Line::Other;
        }
        goes_on
    }

    fn data_begins(&mut self) -> Result<(), Unreadable> {
        self.line = Line::Data { first: true };
        // The lines of an event's data are joined by line ends.
        if std::mem::replace(&mut self.has_data, true) { self.sieve.implied_line_end() } else { Ok(()) }
    }

    fn line_ends(&mut self) -> Result<(), Unreadable> {
        match self.line {
            Line::Name(0) => {
                self.sieve.end()?;
                self.has_data = false;
            }
            // The field without a value: a line of data with nothing in it.
            Line::Name(come) if come == DATA.len() => self.data_begins()?,
            Line::Name(_) => self.may_stand_here()?,
            Line::Data { .. } | Line::Other => {}
        }
        self.line = Line::Name(0);
        Ok(())
    }

    /// A line that is no data cannot be kept if the data around it is held back or left out.
    fn may_stand_here(&self) -> Result<(), Unreadable> {
        if self.sieve.is_holding() { Err(Unreadable) } else { Ok(()) }
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}
