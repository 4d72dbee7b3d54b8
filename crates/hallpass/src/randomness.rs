//! Where the gateway's random bytes come from: the cryptography library's own generator.

/// Fills the buffer.
///
/// # Panics
/// If the system gives no randomness. Whoever asked goes without, and nothing is made of bytes that could be guessed.
pub fn fill(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system gives random bytes");
}
