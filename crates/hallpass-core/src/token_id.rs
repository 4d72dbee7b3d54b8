//! A token's public handle, kept small: a UUID as its 16 bytes, any other text as it is.

use std::fmt;
use std::sync::Arc;

/// Length of a UUID's text: 32 digits and 4 hyphens.
const UUID_TEXT: usize = 36;
/// Where the hyphens stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// A token's handle: its `jti`, or what it was given when it was adopted without one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(Kept);

/// One text has one form: what can be kept as a UUID always is, so that equal forms are equal texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kept {
    Uuid([u8; 16]),
    Text(Arc<str>),
}

impl TokenId {
    /// The handle of that text.
    pub fn new(text: &str) -> Self {
        Self(uuid(text).map_or_else(|| Kept::Text(text.into()), Kept::Uuid))
    }
}

/// The bytes of a UUID in its one usual spelling: lower case, hyphens in their places.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; UUID_TEXT] = text.as_bytes().try_into().ok()?;
    if HYPHENS.iter().any(|place| text[*place] != b'-') {
        return None;
    }
    let mut bytes = [0; 16];
    let mut digits = text.iter().enumerate().filter(|(place, _)| !HYPHENS.contains(place));
    for byte in &mut bytes {
        *byte = digit(*digits.next()?.1)? << 4 | digit(*digits.next()?.1)?;
    }
    Some(bytes)
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kept::Text(text) => f.pad(text),
            Kept::Uuid(bytes) => {
                for (place, byte) in bytes.iter().enumerate() {
                    let hyphen = if matches!(place, 4 | 6 | 8 | 10) { "-" } else { "" };
                    write!(f, "{hyphen}{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

impl From<&str> for TokenId {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for TokenId {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Kept, TokenId};
    use proptest::prelude::*;

    #[test]
    fn a_uuid_in_its_usual_spelling_takes_sixteen_bytes_and_nothing_else_does() {
        let is_small = |text: &str| matches!(TokenId::new(text).0, Kept::Uuid(_));
        assert!(is_small("019358d0-7b00-7000-8000-000000000001"));
        for other in [
            "019358D0-7b00-7000-8000-000000000001",
            "019358d07b00-7000-8000-0000000000001",
            "019358d0-7b00-7000-8000-00000000000g",
            "019358d0-7b00-7000-8000-0000000000011",
            "{19358d0-7b00-7000-8000-00000000000}",
            "-19358d0-7b00-7000-8000-00000000000é",
            "adopted",
            "",
        ] {
            assert!(!is_small(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn it_says_what_it_was_made_of(text in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[-0-9a-fA-F]{30,40}|.{0,40}") {
            prop_assert_eq!(TokenId::new(&text).to_string(), text);
        }

        #[test]
        fn equal_handles_are_equal_texts(one in "[-0-9a-fA-F]{36}", two in "[-0-9a-fA-F]{36}") {
            prop_assert_eq!(TokenId::new(&one) == TokenId::new(&two), one == two);
        }
    }
}
