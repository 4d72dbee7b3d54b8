//! Takes bytes for text only where every client would read the same text. Knows no syntax.

use crate::{EditError, MAX_BYTES, Position};

/// The UTF-8 byte order mark.
pub(crate) const MARK: &[u8] = b"\xEF\xBB\xBF";

/// The text of a file, if clients read it as we do.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, EditError> {
    if bytes.len() > MAX_BYTES {
        return Err(EditError::TooLarge { bytes: bytes.len() });
    }
    if bytes.starts_with(MARK) {
        return Err(EditError::ByteOrderMark);
    }
    // Any ASCII text in UTF-16 or UTF-32 has a NUL among its first two bytes, or begins with a byte order mark.
    let marked = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF");
    if marked || matches!(bytes, [0, _, ..] | [_, 0, ..]) {
        return Err(EditError::Utf16);
    }
    let text = str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    match text.find('\0') {
        None => Ok(text),
        Some(offset) => Err(EditError::NulByte { at: Position::of(text, offset) }),
    }
}

fn not_utf8(bytes: &[u8], valid: usize) -> EditError {
    let good = str::from_utf8(&bytes[..valid]).unwrap_or_default();
    EditError::NotUtf8 { at: Position::of(good, good.len()) }
}
