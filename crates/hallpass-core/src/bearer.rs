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
        let value = std::str::from_utf8(value).map_err(|_| Denial::MalformedCredential)?;
        let Some((scheme, token)) = value.split_once(' ') else { return Err(Denial::MalformedCredential) };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Denial::OtherScheme);
        }
        let token = token.trim_start_matches(' ');
        // What is no token at all makes the header malformed; what is a bad token is the token's fault.
        Self::new(token).map_err(|denial| match denial {
            Denial::MalformedToken => Denial::MalformedCredential,
            denial => denial,
        })
    }

    /// Takes a token's text as it stands: one run of `b64token` characters (RFC 6750), not too long.
    pub fn new(token: &'a str) -> Result<Self, Denial> {
        if token.len() > TOKEN_MOST {
            return Err(Denial::TokenTooLong);
        }
        if !is_token(token) {
            return Err(Denial::MalformedToken);
        }
        Ok(Self(token))
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

/// The characters of `b64token` (RFC 6750 section 2.1).
const TOKEN_BYTES: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        allowed[byte] = letter.is_ascii_alphanumeric()
            || matches!(letter, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
        byte += 1;
    }
    allowed
};

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| TOKEN_BYTES[byte as usize])
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
        for bad in
            ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer\ta", "Bearer a.b.c ", "a.b.c", ""]
        {
            assert_eq!(read(&[bad]), Err(Denial::MalformedCredential), "{bad:?}");
        }
        let long = format!("Bearer {}", "a".repeat(TOKEN_MOST + 1));
        assert_eq!(read(&[&long]), Err(Denial::TokenTooLong));
    }
}
