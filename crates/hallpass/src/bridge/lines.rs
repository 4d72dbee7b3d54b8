//! Cuts standard input into lines. Knows no JSON.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

const LIMIT: usize = 16 * 1024 * 1024;

/// A line of input, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Text(Vec<u8>),
    TooLong,
}

/// The lines of a reader.
pub(crate) struct Lines<R> {
    input: R,
    // What was read of a line stays here, so that a dropped `next` loses nothing.
    line: Vec<u8>,
    is_too_long: bool,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, line: Vec::new(), is_too_long: false }
    }

    /// The next line; a last one needs no line end. `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let ready = self.input.fill_buf().await?;
            if ready.is_empty() {
                let is_last = self.is_too_long || !self.line.is_empty();
                return Ok(is_last.then(|| self.finish()));
            }
            let end = ready.iter().position(|byte| *byte == b'\n');
            let part = &ready[..end.unwrap_or(ready.len())];
            self.is_too_long |= self.line.len() + part.len() > LIMIT;
            if self.is_too_long {
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(Some(self.finish()));
            }
        }
    }

    fn finish(&mut self) -> Line {
        if std::mem::take(&mut self.is_too_long) {
            return Line::TooLong;
        }
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Line::Text(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_end_in_either_way_and_the_last_needs_no_end() {
        let mut lines = Lines::new(&b"a\r\n\nb"[..]);
        for expected in ["a", "", "b"] {
            assert_eq!(lines.next().await.expect("read"), Some(Line::Text(expected.into())));
        }
        assert_eq!(lines.next().await.expect("read"), None);
    }

    #[tokio::test]
    async fn a_line_over_the_limit_is_skipped_whole() {
        let mut input = vec![b'x'; LIMIT + 1];
        input.extend_from_slice(b"\nnext\n");
        let mut lines = Lines::new(&input[..]);
        assert_eq!(lines.next().await.expect("read"), Some(Line::TooLong));
        assert_eq!(lines.next().await.expect("read"), Some(Line::Text(b"next".into())));
    }
}
