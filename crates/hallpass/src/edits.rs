//! The edits of one client's configuration file: put in, put right, take out. Writes through `atomic_file` only.

use crate::atomic_file::{Original, ReplaceFault, check_writable, delete_unchanged, replace, target_of};
use crate::change::{Change, REHEARSED};
use crate::fault::{Fault, Result};
use crate::standing::{check_entries, dialect, edit_fault};
use crate::target::{Entry, Ours, Shape, Target, leaves};
use hallpass_clients::{Dialect, EditError, Found, KeyPath, Removal, Undo, read, remove, upsert};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// How often a file that somebody else is writing is looked at again.
const ATTEMPTS: usize = 5;

/// One place that we wrote, and how to take it back. Kept sealed: what stood there before may be somebody's secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Placed {
    /// Where.
    pub path: KeyPath,
    /// What brings back what stood there.
    pub undo: Undo,
    /// The file was made for it. One that was empty is empty again.
    #[serde(default)]
    pub made: bool,
}

/// What an earlier placement left: its undo holds only while what it wrote still stands there.
pub struct Earlier<'a> {
    /// What it kept.
    pub placed: &'a [Placed],
    /// Tells what we wrote from what somebody else wrote.
    pub ours: &'a Ours,
}

/// An edited text, not yet written.
struct Draft {
    text: Vec<u8>,
    changed: bool,
    placed: Vec<Placed>,
    changes: Vec<Change>,
}

/// What would change in the target's file, if it can be edited; tried with [`REHEARSED`] for the token. Writes nothing.
pub fn rehearse(target: &Target, ours: &Ours) -> Result<Vec<Change>> {
    let original = Original::read(&target_of(&target.file)?)?;
    draft(target, &original.bytes, Some(REHEARSED), &Earlier { placed: &[], ours })
        .map(|draft| draft.changes)
        .map_err(|fault| edit_fault(&target.file, &fault))
}

/// Puts the token or the entries into the file. Without a token, the one that stands there stays. `before_writing` keeps the
/// undo first, so that a crash after the write finds it. `leads_to`: the file behind links, as it was shown. Returns whether the file changed.
pub async fn put_in(
    target: &Target,
    leads_to: &Path,
    token: Option<&str>,
    earlier: &Earlier<'_>,
    tag: &str,
    mut before_writing: impl AsyncFnMut(&[Placed]) -> Result<()>,
) -> Result<bool> {
    let file = target_of(&target.file)?;
    if file != leads_to {
        return Err(Fault::new(format!(
            "`{}` leads to `{}` now, and it led to `{}` when that was shown",
            target.file.display(),
            file.display(),
            leads_to.display()
        ))
        .hint("look who changed the link, then run the command again"));
    }
    let secret = target.shape.is_literal();
    for _ in 0..ATTEMPTS {
        let original = Original::read(&file)?;
        check_entries(target, &original, earlier.ours)?;
        let mut draft = draft(target, &original.bytes, token, earlier)
            .map_err(|fault| edit_fault(&target.file, &fault))?;
        let made = !original.exists() || earlier.placed.iter().any(|placed| placed.made);
        draft.placed.iter_mut().for_each(|placed| placed.made = made);
        before_writing(&draft.placed).await?;
        let needs_closing = secret && original.is_open_to_others();
        if !(draft.changed || needs_closing) {
            return Ok(false);
        }
        match replace(&file, &original, &draft.text, secret, tag) {
            Ok(()) => return Ok(true),
            Err(ReplaceFault::Changed) => {}
            Err(ReplaceFault::Other(fault)) => return Err(fault),
        }
    }
    Err(busy(&file))
}

/// What became of our places in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenOut {
    /// What was ours is out.
    Done,
    /// Nothing of ours was there.
    Nothing,
    /// Somebody put something else in our place: it is left there.
    Foreign,
}

/// Takes our places out of the file, and puts back what stood there. `dry`: only says what would happen.
pub fn take_out(
    file: &Path,
    dialect: Dialect,
    placed: &[Placed],
    is_ours: &dyn Fn(&Value) -> bool,
    tag: &str,
    dry: bool,
) -> Result<TakenOut> {
    let named = file;
    let file = target_of(named)?;
    for _ in 0..ATTEMPTS {
        let original = Original::read(&file)?;
        if !original.exists() {
            return Ok(TakenOut::Nothing);
        }
        let (text, outcome) =
            without(&original.bytes, dialect, placed, is_ours).map_err(|fault| edit_fault(&file, &fault))?;
        if text == original.bytes {
            return Ok(outcome);
        }
        if dry {
            check_writable(&file)?;
            return Ok(outcome);
        }
        // A link must not lead nowhere.
        let is_link = std::fs::symlink_metadata(named).is_ok_and(|meta| meta.is_symlink());
        let made = placed.iter().any(|place| place.made);
        let taken = if text.is_empty() && made && !is_link {
            delete_unchanged(&file, &original)
        } else {
            replace(&file, &original, &text, false, tag)
        };
        match taken {
            Ok(()) => return Ok(outcome),
            Err(ReplaceFault::Changed) => {}
            Err(ReplaceFault::Other(fault)) => return Err(fault),
        }
    }
    Err(busy(&file))
}

