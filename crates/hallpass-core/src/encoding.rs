//! Canonical unpadded base64url (RFC 4648 section 5, RFC 7515 section 2) and hexadecimal, both ways.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// `bytes` as base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            let index = group >> (18 - 6 * position) & 0x3f;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

/// What each letter stands for at each of the four places of a group, shifted to where it belongs. Anything else has
/// the bit [`FOREIGN`], which no letter has.
const PLACES: [[u32; 256]; 4] = {
    let mut places = [[FOREIGN; 256]; 4];
    let mut value = 0;
    while value < 64 {
        let letter = ALPHABET[value as usize] as usize;
        let mut place = 0;
        while place < 4 {
            places[place][letter] = value << (18 - 6 * place);
            place += 1;
        }
        value += 1;
    }
    places
};
const FOREIGN: u32 = 1 << 31;

/// The three bytes of four letters, in the lower 24 bits.
fn group(letters: [u8; 4]) -> u32 {
    let [a, b, c, d] = letters.map(usize::from);
    PLACES[0][a] | PLACES[1][b] | PLACES[2][c] | PLACES[3][d]
}

/// Spells runs of eight letters into `room`. The bits of all letters together tell whether one was foreign.
fn spell(runs: &[[u8; 8]], room: &mut [u8]) -> u32 {
    let mut all = 0;
    for (&[a, b, c, d, e, f, g, h], room) in runs.iter().zip(room.chunks_exact_mut(6)) {
        let (front, back) = (group([a, b, c, d]), group([e, f, g, h]));
        all |= front | back;
        room.copy_from_slice(&(u64::from(front) << 24 | u64::from(back)).to_be_bytes()[2..]);
    }
    all
}

/// The bytes that `text` spells. `None` for padding, foreign characters, an impossible length, or left-over bits
/// that are not zero: exactly one text decodes to each byte string.
pub fn decode_base64url(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    decode_base64url_into(text, &mut bytes).then_some(bytes)
}

/// The same into `bytes`, whatever they held, so that one allocation serves more than one text. Whether it could be
/// done; if not, what `bytes` holds means nothing.
pub(crate) fn decode_base64url_into(text: &[u8], bytes: &mut Vec<u8>) -> bool {
    let (runs, rest) = text.as_chunks::<8>();
    // Filled up with the letter of zero: what is spelt beyond the text's own end has to be zero.
    let mut last = [ALPHABET[0]; 8];
    last[..rest.len()].copy_from_slice(rest);
    bytes.clear();
    bytes.resize((runs.len() + 1) * 6, 0);
    let (body, tail) = bytes.split_at_mut(runs.len() * 6);
    let all = spell(runs, body) | spell(&[last], tail);
    let left_over = bytes.drain(text.len() * 3 / 4..).any(|byte| byte != 0);
    text.len() % 4 != 1 && all & FOREIGN == 0 && !left_over
}

/// `bytes` as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(b"0123456789abcdef"[half as usize]))
        .collect()
}

/// The bytes that lower-case or upper-case hexadecimal spells.
pub fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let halves: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let halves = halves?;
    if halves.len() % 2 == 1 {
        return None;
    }
    halves.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{base64url, decode_base64url, decode_hex, hex};

    /// RFC 4648 section 10, without the padding.
    #[test]
    fn the_vectors_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64url(bytes.as_bytes()), text);
            assert_eq!(decode_base64url(text.as_bytes()).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn only_the_canonical_spelling_decodes() {
        for bad in ["Zg==", "Zh", "Z", "Zm9v\n", "Zm 9v", "+/+/", "Zm9vYg=", "ZmB"] {
            assert_eq!(decode_base64url(bad.as_bytes()), None, "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_encoded_decodes(bytes: Vec<u8>) {
            assert_eq!(decode_base64url(base64url(&bytes).as_bytes()), Some(bytes.clone()));
            assert_eq!(decode_hex(&hex(&bytes)), Some(bytes));
        }

        #[test]
        fn another_decoder_takes_the_same_and_no_more(text in "([A-Za-z0-9_-]{0,40}|[A-Za-z0-9_=+/ \u{e9}-]{0,20})") {
            use base64::Engine as _;
            let theirs = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&text).ok();
            assert_eq!(decode_base64url(text.as_bytes()), theirs);
        }

        #[test]
        fn what_decodes_is_spelt_one_way(text in "[A-Za-z0-9_=-]{0,12}") {
            if let Some(bytes) = decode_base64url(text.as_bytes()) {
                assert_eq!(base64url(&bytes), text);
            }
        }
    }
}
