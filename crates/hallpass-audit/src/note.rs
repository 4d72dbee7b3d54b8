//! Signed notes as C2SP describes them: text, an empty line, signatures by named Ed25519 keys. Knows no tree.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The kind of key and signature: Ed25519.
const ED25519: u8 = 1;

/// Begins each line of a signature.
const DASH: &str = "\u{2014} ";

/// Why a note is not one, or says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteFault {
    /// It has not the form of a signed note.
    Form,
    /// No signature is by this key.
    NotSigned,
    /// A signature says that it is by this key and is not.
    Signature,
    /// It is signed, by the key of another name.
    Origin,
    /// What is signed is not a checkpoint.
    Checkpoint,
    /// A key that is not `NAME+HASH+KEY`.
    Key,
}

impl fmt::Display for NoteFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "is not a signed note",
            Self::NotSigned => "is not signed by this key",
            Self::Signature => "has a signature that is not right",
            Self::Origin => "is of another log",
            Self::Checkpoint => "is not a checkpoint",
            Self::Key => "is not a verifier key `NAME+HASH+KEY`",
        })
    }
}

impl std::error::Error for NoteFault {}

/// The key that signs one log, with its name.
#[derive(Clone)]
pub struct LogKey {
    name: String,
    key: SigningKey,
}

impl LogKey {
    /// From a seed of 32 random bytes. The name is the log's origin.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteFault> {
        if !is_name(name) {
            return Err(NoteFault::Key);
        }
        Ok(Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// The log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What verifies its signatures.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// A note of `text`, which ends in a newline and has no empty line.
    pub(crate) fn sign(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes());
        let bytes = [&self.verifier().id()[..], &signature.to_bytes()].concat();
        format!("{text}\n{DASH}{} {}\n", self.name, STANDARD.encode(bytes))
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({})", self.name)
    }
}

/// The public half, written `NAME+HASH+KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// The text of a note that this key signed. Signatures by others are passed over.
    pub(crate) fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteFault> {
        let (text, signatures) = parts(note)?;
        let mut verdict = NoteFault::NotSigned;
        for line in signatures.lines() {
            let (name, bytes) = signature(line)?;
            if name != self.name || bytes[..4] != self.id() {
                continue;
            }
            let bytes = Signature::from_slice(&bytes[4..]).map_err(|_| NoteFault::Signature)?;
            self.key.verify_strict(text.as_bytes(), &bytes).map_err(|_| NoteFault::Signature)?;
            verdict = NoteFault::Form;
        }
        if verdict == NoteFault::Form { Ok(text) } else { Err(verdict) }
    }
}

/// The text with its last newline, and the lines of signatures.
fn parts(note: &str) -> Result<(&str, &str), NoteFault> {
    let at = note.rfind("\n\n").ok_or(NoteFault::Form)?;
    let (text, signatures) = (&note[..=at], &note[at + 2..]);
    let whole = !text.trim_end().is_empty() && signatures.ends_with('\n');
    let plain = note.bytes().all(|byte| byte >= b' ' || byte == b'\n');
    if whole && plain { Ok((text, signatures)) } else { Err(NoteFault::Form) }
}

fn signature(line: &str) -> Result<(&str, Vec<u8>), NoteFault> {
    let (name, text) =
        line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or(NoteFault::Form)?;
    let bytes = STANDARD.decode(text).map_err(|_| NoteFault::Form)?;
    if is_name(name) && bytes.len() > 4 { Ok((name, bytes)) } else { Err(NoteFault::Form) }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.contains('+')
        && !name.contains(char::is_whitespace)
        && !name.contains(char::is_control)
}

/// The notes of a file that holds one after the other: each ends with its last line of a signature.
pub fn notes_of(file: &str) -> Vec<&str> {
    let mut notes = Vec::new();
    let (mut from, mut at, mut signed) = (0, 0, false);
    for line in file.split_inclusive('\n') {
        let is_signature = line.starts_with(DASH);
        if signed && !is_signature {
            notes.push(&file[from..at]);
            from = at;
        }
        signed = is_signature;
        at += line.len();
    }
    if from < file.len() {
        notes.push(&file[from..]);
    }
    notes
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        let key = [&[ED25519], &self.key.as_bytes()[..]].concat();
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteFault;

    fn from_str(text: &str) -> Result<Self, NoteFault> {
        read_key(text.trim_end_matches('\n')).ok_or(NoteFault::Key)
    }
}

fn read_key(text: &str) -> Option<VerifierKey> {
    let (name, rest) = text.split_once('+')?;
    let (_, key) = rest.split_once('+')?;
    let bytes = STANDARD.decode(key).ok()?;
    let (ED25519, key) = bytes.split_first().map(|(kind, key)| (*kind, key))? else { return None };
    let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
    let key = VerifierKey { name: name.to_owned(), key };
    // The hash in it catches a key that was copied with a mistake.
    (is_name(name) && key.to_string() == text).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::{LogKey, NoteFault, VerifierKey, notes_of};

    fn key(name: &str, seed: u8) -> LogKey {
        LogKey::from_seed(name, &[seed; 32]).unwrap()
    }

    #[test]
    fn a_note_opens_with_its_key_and_no_other() {
        let note = key("example.org/log", 1).sign("one\ntwo\n");
        let open = |key: LogKey| key.verifier().open(&note).map(str::to_owned);
        assert_eq!(open(key("example.org/log", 1)).as_deref(), Ok("one\ntwo\n"));
        assert_eq!(open(key("example.org/log", 2)), Err(NoteFault::NotSigned));
        assert_eq!(open(key("example.org/other", 1)), Err(NoteFault::NotSigned));
    }

    #[test]
    fn no_byte_of_a_note_can_be_changed() {
        let verifier = key("example.org/log", 1).verifier();
        let note = key("example.org/log", 1).sign("one\n");
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            let opened = String::from_utf8(bytes).ok().and_then(|note| verifier.open(&note).ok().map(drop));
            assert_eq!(opened, None, "byte {at}");
        }
    }

    #[test]
    fn other_signatures_are_passed_over() {
        let note = key("a", 1).sign("one\n");
        let other = key("b", 2).sign("one\n");
        let both = format!("{note}{}", other.split_once("\n\n").unwrap().1);
        assert!(key("a", 1).verifier().open(&both).is_ok());
        assert!(key("b", 2).verifier().open(&both).is_ok());
        assert_eq!(notes_of(&format!("{both}{note}{other}")), [&*both, &*note, &*other]);
        assert_eq!(notes_of(&format!("{note}cut")), [&*note, "cut"]);
    }

    #[test]
    fn a_verifier_key_reads_back_and_catches_mistakes() {
        let text = key("example.org/log", 1).verifier().to_string();
        assert_eq!(text.parse(), Ok(key("example.org/log", 1).verifier()));
        for wrong in [
            text.replace("log", "lag"),
            text.replacen('+', "+0", 1),
            text[..text.len() - 1].to_owned(),
            "a+b".into(),
        ] {
            assert_eq!(wrong.parse::<VerifierKey>(), Err(NoteFault::Key), "{wrong}");
        }
        assert_eq!(format!("{:?}", key("n", 7)), "LogKey(n)");
    }
}
