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

/// What each byte stands for; 64 and above: nothing.
const VALUES: [u8; 256] = {
    let mut values = [64; 256];
    let mut value = 0;
    while value < 64 {
        values[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// The bytes that `text` spells. `None` for padding, foreign characters, an impossible length, or left-over bits
/// that are not zero: exactly one text decodes to each byte string.
pub fn decode_base64url(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let mut groups = text.chunks_exact(4);
    // Foreign characters have a bit that no letter has: looked at once, at the end.
    let mut foreign = 0;
    for group in &mut groups {
        let [a, b, c, d] = [group[0], group[1], group[2], group[3]].map(|letter| VALUES[letter as usize]);
        foreign |= a | b | c | d;
        bytes.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
    }
    let left_over = match *groups.remainder() {
        [a, b] => {
            let [a, b] = [a, b].map(|letter| VALUES[letter as usize]);
            foreign |= a | b;
            bytes.push(a << 2 | b >> 4);
            b & 0x0f
        }
        [a, b, c] => {
            let [a, b, c] = [a, b, c].map(|letter| VALUES[letter as usize]);
            foreign |= a | b | c;
            bytes.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2]);
            c & 0x03
        }
        _ => 0,
    };
    (foreign < 64 && left_over == 0).then_some(bytes)
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
