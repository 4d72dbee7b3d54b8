//! The mask of a client's frames (RFC 6455 section 5.3), put on and taken off in place.

/// Takes the mask off, or puts it on: both are the same.
pub(crate) fn apply(mask: [u8; 4], payload: &mut [u8]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::apply;

    #[test]
    fn each_byte_meets_its_own_byte_of_the_key() {
        let plain: Vec<u8> = (0..37).collect();
        let mut masked = plain.clone();
        apply([1, 20, 33, 200], &mut masked);
        for (at, byte) in masked.iter().enumerate() {
            assert_eq!(*byte, plain[at] ^ [1, 20, 33, 200][at % 4]);
        }
        apply([1, 20, 33, 200], &mut masked);
        assert_eq!(masked, plain);
    }
}
