//! What must be nowhere: pieces of signatures, secrets and keys, and the search for them in bytes. Knows no files and no
//! processes. Never shows what it has found.

use std::collections::{BTreeSet, HashSet};

use hallpass_core::encoding::{base64url, decode_base64url, hex};
use memchr::memmem;

/// A piece as short as this is one too many.
pub(crate) const PIECE: usize = 12;
/// A part of a piece.
const PART: usize = 4;
/// As many parts has a piece.
const STEP: usize = PIECE - PART + 1;
/// What is shorter, or has blanks in it, a test made up to have it refused.
const SECRET_LEAST: usize = 16;
/// So many different letters a secret has at least.
const LETTERS_LEAST: usize = 6;
/// Names under which secrets stand in environment files and in clients' entries.
const NAMES: [&str; 3] = ["JWT_SECRET_KEY", "EXAI_WS_TOKEN", "DAEMONS_TOKEN"];
/// How a secret may be spelt in base64, whatever stands before it.
const SHIFTS: [usize; 3] = [0, 1, 2];
/// The end of a token's claims, which hold its `jti`.
const CLAIMS_END: usize = 40;

/// What is searched for.
#[derive(Clone, Default)]
pub(crate) struct Canaries {
    /// Each in every spelling.
    spellings: BTreeSet<Vec<u8>>,
    /// Ends of tokens' claims. Only the whole counts: what is public in them (a `jti`) looks alike in base64 elsewhere.
    claims: BTreeSet<Vec<u8>>,
    known: BTreeSet<Vec<u8>>,
}

impl Canaries {
    /// Every token in the text.
    pub(crate) fn add_tokens_in(&mut self, text: &[u8]) {
        for start in memmem::find_iter(text, b"eyJ") {
            let token = &text[start..];
            let end = token.iter().position(|byte| !is_of_a_token(*byte)).unwrap_or(token.len());
            let mut parts = token[..end].splitn(3, |byte| *byte == b'.').skip(1);
            if let (Some(claims), Some(signature)) = (parts.next(), parts.next()) {
                self.add_token(claims, signature.split(|byte| *byte == b'.').next().unwrap_or_default());
            }
        }
    }

    fn add_token(&mut self, claims: &[u8], signature: &[u8]) {
        if !self.known.insert(signature.to_vec()) {
            return;
        }
        if signature.len() >= PIECE {
            // A token that a test made up may have claims as short as `e30`, which stands in many a hash.
            if claims.len() >= PIECE {
                self.claims.insert(claims[claims.len().saturating_sub(CLAIMS_END)..].to_vec());
            }
            self.spellings.insert(signature.to_vec());
        }
        if let Some(bytes) = decode_base64url(signature) {
            self.spellings.insert(hex(&bytes).into_bytes());
            self.spellings.insert(bytes);
        }
    }

    /// A secret: as it is, in hexadecimal digits, in base64.
    pub(crate) fn add_secret(&mut self, secret: &[u8]) {
        if secret.len() < SECRET_LEAST || secret.iter().any(u8::is_ascii_whitespace) && secret.is_ascii() {
            return;
        }
        // A test's file of one letter over and over is no secret, and its pieces are everywhere.
        let letters: HashSet<u8> = secret.iter().copied().collect();
        if letters.len() < LETTERS_LEAST || !self.known.insert(secret.to_vec()) {
            return;
        }
        for shift in SHIFTS {
            let text = base64url(&secret[shift..]);
            // Its last characters depend on what comes behind.
            let text = &text[..text.len() - 2];
            self.spellings.insert(text.into());
            self.spellings.insert(text.replace('-', "+").replace('_', "/").into());
        }
        self.spellings.insert(hex(secret).into_bytes());
        self.spellings.insert(secret.to_vec());
    }

    /// Secrets that stand in the text under a name by which they are known.
    pub(crate) fn add_named_secrets_in(&mut self, text: &[u8]) {
        for name in NAMES {
            for start in memmem::find_iter(text, name) {
                let value = text[start + name.len()..].trim_ascii_start();
                let value = value.strip_prefix(b"\"").unwrap_or(value).trim_ascii_start();
                let Some((b'=' | b':', value)) = value.split_first() else { continue };
                let value = value.trim_ascii_start();
                let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
                let end = value.iter().position(|byte| matches!(byte, b'"' | b'\'' | b'\n' | b'\r'));
                let value = &value[..end.unwrap_or(value.len())];
                // What names a variable is none.
                if !value.starts_with(b"$") {
                    self.add_secret(value);
                }
            }
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn search(&self) -> Search {
        let pieces = self.spellings.iter().flat_map(|spelling| spelling.windows(PIECE));
        let pieces: HashSet<[u8; PIECE]> =
            pieces.map(|piece| piece.try_into().expect("its length")).collect();
        let mut looks = vec![false; 1 << u16::BITS];
        for part in self.spellings.iter().flat_map(|spelling| spelling.windows(PART)) {
            looks[look_of(part)] = true;
        }
        Search { pieces, looks, claims: self.claims.clone() }
    }
}

/// Canaries, made ready.
pub(crate) struct Search {
    pieces: HashSet<[u8; PIECE]>,
    /// Where to look twice, by the look of a part.
    looks: Vec<bool>,
    claims: BTreeSet<Vec<u8>>,
}

impl Search {
    /// Where the first piece begins. Wherever it does, one of its parts begins at a multiple of `STEP`: only there is
    /// looked, so that megabytes take milliseconds.
    pub(crate) fn first_in(&self, text: &[u8]) -> Option<usize> {
        let steps = (0..text.len().saturating_sub(PART - 1)).step_by(STEP);
        let odd = steps.filter(|at| self.looks[look_of(&text[*at..])]);
        odd.flat_map(|at| at.saturating_sub(STEP - 1)..=at)
            .find(|at| text.get(*at..at + PIECE).is_some_and(|piece| self.pieces.contains(piece)))
            .or_else(|| self.claims.iter().find_map(|end| memmem::find(text, end)))
    }
}

/// One of 65,536 looks of a part.
fn look_of(part: &[u8]) -> usize {
    let part = u32::from_le_bytes([part[0], part[1], part[2], part[3]]);
    (part.wrapping_mul(0x9e37_79b1) >> u16::BITS) as usize
}

fn is_of_a_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}
