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

/// The bytes that `text` spells. `None` for padding, foreign characters, an impossible length, or left-over bits
/// that are not zero: exactly one text decodes to each byte string.
pub fn decode_base64url(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.chunks(4) {
        let mut group = 0_u32;
        for letter in chunk {
            group = group << 6 | value_of(*letter)?;
        }
        group <<= 6 * (4 - chunk.len());
        let [_, b0, b1, b2] = group.to_be_bytes();
        let whole = chunk.len() - 1;
        bytes.extend_from_slice(&[b0, b1, b2][..whole]);
        if [b0, b1, b2][whole..].iter().any(|left_over| *left_over != 0) {
            return None;
        }
    }
    Some(bytes)
}

fn value_of(letter: u8) -> Option<u32> {
    Some(u32::from(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    }))
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
        fn what_decodes_is_spelt_one_way(text in "[A-Za-z0-9_=-]{0,12}") {
            if let Some(bytes) = decode_base64url(text.as_bytes()) {
                assert_eq!(base64url(&bytes), text);
            }
        }
    }
}
