//! Reads the token, afresh for each request. Keeps no copy and knows nothing of what is in it.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use zeroize::Zeroizing;

use super::failure::{TokenPlace, TokenProblem};

const LIMIT: u64 = 64 * 1024;

/// Where the bridge takes its token from.
pub enum TokenSource {
    /// A file, read anew for each HTTP request: a new token needs no restart.
    File(PathBuf),
    /// The token itself, as the environment gave it.
    Environment(Zeroizing<String>),
}

impl std::fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Environment(_) => f.write_str("Environment(..)"),
        }
    }
}

impl TokenSource {
    /// The value of the `Authorization` header.
    pub(super) fn authorization(&self) -> Result<HeaderValue, TokenProblem> {
        match self {
            Self::File(path) => bearer(&read(path)?, || TokenPlace::File(path.clone())),
            Self::Environment(token) => bearer(token.as_bytes(), || TokenPlace::Environment),
        }
    }
}

pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TokenProblem> {
    let problem = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => TokenProblem::Missing(path.to_owned()),
        _ => TokenProblem::Unreadable(path.to_owned(), error.to_string()),
    };
    // Before the opening: a pipe would be waited for.
    let meta = std::fs::metadata(path).map_err(problem)?;
    if !meta.is_file() {
        return Err(TokenProblem::NotAFile(path.to_owned()));
    }
    // As `hallpass issue` writes it. One that others can read may be in use by others already.
    if meta.mode() & 0o077 != 0 {
        return Err(TokenProblem::OpenToOthers(path.to_owned(), meta.mode() & 0o777));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(TokenProblem::OtherOwner(path.to_owned()));
    }
    let size = meta.len().min(LIMIT);
    // All the room at once: a buffer that grows leaves pieces of the token behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 32));
    File::open(path).and_then(|file| file.take(size).read_to_end(&mut bytes)).map_err(problem)?;
    Ok(bytes)
}

/// The token in what was read: one line of visible ASCII, without its end.
pub(crate) fn token_in(bytes: &[u8], place: impl FnOnce() -> TokenPlace) -> Result<&[u8], TokenProblem> {
    let token = bytes.strip_suffix(b"\n").map_or(bytes, |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    if token.is_empty() {
        return Err(TokenProblem::Empty(place()));
    }
    if !token.iter().all(u8::is_ascii_graphic) {
        return Err(TokenProblem::Malformed(place()));
    }
    Ok(token)
}

fn bearer(bytes: &[u8], place: impl Fn() -> TokenPlace) -> Result<HeaderValue, TokenProblem> {
    let token = token_in(bytes, &place)?;
    let mut header = Zeroizing::new(Vec::with_capacity(token.len() + 7));
    header.extend_from_slice(b"Bearer ");
    header.extend_from_slice(token);
    let Ok(mut value) = HeaderValue::from_bytes(&header) else {
        return Err(TokenProblem::Malformed(place()));
    };
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(bytes: &[u8]) -> Result<String, String> {
        let value = bearer(bytes, || TokenPlace::Environment).map_err(|problem| problem.to_string())?;
        Ok(value.to_str().expect("text").to_owned())
    }

    #[test]
    fn one_line_end_is_trimmed_and_no_more() {
        assert_eq!(header(b"abc\n"), Ok("Bearer abc".to_owned()));
        assert_eq!(header(b"abc\r\n"), Ok("Bearer abc".to_owned()));
        assert!(header(b"abc\n\n").is_err());
        assert!(header(b"a bc").is_err());
        assert_eq!(header(b"\n"), Err("`HALLPASS_TOKEN` is empty: run `hallpass issue`".to_owned()));
    }

    #[test]
    fn no_debug_output_shows_it() {
        let source = TokenSource::Environment(Zeroizing::new("abc".to_owned()));
        assert_eq!(format!("{source:?} {:?}", source.authorization()), "Environment(..) Ok(Sensitive)");
    }
}
