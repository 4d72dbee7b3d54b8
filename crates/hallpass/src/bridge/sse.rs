//! Parses an event stream. Reads no socket and knows no JSON.

use std::time::Duration;

use bytes::Bytes;

const LIMIT: usize = 64 * 1024 * 1024;

/// One event: its data lines, joined.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) kind: Vec<u8>,
    pub(super) data: Bytes,
}

/// An event that is larger than this program holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Where a stream stands, which outlives its connection.
#[derive(Debug, Default)]
pub(super) struct Position {
    pub(super) last_event_id: Option<Vec<u8>>,
    pub(super) retry: Option<Duration>,
}

/// The parser of one connection.
#[derive(Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    kind: Vec<u8>,
    // Counts once its event is whole: one that was cut off must come again.
    id: Option<Vec<u8>>,
    after_cr: bool,
    has_begun: bool,
}

impl Parser {
    /// Takes what came and puts each whole event into `events`.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        position: &mut Position,
        events: &mut impl Extend<Event>,
    ) -> Result<(), TooLarge> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            self.line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
            if self.line.len() + self.data.len() > LIMIT {
                return Err(TooLarge);
            }
            let Some(end) = end else { return Ok(()) };
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            events.extend(self.line(&line, position));
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], position: &mut Position) -> Option<Event> {
        let line = if std::mem::replace(&mut self.has_begun, true) {
            line
        } else {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
        };
        if line.is_empty() {
            return self.finish(position);
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        self.field(field, value.strip_prefix(b" ").unwrap_or(value), position);
        None
    }

    fn field(&mut self, field: &[u8], value: &[u8], position: &mut Position) {
        match field {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"event" => self.kind = value.to_vec(),
            b"id" if !value.contains(&0) => self.id = Some(value.to_vec()),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let millis = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                position.retry = Some(Duration::from_millis(millis.unwrap_or(u64::MAX)));
            }
            // A comment is the field without a name.
            _ => {}
        }
    }

    fn finish(&mut self, position: &mut Position) -> Option<Event> {
        if let Some(id) = self.id.take() {
            position.last_event_id = Some(id).filter(|id| !id.is_empty());
        }
        let kind = std::mem::take(&mut self.kind);
        let data = Bytes::from(std::mem::take(&mut self.data));
        let has_data = std::mem::take(&mut self.has_data);
        (has_data && !data.is_empty()).then_some(Event { kind, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"\xef\xbb\xbf: hello\r\nid: 7\r\nretry: 250\r\ndata:\r\n\r\nevent: message\r\ndata: {\"a\":\r\ndata:  1}\r\n\r\nid: 8\r\ndata: lost";

    fn read(chunk: usize) -> (Vec<Event>, Position) {
        let (mut parser, mut position, mut events) = (Parser::default(), Position::default(), Vec::new());
        for part in STREAM.chunks(chunk) {
            parser.push(part, &mut position, &mut events).expect("small");
        }
        (events, position)
    }

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        for chunk in 1..=STREAM.len() {
            let (events, position) = read(chunk);
            let expected = Event { kind: b"message".into(), data: Bytes::from_static(b"{\"a\":\n 1}") };
            assert_eq!(events, [expected]);
            assert_eq!(position.last_event_id.as_deref(), Some(&b"7"[..]));
            assert_eq!(position.retry, Some(Duration::from_millis(250)));
        }
    }
}
