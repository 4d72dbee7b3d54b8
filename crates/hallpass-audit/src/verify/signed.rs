//! The checkpoints that lie beside the log, opened with its key. Compares them with nothing.

use crate::checkpoint::Checkpoint;
use crate::files;
use crate::log::{MOST_IN_CHECKPOINT, MOST_IN_KEPT};
use crate::note::{VerifierKey, notes_of};
use std::io;
use std::path::Path;

#[derive(Debug, Default)]
pub(crate) struct Signed {
    /// Those that this key signed.
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// What is wrong with the first that it did not.
    pub(crate) fault: Option<String>,
    /// The newest's size, if one that was kept is larger.
    pub(crate) replayed: Option<u64>,
    /// There is none at all.
    pub(crate) is_absent: bool,
}

impl Signed {
    pub(crate) fn read(dir: &Path, key: &VerifierKey) -> io::Result<Self> {
        let kept = text(&dir.join("checkpoints"), MOST_IN_KEPT)?;
        let newest = text(&dir.join("checkpoint"), MOST_IN_CHECKPOINT)?;
        let mut signed = Self { is_absent: kept.is_none() && newest.is_none(), ..Self::default() };
        for (index, note) in notes_of(kept.as_deref().unwrap_or_default()).into_iter().enumerate() {
            match Checkpoint::open(note, key) {
                Ok(checkpoint) => signed.checkpoints.push(checkpoint),
                Err(fault) => signed.wrong(format!("checkpoint {} of those kept {fault}", index + 1)),
            }
        }
        let largest = signed.checkpoints.iter().map(|checkpoint| checkpoint.size).max().unwrap_or(0);
        match newest.as_deref().map(|note| Checkpoint::open(note, key)) {
            None => signed.wrong("the newest checkpoint is missing".into()),
            Some(Err(fault)) => signed.wrong(format!("the newest checkpoint {fault}")),
            Some(Ok(newest)) => {
                signed.checkpoints.push(newest);
                signed.replayed = Some(newest.size).filter(|size| *size < largest);
            }
        }
        Ok(signed)
    }

    fn wrong(&mut self, why: String) {
        self.fault.get_or_insert(why);
    }
}

/// What is not text is not signed either.
fn text(path: &Path, most: u64) -> io::Result<Option<String>> {
    match files::read_small(path, most) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes);
            Ok(Some(text.unwrap_or_else(|no| String::from_utf8_lossy(no.as_bytes()).into_owned())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
