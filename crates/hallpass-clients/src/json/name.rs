//! Decodes strings, so that a key is compared as clients see it. Normalises nothing.

use std::borrow::Cow;

/// The text of a scanned string (given with its quotes), in UTF-8.
///
/// A lone surrogate escape becomes the three bytes that UTF-8 would have for it: JSON allows it, Rust strings do not.
pub(super) fn decode(raw: &str) -> Cow<'_, [u8]> {
    let inner = &raw.as_bytes()[1..raw.len() - 1];
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let [first, tail @ ..] = rest {
        rest = if *first == b'\\' { unescape(tail, &mut out) } else { literal(*first, tail, &mut out) };
    }
    Cow::Owned(out)
}

/// As [`decode`], for people and for `serde_json`; `None` if there is a lone surrogate.
pub(super) fn decode_text(raw: &str) -> Option<String> {
    String::from_utf8(decode(raw).into_owned()).ok()
}

fn literal<'b>(byte: u8, tail: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
    out.push(byte);
    tail
}

/// Writes the character of the escape whose backslash has been read, and returns what follows it.
fn unescape<'b>(tail: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
    let plain = match tail[0] {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return unescape_unicode(&tail[1..], out),
        same => same,
    };
    literal(plain, &tail[1..], out)
}

fn unescape_unicode<'b>(tail: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
    let (first, rest) = (hex(&tail[..4]), &tail[4..]);
    if let (0xD800..=0xDBFF, [b'\\', b'u', digits @ ..]) = (first, rest) {
        let second = hex(&digits[..4]);
        if (0xDC00..=0xDFFF).contains(&second) {
            push(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00), out);
            return &digits[4..];
        }
    }
    push(first, out);
    rest
}

fn hex(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value, digit| value << 4 | char::from(*digit).to_digit(16).unwrap_or(0))
}

fn push(code: u32, out: &mut Vec<u8>) {
    if let Some(char) = char::from_u32(code) {
        out.extend(char.encode_utf8(&mut [0; 4]).bytes());
    } else {
        let six = |shift: u32| 0x80 | u8::try_from(code >> shift & 0x3F).unwrap_or(0);
        out.extend([0xED, six(6), six(0)]);
    }
}