fn without(
    text: &[u8],
    dialect: Dialect,
    placed: &[Placed],
    is_ours: &dyn Fn(&Value) -> bool,
) -> Result<(Vec<u8>, TakenOut), EditError> {
    let (mut text, mut outcome) = (text.to_vec(), TakenOut::Nothing);
    // Last in, first out: each undo was made against the text that the ones before it had left.
    for place in placed.iter().rev() {
        match remove(&text, dialect, &place.path, &place.undo, is_ours)? {
            Removal::Done(edited) => {
                text = edited;
                outcome = if outcome == TakenOut::Foreign { outcome } else { TakenOut::Done };
            }
            Removal::Nothing => {}
            Removal::Foreign { .. } => outcome = TakenOut::Foreign,
        }
    }
    Ok((text, outcome))
}

fn draft(
    target: &Target,
    text: &[u8],
    token: Option<&str>,
    earlier: &Earlier<'_>,
) -> Result<Draft, EditError> {
    let mut draft = Draft { text: text.to_vec(), changed: false, placed: Vec::new(), changes: Vec::new() };
    match &target.shape {
        // The entry has to be there: without its command, a variable is no server.
        Shape::Variable { path, shim } => {
            let entry = path.segments().len().saturating_sub(2);
            match token {
                Some(token) => draft.put(target, path, &Value::from(token), entry, earlier)?,
                // One that we did not place is not ours to take out later.
                None => {
                    draft.placed.extend(earlier.placed.iter().find(|placed| placed.path == *path).cloned());
                }
            }
            if let Some(shim) = shim {
                let link = Value::from(shim.link.to_string_lossy());
                draft.put(target, &shim.path, &link, entry, earlier)?;
            }
        }
        Shape::Entries { entries, .. } => {
            for entry in entries {
                draft.put_entry(target, entry, token, earlier)?;
            }
        }
        Shape::ByHand { .. } => {}
    }
    Ok(draft)
}

impl Earlier<'_> {
    /// The undo that holds for what stands at `path` now. `None`: it is not ours, so the edit's own undo counts.
    fn undo_of(&self, text: &[u8], dialect: Dialect, path: &KeyPath) -> Option<Undo> {
        match read(text, dialect, path) {
            // Ours: the first undo holds; a later one would bring back our own old value.
            Ok(Found::Present(present))
                if present.value.as_ref().is_some_and(|value| self.ours.knows(value)) =>
            {
                Some(self.kept(path))
            }
            _ => None,
        }
    }

    fn kept(&self, path: &KeyPath) -> Undo {
        let placed = self.placed.iter().find(|placed| placed.path == *path);
        placed.map_or_else(Undo::without_record, |placed| placed.undo.clone())
    }
}

impl Draft {
    fn put(
        &mut self,
        target: &Target,
        path: &KeyPath,
        value: &Value,
        must_exist: usize,
        earlier: &Earlier<'_>,
    ) -> Result<(), EditError> {
        let kept = earlier.undo_of(&self.text, dialect(target), path);
        let undo = self.upsert(target, path, value, must_exist)?;
        self.placed.push(Placed { path: path.clone(), undo: kept.unwrap_or(undo), made: false });
        Ok(())
    }

    fn upsert(
        &mut self,
        target: &Target,
        path: &KeyPath,
        value: &Value,
        must_exist: usize,
    ) -> Result<Undo, EditError> {
        let edit = upsert(&self.text, dialect(target), path, value, must_exist)?;
        if edit.changed {
            self.changes.push(Change::between(&self.text, &edit.text));
        }
        self.text = edit.text;
        self.changed |= edit.changed;
        Ok(edit.undo)
    }

    fn put_entry(
        &mut self,
        target: &Target,
        entry: &Entry,
        token: Option<&str>,
        earlier: &Earlier<'_>,
    ) -> Result<(), EditError> {
        let there = match read(&self.text, dialect(target), &entry.path) {
            Ok(Found::Present(present)) => present.value.filter(|value| earlier.ours.knows(value)),
            _ => None,
        };
        let whole = entry.filled(token, there.as_ref());
        let Some(there) = there.filter(|there| entry.has_its_members(there)) else {
            return self.put(target, &entry.path, &whole, 0, earlier);
        };
        if entry.is_in_place(&there) && entry.token_of(&there) == entry.token_of(&whole) {
            self.placed.push(Placed {
                path: entry.path.clone(),
                undo: earlier.kept(&entry.path),
                made: false,
            });
            return Ok(());
        }
        // Ours is there and started another program, say: what a person added to it stays.
        let undo = earlier.kept(&entry.path);
        let must_exist = entry.path.segments().len();
        for (keys, value) in leaves(&whole) {
            let path = keys.into_iter().fold(entry.path.clone(), KeyPath::join);
            self.upsert(target, &path, value, must_exist)?;
        }
        self.placed.push(Placed { path: entry.path.clone(), undo, made: false });
        Ok(())
    }
}

fn busy(file: &Path) -> Fault {
    Fault::new(format!("`{}` keeps being changed by another program", file.display()))
        .hint("quit the client whose file it is, then run the command again")
}
