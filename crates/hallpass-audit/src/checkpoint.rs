//! A checkpoint as C2SP describes it: origin, size and root, signed. Reads and writes no file.

use crate::hash::Hash;
use crate::note::{LogKey, NoteFault, VerifierKey};
use crate::record::number;

/// A size of the log and the root that its key signed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many records.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The signed note.
    pub fn sign(&self, key: &LogKey) -> String {
        key.sign(&format!("{}\n{}\n{}\n", key.name(), self.size, self.root))
    }

    /// Reads a note that this key signed. Lines after the root belong to others and are passed over.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, NoteFault> {
        let text = match key.open(note) {
            Err(NoteFault::NotSigned) if note.lines().next() != Some(key.name()) => {
                return Err(NoteFault::Origin);
            }
            opened => opened?,
        };
        let mut lines = text.lines();
        if lines.next() != Some(key.name()) {
            return Err(NoteFault::Origin);
        }
        let size = lines.next().and_then(|line| number(line.as_bytes()));
        let root = lines.next().and_then(Hash::from_base64);
        match (size, root, lines.all(|line| !line.is_empty())) {
            (Some(size), Some(root), true) => Ok(Self { size, root }),
            (Some(_) | None, Some(_) | None, _) => Err(NoteFault::Checkpoint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Checkpoint;
    use crate::hash::Hash;
    use crate::note::{LogKey, NoteFault};

    #[test]
    fn a_checkpoint_reads_back_with_its_key() {
        let key = LogKey::from_seed("hallpass.local/a/main", &[1; 32]).unwrap();
        let other = LogKey::from_seed("hallpass.local/b/main", &[1; 32]).unwrap();
        let checkpoint = Checkpoint { size: 12, root: Hash::ZERO };
        let note = checkpoint.sign(&key);
        assert!(note.starts_with("hallpass.local/a/main\n12\nAAAA"), "{note}");
        assert_eq!(Checkpoint::open(&note, &key.verifier()), Ok(checkpoint));
        assert_eq!(Checkpoint::open(&note, &other.verifier()), Err(NoteFault::Origin));
        let text = key.sign("hallpass.local/a/main\n012\nAAAA\n");
        assert_eq!(Checkpoint::open(&text, &key.verifier()), Err(NoteFault::Checkpoint));
    }
}
