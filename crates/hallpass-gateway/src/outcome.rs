//! Finds out from an answer's bytes, as they pass, whether the server answered with an error. Changes and delays
//! nothing; what it cannot tell counts as answered.

use hallpass_core::Outcome;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Answers and events beyond this size are not looked into.
const LOOK_MOST: usize = 64 << 10;

/// What is known so far about an answer.
pub(crate) enum Sniff {
    /// Nothing to look at.
    Blind,
    /// One JSON message.
    Message(Vec<u8>),
    /// A stream of events.
    Events(Events),
}

impl Sniff {
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        match self {
            Self::Blind => {}
            Self::Message(seen) if seen.len() + piece.len() > LOOK_MOST => *self = Self::Blind,
            Self::Message(seen) => seen.extend_from_slice(piece),
            Self::Events(events) => events.feed(piece),
        }
    }

    /// What the whole answer said.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Blind => Outcome::Ok,
            Self::Message(seen) => message_outcome(seen, None).unwrap_or(Outcome::Ok),
            Self::Events(events) => events.outcome.unwrap_or(Outcome::Ok),
        }
    }

    /// What the answer said that was looked for, if it has passed in full before the end of its stream.
    pub(crate) fn answered(&self) -> Option<Outcome> {
        match self {
            Self::Blind | Self::Message(_) => None,
            Self::Events(events) => events.outcome,
        }
    }

    /// Whether something of ours may be put in between here.
    pub(crate) fn is_between_events(&self) -> bool {
        match self {
            Self::Blind | Self::Message(_) => false,
            Self::Events(events) => events.between,
        }
    }
}

/// A reader of `text/event-stream` that keeps no more than one event's data.
pub(crate) struct Events {
    /// The id of the call whose answer is looked for, as it was spelt.
    wanted: Option<Box<str>>,
    outcome: Option<Outcome>,
    between: bool,
    after_return: bool,
    line: Vec<u8>,
    line_is_data: Option<bool>,
    data: Vec<u8>,
}

impl Events {
    pub(crate) fn new(wanted: Option<Box<str>>) -> Self {
        let (line, data) = (Vec::new(), Vec::new());
        Self { wanted, outcome: None, between: true, after_return: false, line, line_is_data: None, data }
    }

    fn feed(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            if std::mem::take(&mut self.after_return) && piece[0] == b'\n' {
                piece = &piece[1..];
                continue;
            }
            match piece.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
                None => {
                    self.more_of_line(piece);
                    return;
                }
                Some(end) => {
                    self.more_of_line(&piece[..end]);
                    self.end_of_line();
                    self.after_return = piece[end] == b'\r';
                    piece = &piece[end + 1..];
                }
            }
        }
    }

    fn more_of_line(&mut self, mut text: &[u8]) {
        if text.is_empty() {
            return;
        }
        self.between = false;
        if self.line_is_data.is_none() {
            let missing = b"data:".len() - self.line.len();
            let (start, rest) = text.split_at(missing.min(text.len()));
            self.line.extend_from_slice(start);
            text = rest;
            if self.line.len() == b"data:".len() {
                self.line_is_data = Some(self.line == b"data:");
            }
        }
        let looking = self.wanted.is_some() && self.data.len() <= LOOK_MOST;
        if looking && self.line_is_data == Some(true) {
            self.data.extend_from_slice(&text[..text.len().min(LOOK_MOST + 1 - self.data.len())]);
        }
    }

    fn end_of_line(&mut self) {
        let blank = self.line.is_empty();
        self.line.clear();
        if self.line_is_data.take() == Some(true) && !self.data.is_empty() {
            self.data.push(b'\n');
        }
        if blank {
            self.between = true;
            self.end_of_event();
        }
    }

    fn end_of_event(&mut self) {
        if let Some(wanted) = self.wanted.as_deref().filter(|_| self.data.len() <= LOOK_MOST) {
            self.outcome = message_outcome(&self.data, Some(wanted));
        }
        if self.outcome.is_some() {
            self.wanted = None;
        }
        // A large event's room is given back: streams are many and live long.
        self.data = Vec::new();
    }
}

