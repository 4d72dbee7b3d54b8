//! The credential as it was shown in the `Authorization` header (RFC 6750 section 2.1). Knows nothing of its worth.

use crate::denial::Denial;
use crate::digest::TokenDigest;
use std::fmt;

/// The longest token that is looked at, in bytes. Checked before any work is done on it.
pub const TOKEN_MOST: usize = 8192;

/// A token that a caller showed. Nothing about it is known yet.
#[derive(Clone, Copy)]
pub struct Bearer<'a>(&'a str);

impl<'a> Bearer<'a> {
    /// Reads the credential from all values of the `Authorization` header of one request.
    pub fn from_authorization(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Denial> {
        let mut values = values.into_iter();
        let Some(value) = values.next() else { return Err(Denial::NoCredential) };
        if values.next().is_some() {
            return Err(Denial::SeveralCredentials);
        }
        let Some(space) = value.iter().position(|byte| *byte == b' ') else {
            return Err(Denial::MalformedCredential);
        };
        let (scheme, token) = value.split_at(space);
        if !scheme.eq_ignore_ascii_case(b"bearer") {
            return Err(Denial::OtherScheme);
        }
        let blanks = token.iter().take_while(|byte| **byte == b' ').count();
        if blanks == token.len() {
            return Err(Denial::MalformedCredential);
        }
        Self::from_bytes(&token[blanks..])
    }

    /// Takes a token's text as it stands: one run of `b64token` characters (RFC 6750), not too long.
    pub fn new(token: &'a str) -> Result<Self, Denial> {
        check(token.as_bytes()).map(|()| Self(token))
    }

    /// The same of bytes that may be no text. Whatever stands in a token's place is a bad token and gets the answer of
    /// one, so that nobody learns from the answer how far a forgery came.
    pub fn from_bytes(token: &'a [u8]) -> Result<Self, Denial> {
        check(token)?;
        std::str::from_utf8(token).map(Self).map_err(|_| Denial::MalformedToken)
    }

    /// The digest by which the store and the cache know it.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0)
    }

    pub(crate) fn text(&self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(..)")
    }
}

fn check(token: &[u8]) -> Result<(), Denial> {
    if token.len() > TOKEN_MOST {
        return Err(Denial::TokenTooLong);
    }
    if is_token(token) { Ok(()) } else { Err(Denial::MalformedToken) }
}

/// Whether all are characters of `b64token` (RFC 6750 section 2.1); from `-` to `9` there are `.` and `/` and the
/// digits. Every call passes here: no branches, so that many characters are compared at once.
#[expect(clippy::needless_bitwise_bool, reason = "without branches many characters are compared at once")]
fn is_token(text: &[u8]) -> bool {
    let is_allowed = |byte: u8| {
        byte.is_ascii_alphabetic()
            | (b'-'..=b'9').contains(&byte)
            | (byte == b'_')
            | (byte == b'~')
            | (byte == b'+')
            | (byte == b'=')
    };
    !text.is_empty() && text.iter().fold(true, |all, byte| all & is_allowed(*byte))
}

#[cfg(test)]
mod tests {
    use super::{Bearer, TOKEN_MOST};
    use crate::denial::Denial;

    fn read(values: &[&str]) -> Result<String, Denial> {
        Bearer::from_authorization(values.iter().map(|value| value.as_bytes()))
            .map(|bearer| bearer.text().to_owned())
    }

    #[test]
    fn one_bearer_header_is_a_credential() {
        assert_eq!(read(&["Bearer a.b.c"]), Ok("a.b.c".into()));
        assert_eq!(read(&["bEARER   a.b.c"]), Ok("a.b.c".into()));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        assert_eq!(read(&[]), Err(Denial::NoCredential));
        assert_eq!(read(&["Bearer a.b.c", "Bearer a.b.c"]), Err(Denial::SeveralCredentials));
        assert_eq!(read(&["Basic YTpi"]), Err(Denial::OtherScheme));
        assert_eq!(read(&["Bearer: a.b.c"]), Err(Denial::OtherScheme));
        for bad in ["Bearer", "Bearer ", "Bearer   ", "Bearer\ta", "a.b.c", ""] {
            assert_eq!(read(&[bad]), Err(Denial::MalformedCredential), "{bad:?}");
        }
        for bad in ["a b", "a,b", "\"a.b.c\"", "a.b.c ", "a\tb", "a\r\nb", "\u{feff}a", "\u{e9}"] {
            assert_eq!(read(&[&format!("Bearer {bad}")]), Err(Denial::MalformedToken), "{bad:?}");
        }
        assert_eq!(Bearer::from_bytes(b"a\xff").err(), Some(Denial::MalformedToken));
        let long = format!("Bearer {}", "a".repeat(TOKEN_MOST + 1));
        assert_eq!(read(&[&long]), Err(Denial::TokenTooLong));
    }

    #[test]
    fn every_place_takes_the_letters_of_a_token_and_nothing_else() {
        for byte in 0..=u8::MAX {
            let is_letter = byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
            for place in [0, 1, 17, 40] {
                let mut token = [b'a'; 41];
                token[place] = byte;
                assert_eq!(Bearer::from_bytes(&token).is_ok(), is_letter, "{byte:#x} at {place}");
            }
        }
    }
}
