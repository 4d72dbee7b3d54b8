//! Finds what has the look of a token in bytes that may be anything. Knows nothing of its worth.

use hallpass_core::bearer::TOKEN_MOST;
use memchr::{memchr_iter, memmem};
use std::io::{self, Read};
use zeroize::Zeroizing;

/// What the header of every token starts with: `{"` as base64url.
const START: &[u8] = b"eyJ";
/// The same as UTF-16: with low bytes first, and from the second byte on with high bytes first.
const START_WIDE: &[u8] = b"e\0y\0J";
/// How much is looked at together. Longer files are read piece by piece.
const PIECE: usize = 256 << 10;
/// What one piece shares with the next: no token is cut, spelt wide either.
const SHARED: usize = 2 * TOKEN_MOST + START_WIDE.len();

/// Three parts of base64url (RFC 7515 section 3.1), and where they start.
#[derive(Debug, PartialEq)]
pub(crate) struct Candidate {
    /// The text.
    pub(crate) token: Zeroizing<String>,
    /// Counted from 1.
    pub(crate) line: u64,
}

/// Reads to the end and hands over every candidate. `room` is used again for the next input.
pub(crate) fn search(
    mut input: impl Read,
    room: &mut Vec<u8>,
    mut found: impl FnMut(Candidate),
) -> io::Result<()> {
    room.clear();
    let mut line = 1;
    loop {
        let asked = PIECE + SHARED - room.len();
        let is_last = input.by_ref().take(asked as u64).read_to_end(room)? < asked;
        let end = if is_last { room.len() } else { PIECE };
        let mut counted = 0;
        for (place, token) in candidates(room, end) {
            line += lines(&room[counted..place]);
            counted = place;
            found(Candidate { token, line });
        }
        if is_last {
            return Ok(());
        }
        line += lines(&room[counted..end]);
        room.drain(..end);
    }
}

fn lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// All that start before `end`, in order.
fn candidates(bytes: &[u8], end: usize) -> Vec<(usize, Zeroizing<String>)> {
    let mut all = Vec::new();
    for (start, step) in [(START, 1), (START_WIDE, 2)] {
        let mut from = 0;
        while let Some(place) = memmem::find(&bytes[from..], start).map(|place| from + place) {
            if place >= end {
                break;
            }
            from = place + start.len();
            if let Some(token) = token_at(&bytes[place..], step) {
                from = place + token.len() * step;
                all.push((place, token));
            }
        }
    }
    all.sort_unstable_by_key(|(place, _)| *place);
    all
}

/// The token whose letters are every `step`th byte, if there is one.
fn token_at(bytes: &[u8], step: usize) -> Option<Zeroizing<String>> {
    let mut token = Zeroizing::new(String::with_capacity(512));
    let mut dots = 0;
    for place in (0..bytes.len()).step_by(step) {
        let letter = bytes[place];
        match letter {
            // Of a wide letter the other half is nothing.
            _ if step == 2 && bytes.get(place + 1).is_some_and(|other| *other != 0) => break,
            b'.' if dots < 2 => dots += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {}
            _ => break,
        }
        if token.len() == TOKEN_MOST {
            return None;
        }
        token.push(char::from(letter));
    }
    let is_whole = token.split('.').filter(|part| !part.is_empty()).count() == 3;
    is_whole.then_some(token)
}

#[cfg(test)]
mod tests {
    use super::{Candidate, PIECE, search};
    use hallpass_core::bearer::TOKEN_MOST;

    const TOKEN: &str = "eyJraWQiOiJocC0.eyJzdWIiOiJhIn0.c2ln-_0";

    fn found(bytes: &[u8]) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        search(bytes, &mut Vec::new(), |Candidate { token, line }| all.push((line, token.to_string())))
            .unwrap();
        all
    }

    #[test]
    fn tokens_are_found_whatever_stands_around_them() {
        for (before, after) in [
            ("", ""),
            ("TOKEN=", "\n"),
            ("{\"a\":\"", "\"}"),
            ("Authorization: Bearer%20", "&x=1"),
            ("It is ", ". It leaked."),
            ("\u{e9}\0", "\0"),
            ("eyJ eyJx.y. eyJ", " eyJ"),
        ] {
            let text = format!("\n{before}{TOKEN}{after}");
            let expected = if before.ends_with("eyJ") { format!("eyJ{TOKEN}") } else { TOKEN.into() };
            assert_eq!(found(text.as_bytes()), [(2, expected)], "{text:?}");
        }
    }

    #[test]
    fn wide_letters_are_read_too() {
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let text = format!("a\r\n\"{TOKEN}\"\r\n");
            let wide: Vec<u8> = text.encode_utf16().flat_map(order).collect();
            assert_eq!(found(&wide), [(2, TOKEN.into())]);
        }
    }

    #[test]
    fn what_has_fewer_parts_or_is_too_long_is_none() {
        for none in ["eyJ", "eyJa.eyJb", "eyJa..c", "eyJa.b.", "eyJa.b c", "xyz.abc.def"] {
            assert_eq!(found(none.as_bytes()), []);
        }
        let long = format!("eyJ{}.b.c", "a".repeat(TOKEN_MOST));
        assert_eq!(found(long.as_bytes()), []);
    }

    #[test]
    fn a_token_is_found_once_wherever_a_piece_ends() {
        for before in (PIECE - 50..PIECE + 10).chain([2 * PIECE - 20, 3 * PIECE]) {
            let mut text = vec![b'\n'; before];
            text.extend_from_slice(TOKEN.as_bytes());
            text.push(b'\n');
            text.extend_from_slice(TOKEN.as_bytes());
            let line = before as u64 + 1;
            assert_eq!(found(&text), [(line, TOKEN.into()), (line + 1, TOKEN.into())], "{before}");
        }
    }
}