/// What a message answers and how, if it is an answer: its id as it was spelt.
pub(crate) fn answer_in(message: &[u8]) -> Option<(&str, Outcome)> {
    let text = std::str::from_utf8(message).ok()?;
    let answer: Answer<'_> = serde_json::from_str(text).ok()?;
    Some((answer.id?.get(), answer.outcome(is_suspicious(text))?))
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    error: Option<IgnoredAny>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ToolResult {
    #[serde(rename = "isError")]
    is_error: Option<bool>,
}

/// What the message says, if it is an answer (to `wanted`).
fn message_outcome(message: &[u8], wanted: Option<&str>) -> Option<Outcome> {
    let text = std::str::from_utf8(message).ok()?;
    // Parsing a long list of tools costs more than everything else about it, so first the cheap look.
    let suspicious = is_suspicious(text);
    if wanted.is_none() && !suspicious {
        return None;
    }
    let answer: Answer<'_> = serde_json::from_str(text).ok()?;
    let is_wanted = wanted.is_none_or(|wanted| answer.id.is_some_and(|id| id.get() == wanted));
    answer.outcome(suspicious).filter(|_| is_wanted)
}

fn is_suspicious(text: &str) -> bool {
    text.contains("\"error\"") || text.contains("\"isError\"")
}

impl Answer<'_> {
    /// None if it is no answer.
    fn outcome(&self, suspicious: bool) -> Option<Outcome> {
        if self.error.is_none() && self.result.is_none() {
            return None;
        }
        let result = self.result.filter(|_| suspicious);
        let tool = result.and_then(|result| serde_json::from_str::<ToolResult>(result.get()).ok());
        let failed = self.error.is_some() || tool.is_some_and(|tool| tool.is_error == Some(true));
        Some(if failed { Outcome::Error } else { Outcome::Ok })
    }
}

#[cfg(test)]
mod tests {
    use super::{Events, Outcome, Sniff};

    fn message(text: &str) -> Outcome {
        let mut sniff = Sniff::Message(Vec::new());
        sniff.feed(text.as_bytes());
        sniff.outcome()
    }

    fn events(text: &str, piece: usize) -> (Outcome, bool) {
        let mut sniff = Sniff::Events(Events::new(Some("7".into())));
        text.as_bytes().chunks(piece).for_each(|piece| sniff.feed(piece));
        (sniff.outcome(), sniff.is_between_events())
    }

    #[test]
    fn an_error_is_an_error_in_either_form() {
        assert_eq!(message(r#"{"id":7,"result":{}}"#), Outcome::Ok);
        assert_eq!(message(r#"{"id":7,"error":{"code":1}}"#), Outcome::Error);
        assert_eq!(message(r#"{"id":7,"result":{"isError":true}}"#), Outcome::Error);
        assert_eq!(message(r#"{"id":7,"result":{"isError":false,"x":"\"error\""}}"#), Outcome::Ok);
        assert_eq!(message("not \"error\" json"), Outcome::Ok);
        assert_eq!(message(&format!("{{\"error\":{{}},\"x\":\"{}\"}}", "x".repeat(70_000))), Outcome::Ok);
    }

    #[test]
    fn the_answer_is_found_among_events_however_they_are_cut() {
        let first = "event: message\r\ndata: {\"id\":9,\"error\":{}}\r\n\r\n";
        let failed = format!("{first}: note\n\ndata: {{\"id\":7,\ndata: \"error\":{{}}}}\n\n");
        let answered = format!(
            "{first}id: 1\ndata:{{\"id\":7,\"result\":{{}}}}\n\ndata: {{\"id\":7,\"error\":{{}}}}\n\n"
        );
        for piece in [1, 2, 3, 5, 7, 1000] {
            assert_eq!(events(&failed, piece), (Outcome::Error, true), "{piece}");
            assert_eq!(events(&answered, piece), (Outcome::Ok, true), "{piece}");
        }
    }

    #[test]
    fn an_answer_counts_once_all_of_its_event_has_passed() {
        let mut sniff = Sniff::Events(Events::new(Some("7".into())));
        sniff.feed(b"data: {\"id\":7,\"result\":{}}\n");
        assert_eq!(sniff.answered(), None);
        sniff.feed(b"\n");
        assert_eq!(sniff.answered(), Some(Outcome::Ok));
    }

    #[test]
    fn between_events_means_after_a_blank_line() {
        assert!(events("", 1).1);
        assert!(events("data: x\r\n\r\n", 1).1);
        assert!(events("data: x\r\r", 3).1);
        for inside in ["d", "data: x", "data: x\n", "data: x\r\n", ": c\n", "\n\ndata"] {
            assert!(!events(inside, 1).1, "{inside:?}");
        }
    }
}
