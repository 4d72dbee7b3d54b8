//! Reads JSON one byte after the other and says what each byte is. Keeps no text: whoever wants some keeps it.
//!
//! Strict about structure, since that is what decides. What a number or a text holds is not looked at.

/// Nesting allowed in an answer.
const DEPTH_MOST: usize = 1024;

/// What a byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Byte {
    /// White space between two tokens.
    Space,
    /// The quote before a member's name.
    NameBegins,
    /// A part of a member's name.
    InName,
    /// The quote after a member's name.
    NameEnds,
    /// Between a member's name and its value.
    Colon,
    /// Between two members, or two elements.
    Comma,
    /// The first of a text, a number or a word.
    ScalarBegins,
    /// Another of a text, a number or a word.
    InScalar,
    /// The first of an object or a list.
    Opens(Container),
    /// The last of an object or a list.
    Closes,
}

/// What holds values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    Object,
    List,
}

/// The text is no JSON, or too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotJson;

/// A reader of one value.
#[derive(Debug)]
pub(crate) struct Walk {
    stack: Vec<Container>,
    expect: Expect,
    token: Token,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Name,
    NameOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    None,
    Name {
        escaped: bool,
    },
    Text {
        escaped: bool,
    },
    /// A number or a word.
    Word,
}

impl Walk {
    pub(crate) fn new() -> Self {
        Self { stack: Vec::new(), expect: Expect::Value, token: Token::None }
    }

    /// Reads the next byte.
    pub(crate) fn step(&mut self, byte: u8) -> Result<Byte, NotJson> {
        match self.token {
            Token::Name { escaped } => return Ok(self.in_name(byte, escaped)),
            Token::Text { escaped } => {
                self.token = match byte {
                    b'"' if !escaped => Token::None,
                    _ => Token::Text { escaped: !escaped && byte == b'\\' },
                };
                return Ok(Byte::InScalar);
            }
            Token::Word if is_word(byte) => return Ok(Byte::InScalar),
            Token::Word => self.token = Token::None,
            Token::None => {}
        }
        if is_space(byte) { Ok(Byte::Space) } else { self.between_tokens(byte) }
    }

    /// How many containers are open.
    pub(crate) fn depth(&self) -> usize {
        self.stack.len()
    }

    /// Whether the value was read to its end.
    pub(crate) fn is_complete(&self) -> bool {
        self.expect == Expect::Nothing && matches!(self.token, Token::None | Token::Word)
    }

    /// How many of these bytes belong to the text that is being read and change nothing about where it stands.
    pub(crate) fn plain_run(&self, bytes: &[u8]) -> usize {
        match self.token {
            Token::Text { escaped: false } => {
                let end = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\'));
                end.unwrap_or(bytes.len())
            }
            Token::Text { escaped: true } | Token::Name { .. } | Token::Word | Token::None => 0,
        }
    }

    fn in_name(&mut self, byte: u8, escaped: bool) -> Byte {
        if byte == b'"' && !escaped {
            self.token = Token::None;
            self.expect = Expect::Colon;
            return Byte::NameEnds;
        }
        self.token = Token::Name { escaped: !escaped && byte == b'\\' };
        Byte::InName
    }

    fn between_tokens(&mut self, byte: u8) -> Result<Byte, NotJson> {
        match (self.expect, byte) {
            (Expect::Name | Expect::NameOrEnd, b'"') => {
                self.token = Token::Name { escaped: false };
                Ok(Byte::NameBegins)
            }
            (Expect::Colon, b':') => {
                self.expect = Expect::Value;
                Ok(Byte::Colon)
            }
            (Expect::Value | Expect::ValueOrEnd, b'{') => self.open(Container::Object, Expect::NameOrEnd),
            (Expect::Value | Expect::ValueOrEnd, b'[') => self.open(Container::List, Expect::ValueOrEnd),
            (Expect::Value | Expect::ValueOrEnd, b'"') => {
                Ok(self.begin_scalar(Token::Text { escaped: false }))
            }
            (Expect::Value | Expect::ValueOrEnd, byte) if is_word(byte) => Ok(self.begin_scalar(Token::Word)),
            (Expect::CommaOrEnd, b',') => {
                self.expect = match self.stack.last() {
                    Some(Container::Object) => Expect::Name,
                    Some(Container::List) | None => Expect::Value,
                };
                Ok(Byte::Comma)
            }
            (Expect::CommaOrEnd | Expect::NameOrEnd, b'}') => self.close(Container::Object),
            (Expect::CommaOrEnd | Expect::ValueOrEnd, b']') => self.close(Container::List),
            _ => Err(NotJson),
        }
    }

    fn begin_scalar(&mut self, token: Token) -> Byte {
        self.token = token;
        self.after_value();
        Byte::ScalarBegins
    }

    fn open(&mut self, container: Container, expect: Expect) -> Result<Byte, NotJson> {
        if self.stack.len() == DEPTH_MOST {
            return Err(NotJson);
        }
        self.stack.push(container);
        self.expect = expect;
        Ok(Byte::Opens(container))
    }

    fn close(&mut self, container: Container) -> Result<Byte, NotJson> {
        if self.stack.pop() != Some(container) {
            return Err(NotJson);
        }
        self.after_value();
        Ok(Byte::Closes)
    }

    fn after_value(&mut self) {
        self.expect = if self.stack.is_empty() { Expect::Nothing } else { Expect::CommaOrEnd };
    }
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Numbers, `true`, `false`, `null`, and what some programs write beside them, like `NaN`: none of them holds anything.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::Walk;

    fn is_json(text: &str) -> bool {
        let mut walk = Walk::new();
        text.bytes().all(|byte| walk.step(byte).is_ok()) && walk.is_complete()
    }

    #[test]
    fn what_a_strict_parser_takes_is_taken() {
        for good in [
            "{}",
            "[]",
            " [ ] ",
            "\"x\"",
            "-1.5e+9",
            "null",
            r#"{"a":[1,{"b":"}]\"\\"},[]],"c":{}}"#,
            "\t{\r\n\"a\" : true , \"b\" : [ \"\\u0022\" ] }\n",
        ] {
            assert!(serde_json::from_str::<serde_json::Value>(good).is_ok(), "{good}");
            assert!(is_json(good), "{good}");
        }
    }

    #[test]
    fn what_has_another_structure_is_not() {
        for bad in [
            "",
            "{",
            "{]",
            "[}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{} {}",
            "{}x",
            "{'a':1}",
            "{a:1}",
            "{\"a\":1 \"b\":2}",
            "\"x",
            "[\"x\\\"]",
            "{/**/}",
            "[\u{0}]",
        ] {
            assert!(serde_json::from_str::<serde_json::Value>(bad).is_err(), "{bad}");
            assert!(!is_json(bad), "{bad}");
        }
        assert!(!is_json(&"[".repeat(5000)));
    }

    #[test]
    fn a_run_of_a_text_ends_before_what_could_end_the_text() {
        let mut walk = Walk::new();
        assert_eq!(walk.plain_run(b"abc"), 0);
        walk.step(b'"').unwrap();
        assert_eq!(walk.plain_run(b"abc"), 3);
        assert_eq!(walk.plain_run(b"ab\\\"c"), 2);
        walk.step(b'\\').unwrap();
        assert_eq!(walk.plain_run(b"\"c"), 0);
    }
}
