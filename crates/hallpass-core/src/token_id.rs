//! A token's public handle, kept small: a UUID as its 16 bytes, any other text as it is.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

/// Length of a UUID's text: 32 digits and 4 hyphens.
const UUID_TEXT: usize = 36;
/// Where the hyphens stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// Where the two digits of each byte stand.
const PAIRS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
/// What each lower-case digit stands for. Anything else has the bit [`FOREIGN`], which no digit has. Every call looks a
/// handle up: no branches.
const VALUES: [u8; 256] = {
    let mut values = [FOREIGN; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    values
};
const FOREIGN: u8 = 1 << 7;
/// The golden ratio's bits: no pattern, and no half of a handle is likely to be it.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

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

    /// Spreads handles evenly over the lowest bits, those too that were made one after the other. Nobody but those who
    /// issue tokens chooses handles, so it needs no secret.
    pub(crate) fn spread(&self) -> u64 {
        match &self.0 {
            // One multiplication of 64 bits to 128, whose halves have taken in every bit of both.
            Kept::Uuid(bytes) => {
                let [front, back] = halves(*bytes);
                let product = u128::from(front ^ ODD) * u128::from(back ^ ODD.rotate_left(32));
                let [front, back] = halves(product.to_ne_bytes());
                front ^ back
            }
            Kept::Text(text) => {
                let mut hasher = DefaultHasher::new();
                text.hash(&mut hasher);
                hasher.finish()
            }
        }
    }
}

fn halves(bytes: [u8; 16]) -> [u64; 2] {
    let halves = bytes.as_chunks::<8>().0;
    [u64::from_ne_bytes(halves[0]), u64::from_ne_bytes(halves[1])]
}

/// The bytes of a UUID in its one usual spelling: lower case, hyphens in their places.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; UUID_TEXT] = text.as_bytes().try_into().ok()?;
    if HYPHENS.iter().any(|place| text[*place] != b'-') {
        return None;
    }
    let (mut bytes, mut all) = ([0; 16], 0);
    for (byte, place) in bytes.iter_mut().zip(PAIRS) {
        let (high, low) = (VALUES[usize::from(text[place])], VALUES[usize::from(text[place + 1])]);
        all |= high | low;
        *byte = high << 4 | low;
    }
    (all & FOREIGN == 0).then_some(bytes)
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
